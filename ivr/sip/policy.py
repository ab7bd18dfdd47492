"""SIP trunk policy: trunks may call, by address or digest credentials; everybody else is refused and counted."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Callable, Sequence

import structlog

from ivr.config import Trunk
from ivr.errors import ConfigError
from ivr.plain_text import plain
from ivr.sip.digest import Account, DigestGuard, Verdict
from ivr.sip.message import PRODUCT, SipRequest, SipResponse, refusal

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

WINDOW_S = 60.0
SOURCES_KEPT = 4096
LINES_A_WINDOW = 200  # over all sources: spoofed addresses must not fill the disk


class RejectionLog:
    """A log of one line a source and minute; the next line says how many were kept back."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._sources: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._window = (now(), 0)

    def note(self, source: str, reason: str, method: str, call_id: str) -> bool:
        """Log a refusal; return whether a line was written."""
        now = self._now()
        since, kept_back = self._sources.pop(source, (float("-inf"), 0))
        start, lines = self._window
        if now - start >= WINDOW_S:
            start, lines = now, 0
        if now - since < WINDOW_S or lines >= LINES_A_WINDOW:
            self._sources[source] = (since if now - since < WINDOW_S else now - WINDOW_S, kept_back + 1)
            written = False
        else:
            self._sources[source] = (now, 0)
            lines += 1
            log.warning(
                "sip.rejected",
                source=source,
                reason=reason,
                method=method[:16],
                sip_call_id=plain(call_id[:128]),
                suppressed=kept_back,
            )
            written = True
        self._window = (start, lines)
        if len(self._sources) > SOURCES_KEPT:
            self._sources.popitem(last=False)
        return written


class TrunkPolicy:
    """It judges requests outside dialogs. A trunk with ``inbound_auth`` is challenged; where it also lists
    addresses, only those are."""

    def __init__(self, trunks: Sequence[Trunk], now: Callable[[], float]) -> None:
        self._trunks = tuple(trunks)
        self._networks = {t.name: [ipaddress.ip_network(a, strict=False) for a in t.allow] for t in trunks}
        self._guard = DigestGuard(now)
        self.rejections = RejectionLog(now)

    def learn(self, trunk: str, host: str) -> None:
        """Let a registrar's address send us calls, where its trunk lists no addresses of its own."""
        configured = next((t for t in self._trunks if t.name == trunk), None)
        if configured is not None and not configured.allow:
            network = ipaddress.ip_network(host)
            if network not in self._networks[trunk]:
                self._networks[trunk].append(network)

    def trunk_at(self, host: str) -> Trunk | None:
        """Return the trunk whose addresses include ``host``."""
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return None
        address = getattr(address, "ipv4_mapped", None) or address
        return next((t for t in self._trunks if any(address in n for n in self._networks[t.name])), None)

    def judge(self, request: SipRequest, source: str) -> str | SipResponse:
        """Return the name of the trunk that a request from the IP address ``source`` is admitted for, or a refusal, to
        be sent without keeping state."""
        here = self.trunk_at(source)
        if here is not None and not here.inbound_auth:
            return here.name
        candidates = [here] if here is not None else [t for t in self._trunks if t.inbound_auth and not t.allow]
        if not candidates:
            return self._forbidden(request, source, "unknown source")
        accounts = [Account(t.name, t.username, t.realm or PRODUCT, t.password.reveal) for t in candidates]
        try:
            verdict, name = self._guard.check(request, accounts, source)
        except ConfigError as error:
            log.error("sip.credentials_missing", error=str(error))
            return refusal(request, 503)
        if verdict is Verdict.PASSED:
            return name
        if verdict is Verdict.WRONG:
            return self._forbidden(request, source, "wrong credentials")
        response = refusal(request, 401)
        self._guard.challenge(response, (a.realm for a in accounts), source, stale=verdict is Verdict.STALE)
        return response

    def _forbidden(self, request: SipRequest, source: str, reason: str) -> SipResponse:
        self.rejections.note(source, reason, request.method, request.call_id)
        return refusal(request, 403)
