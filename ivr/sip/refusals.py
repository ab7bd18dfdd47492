"""Refusals of calls by trunks: why, with which status, counted and told (RFC 3261 section 8.2)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sized

import structlog

from ivr.limits.throttle import CountedLog
from ivr.ports import RefusedCall
from ivr.sip.dialog import must_be_secure
from ivr.sip.headers import BadMessage
from ivr.sip.message import EXTENSIONS, METHODS, PRODUCT, Peer, SipRequest, SipResponse, refusal
from ivr.sip.party import called_of, caller_of
from ivr.sip.signalling import Signalling

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class CallRefusals:
    """``calls``: those under way. ``full``: with so many, why no other part can take one more, "" when all can;
    ``unready``: which part is missing, for probes, "" where none is. ``draining``: (status, Retry-After in seconds)
    for new calls. ``told`` hears of every call that was refused."""

    def __init__(
        self,
        core: Signalling,
        calls: Sized,
        full: Callable[[int], str],
        unready: Callable[[], str],
        told: Callable[[RefusedCall], None],
    ) -> None:
        self._core = core
        self._calls = calls
        self._full_of = full
        self._unready = unready
        self._told = told
        self.draining: tuple[int, int] | None = None
        self._log = CountedLog(log, "sip.call_refused", core.timers.time)
        self._full = CountedLog(log, "sip.transactions_full", core.timers.time)

    def of(self, request: SipRequest, source: Peer, trunk: str) -> SipResponse | None:
        """Return why a trunk's request is refused, in the order of section 8.2; None where nothing stands against
        it."""
        config = self._core.config
        if request.to.tag:
            return refusal(request, 481)
        if request.method not in ("INVITE", "OPTIONS"):
            return refusal(request, 481 if request.method in METHODS else 405)
        if not request.uri.lower().startswith(("sip:", "sips:", "tel:")):
            return refusal(request, 416)
        if must_be_secure(request) and source.transport != "tls":
            return refusal(request, 480, Warning=f'380 {PRODUCT} "SIPS Not Allowed"')  # 416 would ask for sip: instead
        if "?" in request.uri:
            return refusal(request, 400, "Headers in the Request-URI")
        if request.method == "INVITE" and self._core.transactions.merged(request):
            return refusal(request, 482)
        if unknown := request.tokens("require") - set(EXTENSIONS):
            return refusal(request, 420, Unsupported=", ".join(sorted(unknown)))
        if self.draining is not None:
            kind, reason, (status, retry_after_s) = "draining", "draining", self.draining
        elif len(self._calls) >= config.max_calls:
            kind, reason, status, retry_after_s = "busy", "busy", config.busy_status, config.retry_after_s
        elif reason := self._full_of(len(self._calls)) or (self._unready() if request.method == "OPTIONS" else ""):
            kind, status, retry_after_s = "speech", 503, config.retry_after_s
        else:
            return None
        if request.method == "INVITE":
            self._log.note(source.host, reason=reason, sip_call_id=request.call_id)
            self._tell(request, trunk, status, kind)
        return refusal(request, status, Retry_After=str(retry_after_s))

    def overload(self, request: SipRequest, source: Peer, trunk: str) -> SipResponse:
        """Too many at once, of all or of this peer."""
        transactions = self._core.transactions
        if transactions.overloaded:
            self._full.note(source.host, transactions=len(transactions))
        self._tell(request, trunk, 503, "overload")
        return refusal(request, 503, Retry_After=str(self._core.config.retry_after_s))

    def _tell(self, request: SipRequest, trunk: str, status: int, reason: str) -> None:
        """A trunk's call that nobody takes; where it can't be read who calls whom, it counts all the same."""
        self._core.traffic.refused[reason] += 1
        with contextlib.suppress(BadMessage, ValueError):
            plan = self._core.numbering
            caller, called = caller_of(request, plan), called_of(request, self._core.own_users, plan)
            self._told(RefusedCall(request.call_id, caller.number, called.number, trunk, status, reason))
