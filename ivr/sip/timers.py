"""SIP timers: the intervals of RFC 3261's table 4 and RFC 6026 by letter, and the clock they run on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

T1 = 0.5  # round-trip time estimate
T2 = 4.0  # longest gap between retransmissions of a non-INVITE request or a response
T4 = 5.0  # longest time that a message stays in the network
TIMEOUT = 64 * T1

# letter: seconds over UDP, and over a reliable transport (None: it never runs)
INTERVALS: dict[str, tuple[float, float | None]] = {
    "A": (T1, None),  # INVITE request retransmit, doubling
    "B": (TIMEOUT, TIMEOUT),  # INVITE transaction timeout
    "D": (32.0, 0.0),  # wait for response retransmits
    "E": (T1, None),  # non-INVITE request retransmit, doubling up to T2; T2 in "proceeding"
    "F": (TIMEOUT, TIMEOUT),  # non-INVITE transaction timeout
    "G": (T1, None),  # INVITE response retransmit, doubling up to T2
    "H": (TIMEOUT, TIMEOUT),  # wait for ACK receipt
    "I": (T4, 0.0),  # wait for ACK retransmits
    "J": (TIMEOUT, 0.0),  # wait for non-INVITE request retransmits
    "K": (T4, 0.0),  # wait for response retransmits
    "L": (TIMEOUT, TIMEOUT),  # wait for accepted INVITE request retransmits (RFC 6026)
    "M": (TIMEOUT, TIMEOUT),  # wait for retransmits of 2xx to INVITE (RFC 6026)
}


class Timer(Protocol):
    def cancel(self) -> None: ...


class Timers(Protocol):
    """The part of an event loop that transactions need; tests pass one whose time they turn by hand."""

    def time(self) -> float: ...
    def call_later(self, delay: float, callback: Callable[[], object], /) -> Timer: ...


class Backoff:
    """A retransmission timer: ``action`` after T1, 2·T1, 4·T1 … (``cap``: at most that far apart) until cancelled."""

    def __init__(self, timers: Timers, action: Callable[[], None], cap: float) -> None:
        self._timers, self._action = timers, action
        self._interval, self._cap = T1, cap
        self._timer = timers.call_later(T1, self._fire)

    def _fire(self) -> None:
        self._interval = min(self._interval * 2, self._cap)
        self._timer = self._timers.call_later(self._interval, self._fire)
        self._action()

    def slow_down(self) -> None:
        """Repeat at the cap's pace from now on."""
        self._interval = self._cap

    def cancel(self) -> None:
        self._timer.cancel()
