"""The pacing of the media process: its deadlines, how they were kept, its place before recognition and synthesis."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass

_NICE = -15
_FORGIVEN_S = 0.1
_LATE_S = 0.01  # half a tick: what comes later than that, far ends' buffers begin to notice


class Pacer:
    """Pacing by deadlines: the n-th tick is due at start + n periods, however long the one before took.

    Pure: times are passed in, seconds. A stall of more than 0.1 s is not caught up with a burst."""

    def __init__(self, now: float, period: float) -> None:
        self.due = now + period
        self.skipped = 0
        self._period = period

    def ticked(self, now: float) -> None:
        """The tick that was due has been done, at ``now``."""
        self.due += self._period
        behind = now - self.due
        if behind > _FORGIVEN_S:
            missed = int(behind / self._period)
            self.due += missed * self._period
            self.skipped += missed


@dataclass(slots=True)
class Punctuality:
    """How ticks kept their deadlines: ``ticks`` of them, ``late`` ones by more than 10 ms, skipped ones included;
    ``worst_s``: by how much the latest did."""

    ticks: int = 0
    late: int = 0
    worst_s: float = 0.0

    def began(self, behind_s: float) -> None:
        """A tick began, so long after it was due."""
        self.ticks += 1
        self.late += behind_s > _LATE_S
        self.worst_s = max(self.worst_s, behind_s)

    def skipped(self, ticks: int) -> None:
        self.ticks += ticks
        self.late += ticks


def raise_priority() -> None:
    """Go before recognition and synthesis, where the operating system lets us.

    Real time is safe here: the loop sleeps between its looks, and the kernel leaves 5 % to others in any case."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except OSError:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, _NICE)
