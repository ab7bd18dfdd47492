"""SIP admission: how much of whose requests is served, decided before they are parsed where that can be told.

What needs no state (RFC 3261 section 8.2.7) comes out of one budget, new calls out of another, requests inside a call
out of the call's own: a flood of one kind leaves room for the others, and every table is bounded."""

from __future__ import annotations

import re
from collections.abc import Callable

import structlog

from ivr.throttle import Budgets, CountedLog, source_of

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

STATELESS_RATE, STATELESS_BURST = 200.0, 400.0  # a source: keep-alives and probes of a large proxy are a few a second
CALLS_RATE, CALLS_BURST = 100.0, 200.0  # new calls of one source
INSIDE_RATE, INSIDE_BURST = 50.0, 500.0  # requests inside one call

_ALWAYS_READ = (b"SIP/", b"INVITE ", b"ACK ", b"CANCEL ")
_TO_TAG = re.compile(rb"^(?:to|t)[ \t]*:[^\r\n]*;\s*tag\s*=", re.IGNORECASE | re.MULTILINE)


class Admission:
    """``dropped`` counts what was left unread or unanswered."""

    def __init__(self, now: Callable[[], float], max_calls: int) -> None:
        self._stateless = Budgets(STATELESS_RATE, STATELESS_BURST, now)
        self._calls = Budgets(CALLS_RATE, max(CALLS_BURST, 2.0 * max_calls), now)
        self._inside = Budgets(INSIDE_RATE, INSIDE_BURST, now)
        self._flood = CountedLog(log, "sip.flood", now)
        self.dropped = 0

    def reads(self, data: bytes, source: str) -> bool:
        """Whether a message is worth parsing. What may belong to a call always is."""
        if data.startswith(_ALWAYS_READ) or _TO_TAG.search(data):
            return True
        return self._take(self._stateless, source, "requests without a call")

    def stray(self, source: str) -> bool:
        """Whether something that was read, and belongs to no call, is still worth an answer or a search."""
        return self._take(self._stateless, source, "requests without a call")

    def call(self, source: str) -> bool:
        """Whether ``source`` may begin one more call now."""
        return self._take(self._calls, source, "new calls")

    def inside(self, leg: str, source: str) -> bool:
        """Whether one more request inside the call of ``leg`` is served."""
        return self._take(self._inside, source, "requests inside a call", leg)

    def _take(self, budget: Budgets, source: str, kind: str, key: str = "") -> bool:
        source = source_of(source)
        if budget.take(key or source):
            return True
        self.dropped += 1
        self._flood.note(source, kind=kind)
        return False
