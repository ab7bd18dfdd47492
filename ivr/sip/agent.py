"""SIP user agent: it listens, admits requests, takes and makes calls, and keeps registrations."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence

import structlog

from ivr.config import Address, SipConfig
from ivr.errors import DialFailed
from ivr.media.description import MediaDescription
from ivr.ports import Leg, Party, RegistrationStatus
from ivr.sip.dialog import present
from ivr.sip.dialogs import Dialogs, handle
from ivr.sip.headers import BadMessage
from ivr.sip.inbound import InboundLeg
from ivr.sip.message import (
    EXTENSIONS,
    METHODS,
    MalformedMessage,
    Peer,
    SipMessage,
    SipRequest,
    SipResponse,
    encode,
    parse_message,
    refusal,
    response_to,
    sent_by,
    stamp_source,
    stateless_tag,
)
from ivr.sip.network import Network
from ivr.sip.outbound import Dial
from ivr.sip.registration import Registration
from ivr.sip.signalling import Signalling
from ivr.sip.transaction import InviteServerTransaction, ServerTransaction

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

STOP_TIMEOUT_S = 3.0
MALFORMED_WINDOW_S = 60.0


class SipUserAgent:
    """Implements ``ivr.ports.SipEndpoint``. ``codecs``: names in our order of preference; ``network``: sockets, or
    what a test has instead."""

    def __init__(
        self,
        config: SipConfig,
        codecs: Sequence[str] = ("PCMU", "PCMA", "G722"),
        *,
        network: Callable[[Callable[[bytes, Peer], None], Callable[[Peer, str], None]], Network] = Network,
    ) -> None:
        self._config = config
        self._network = network(self._received, self._unreachable)
        self._core = Signalling(config, codecs, self._network, asyncio.get_running_loop())
        self._serving = False
        self._dialogs = Dialogs()
        self._on_call: Callable[[Leg], None] = lambda leg: None
        self._inbound: set[InboundLeg] = set()
        self._registrations: list[Registration] = []
        self._running: list[asyncio.Task[None]] = []
        self._draining: tuple[int, int] | None = None
        self._malformed = (float("-inf"), 0)

    # --- ports.SipEndpoint ---

    async def start(self, on_call: Callable[[Leg], None]) -> None:
        """Listen, and register where configured. Raises ConfigError when the address cannot be bound."""
        self._on_call = on_call
        self._serving = True
        await self._network.open(self._config.listen, self._config.transports)
        log.info("sip.listening", address=str(self.address), transports=list(self._config.transports))
        for trunk in self._config.trunks:
            if trunk.register_with:
                registration = Registration(self._core, trunk)
                self._registrations.append(registration)
                self._running.append(self._core.spawn(registration.run(), f"sip-register-{trunk.name}"))

    async def dial(
        self,
        target: str,
        local: MediaDescription,
        *,
        caller: Party,
        headers: Mapping[str, str],
        ring_timeout_s: float,
        on_ringing: Callable[[], None] | None = None,
    ) -> Leg:
        if not self._serving:
            raise DialFailed(503, "the user agent is not running")
        return await Dial(self._core, self._dialogs, target, local, caller, headers, on_ringing).run(ring_timeout_s)

    def registrations(self) -> Sequence[RegistrationStatus]:
        return [registration.status for registration in self._registrations]

    def refuse_new_calls(self, status: int, retry_after_s: int) -> None:
        self._draining = (status, retry_after_s)

    async def stop(self) -> None:
        """Hang up what is left, unregister, close. Idempotent; takes a few seconds at most."""
        if not self._serving:
            return
        self.refuse_new_calls(503, self._config.retry_after_s)
        for task in self._running:
            task.cancel()
        work = [leg.hangup("service stopping") for leg in self._dialogs.legs]
        work += [registration.unregister() for registration in self._registrations]
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
        """The address that we listen on, with the real port once started with port 0."""
        return self._network.bound

    @property
    def calls(self) -> int:
        """The number of inbound calls under way."""
        return len(self._inbound)

    # --- messages from the network: whatever they are, they must not hurt ---

    def _received(self, data: bytes, source: Peer) -> None:
        if not self._serving or not data.strip(b"\r\n\0 "):
            return
        try:
            message = parse_message(data)
        except MalformedMessage as error:
            self._note_malformed(error, source)
            return
        try:
            if isinstance(message, SipRequest):
                self._request(message, source)
            elif not self._core.transactions.receive_response(message):
                log.debug("sip.stray_response", status=message.status_code, source=source.host)
        except BadMessage as error:
            log.warning("sip.message_refused", status=error.status, error=str(error), sip_call_id=message.call_id)
            self._refuse(message, source, error.status, error.phrase, **error.headers)
        except Exception:  # one message must never end the service; it is logged and answered 500
            log.exception("sip.handler_failed", sip_call_id=message.call_id, source=source.host)
            self._refuse(message, source, 500)

    def _refuse(self, message: SipMessage, source: Peer, status: int, phrase: str = "", **headers: str) -> None:
        if not isinstance(message, SipRequest) or message.method == "ACK":
            return
        transaction = self._core.transactions.find(message)
        if transaction is not None:
            transaction.refuse(status, phrase, **headers)
        else:
            self._stateless(refusal(message, status, phrase), message, source)

    def _note_malformed(self, error: MalformedMessage, source: Peer) -> None:
        since, count = self._malformed
        now = self._core.timers.time()
        if now - since >= MALFORMED_WINDOW_S:
            log.debug("sip.malformed", source=source.host, error=str(error)[:200], suppressed=count)
            since, count = now, -1
        self._malformed = (since, count + 1)
        if error.reply is not None and self._core.policy.trunk_at(source.host) is not None:
            with contextlib.suppress(ValueError):
                self._network.send(encode(error.reply), source)

    def _unreachable(self, peer: Peer, reason: str) -> None:
        log.info("sip.unreachable", peer=peer.host, transport=peer.transport, reason=reason)
        self._core.transactions.unreachable(peer, reason)

    # --- requests ---

    def _request(self, request: SipRequest, source: Peer) -> None:
        transactions = self._core.transactions
        stamp_source(request, source)
        if transactions.absorb(request):
            return
        if request.method == "ACK":
            self._dialogs.deliver_ack(request)
            return
        if request.method == "CANCEL" and self._cancel(request, source):
            return
        leg = self._dialogs.leg_of(request)
        if leg is not None:
            handle(leg, transactions.accept(request, source))
            return
        trunk = self._core.policy.judge(request, source.host)
        if isinstance(trunk, SipResponse):
            self._stateless(trunk, request, source)
            return
        if transactions.overloaded:
            self._stateless(refusal(request, 503), request, source)
            return
        merged = transactions.merged(request)
        transaction = transactions.accept(request, source)
        if merged:
            transaction.refuse(482)
        elif request.to.tag or request.method == "CANCEL":
            transaction.refuse(481)
        elif not request.uri.lower().startswith(("sip:", "tel:")):
            transaction.refuse(416)
        elif unknown := request.tokens("require") - set(EXTENSIONS):
            transaction.refuse(420, Unsupported=", ".join(sorted(unknown)))
        elif isinstance(transaction, InviteServerTransaction):
            self._invite(transaction, trunk)
        elif request.method == "OPTIONS":
            self._options(transaction)
        else:
            transaction.refuse(481 if request.method in METHODS else 405)

    def _stateless(self, response: SipResponse, request: SipRequest, source: Peer) -> None:
        fallback = sent_by(request, source) if source.reliable else None
        self._network.send(encode(response), stamp_source(request, source), fallback)

    def _cancel(self, request: SipRequest, source: Peer) -> bool:
        """Answer a CANCEL and end its call; False when there is nothing to cancel."""
        invite = self._core.transactions.invite_of(request)
        if invite is None or invite.peer.host != source.host:
            return False
        tag = invite.final.to.tag if invite.final is not None else ""
        self._core.transactions.accept(request, source).refuse(200, tag=tag)
        if invite.final is None and invite.on_cancel is not None:
            invite.on_cancel()
        return True

    def _options(self, transaction: ServerTransaction) -> None:
        """Answer as an INVITE would be answered now (RFC 3261 section 11.2): that is how proxies probe us."""
        if self._refused(transaction):
            return
        response = response_to(transaction.request, 200, tag=stateless_tag(transaction.request))
        present(response, self._core.contact(transaction.peer))
        response.headers.set("Accept", "application/sdp")
        transaction.respond(response)

    def _refused(self, transaction: ServerTransaction) -> bool:
        if self._draining is not None:
            status, retry_after_s = self._draining
        elif len(self._inbound) >= self._config.max_calls:
            status, retry_after_s = self._config.busy_status, self._config.retry_after_s
        else:
            return False
        transaction.refuse(status, Retry_After=str(retry_after_s))
        return True

    def _invite(self, transaction: InviteServerTransaction, trunk: str) -> None:
        """Take the call. Raises BadMessage."""
        request, source = transaction.request, transaction.peer
        if self._refused(transaction):
            log.warning(
                "sip.call_refused", reason="draining" if self._draining else "busy", sip_call_id=request.call_id
            )
            return
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
        except Exception:  # the call engine failed before it began: the caller must hear of it
            leg.log.exception("sip.call_unhandled")
            leg.end("service", "internal error", 500)
