"""SIP user agent core: the identity, addresses, transactions and credentials that legs and registrations share."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any

import structlog
from aiosipua import generate_branch

from ivr.config import SipConfig
from ivr.numbering import NumberingPlan
from ivr.sip.dialog import CallDialog
from ivr.sip.digest import DigestClient
from ivr.sip.headers import Uri, host_port
from ivr.sip.message import PRODUCT, Peer, SipRequest, SipResponse
from ivr.sip.network import Network
from ivr.sip.policy import TrunkPolicy
from ivr.sip.sdp import OfferAnswer
from ivr.sip.timers import Timers
from ivr.sip.transactions import TransactionLayer, renewed

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

RESOLVE_TIMEOUT_S = 3.0
MAX_CHALLENGES = 2  # one for a new nonce, one for a stale one


class Unresolvable(Exception):
    """A URI that leads nowhere we can send to."""


class Insecure(Unresolvable):
    """It asks for TLS, and we have none."""


def _hidden(host: str) -> bool:
    return ipaddress.ip_address(host).is_private


def _own_users(config: SipConfig) -> frozenset[str]:
    return frozenset({PRODUCT, *(trunk.username for trunk in config.trunks if trunk.username)})


class Signalling:
    """The core of one user agent. ``timers`` is the event loop, or a test's clock."""

    def __init__(
        self,
        config: SipConfig,
        codecs: Sequence[str],
        numbering: NumberingPlan,
        network: Network,
        timers: Timers,
        near: Callable[[str], bool] = lambda host: False,
    ) -> None:
        self.config = config
        self.codecs = tuple(codecs)
        self.network = network
        self.timers = timers
        self.transactions = TransactionLayer(network.send, timers)
        self.policy = TrunkPolicy(config.trunks, timers.time, near)
        self.accounts = {
            t.name: DigestClient(t.username, t.password.reveal, t.realm) for t in config.trunks if t.username
        }
        self.numbering = numbering
        self.own_users = _own_users(config)
        self._tasks: set[asyncio.Task[Any]] = set()

    def apply(self, config: SipConfig) -> None:
        """Trunks and limits of ``config``. A trunk that is gone leaves its credentials to its calls in progress."""
        before = {trunk.name: trunk for trunk in self.config.trunks}
        self.config = config
        self.policy.apply(config.trunks)
        for trunk in config.trunks:
            if trunk.username and trunk != before.get(trunk.name):
                self.accounts[trunk.name] = DigestClient(trunk.username, trunk.password.reveal, trunk.realm)
        self.own_users = _own_users(config)

    # --- who we are ---

    def host_toward(self, peer: Peer) -> str:
        return self.config.advertise.strip("[]") or self.network.local_host(peer.host, peer.transport)

    def media_host_toward(self, host: str) -> str:
        """Return the address for SDP where media only knows a wildcard, or NAT hides it: always an IP literal."""
        advertised = self.config.advertise.strip("[]")
        try:
            return str(ipaddress.ip_address(advertised))
        except ValueError:
            return self.network.local_host(host)

    def offer_answer(self, peer: Peer, origin: str = "") -> OfferAnswer:
        """``origin``: the host behind ``peer`` that the SIP comes from, where that is a proxy."""
        translate = bool(self.config.advertise)
        return OfferAnswer(self.codecs, lambda: self.media_host_toward(peer.host), translate, origin or peer.host)

    def via(self, peer: Peer) -> str:
        where = host_port(self.host_toward(peer), self.network.listening(peer.transport).port)
        return f"SIP/2.0/{peer.transport.upper()} {where};branch={generate_branch()};rport"

    def contact(self, peer: Peer, user: str = PRODUCT) -> str:
        where = host_port(self.host_toward(peer), self.network.listening(peer.transport).port)
        return f"<sip:{user}@{where}{f';transport={peer.transport}' if peer.reliable else ''}>"

    # --- where to send ---

    async def resolve(self, text: str, transport: str = "") -> Peer:
        """Resolve a URI by RFC 3263 without SRV: literal or A/AAAA, its port or 5060; over UDP where we speak it and
        nothing else is said; sips: only over TLS, whose certificate must name the host that stands there. Raises
        Unresolvable."""
        try:
            uri = Uri.parse(text)
        except ValueError as error:
            raise Unresolvable(str(error)) from error
        usual = next((t for t in ("udp", "tcp") if t in self.config.transports), "tls")
        transport = (uri.params.get("transport") or transport or usual).lower()
        if uri.scheme == "sips":
            transport = "tls"
        if uri.scheme not in ("sip", "sips") or transport not in ("udp", "tcp", "tls"):
            raise Unresolvable(f"{uri.scheme} over {transport} is not supported")
        if transport == "tls" and "tls" not in self.config.transports:
            raise Insecure("SIPS Not Allowed: this line has no TLS (sip.transports)")
        host, port = uri.host, uri.port or (5061 if transport == "tls" else 5060)
        if not 0 < port < 65536:
            raise Unresolvable(f"{port} is no port")
        name = host.lower() if transport == "tls" else ""
        try:
            return Peer(transport, str(ipaddress.ip_address(host)), port, name)
        except ValueError:
            pass
        try:
            async with asyncio.timeout(RESOLVE_TIMEOUT_S):
                found = await asyncio.get_running_loop().getaddrinfo(
                    host, port, type=socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
                )
        except (OSError, TimeoutError, UnicodeError) as error:
            raise Unresolvable(f"{host}: {error or 'no answer from DNS'}") from error
        wanted = socket.AF_INET6 if ":" in self.network.bound.host else socket.AF_INET
        found.sort(key=lambda entry: entry[0] != wanted)
        return Peer(transport, str(found[0][4][0]), port, name)

    async def peer_of(self, dialog: CallDialog, arrival: Peer | None) -> Peer:
        """Return where the dialog's next request goes. ``arrival`` is whom the dialog began with: its connection is
        used again while it lasts, and it stands in for a contact that DNS doesn't know. What came by TLS stays there,
        unless the far end names another transport."""
        uri = Uri.parse(dialog.next_hop)
        named = uri.params.get("transport", "").lower()
        secure = uri.scheme == "sips" or (arrival is not None and arrival.transport == "tls" and not named)
        try:
            peer = await self.resolve(dialog.next_hop, "tls" if secure else "")
        except Unresolvable:
            if arrival is None or (dialog.secure and arrival.transport != "tls"):
                raise
            return arrival
        if (
            arrival is not None
            and arrival.reliable
            and named in ("", arrival.transport)
            and self.network.connected(arrival)
            and (arrival.host == peer.host or self._is(arrival, uri.host))
        ):
            return arrival
        if arrival is not None and arrival.name and (peer.transport, peer.host) == (arrival.transport, arrival.host):
            peer = replace(peer, name=arrival.name)  # a contact's address is in few certificates
        if arrival is not None and not dialog.routes and _hidden(peer.host) and not _hidden(arrival.host):
            return arrival  # a private contact behind NAT: the way it came is the way back
        return peer

    def _is(self, arrival: Peer, host: str) -> bool:
        """Whether the certificate of a connection speaks for ``host`` (RFC 5923 section 6)."""
        shown = self.network.shown(arrival)
        return shown is not None and shown.trusted and host.lower() in shown.names

    # --- requests we send ---

    async def request(self, request: SipRequest, peer: Peer, trunk: str, dialog: CallDialog | None) -> SipResponse:
        """Send a non-INVITE request, answer challenges from ``trunk``'s account, return the final response."""
        account = self.accounts.get(trunk)
        if account is not None:
            account.authorise(request, peer.host)
        for _ in range(MAX_CHALLENGES):
            response = await self.transactions.request(request, peer)
            again = self.challenged(request, response, peer, trunk, dialog)
            if again is None:
                return response
            request = again
        return await self.transactions.request(request, peer)

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
