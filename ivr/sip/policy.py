"""SIP trunk policy: trunks may call, by certificate, address or digest credentials; everybody else is refused and
counted."""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import lru_cache

import structlog

from ivr.config import TIE_LINE, Trunk
from ivr.errors import ConfigError
from ivr.limits.throttle import CountedLog
from ivr.sip.certificates import Expected, Shown
from ivr.sip.digest import Account, DigestGuard, Verdict
from ivr.sip.headers import BadHeader, Uri
from ivr.sip.message import PRODUCT, Peer, SipRequest, SipResponse, refusal
from ivr.sip.network import Standing
from ivr.sip.party import tie_token

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


_SEEN = 1024


class TrunkPolicy:
    """It judges requests outside dialogs: who sends one is known by a certificate first, then by address. A trunk with
    ``inbound_auth`` is challenged; where it also lists addresses, only those are. ``near``: other processes of this
    line are at an IP address; only from there come calls to agents here, whatever the trunks say."""

    def __init__(
        self, trunks: Sequence[Trunk], now: Callable[[], float], near: Callable[[str], bool] = lambda host: False
    ) -> None:
        self._near = near
        self._trunks = tuple(trunks)
        self._networks = {t.name: [ipaddress.ip_network(a, strict=False) for a in t.allow] for t in trunks}
        self._guard = DigestGuard(now)
        self._seen: OrderedDict[str, str] = OrderedDict()  # by address, the trunk whose certificate came from there
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
        return next((t for t in self._trunks if self._lists(t, host)), None)

    def trunk_toward(self, name: str, host: str) -> Trunk | None:
        """Return the trunk that a call goes to: the one at ``host``, an address; else the one that has the domain
        ``name`` for registrar or gateway, or in its certificate."""
        return self.trunk_at(host) or next((t for t in self._trunks if name.lower() in _domains(t)), None)

    def _lists(self, trunk: Trunk, host: str) -> bool:
        try:
            address = _address(host)
        except ValueError:
            return False
        return any(address in network for network in self._networks[trunk.name])

    # --- certificates ---

    @property
    def pins(self) -> frozenset[str]:
        """Certificates that may connect whoever signed them."""
        return frozenset(pin for trunk in self._trunks for pin in trunk.tls_pin)

    def named(self, shown: Shown) -> Trunk | None:
        """Return the trunk whose certificate this is."""
        return next((t for t in self._trunks if _speaks_for(shown, t)), None)

    def expected(self, peer: Peer) -> Expected:
        """Return whom a connection of ours to ``peer`` must reach: the domain that was asked for, or who its trunk
        says (RFC 5922 section 7.3). Never where SRV or a host's address led."""
        name = peer.name.lower() or peer.host
        secure = [t for t in self._trunks if t.transport == "tls"]
        trunk = next((t for t in secure if name in _domains(t)), None)
        trunk = trunk or next((t for t in secure if self._lists(t, peer.host)), None)
        if trunk is not None and trunk.certified:
            return Expected(frozenset(() if trunk.tls_pin else trunk.tls_names), frozenset(trunk.tls_pin))
        if seen := next((t for t in secure if t.name == self._seen.get(peer.host)), None):
            # It called us from there, and its contact is an address, which few certificates name.
            return Expected(frozenset({name, *(() if seen.tls_pin else seen.tls_names)}), frozenset(seen.tls_pin))
        return Expected(frozenset({name}))

    def see(self, source: str, trunk: str) -> None:
        """Note that ``trunk`` was known by its certificate at the address ``source``, here or in the process that had
        its call before."""
        self._seen[source] = trunk
        self._seen.move_to_end(source)
        if len(self._seen) > _SEEN:
            self._seen.popitem(last=False)

    # --- judging ---

    def standing(self, host: str, *, secure: bool = False) -> Standing:
        """Return what the trunks say of a host that connects: in a list, perhaps with credentials, or nobody.
        ``secure``: by TLS, where a certificate may tell who it is."""
        if self.trunk_at(host) is not None or self._near(host):
            return Standing.KNOWN
        roaming = any((t.inbound_auth or (secure and t.certified)) and not t.allow for t in self._trunks)
        return Standing.UNPROVEN if roaming else Standing.REFUSED

    def judge(self, request: SipRequest, source: str, shown: Shown | None = None) -> str | SipResponse:
        """Return the name of the trunk that a request from the IP address ``source`` is admitted for, or a refusal, to
        be sent without keeping state. ``shown``: what its connection is known by; None where it isn't TLS."""
        if request.method == "INVITE" and tie_token(request.uri):
            return TIE_LINE if self._near(source) else self._forbidden(request, source, "no line of this house")
        here = self.named(shown) if shown is not None else None
        if here is not None and here.allow and not self._lists(here, source):
            return self._forbidden(request, source, f"the certificate of {here.name} from another address")
        if here is not None:
            self.see(source, here.name)
        served = [t for t in self._trunks if not t.certified and (t.transport != "tls" or shown is not None)]
        here = here or next((t for t in served if self._lists(t, source)), None)
        if here is not None and not here.inbound_auth:
            return here.name
        candidates = [here] if here is not None else [t for t in served if t.inbound_auth and not t.allow]
        if not candidates:
            return self._forbidden(request, source, self._unknown(source, shown))
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

    def _unknown(self, source: str, shown: Shown | None) -> str:
        """Why nobody is known by what ``source`` showed."""
        trunk = self.trunk_at(source)
        if trunk is None or (shown is None and trunk.transport != "tls"):
            return "unknown source" if shown is None or not shown.names else "its certificate names no trunk"
        if shown is None:
            return f"{trunk.name} comes by TLS only"
        return f"not the certificate of {trunk.name}" if shown.pin else f"without the certificate of {trunk.name}"

    def _forbidden(self, request: SipRequest, source: str, reason: str) -> SipResponse:
        self._rejections.note(source, reason=reason, method=request.method[:16], sip_call_id=request.call_id[:128])
        return refusal(request, 403)


def _domains(trunk: Trunk) -> frozenset[str]:
    """The domains that stand for a trunk."""
    hosts = set(trunk.tls_names)
    for uri in (trunk.register_with, trunk.gateway):
        try:
            hosts.add(Uri.parse(uri).host.lower())
        except BadHeader:
            continue
    return frozenset(hosts - {""})


def _speaks_for(shown: Shown, trunk: Trunk) -> bool:
    """By what it says of its certificate; one that we register with by TLS is also known by the registrar's name."""
    if trunk.tls_pin:
        return shown.pin in trunk.tls_pin
    named = trunk.tls_names
    if not named and trunk.transport == "tls" and trunk.register_with:
        named = (Uri.parse(trunk.register_with).host.lower(),)
    return shown.trusted and not shown.names.isdisjoint(named)


@lru_cache(1024)  # trunks are few
def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """IPv4 in IPv6 as IPv4. Raises ValueError."""
    address = ipaddress.ip_address(host)
    return getattr(address, "ipv4_mapped", None) or address
