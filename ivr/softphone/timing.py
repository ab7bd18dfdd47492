"""Response times that a caller feels, computed from what crossed the wire (pure).

Times are CLOCK_MONOTONIC seconds of packets leaving and arriving, 20 ms each; levels are dB below full scale.
A prompt that ends by itself is not a silence that the caller caused: such cases give None rather than a good number.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FRAME_S = 0.02
AUDIBLE_DB = -45.0
DIGITAL_DB = -70.0  # below the smallest step of G.711: nothing is playing
_BEFORE_S = 0.1  # a prompt counts as playing when it was audible this shortly before
_SHORTEST_S = 0.04
_PAUSE_S = 0.45  # joins words of one utterance
_CUT_S = 0.06  # digital silence this long is the end of a prompt
_QUIET_S = 0.25  # and so is quiet this long; speech pauses for shorter
_JOIN_FLOOR_DB = -60.0
_JOIN_WINDOW_S = 0.6
_JOIN_DELAY_S = 0.4  # at most
_JOIN_ALIKE = 0.9
_LIVELY_DB = 4.0  # standard deviation of levels: silence resembles silence and proves nothing


@dataclass(frozen=True, slots=True)
class PacketLevel:
    """The level of one audio packet."""

    at: float
    level_db: float


@dataclass(frozen=True, slots=True)
class KeyPress:
    """One key; ``at`` is when its first event packet left (or arrived)."""

    at: float
    key: str


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of sound: the times of its first and its last audible packet."""

    start: float
    last: float

    @property
    def end(self) -> float:
        return self.last + FRAME_S


@dataclass(frozen=True, slots=True)
class Timeline:
    """One call as the phone saw it. ``until`` is the time up to which it was watched."""

    sent: Sequence[PacketLevel]
    heard: Sequence[PacketLevel]
    keys: Sequence[KeyPress]
    until: float


@dataclass(frozen=True, slots=True)
class Response:
    """One turn: from the last voiced packet sent to the first audible packet of the answer.

    ``seconds`` is None when no answer came before the caller spoke again, pressed a key or the call ended.
    ``overlapped``: the line was still talking when the caller stopped, so the number is a guess."""

    speech_start: float
    speech_end: float
    seconds: float | None
    overlapped: bool = False


@dataclass(frozen=True, slots=True)
class BargeIn:
    """The time that a prompt went on after the caller's key or first word; None when none was playing, or unknown."""

    at: float
    seconds: float | None
    key: str = ""


@dataclass(frozen=True, slots=True)
class Summary:
    """Measured times in seconds; ``p50`` and ``p95`` by nearest rank."""

    count: int
    p50: float
    p95: float
    worst: float


def spans(frames: Iterable[PacketLevel], bridge_s: float = 0.3) -> list[Span]:
    """Return stretches of sound, pauses up to ``bridge_s`` included, clicks shorter than 40 ms left out."""
    found: list[Span] = []
    for frame in frames:
        if frame.level_db < AUDIBLE_DB:
            continue
        if found and frame.at - found[-1].last <= bridge_s + FRAME_S:
            found[-1] = Span(found[-1].start, max(found[-1].last, frame.at))
        else:
            found.append(Span(frame.at, frame.at))
    return [span for span in found if span.end - span.start >= _SHORTEST_S - 1e-9]


def responses(timeline: Timeline) -> list[Response]:
    """Return one entry for each thing the caller said."""
    said = spans(timeline.sent, _PAUSE_S)
    answers = spans(timeline.heard, _QUIET_S)
    found: list[Response] = []
    for index, speech in enumerate(said):
        limit = said[index + 1].start if index + 1 < len(said) else timeline.until
        limit = min([limit, *(key.at for key in timeline.keys if key.at > speech.last)])
        overlapped = any(span.start <= speech.last < span.end for span in answers)
        start = next((span.start for span in answers if speech.last < span.start <= limit), None)
        found.append(Response(speech.start, speech.last, None if start is None else start - speech.last, overlapped))
    return found


def key_silences(timeline: Timeline) -> list[BargeIn]:
    """Measure, for each key, from its first event packet to the first silent packet heard."""
    return [BargeIn(key.at, _until_silent(timeline, key.at), key.key) for key in timeline.keys]


def speech_silences(timeline: Timeline) -> list[BargeIn]:
    """Measure, for each utterance, from its first voiced packet to the first silent packet heard (barge-in)."""
    said = spans(timeline.sent, _PAUSE_S)
    return [BargeIn(span.start, _until_silent(timeline, span.start)) for span in said]


def summary(values: Iterable[float]) -> Summary | None:
    """Return the summary, None without values."""
    ordered = sorted(values)
    if not ordered:
        return None

    def rank(share: float) -> float:
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)]

    return Summary(len(ordered), rank(0.5), rank(0.95), ordered[-1])


def joined_at(caller: Timeline, agent: Timeline, since: float) -> float | None:
    """Return the first time after ``since`` from which the caller hears the agent; None when that never happens.

    It compares the loudness of what was heard and of what was said over 0.6 s, at any delay up to 0.4 s."""
    if not caller.heard or not agent.sent:
        return None
    end = max(caller.heard[-1].at, agent.sent[-1].at)
    heard = _contour(caller.heard, since, end)
    said = _contour(agent.sent, since - _JOIN_DELAY_S, end)
    window, delays = round(_JOIN_WINDOW_S / FRAME_S), round(_JOIN_DELAY_S / FRAME_S)
    for start in range(len(heard) - window):
        piece = heard[start : start + window]
        if piece.std() < _LIVELY_DB:
            continue
        for delay in range(delays + 1):
            first = start + delays - delay
            other = said[first : first + window]
            if len(other) == window and other.std() >= _LIVELY_DB and np.corrcoef(piece, other)[0, 1] > _JOIN_ALIKE:
                return since + start * FRAME_S
    return None


def _until_silent(timeline: Timeline, at: float) -> float | None:
    audible = [frame.at for frame in timeline.heard if frame.level_db >= AUDIBLE_DB]
    last = max((time for time in audible if at - _BEFORE_S < time <= at), default=None)
    if last is None:
        return None
    residue = [frame.at for frame in timeline.heard if frame.level_db > DIGITAL_DB]
    for time in (time for time in audible if time > at):
        gap = time - last - FRAME_S
        if gap >= _QUIET_S - 1e-9 or (gap >= _CUT_S - 1e-9 and not any(last < other < time for other in residue)):
            return max(0.0, last + FRAME_S - at)
        last = time
    if timeline.until - last - FRAME_S < _QUIET_S:
        return None  # the watch ended too soon to tell
    return max(0.0, last + FRAME_S - at)


def _contour(frames: Sequence[PacketLevel], start: float, end: float) -> NDArray[np.float64]:
    levels = np.full(max(int((end - start) / FRAME_S) + 1, 1), _JOIN_FLOOR_DB)
    for frame in frames:
        index = int((frame.at - start) / FRAME_S)
        if 0 <= index < len(levels):
            levels[index] = max(levels[index], frame.level_db, _JOIN_FLOOR_DB)
    return levels
