"""SIP user agent core: the identity, addresses, transactions and credentials that legs and registrations share."""

from __future__ import annotations

import asyncio
import ipaddress
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import replace
from typing import Any

import structlog
from aiosipua import generate_branch

from ivr.config import SipConfig
from ivr.media.description import SrtpPolicy, ip_version, literal
from ivr.numbering import NumberingPlan
from ivr.sip.addresses import WILDCARDS, NatView
from ivr.sip.dialog import CallDialog, is_secure, secured
from ivr.sip.digest import DigestClient
from ivr.sip.dns import Resolver
from ivr.sip.failover import Experience, Hunt, over_tcp
from ivr.sip.headers import Address, Uri, host_port
from ivr.sip.locate import Lookup, Reach, Server, locate
from ivr.sip.message import PRODUCT, Peer, SipRequest, SipResponse, encode
from ivr.sip.network import Network
from ivr.sip.policy import TrunkPolicy
from ivr.sip.sdp import OfferAnswer
from ivr.sip.timers import Timers
from ivr.sip.traffic import SipTraffic
from ivr.sip.transactions import TransactionLayer, renewed

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

RESOLVE_TIMEOUT_S = 2.0
LONGEST_DATAGRAM = 1300  # bytes of a request (section 18.1.1)
TCP_S = 1.0  # that a connection for a longer one may take; then it goes by UDP after all
MAX_CHALLENGES = 2  # one for a new nonce, one for a stale one


class Unresolvable(Exception):
    """A URI that leads nowhere we can send to."""


class Insecure(Unresolvable):
    """It asks for TLS, and we have none."""


Exchange = Callable[[SipRequest, Peer, float | None], Awaitable[SipResponse]]
"""Sends a request to a peer that has so many seconds for its first answer; the final one."""


def _asks_for_udp(request: SipRequest) -> bool:
    route = request.headers.first("route")
    uri = Address.parse(route).uri if route else Uri.parse(request.uri)
    return uri.params.get("transport", "").lower() == "udp"


def _hidden(host: str) -> bool:
    return ipaddress.ip_address(host).is_private


def _own_users(config: SipConfig) -> frozenset[str]:
    return frozenset({PRODUCT, *(trunk.username for trunk in config.trunks if trunk.username)})


