"""Time for transactions: RFC 3261's intervals, and the back-off that repeats a message on UDP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

T1 = 0.5
T2 = 4.0
T4 = 5.0
GIVE_UP = 64 * T1


class Timer(Protocol):
    def cancel(self) -> None: ...


class Timers(Protocol):
    """The part of an event loop that transactions need; tests pass one whose time they turn by hand."""

    def time(self) -> float: ...
    def call_later(self, delay: float, callback: Callable[[], object], /) -> Timer: ...


class Backoff:
    """Repeats ``action`` after T1, 2·T1, 4·T1 … (``cap``: at most that far apart) until stopped."""

    def __init__(self, timers: Timers, action: Callable[[], None], cap: float = T2) -> None:
        self._timers, self._action, self._cap = timers, action, cap
        self._interval = T1
        self._timer: Timer | None = timers.call_later(T1, self._fire)

    def _fire(self) -> None:
        self._interval = min(self._interval * 2, self._cap)
        self._timer = self._timers.call_later(self._interval, self._fire)
        self._action()

    def slow_down(self) -> None:
        """From now on at the cap's pace (RFC 3261 section 17.1.2.2, Proceeding)."""
        self._interval = self._cap

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Timed:
    """What both kinds of transaction do with time: repeat what they sent, and end."""

    def __init__(self, timers: Timers) -> None:
        self._timers = timers
        self._backoff: Backoff | None = None
        self._end: Timer | None = None

    def _finish_in(self, delay: float, then: Callable[[], None]) -> None:
        if self._end is not None:
            self._end.cancel()
        self._end = self._timers.call_later(delay, then)

    def _stop_repeating(self) -> None:
        if self._backoff is not None:
            self._backoff.stop()
            self._backoff = None

    def close(self) -> None:
        self._stop_repeating()
        if self._end is not None:
            self._end.cancel()
            self._end = None
