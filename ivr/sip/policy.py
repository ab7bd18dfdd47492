"""SIP trunk policy: trunks may call, by address or digest credentials; everybody else is refused and counted."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Callable, Sequence
from functools import lru_cache

import structlog

from ivr.config import TIE_LINE, Trunk
from ivr.errors import ConfigError
from ivr.limits.throttle import CountedLog
from ivr.sip.digest import Account, DigestGuard, Verdict
from ivr.sip.message import PRODUCT, SipRequest, SipResponse, refusal
from ivr.sip.network import Standing
from ivr.sip.party import tie_token

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class TrunkPolicy:
    """It judges requests outside dialogs. A trunk with ``inbound_auth`` is challenged; where it also lists
    addresses, only those are. ``near``: other processes of this line are at an IP address; only from there come calls
    to agents here, whatever the trunks say."""

    def __init__(
        self, trunks: Sequence[Trunk], now: Callable[[], float], near: Callable[[str], bool] = lambda host: False
    ) -> None:
        self._near = near
        self._trunks = tuple(trunks)
        self._networks = {t.name: [ipaddress.ip_network(a, strict=False) for a in t.allow] for t in trunks}
        self._guard = DigestGuard(now)
        self._rejections = CountedLog(log, "sip.rejected", now)

    def apply(self, trunks: Sequence[Trunk]) -> None:
        """Judge by these from now on. What was learnt of a trunk that stays as it was is kept; so are challenges."""
        before = dict(zip((t.name for t in self._trunks), self._trunks, strict=True))
        known = self._networks
        self._trunks = tuple(trunks)
        self._networks = {
            t.name: known[t.name]
            if before.get(t.name) == t
            else [ipaddress.ip_network(a, strict=False) for a in t.allow]
            for t in trunks
        }

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
            address = _address(host)
        except ValueError:
            return None
        return next((t for t in self._trunks if any(address in n for n in self._networks[t.name])), None)

    def standing(self, host: str) -> Standing:
        """Return what the trunks say of a host that connects: in a list, perhaps with credentials, or nobody."""
        if self.trunk_at(host) is not None or self._near(host):
            return Standing.KNOWN
        roaming = any(t.inbound_auth and not t.allow for t in self._trunks)
        return Standing.UNPROVEN if roaming else Standing.REFUSED

    def judge(self, request: SipRequest, source: str) -> str | SipResponse:
        """Return the name of the trunk that a request from the IP address ``source`` is admitted for, or a refusal, to
        be sent without keeping state."""
        if request.method == "INVITE" and tie_token(request.uri):
            return TIE_LINE if self._near(source) else self._forbidden(request, source, "no line of this house")
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
        if verdict is Verdict.LOCKED:
            wait = math.ceil(self._guard.wait_s(request, accounts, source))
            response = self._forbidden(request, source, "too many wrong credentials")
            response.headers.set("Retry-After", str(max(1, wait)))
            return response
        response = refusal(request, 401)
        self._guard.challenge(response, (a.realm for a in accounts), source, stale=verdict is Verdict.STALE)
        return response

    def _forbidden(self, request: SipRequest, source: str, reason: str) -> SipResponse:
        self._rejections.note(source, reason=reason, method=request.method[:16], sip_call_id=request.call_id[:128])
        return refusal(request, 403)


@lru_cache(1024)  # trunks are few
def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """IPv4 in IPv6 as IPv4. Raises ValueError."""
    address = ipaddress.ip_address(host)
    return getattr(address, "ipv4_mapped", None) or address
