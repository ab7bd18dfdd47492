"""SIP transaction (RFC 3261 section 17, RFC 6026): its state, and its timers by the RFC's letters."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from ivr.sip.message import Peer, SipRequest
from ivr.sip.timers import INTERVALS, T2, TIMEOUT, Backoff, Timer, Timers

Key = tuple[str, ...]
Send = Callable[[bytes, Peer, Peer | None], None]


class TransactionState(StrEnum):
    """The states of figures 5 to 8; ``ACCEPTED`` is RFC 6026's, of an INVITE that a 2xx answered."""

    CALLING = "calling"
    TRYING = "trying"
    PROCEEDING = "proceeding"
    COMPLETED = "completed"
    CONFIRMED = "confirmed"
    ACCEPTED = "accepted"
    TERMINATED = "terminated"


class Transaction:
    """One request and its responses, with no sockets: ``send`` is the transport, ``timers`` the clock."""

    state: TransactionState

    def __init__(self, key: Key, request: SipRequest, peer: Peer, send: Send, timers: Timers) -> None:
        self.key = key
        self.request = request
        self.peer = peer
        self.on_terminated: Callable[[], object] = lambda: None
        self._send = send
        self._timers = timers
        self._running: dict[str, Timer] = {}

    @property
    def running(self) -> frozenset[str]:
        """The letters of the timers that run."""
        return frozenset(self._running)

    def _enter(self, state: TransactionState, **timers: Callable[[], None]) -> None:
        """Go into ``state``: timers of the state before stop, those named start, with what they do when they fire."""
        self._stop(*self._running)
        self.state = state
        for letter, action in timers.items():
            self._start(letter, action)

    def _start(self, letter: str, action: Callable[[], None]) -> None:
        interval = INTERVALS[letter][self.peer.reliable]
        if interval is None:
            return
        if letter in "AEG":
            self._running[letter] = Backoff(self._timers, action, TIMEOUT if letter == "A" else T2)
        else:
            self._running[letter] = self._timers.call_later(interval, action)

    def _stop(self, *letters: str) -> None:
        for letter in letters:
            if timer := self._running.pop(letter, None):
                timer.cancel()

    def terminate(self) -> None:
        self._enter(TransactionState.TERMINATED)
        self.on_terminated()