class Signalling:
    """The core of one user agent. ``timers`` is the event loop, or a test's clock; ``lookup`` DNS, or what a test has
    instead."""

    def __init__(
        self,
        config: SipConfig,
        codecs: Sequence[str],
        numbering: NumberingPlan,
        network: Network,
        timers: Timers,
        near: Callable[[str], bool] = lambda host: False,
        lookup: Lookup | None = None,
    ) -> None:
        self.config = config
        self.codecs = tuple(codecs)
        self.network = network
        self.timers = timers
        self.traffic = SipTraffic()
        self.transactions = TransactionLayer(self.send, timers, self.traffic)
        self.policy = TrunkPolicy(config.trunks, timers.time, near)
        self.accounts = {
            t.name: DigestClient(t.username, t.password.reveal, t.realm) for t in config.trunks if t.username
        }
        self.numbering = numbering
        self.own_users = _own_users(config)
        self.experience = Experience(timers.time)
        self._lookup = lookup
        self._resolver: Resolver | None = None
        self._nat = NatView(config)
        self._chance = random.Random()
        self._tasks: set[asyncio.Task[Any]] = set()

    def apply(self, config: SipConfig) -> None:
        """Trunks and limits of ``config``. A trunk that is gone leaves its credentials to its calls in progress."""
        before = {trunk.name: trunk for trunk in self.config.trunks}
        self.config = config
        self._nat = NatView(config)
        self.policy.apply(config.trunks)
        for trunk in config.trunks:
            if trunk.username and trunk != before.get(trunk.name):
                self.accounts[trunk.name] = DigestClient(trunk.username, trunk.password.reveal, trunk.realm)
        self.own_users = _own_users(config)

    # --- who we are ---

    def host_toward(self, peer: Peer) -> str:
        return self._nat.shown_to(peer.host) or self.network.listening(peer.transport).local_host(peer.host)

    def media_host_toward(self, host: str) -> str:
        """Return the address for SDP where media only knows a wildcard, or NAT hides it: always an IP literal."""
        return literal(self._nat.shown_to(host)) or self.network.own.local_host(host)

    def offer_answer(self, peer: Peer, origin: str = "", *, srtp: SrtpPolicy) -> OfferAnswer:
        """``origin``: the host behind ``peer`` that the SIP comes from, where that is a proxy."""

        def reachable(version: int, far: str) -> str:
            usable = (host for host in (peer.host, literal(far)) if host and ip_version(host) == version)
            return self.media_host_toward(next(usable, "::" if version == 6 else "0.0.0.0"))  # noqa: S104

        translate = bool(self.config.advertise)
        version = ip_version(peer.host)
        return OfferAnswer(self.codecs, reachable, translate, origin or peer.host, srtp, version=version)

    def srtp_of(self, trunk: str) -> SrtpPolicy:
        """What is configured for ``trunk``; of what is none, "off"."""
        return next((each.srtp for each in self.config.trunks if each.name == trunk), "off")

    def _reached(self, peer: Peer) -> str:
        return host_port(self.host_toward(peer), self.network.listening(peer.transport).port_toward(peer.host))

    def local(self, peer: Peer) -> bool:
        """Whether ``peer`` is on our side of the NAT, by ``sip.local_nets``."""
        return self._nat.local(peer.host)

    def via(self, peer: Peer) -> str:
        return f"SIP/2.0/{peer.transport.upper()} {self._reached(peer)};branch={generate_branch()};rport"

    def contact(self, peer: Peer, user: str = PRODUCT) -> str:
        return f"<sip:{user}@{self._reached(peer)}{f';transport={peer.transport}' if peer.reliable else ''}>"

    def readdress(self, request: SipRequest, peer: Peer) -> None:
        """Make it a new transaction with ``peer``: a Via of its own, and the Contact that reaches us from there."""
        request.headers.set("Via", self.via(peer), *request.headers.get("via")[1:])
        contacts = request.headers.get("contact")
        if contacts and not self._by_proxy(request.contact.uri):
            contact = self.contact(peer, request.contact.uri.user)
            request.headers.set("Contact", secured(contact) if is_secure(request.uri) else contact, *contacts[1:])

    def _by_proxy(self, contact: Uri) -> bool:
        """Whether it is reached by the proxy that a trunk names, from wherever."""
        named = (Uri.parse(trunk.contact) for trunk in self.config.trunks if trunk.contact)
        return any((uri.host, uri.port) == (contact.host, contact.port) for uri in named)

    # --- where to send ---

    def send(self, data: bytes, peer: Peer, fallback: Peer | None = None) -> None:
        """Every message that goes out, counted."""
        self.traffic.sent(data)
        self.network.send(data, peer, fallback)

    @property
    def reach(self) -> Reach:
        """TLS last: who wants it says so, by sips: or in DNS."""
        return Reach(sorted(self.config.transports, key=lambda each: each == "tls"), self.network.own.versions)

    async def servers(self, text: str, transport: str = "") -> list[Server]:
        """Locate a URI's servers by RFC 3263, within RESOLVE_TIMEOUT_S; those that failed lately are the last of them.
        ``transport``: the one configured for it, which counts where the URI names none. sips: is served over TLS only,
        where the certificate must name the host that stands there. Raises Unresolvable."""
        try:
            uri = Uri.parse(text)
        except ValueError as error:
            raise Unresolvable(str(error)) from error
        wanted = "tls" if uri.scheme == "sips" else (uri.params.get("transport") or transport).lower()
        if wanted == "tls" and "tls" not in self.config.transports:
            raise Insecure("SIPS Not Allowed: this line has no TLS (sip.transports)")
        if uri.scheme not in ("sip", "sips") or (wanted and wanted not in self.reach.transports):
            raise Unresolvable(f"{uri.scheme} over {wanted or 'anything'} is not supported")
        if uri.port is not None and not 0 < uri.port < 65536:
            raise Unresolvable(f"{uri.port} is no port")
        if self._lookup is None:
            self._lookup = self._resolver = Resolver(self.config.dns_servers, self.reach.versions, self.timers.time)
        try:
            async with asyncio.timeout(RESOLVE_TIMEOUT_S):
                found = await locate(uri, transport, self.reach, self._lookup, self._chance)
        except (OSError, TimeoutError) as error:
            raise Unresolvable(f"{uri.host}: {error or 'no answer from DNS'}") from error
        if not found:
            raise Unresolvable(
                f"{uri.host}: nothing in DNS that this line can send to, see sip.listen and sip.transports"
            )
        return sorted(found, key=lambda server: server.peer in self.experience.failed)

    async def resolve(self, text: str, transport: str = "") -> Peer:
        """Return the first of the URI's servers. Raises Unresolvable."""
        return (await self.servers(text, transport))[0].peer

    async def peer_of(self, dialog: CallDialog, arrival: Peer | None) -> Peer:
        """Return where the dialog's next request goes. ``arrival`` is whom the dialog began with: its connection is
        used again while it lasts, and it stands in for a contact that DNS doesn't know. What came by TLS stays there,
        unless the far end names another transport."""
        uri = Uri.parse(dialog.next_hop)
        named = uri.params.get("transport", "").lower()
        secure = uri.scheme == "sips" or (arrival is not None and arrival.transport == "tls" and not named)
        try:
            found = [server.peer for server in await self.servers(dialog.next_hop, "tls" if secure else "")]
        except Unresolvable:
            if arrival is None or (dialog.secure and arrival.transport != "tls"):
                raise
            return arrival
        if (
            arrival is not None
            and arrival.reliable
            and named in ("", arrival.transport)
            and self.network.connected(arrival)
            and (arrival.host in {peer.host for peer in found} or self._is(arrival, uri.host))
        ):
            return arrival
        if arrival in found and arrival not in self.experience.failed:
            return arrival  # of several servers the one that has the call
        peer = found[0]
        if arrival is not None and arrival.name and (peer.transport, peer.host) == (arrival.transport, arrival.host):
            peer = replace(peer, name=arrival.name)  # a contact's address is in few certificates
        if arrival is not None and not dialog.routes and _hidden(peer.host) and not _hidden(arrival.host):
            return arrival  # a private contact behind NAT: the way it came is the way back
        return peer

    def _is(self, arrival: Peer, host: str) -> bool:
        """Whether the certificate of a connection speaks for ``host`` (RFC 5923 section 6)."""
        shown = self.network.shown(arrival)
        return shown is not None and shown.trusted and host.lower() in shown.names

    async def reachable_at(self) -> str:
        """HOST:PORT where other processes of this line dial it, with an IP address; "" where only they could say
        which: it listens everywhere and advertises nothing."""
        listening = self.network.listening("udp" if {"udp", "tcp"} & {*self.config.transports} else "tls").first
        host = self.config.advertised(ip_version(listening.host)) or listening.host
        if host in WILDCARDS:
            return ""
        try:
            peer = await self.resolve(f"sip:{host_port(host, listening.port)}")
        except Unresolvable:
            return ""
        return host_port(peer.host, peer.port) + (f";transport={peer.transport}" if peer.reliable else "")

    # --- requests we send ---

    async def request(
        self, request: SipRequest, peer: Peer, trunk: str, dialog: CallDialog | None, others: Iterable[Peer] = ()
    ) -> SipResponse:
        """Send a non-INVITE request, answer challenges from ``trunk``'s account, return the final response. ``others``
        are asked where ``peer`` doesn't serve it."""
        account = self.accounts.get(trunk)

        async def exchange(request: SipRequest, peer: Peer, patience_s: float | None) -> SipResponse:
            if account is not None:
                account.authorise(request, peer.host)
            for _ in range(MAX_CHALLENGES):
                response = await self.transactions.request(request, peer, patience_s=patience_s)
                again = self.challenged(request, response, peer, trunk, dialog)
                if again is None:
                    return response
                request = again
            return await self.transactions.request(request, peer)

        return await self.hunted(request, (peer, *others), exchange)

    async def hunted(self, request: SipRequest, servers: Iterable[Peer], exchange: Exchange) -> SipResponse:
        """Return what the first of ``servers`` that serves ``request`` answers, or the last of them."""
        hunt = Hunt(self.experience, servers)
        server = hunt.next()
        while True:
            peer = await self.passage(request, server)
            response = await exchange(request, peer, hunt.patience_s(peer))
            if hunt.over(peer, response):
                return response
            server = hunt.next()
            log.info("sip.failover", method=request.method, status=response.status_code, server=server.host)
            request = renewed(request, response.cseq.number)
            self.readdress(request, server)

    async def passage(self, request: SipRequest, server: Peer) -> Peer:
        """Return whom ``request`` is sent to on its way to ``server``: a long one goes by TCP, where there is any
        (section 18.1.1), and is readdressed for it. Whoever asked for UDP gets that."""
        peer = server
        datagrams = server.transport == "udp" and "tcp" in self.config.transports
        if datagrams and len(encode(request)) > LONGEST_DATAGRAM and not _asks_for_udp(request):
            peer = await self._stream_to(server)
        if peer.transport != request.top_via.transport.lower():
            self.readdress(request, peer)
        return peer

    async def _stream_to(self, server: Peer) -> Peer:
        if server in self.experience.without_tcp:
            return server
        stream = over_tcp(server)
        if await self.network.connect(stream, TCP_S):
            return stream
        self.experience.without_tcp.add(server)
        log.info("sip.no_tcp", peer=server.host, port=server.port)
        return server

    def challenged(
        self, request: SipRequest, response: SipResponse, peer: Peer, trunk: str, dialog: CallDialog | None
    ) -> SipRequest | None:
        """Return the request to try again with after a 401/407, all headers kept; None when there is no point."""
        account = self.accounts.get(trunk)
        if account is None or response.status_code not in (401, 407):
            return None
        if not account.learn(response, request, peer.host):
            return None
        number = request.cseq.number + 1
        if dialog is not None:
            dialog.local_cseq += 1
            number = dialog.local_cseq
        again = renewed(request, number)
        account.authorise(again, peer.host)
        return again

    # --- background work ---

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Start a task whose failure is logged, never lost."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("sip.task_failed", task=task.get_name(), exc_info=error)

    async def settle(self, timeout_s: float) -> None:
        """Let background work end by itself for ``timeout_s``, then cancel the rest."""
        own = asyncio.current_task()
        tasks = [task for task in self._tasks if task is not own]
        if tasks:
            await asyncio.wait(tasks, timeout=timeout_s)
        for task in tasks:
            task.cancel()
        if self._resolver is not None:
            await self._resolver.close()
