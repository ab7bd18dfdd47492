"""When two phones were joined, found in what crossed the wire: one hears what the other says (pure)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ivr.softphone.timing import FRAME_S, PacketLevel, Timeline

FLOOR_DB = -60.0
WINDOW_S = 0.6
MAX_DELAY_S = 0.4
ALIKE = 0.9
_LIVELY_DB = 4.0  # standard deviation of levels: silence resembles silence and proves nothing

Levels = NDArray[np.float64]


def joined_at(caller: Timeline, agent: Timeline, since: float) -> float | None:
    """The first time after ``since`` from which the caller hears the agent; None when that never happens.

    Compares the loudness contours of what was heard and what was said over 0.6 s, at any delay up to 0.4 s.
    """
    if not caller.heard or not agent.sent:
        return None
    end = max(caller.heard[-1].at, agent.sent[-1].at)
    heard = _contour(caller.heard, since, end)
    said = _contour(agent.sent, since - MAX_DELAY_S, end)
    window, delays = round(WINDOW_S / FRAME_S), round(MAX_DELAY_S / FRAME_S)
    for start in range(len(heard) - window):
        piece = heard[start : start + window]
        if piece.std() < _LIVELY_DB:
            continue
        for delay in range(delays + 1):
            first = start + delays - delay
            other = said[first : first + window]
            if len(other) == window and other.std() >= _LIVELY_DB and np.corrcoef(piece, other)[0, 1] > ALIKE:
                return since + start * FRAME_S
    return None


def _contour(frames: Sequence[PacketLevel], start: float, end: float) -> Levels:
    levels = np.full(max(int((end - start) / FRAME_S) + 1, 1), FLOOR_DB)
    for frame in frames:
        index = int((frame.at - start) / FRAME_S)
        if 0 <= index < len(levels):
            levels[index] = max(levels[index], frame.level_db, FLOOR_DB)
    return levels
