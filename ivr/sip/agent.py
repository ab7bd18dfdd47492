"""SIP user agent: it listens, admits requests, takes and makes calls, and keeps registrations."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import structlog

from ivr.config import Address, SipConfig
from ivr.errors import DialFailed
from ivr.limits.throttle import CountedLog
from ivr.media.description import MediaDescription, SrtpPolicy
from ivr.numbering import NumberingPlan
from ivr.ports import Leg, Party, RefusedCall, RegistrationLeases, RegistrationStatus, SignallingLoad
from ivr.sip.admission import Admission
from ivr.sip.certificates import Shown
from ivr.sip.dialogs import Dialogs, handle
from ivr.sip.headers import BadMessage
from ivr.sip.inbound import InboundLeg
from ivr.sip.leg import SipLeg
from ivr.sip.locate import Lookup
from ivr.sip.message import (
    MalformedMessage,
    Peer,
    SipRequest,
    SipResponse,
    parse_message,
    refusal,
    response_to,
    stamp_source,
)
from ivr.sip.network import Network, Standing
from ivr.sip.orphans import OrphanDialogs
from ivr.sip.outbound_call import OutboundCall
from ivr.sip.refusals import CallRefusals
from ivr.sip.registration import OwnAccounts
from ivr.sip.registrations import Registrations
from ivr.sip.renewal import Renewal
from ivr.sip.replies import StatelessReplies
from ivr.sip.restored import RestoredLeg
from ivr.sip.ringing import RingingPhones
from ivr.sip.signalling import Signalling
from ivr.sip.tls import TlsContexts
from ivr.sip.traffic import SipTraffic
from ivr.sip.transaction import InviteServerTransaction

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

STOP_TIMEOUT_S = 8.0  # of which another line has five to take our registrations


class SipUserAgent:
    """Implements ``ivr.ports.SipEndpoint``. ``codecs``: names in our order of preference; ``network``: sockets, or
    what a test has instead, as ``lookup`` is for DNS; ``near``: see ``ivr.sip.policy``; ``leases``: who registers, of
    the lines that share an account, None where there are no others; ``refused`` hears of every call of a trunk that
    nobody took."""

    def __init__(
        self,
        config: SipConfig,
        codecs: Sequence[str] = ("PCMU", "PCMA", "G722"),
        numbering: NumberingPlan = NumberingPlan(),  # noqa: B008 - frozen
        *,
        near: Callable[[str], bool] = lambda host: False,
        full: Callable[[int], str] = lambda calls: "",
        lookup: Lookup | None = None,
        unready: Callable[[], str] = lambda: "",
        leases: RegistrationLeases | None = None,
        refused: Callable[[RefusedCall], None] = lambda call: None,
        network: Callable[[Callable[[bytes, Peer], None], Callable[[Peer, str], None]], Network] = Network,
    ) -> None:
        self._config = config
        self._network = network(self._received, self._unreachable)
        self._core = Signalling(config, codecs, numbering, self._network, asyncio.get_running_loop(), near, lookup)
        self._network.standing = self._standing
        self._network.expected = self._core.policy.expected
        self._network.known = lambda shown: self._core.policy.named(shown) is not None
        self._network.pending = self._core.transactions.pending
        self._renewal: Renewal | None = None
        self._serving = False
        self._dialogs = Dialogs()
        self._on_call: Callable[[Leg], None] = lambda leg: None
        self._inbound: set[SipLeg] = set()
        self._ringing = RingingPhones(self._core)
        self._replies = StatelessReplies(self._core)
        self._refusals = CallRefusals(self._core, self._inbound, full, unready, refused)
        self._orphans = OrphanDialogs(self._dialogs)
        self._registrations = Registrations(self._core, leases or OwnAccounts())
        now = self._core.timers.time
        self._admission = Admission(now, config.max_calls, self._knows)
        self._bad = CountedLog(log, "sip.message_refused", now)
        self._failed = CountedLog(log, "sip.handler_failed", now, "error")
        self._lost = CountedLog(log, "sip.unreachable", now, "info")

    # --- ports.SipEndpoint ---

    async def start(self, on_call: Callable[[Leg], None]) -> None:
        """Listen, and register where configured. Raises ConfigError when the address cannot be bound."""
        self._on_call = on_call
        self._serving = True
        contexts = None
        if self._config.tls is not None:  # before anything is bound: what is wrong with its files is told at once
            contexts = await asyncio.to_thread(TlsContexts, self._config.tls, lambda: self._core.policy.pins)
        await self._network.open(self._config.listen, self._config.transports)
        log.info(
            "sip.listening",
            addresses=[str(each) for each in self._network.own.bound],
            transports=list(self._config.transports),
        )
        if contexts is not None and self._config.tls is not None:
            await self._network.open_tls(self._config.tls_listen, contexts)
            addresses = [str(each) for each in self._network.own_tls.bound]
            log.info("sip.tls_listening", addresses=addresses, names=contexts.own.names)
            self._renewal = Renewal(contexts, self._config.tls, self._network.drop_revoked)
            self._core.spawn(self._renewal.run(), "sip-certificates")
        self._registrations.begin(self._config.trunks)

    async def dial(
        self,
        target: str,
        local: MediaDescription,
        *,
        caller: Party,
        headers: Mapping[str, str],
        ring_timeout_s: float,
        on_ringing: Callable[[], None] | None = None,
        srtp: SrtpPolicy | None = None,
        of_call: str = "",
    ) -> Leg:
        if not self._serving:
            raise DialFailed(503, "the user agent is not running")
        call = OutboundCall(self._core, self._dialogs, target, local, caller, headers, on_ringing, srtp)
        with self._ringing.of(call, of_call):
            return await call.run(ring_timeout_s)

    def ringing(self, call_id: str) -> Sequence[Mapping[str, Any]]:
        return self._ringing.kept(call_id)

    def cancel(self, kept: Mapping[str, Any]) -> None:
        self._ringing.cancel(kept)

    def restore(self, kept: Mapping[str, Any]) -> Leg:
        try:
            leg = RestoredLeg(self._core, kept, self._inbound.discard)
        except (BadMessage, KeyError, TypeError) as error:
            raise ValueError(f"no dialog to go on with: {error}") from error
        self._dialogs.add(leg)
        if leg.far == "caller":
            self._inbound.add(leg)
        leg.log.info("sip.restored", leg=leg.id, far=leg.far, cseq=leg.dialog.local_cseq)
        return leg

    def registrations(self) -> Sequence[RegistrationStatus]:
        return self._registrations.statuses

    def load(self) -> SignallingLoad:
        transactions = self._core.transactions
        return SignallingLoad(
            transactions=len(transactions),
            full=transactions.overloaded,
            dropped=self._admission.dropped,
            connections=self._network.connections,
            connections_refused=self._network.turned_away,
            certificate_ends=self._renewal.own.ends if self._renewal is not None else None,
        )

    def traffic(self) -> SipTraffic:
        return self._core.traffic

    def refuse_new_calls(self, status: int, retry_after_s: int) -> None:
        self._refusals.draining = (status, retry_after_s)
        self._registrations.offer(True)

    def take_new_calls(self) -> None:
        self._refusals.draining = None
        self._registrations.offer(False)

    def apply(self, config: SipConfig) -> None:
        """Trunks and limits of ``config``, for calls that begin from now on. What is listened on, a drain and calls in
        progress stay; a registration that is changed is withdrawn and made anew, the others are kept."""
        before, self._config = self._config, config
        self._core.apply(config)
        self._admission.apply(config.max_calls)
        self._registrations.apply(before.trunks, config.trunks)
        if self._renewal is not None:
            self._core.spawn(self._renewal.renew(), "sip-renewal")

    async def stop(self) -> None:
        """Hang up what is left, unregister, close. Idempotent; takes a few seconds at most."""
        if not self._serving:
            return
        self.refuse_new_calls(503, self._config.retry_after_s)
        work = [leg.hangup("service stopping") for leg in self._dialogs.legs]
        work += self._registrations.ended()
        if work:
            tasks = [asyncio.ensure_future(item) for item in work]
            _, late = await asyncio.wait(tasks, timeout=STOP_TIMEOUT_S)
            for task in late:
                task.cancel()
        self._serving = False
        await self._core.settle(0.0 if not work else 0.2)
        self._core.transactions.close()
        await self._network.close()
        log.info("sip.stopped")

    # --- beyond the port ---

    @property
    def address(self) -> Address:
        """The address that we listen on, for TLS where nothing else is spoken; with the real port once started with
        port 0."""
        return self._network.bound if {"udp", "tcp"} & {*self._config.transports} else self.tls_address

    @property
    def tls_address(self) -> Address:
        """Where we listen for TLS, with the real port."""
        return self._network.own_tls.first

    async def reachable_at(self) -> str:
        """HOST:PORT where other processes of this line dial it, with an IP address; "" where only they could say
        which: it listens everywhere and advertises nothing."""
        return await self._core.reachable_at()

    @property
    def calls(self) -> int:
        """The number of inbound calls under way."""
        return len(self._inbound)

    def take_orphans(self, take: Callable[[str], Awaitable[bool]]) -> None:
        """``take``: see ``ivr.sip.orphans``; until then what is inside another process's dialog gets 481."""
        self._orphans.take = take

    # --- messages from the network: whatever they are, they must not hurt ---

    def _received(self, data: bytes, source: Peer) -> None:
        if not self._serving or not data.strip(b"\r\n\0 ") or not self._admission.reads(data, source.host):
            return
        try:
            message = parse_message(data)
        except MalformedMessage as error:
            self._replies.refuse_malformed(error, source, known=self._standing(source) is Standing.KNOWN)
            return
        traffic = self.traffic()
        try:
            if isinstance(message, SipRequest):
                traffic.requested(message.method)
                self._request(message, source)
                return
            traffic.answered(message.status_code)
            if not self._core.transactions.receive_response(message):
                log.debug("sip.stray_response", status=message.status_code, source=source.host)
        except BadMessage as error:
            self._bad.note(source.host, status=error.status, error=str(error), sip_call_id=message.call_id)
            self._replies.refuse(message, source, error.status, error.phrase, **error.headers)
        except Exception as error:  # one message must never end the service; it is logged and answered 500
            self._failed.note(source.host, sip_call_id=message.call_id, exc_info=error)
            self._replies.refuse(message, source, 500)

    def _unreachable(self, peer: Peer, reason: str) -> None:
        if self._core.transactions.unreachable(peer, reason):
            self._lost.note(peer.host, transport=peer.transport, reason=reason)
        self._registrations.unreachable(peer)

    def _knows(self, call_id: str) -> bool:
        return self._dialogs.knows(call_id) or self._core.transactions.knows(call_id)

    def _standing(self, peer: Peer) -> Standing:
        """Trunks may connect, and the phones of calls under way."""
        standing = self._core.policy.standing(peer.host, secure=peer.transport == "tls")
        if standing is not Standing.KNOWN and any(leg.arrival.host == peer.host for leg in self._dialogs.legs):
            return Standing.KNOWN
        return standing

    # --- requests ---

    def _request(self, request: SipRequest, source: Peer) -> None:
        transactions = self._core.transactions
        stamp_source(request, source)
        if transactions.absorb(request):
            return
        leg = self._dialogs.leg_of(request)
        if request.method == "ACK":
            self._dialogs.deliver_ack(request)
        elif request.method == "CANCEL" and self._cancel(request, source):
            return
        elif leg is None:
            if not self._ringing.takes(request, source):
                self._outside(request, source)
        elif request.method == "BYE" or self._admission.inside(leg.id, source.host):
            handle(leg, transactions.accept(request, source))
        else:
            self._replies.send(refusal(request, 500, "Too many requests", Retry_After="1"), request, source)

    def _outside(self, request: SipRequest, source: Peer) -> None:
        """Answer a request outside any call of ours: an INVITE may begin one, everything else needs no state."""
        shown = (self._network.shown(source) or Shown()) if source.transport == "tls" else None
        trunk = self._core.policy.judge(request, source.host, shown)
        if isinstance(trunk, SipResponse):
            if request.method == "INVITE" and trunk.status_code != 401:
                self.traffic().refused["stranger" if trunk.status_code == 403 else "credentials"] += 1
            if request.method != "INVITE" or self._admission.answers(source.host):
                self._replies.send(trunk, request, source)
            return
        self._network.prove(source)
        if self._orphans.may_have(request) and not self._core.transactions.overloaded:
            self._core.spawn(self._orphans.answer(self._core.transactions.accept(request, source)), "sip-orphan")
            return
        refused = self._refusals.of(request, source, trunk)
        if request.method != "INVITE" or request.to.tag:  # a stray re-INVITE takes no room of new calls
            self._replies.send(refused or self._replies.options(request, source), request, source)
            return
        transactions = self._core.transactions
        if transactions.overloaded or not self._admission.call(source.host):
            self._replies.send(self._refusals.overload(request, source, trunk), request, source)
        elif refused is None:
            self._invite(transactions.accept_invite(request, source), trunk)
        elif transactions.crowded:
            self._replies.send(refused, request, source)
        else:
            transactions.accept(request, source).respond(refused)

    def _cancel(self, request: SipRequest, source: Peer) -> bool:
        """Answer a CANCEL and end its call; False when there is nothing to cancel."""
        invite = self._core.transactions.invite_of(request)
        if invite is None or invite.peer.host != source.host:
            return False
        self._core.transactions.accept(request, source).refuse(200, tag=invite.tag)
        if not invite.answered and invite.on_cancel is not None:
            invite.on_cancel()
        return True

    def _invite(self, transaction: InviteServerTransaction, trunk: str) -> None:
        """Take the call. Raises BadMessage."""
        request, source = transaction.request, transaction.peer
        leg = InboundLeg(self._core, transaction, trunk, self._inbound.discard)
        transaction.respond(response_to(request, 100))
        self._dialogs.add(leg)
        self._inbound.add(leg)
        leg.log.info(
            "sip.invite", leg=leg.id, caller=leg.caller.number, called=leg.called.number, source=source.host,
            transport=source.transport,
        )  # fmt: skip
        try:
            self._on_call(leg)
        except Exception as error:  # the call engine failed before it began: the caller must hear of it
            leg.log.exception("sip.call_unhandled")
            leg.end("service", "internal error", 503 if isinstance(error, OSError) else 500)
