"""SIP admission: how much of whose requests is served, decided before they are parsed where that can be told.

What needs no state (RFC 3261 section 8.2.7) comes out of one budget, new calls out of another, requests inside a call
out of the call's own: a flood of one kind leaves room for the others, and every table is bounded."""

from __future__ import annotations

import re
from collections.abc import Callable

import structlog

from ivr.limits.throttle import Budgets, CountedLog, source_of
from ivr.sip.message import METHODS

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

STATELESS_RATE, STATELESS_BURST = 200.0, 400.0  # a source and method: a large proxy's probes are a few a second
CALLS_RATE, CALLS_BURST = 100.0, 200.0  # new calls of one source
INSIDE_RATE, INSIDE_BURST = 50.0, 500.0  # requests inside one call

_KINDS = frozenset({*METHODS, "SIP", "REGISTER", "SUBSCRIBE", "MESSAGE", "PUBLISH", "REFER"})
_CALL_ID = re.compile(rb"^(?:call-id|i)[ \t]*:[ \t]*([^\r\n]*?)[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_TO_TAG = re.compile(rb"^(?:to|t)[ \t]*:[^\r\n]*;\s*tag\s*=", re.IGNORECASE | re.MULTILINE)


class Admission:
    """``known`` says whether a Call-ID is of a call or transaction of ours. ``dropped`` counts what was left unread or
    unanswered."""

    def __init__(self, now: Callable[[], float], max_calls: int, known: Callable[[str], bool]) -> None:
        self._known = known
        self._stateless = Budgets(STATELESS_RATE, STATELESS_BURST, now)
        self._calls = Budgets(CALLS_RATE, CALLS_BURST, now)
        self._inside = Budgets(INSIDE_RATE, INSIDE_BURST, now)
        self._flood = CountedLog(log, "sip.flood", now)
        self.dropped = 0
        self.apply(max_calls)

    def apply(self, max_calls: int) -> None:
        """A source may begin so many calls at once."""
        self._calls.burst = max(CALLS_BURST, 2.0 * max_calls)

    def reads(self, data: bytes, source: str) -> bool:
        """Whether a message is worth parsing. What begins a call, or belongs to one of ours, always is."""
        if data.startswith(b"INVITE ") and not _TO_TAG.search(data):
            return True
        found = _CALL_ID.search(data)
        if found is not None and self._known(found[1].decode("utf-8", "replace")):
            return True
        word = data[:32].partition(b" ")[0].partition(b"/")[0].decode("latin-1")
        kind = word if word in _KINDS else "what is no request"
        return self._take(self._stateless, source, f"{kind} outside calls", f"{source_of(source)} {kind}")

    def answers(self, source: str) -> bool:
        """Whether an INVITE that is refused on sight is still worth an answer."""
        return self._take(self._stateless, source, "refused calls")

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
