"""SIP trunk policy: trunks may call, by address or digest credentials; everybody else is refused and counted."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from ivr.config import Trunk
from ivr.errors import ConfigError
from ivr.sip.digest import Account, DigestGuard, Verdict
from ivr.sip.message import PRODUCT, SipRequest, SipResponse, response_to, stateless_tag

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

WINDOW_S = 60.0
SOURCES_KEPT = 4096
LINES_A_WINDOW = 200  # over all sources: spoofed addresses must not fill the disk


@dataclass(frozen=True, slots=True)
class Admitted:
    trunk: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A refusal; ``response`` is to be sent without keeping state."""

    response: SipResponse
    reason: str


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
                sip_call_id=call_id[:128],
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
        address = _address(host)
        for trunk in self._trunks:
            if address is not None and any(address in network for network in self._networks[trunk.name]):
                return trunk
        return None

    def judge(self, request: SipRequest, source: str) -> Admitted | Refused:
        """Admit or refuse a request that came from the IP address ``source``."""
        here = self.trunk_at(source)
        if here is not None and not here.inbound_auth:
            return Admitted(here.name)
        candidates = [here] if here is not None else [t for t in self._trunks if t.inbound_auth and not t.allow]
        if not candidates:
            return self._forbidden(request, source, "unknown source")
        accounts = [Account(t.name, t.username, t.realm or PRODUCT, t.password.reveal) for t in candidates]
        try:
            verdict, name = self._guard.check(request, accounts, source)
        except ConfigError as error:
            log.error("sip.credentials_missing", error=str(error))
            return Refused(_stateless(request, 503), "our password is missing")
        if verdict is Verdict.PASSED:
            return Admitted(name)
        if verdict is Verdict.WRONG:
            return self._forbidden(request, source, "wrong credentials")
        response = _stateless(request, 401)
        realms = (account.realm for account in accounts)
        self._guard.challenge(response, realms, source, stale=verdict is Verdict.STALE)
        return Refused(response, "challenged")

    def _forbidden(self, request: SipRequest, source: str, reason: str) -> Refused:
        self.rejections.note(source, reason, request.method, request.call_id)
        return Refused(_stateless(request, 403), reason)


def _stateless(request: SipRequest, status: int) -> SipResponse:
    return response_to(request, status, tag=stateless_tag(request))


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
