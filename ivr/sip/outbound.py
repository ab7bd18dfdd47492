"""Outbound SIP call, at one server: we invite, answer challenges, take the first of forked answers, or cancel."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

import structlog

from ivr.errors import DialFailed
from ivr.media.description import MediaDescription, SrtpPolicy
from ivr.ports import Party
from ivr.sip.dialog import CallDialog, is_secure, secured
from ivr.sip.dialogs import Dialogs
from ivr.sip.failover import Hunt
from ivr.sip.headers import BadHeader, BadMessage, Headers, host_port
from ivr.sip.leg import SipLeg
from ivr.sip.message import ALLOW, PRODUCT, SUPPORTED, BadBody, Peer, SipRequest, SipResponse, encode
from ivr.sip.party import party_of, target_uri
from ivr.sip.sdp import OfferAnswer
from ivr.sip.session_timer import MIN_SE, agreed, min_se
from ivr.sip.signalling import MAX_CHALLENGES, Signalling, Unresolvable
from ivr.sip.transaction import ClientTransaction, InviteClientTransaction, TransactionState, within
from ivr.sip.transactions import renewed
from ivr.sip.transfer import add_headers

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class OutboundLeg(SipLeg):
    """A call of ours that was answered."""

    far = "agent"


@dataclass(slots=True)
class EarlyDialog:
    """Of who was reached and has not answered yet (RFC 3261 section 12.1); forking makes several. ``rseq``: of their
    latest reliable provisional, 0 without any; ``answer``: the SDP that they described themselves with by then."""

    dialog: CallDialog
    rseq: int = 0
    answer: str | None = None

    @property
    def settled(self) -> bool:
        """Whether our offer is answered: by what came reliably (RFC 3262 section 5)."""
        return bool(self.rseq and self.answer)


class Unserved(DialFailed):
    """This server is unavailable, unreachable or silent, and another is left."""


@dataclass(slots=True)
class Dial:
    """One attempt to reach ``target`` at ``server``; ``run`` once. ``call_id`` and ``tag``: of the call, at every
    server. ``trunk``: whose server it is, "" for nobody's."""

    core: Signalling
    dialogs: Dialogs
    target: str
    local: MediaDescription
    caller: Party
    headers: Mapping[str, str]
    hunt: Hunt
    server: Peer
    call_id: str
    tag: str
    trunk: str
    srtp: SrtpPolicy
    on_ringing: Callable[[], None]
    _responses: asyncio.Queue[SipResponse] = field(default_factory=asyncio.Queue)
    _branches: dict[str, EarlyDialog] = field(default_factory=dict)  # by To tag
    _transaction: InviteClientTransaction | None = None
    _winner: str = ""  # To tag
    _abandoned: bool = False
    _rang: bool = False  # somebody hears it there: a second call elsewhere would be one too many
    _cancelled: bool = False
    early: CallDialog | None = None  # of who rings (RFC 3261 section 12.1)

    async def run(self) -> OutboundLeg:
        """Call until answered. Raises Unserved or DialFailed; cancelling this cancels the call."""
        try:
            return await self._run()
        except BaseException:  # cancelled, or failed half-way: nothing may keep ringing over there
            self._abandon()
            raise

    @property
    def ringing(self) -> InviteClientTransaction | None:
        """The INVITE that nobody has answered yet, once anybody rang."""
        waiting = self._transaction is not None and self._transaction.state is TransactionState.PROCEEDING
        return self._transaction if waiting and not self._winner else None

    def early_dialog(self, request: SipRequest) -> EarlyDialog | None:
        """The one that ``request`` is inside of."""
        early = self._branches.get(request.from_.tag)
        return early if early is not None and early.dialog.matches(request) else None

    async def _run(self) -> OutboundLeg:
        uri, audio = target_uri(self.target), self.core.offer_answer(self.server, srtp=self.srtp)
        try:
            request = self._invite(str(uri), self.server, audio.describe(self.local))
        except ValueError as error:
            raise DialFailed(400, str(error)) from error
        account = self.core.accounts.get(self.trunk)
        if account is not None:
            account.authorise(request, self.server.host)
        challenges = 0
        while True:
            peer = await self.core.passage(request, self.server)
            response = await self._attempt(request, peer, self.hunt.patience_s(peer))
            status = response.status_code
            if not self.hunt.over(peer, response) and not (response.made_here and self._rang):
                raise Unserved(status, response.reason_phrase)
            if status < 300:
                return await self._established(request, response, peer, audio)
            again: SipRequest | None = None
            if status in (401, 407) and challenges < MAX_CHALLENGES:
                challenges += 1
                again = self.core.challenged(request, response, peer, self.trunk, None)
            elif status == 422 and min_se(response) > int(request.headers.first("session-expires")):
                again = renewed(request, request.cseq.number + 1)
                again.headers.set("Session-Expires", str(min_se(response)))
                again.headers.set("Min-SE", str(min_se(response)))
            elif status in (488, 606) and audio.may_insist:
                log.info("sip.srtp_insisted", trunk=self.trunk, status=status)  # a phone that takes no best effort
                again = renewed(request, request.cseq.number + 1)
                again.carry_sdp(audio.insist())
            if again is None:
                log.info("sip.dial_failed", status=status, reason=response.reason_phrase, trunk=self.trunk)
                if status < 400:
                    raise DialFailed(status, "Redirected; only configured destinations are called")
                raise DialFailed(status, response.reason_phrase)
            request = again

    def _invite(self, uri: str, peer: Peer, offer: str) -> SipRequest:
        host = self.core.host_toward(peer)
        try:
            identity = str(target_uri(self.caller.uri))
        except ValueError:  # none given, or a tel: number
            user = quote(self.caller.number, safe="+*-.()&=,/$!~'") or "anonymous"
            identity = f"sip:{user}@{host_port(host, None)}"
        display = "".join(c for c in self.caller.display if c.isprintable() and c not in '"\\')
        quoted = f'"{display}" ' if display else ""
        headers = {
            "Via": self.core.via(peer),
            "Max-Forwards": "70",
            "From": f"{quoted}<{identity}>;tag={self.tag}",
            "To": f"<{uri}>",
            "Call-ID": self.call_id,
            "CSeq": "1 INVITE",
            "Contact": secured(self.core.contact(peer)) if is_secure(uri) else self.core.contact(peer),
            "Allow": ALLOW,
            "Supported": SUPPORTED,
            "Session-Expires": str(self.core.config.session_expires_s),
            "Min-SE": str(MIN_SE),
            "User-Agent": PRODUCT,
        }
        request = SipRequest(method="INVITE", uri=uri, headers=Headers(headers))
        add_headers(request, self.headers)
        request.carry_sdp(offer)
        return request

    async def _attempt(self, request: SipRequest, peer: Peer, patience_s: float | None) -> SipResponse:
        """Return the final response; provisionals are dealt with on the way."""
        self._branches.clear()
        start = self.core.transactions.start
        self._transaction = start(InviteClientTransaction, request, peer, self._heard, patience_s)
        while True:
            response = await self._responses.get()
            if response.status_code >= 200:
                return response
            self._provisional(request, response, peer)

    def _heard(self, response: SipResponse) -> None:
        status, tag = response.status_code, response.to.tag
        if self._abandoned:
            if status < 200:
                self._cancel()
            elif status < 300:
                self._discard(response)
        elif not self._winner:
            self._responses.put_nowait(response)
            if 200 <= status < 300:
                self._winner = tag
        elif 200 <= status < 300:
            if tag == self._winner and tag in self._branches:
                self._acknowledge(self._branches[tag].dialog)  # our ACK was lost
            elif tag != self._winner:
                self._discard(response)  # a fork answered later

    def _provisional(self, request: SipRequest, response: SipResponse, peer: Peer) -> None:
        branch = self._branch(request, response)
        if response.status_code in (180, 183):
            self._rang = True
            self.early = branch.dialog if branch is not None else self.early
            self.on_ringing()
        rseq = response.headers.first("rseq")
        reliable = "100rel" in response.tokens("require") and rseq.isdecimal()
        if branch is None or (reliable and branch.rseq and int(rseq) != branch.rseq + 1):
            return  # seen, or out of order (RFC 3262 section 4)
        try:
            branch.answer = response.sdp() or branch.answer
        except BadMessage as error:
            log.debug("sip.provisional_ignored", error=str(error))
            return
        if reliable:
            branch.rseq = int(rseq)
            self.core.spawn(self._send("PRACK", branch.dialog, peer, RAck=f"{rseq} {request.cseq}"), "sip-prack")

    def _branch(self, request: SipRequest, response: SipResponse) -> EarlyDialog | None:
        """None: this provisional makes no dialog."""
        tag = response.to.tag
        if tag and tag not in self._branches and response.status_code > 100:
            with contextlib.suppress(BadMessage):  # without a Contact there is none
                self._branches[tag] = EarlyDialog(CallDialog.of_response(request, response))
        return self._branches.get(tag)

    async def _send(self, method: str, dialog: CallDialog, peer: Peer, **headers: str) -> None:
        with contextlib.suppress(Unresolvable):
            peer = await self.core.peer_of(dialog, peer)
            request = dialog.request(method, self.core.via(peer), "")
            for name, value in headers.items():
                request.headers.set(name, value)
            await self.core.request(request, peer, self.trunk, dialog)

    async def _established(
        self, request: SipRequest, response: SipResponse, peer: Peer, audio: OfferAnswer
    ) -> OutboundLeg:
        tag = response.to.tag
        early = self._branches.get(tag)
        try:
            dialog = CallDialog.of_response(request, response)
        except BadHeader as error:
            self._discard(response)
            raise DialFailed(502, f"unusable answer: {error}") from error
        if early is not None:
            dialog.local_cseq, dialog.remote_cseq = early.dialog.local_cseq, early.dialog.remote_cseq
        self._branches[tag] = EarlyDialog(dialog)
        leg = OutboundLeg(
            self.core,
            dialog,
            audio,
            trunk=self.trunk,
            caller=self.caller,
            called=party_of(target_uri(self.target), self.core.numbering),
            headers=request.headers.joined(),
            arrival=peer,
        )
        self.dialogs.add(leg)
        leg.confirmed = True
        leg.updates = "update" in response.tokens("allow")
        self._acknowledge(dialog)
        try:
            audio.take_answer(response.sdp() or (early.answer if early else None) or "")
        except BadBody as error:
            self.core.spawn(leg.hangup("unusable answer"), "sip-unusable")
            raise DialFailed(488, f"unusable answer: {error}") from error
        terms = agreed(response, self.core.config.session_expires_s)
        if terms is not None:
            leg.session.start(terms, "uac")
        leg.log.info("sip.dialled", leg=leg.id)
        return leg

    def _acknowledge(self, dialog: CallDialog, *, hang_up: bool = False) -> None:
        """Send the ACK of a 2xx (RFC 3261 section 13.2.2.4), with the INVITE's credentials; then a BYE, if nobody waits
        for the answer."""
        if self._transaction is not None:
            invite, peer = self._transaction.request, self._transaction.peer
            self.core.spawn(self._send_ack(dialog, invite, peer, hang_up), "sip-ack")

    async def _send_ack(self, dialog: CallDialog, invite: SipRequest, arrival: Peer, hang_up: bool) -> None:
        with contextlib.suppress(Unresolvable):
            peer = await self.core.peer_of(dialog, arrival)
            ack = dialog.request("ACK", self.core.via(peer), "", number=invite.cseq.number)
            for name in ("Authorization", "Proxy-Authorization"):
                ack.headers.set(name, *invite.headers.get(name))
            self.core.send(encode(ack), peer)
            if hang_up:
                await self._send("BYE", dialog, arrival)

    # --- what we no longer want ---

    def _abandon(self) -> None:
        if self._abandoned:
            return
        self._abandoned = True
        while not self._responses.empty():
            response = self._responses.get_nowait()
            if 200 <= response.status_code < 300:
                self._discard(response)
        transaction = self._transaction
        if transaction is not None and transaction.state is TransactionState.PROCEEDING:
            self._cancel()  # before any provisional a CANCEL may not go out (RFC 3261 section 9.1)

    def _cancel(self) -> None:
        transaction = self._transaction
        if transaction is None or self._cancelled:
            return
        self._cancelled = True
        cancel = within(transaction.request, "CANCEL")
        self.core.transactions.start(ClientTransaction, cancel, transaction.peer, lambda _: None)
        transaction.cancelled()

    def _discard(self, response: SipResponse) -> None:
        """Send ACK and BYE to an answer that nobody waits for, or that says nowhere we could send to: that goes where
        the INVITE went, for whoever answered thinks that there is a call."""
        if self._transaction is None:
            return
        invite = self._transaction.request
        try:
            dialog = CallDialog.of_response(invite, response)
        except BadHeader:
            response.headers.set("Contact", f"<{invite.uri}>")
            response.headers.set("Record-Route")
            dialog = CallDialog.of_response(invite, response)
        self._acknowledge(dialog, hang_up=True)
