"""SIP leg: one dialog as the call engine sees it, with what inbound and outbound legs share."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, TypeVar

import structlog

from ivr.errors import CallEnded, ModificationRefused, TransferFailed
from ivr.events import Digit, LegEnded
from ivr.media.description import MediaDescription
from ivr.plain_text import plain
from ivr.ports import LegEvent, MediaChanged, Party, TransferAsked
from ivr.sip.dialog import CallDialog
from ivr.sip.kept_dialog import kept
from ivr.sip.message import REASONS, BadBody, Peer, SipRequest, SipResponse
from ivr.sip.referral import Referral, Subscription
from ivr.sip.reinvite import Reinvite, glare_s
from ivr.sip.sdp import OfferAnswer
from ivr.sip.session_timer import SessionTerms, SessionTimer, agreed, min_se
from ivr.sip.signalling import Signalling, Unresolvable
from ivr.sip.timers import TIMEOUT
from ivr.sip.transaction import InviteServerTransaction, ServerTransaction
from ivr.sip.transfer import make_refer

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)
T = TypeVar("T")

MAX_WAITING_DIGITS = 256
PROBE_S = 4.0
REFRESH_S = TIMEOUT + 8.0  # who says 100 and nothing more keeps no other offer waiting
LOST = 'SIP;cause=480;text="lost"'  # RFC 3326


class SipLeg:
    """It implements ``ivr.ports.Leg``. ``far`` names the other end in logs and CallEnded: "caller" or "agent"."""

    far = "caller"

    def __init__(
        self,
        core: Signalling,
        dialog: CallDialog,
        audio: OfferAnswer,
        *,
        trunk: str,
        caller: Party,
        called: Party,
        headers: Mapping[str, str],
        arrival: Peer,
    ) -> None:
        self.core = core
        self.dialog = dialog
        self.audio = audio
        self.arrival = arrival
        self.on_release: Callable[[], object] = lambda: None  # leaves the dialog table
        self.confirmed = False
        self.offering = False  # an offer of ours is under way: theirs must wait (491)
        self.turn = asyncio.Lock()  # for our re-INVITEs
        self.referring = 0  # CSeq of our REFER while its subscription lasts
        self.allowed: Callable[[str], bool] | None = None  # where the far end may transfer the call to
        self.subscription: Subscription | None = None  # of the far end, to how its transfer comes on
        self.lost = False  # our BYE says that this was no proper end
        self.updates = False  # the far end takes UPDATE
        self.ended: CallEnded | None = None
        self.session = SessionTimer(core.timers, self._refresh_due, self._session_expired)
        self.log = log.bind(sip_call_id=plain(dialog.call_id), trunk=trunk)
        self.id = f"leg-{secrets.token_hex(4)}"
        self.trunk = trunk
        self.caller = caller
        self.called = called
        self.headers: Mapping[str, str] = {plain(name): plain(value) for name, value in headers.items()}
        self._queue: asyncio.Queue[LegEvent] = asyncio.Queue()
        self._gone = asyncio.Event()
        self._consumed = False
        self._closing: asyncio.Task[None] | None = None
        self._unacked: dict[int, tuple[InviteServerTransaction, bool]] = {}

    @property
    def transport(self) -> str:
        """Of its signalling, as it began."""
        return self.arrival.transport

    # --- ports.Leg ---

    @property
    def sip_call_id(self) -> str:
        return plain(self.dialog.call_id)

    @property
    def remote(self) -> MediaDescription | None:
        return self.audio.remote

    async def ring(self) -> None:
        self.check()

    async def answer(self, local: MediaDescription) -> MediaDescription:
        raise RuntimeError("only an inbound leg can be answered")

    async def reject(self, status: int, reason: str, *, retry_after_s: int | None = None) -> None:
        raise RuntimeError("only an inbound leg can be rejected")

    async def reinvite(self, local: MediaDescription) -> MediaDescription:
        self.check()
        text = self.audio.offer_anew(local)
        status, reason = await self.or_gone(Reinvite(self, text).settle())
        self.check()
        if status < 300 and self.audio.remote is not None:
            self.log.info("sip.reinvited", status=status)
            return self.audio.remote
        self.log.warning("sip.reinvite_refused", status=status, reason=reason)
        if status == 481:  # the dialog is gone (section 12.2.1.2)
            self._abort("network", f"unknown to the far end: {reason}", status)
            self.check()
        raise ModificationRefused(status, reason)

    async def hangup(self, reason: str = "", *, lost: bool = False) -> None:
        """Hang up once: everybody who calls this waits for the same BYE."""
        if self._closing is None:
            if self.ended is not None:
                return
            self.end("service", reason or "hung up", forget=False)
            self.lost = lost
            self._closing = self.core.spawn(self._close(), "sip-hangup")
        await asyncio.shield(self._closing)

    async def refer(self, target: str, headers: Mapping[str, str]) -> None:
        self.check()
        if not self.confirmed:
            raise TransferFailed(481, "the call is not answered yet")
        try:
            peer = await self.core.peer_of(self.dialog, self.arrival)
            request = self.dialog.request("REFER", self.core.via(peer), self.core.contact(peer))
            make_refer(request, target, self.dialog.local.partition(";tag=")[0], headers)
        except (ValueError, Unresolvable) as error:
            raise TransferFailed(400, str(error)) from error
        self.referring = request.cseq.number
        response = await self.core.request(request, peer, self.trunk, self.dialog)
        status = response.status_code
        if 200 <= status < 300:
            self.log.info("sip.refer_accepted", status=status)
            return
        self.referring = 0
        self.log.warning("sip.refer_refused", status=status, reason=response.reason_phrase)
        self.check()  # gone meanwhile: that, not the 481, is what happened
        raise TransferFailed(status, response.reason_phrase)

    def allow_transfers(self, allowed: Callable[[str], bool]) -> None:
        self.allowed = allowed

    async def notify(self, status: int, reason: str = "") -> None:
        """It is on its way: nobody waits for what a telephone that is gone would answer."""
        if self.subscription is not None:
            telling = self.subscription.notify(status, reason or REASONS.get(status, "Progress"))
            self.core.spawn(telling, "sip-notify")

    async def answers(self) -> bool:
        if self.ended is not None:
            return False
        try:
            peer = await self.core.peer_of(self.dialog, self.arrival)
            request = self.dialog.request("OPTIONS", self.core.via(peer), self.core.contact(peer))
            async with asyncio.timeout(PROBE_S):
                response = await self.core.request(request, peer, self.trunk, self.dialog)
        except (Unresolvable, TimeoutError):
            return False
        return response.status_code not in (408, 481, 503)

    def kept(self) -> Mapping[str, Any] | None:
        return kept(self) if self.ended is None else None

    def leave(self) -> None:
        self.end("service", "another process has the call")

    async def events(self) -> AsyncIterator[LegEvent]:
        """Yield events to one consumer at a time: whoever comes next goes on where the one before stopped."""
        if self._consumed:
            raise RuntimeError("a leg's events have one consumer at a time")
        self._consumed = True
        try:
            while self.ended is None or not self._queue.empty():
                yield await self._queue.get()
        finally:
            self._consumed = False

    # --- life ---

    def check(self) -> None:
        """Raise CallEnded once the leg is over."""
        if self.ended is not None:
            raise CallEnded(self.ended.by, self.ended.reason)

    def emit(self, event: LegEvent) -> None:
        if self.ended is not None:
            return
        if isinstance(event, Digit) and self._queue.qsize() >= MAX_WAITING_DIGITS:
            self.log.warning("sip.digits_dropped", waiting=self._queue.qsize())
            return
        self._queue.put_nowait(event)

    def end(self, by: str, reason: str, status: int = 0, *, forget: bool = True) -> None:
        """Note that the leg is over, whoever ended it; LegEnded goes out once."""
        if self.ended is not None:
            return
        self._queue.put_nowait(LegEnded(self.id, by, reason, status))
        self.ended = CallEnded(by, reason)
        self.session.end()
        self._gone.set()
        self.log.info("sip.ended", by=by, reason=reason, status=status)
        if forget:
            self.release()

    def release(self) -> None:
        """Leave the dialog table; later if NOTIFYs about a transfer may still come (RFC 5057)."""
        if self.referring:
            self.core.timers.call_later(TIMEOUT, self.on_release)
        else:
            self.on_release()

    async def or_gone(self, work: Awaitable[T]) -> T:
        """Wait for ``work`` or the end of the leg (then CallEnded)."""
        task, gone = asyncio.ensure_future(work), asyncio.ensure_future(self._gone.wait())
        try:
            await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            self.check()
            raise CallEnded("network", "the leg is gone")
        finally:
            gone.cancel()
            task.cancel()

    async def _close(self) -> None:
        """Do what hanging up means in this state; inbound legs override it for the time before the answer."""
        await self.bye()

    async def bye(self) -> None:
        try:
            peer = await self.core.peer_of(self.dialog, self.arrival)
            request = self.dialog.request("BYE", self.core.via(peer), "")
            if self.lost:
                request.headers.set("Reason", LOST)
            response = await self.core.request(request, peer, self.trunk, self.dialog)
            self.log.debug("sip.bye", status=response.status_code)
        except Unresolvable as error:
            self.log.warning("sip.bye_unsent", error=str(error))
        finally:
            self.release()

    # --- inside the dialog ---

    def pracked(self, request: SipRequest) -> bool:
        """Whether a PRACK fits a reliable provisional of ours."""
        return False

    def await_ack(self, transaction: InviteServerTransaction, *, answer_expected: bool) -> None:
        """Expect the ACK of a 2xx that is about to go out; it carries the answer when the 2xx carried our offer."""
        number = transaction.request.cseq.number
        self._unacked[number] = (transaction, answer_expected)
        self.offering = self.offering or answer_expected
        transaction.on_no_ack = lambda: self._no_ack(number)

    @property
    def glaring(self) -> bool:
        """Whether an INVITE of theirs is under way: ours must wait (section 14.1)."""
        return bool(self._unacked)

    def receive_ack(self, request: SipRequest) -> bool:
        """Take an ACK of ours; only From decides, because some callers change the To tag on the way."""
        waiting = self._unacked.get(request.cseq.number)
        if waiting is None or request.from_.tag != self.dialog.remote_tag:
            return False
        del self._unacked[request.cseq.number]
        transaction, answer_expected = waiting
        transaction.acknowledge()
        if answer_expected:
            self.offering = False
            self._late_answer(request)
        self.acked()
        return True

    def acked(self) -> None:
        """Hear that an ACK came; inbound legs wait for the first."""

    def _late_answer(self, ack: SipRequest) -> None:
        try:
            changed = self.audio.take_later_answer(ack.sdp() or "")
        except BadBody as error:
            self.log.warning("sip.bad_answer", error=str(error))
            if self.audio.remote is None:
                self._abort(self.far, f"no usable answer in the ACK: {error}", 488)
            return  # in mid-call what was agreed on before goes on (section 14.1)
        if changed is not None:
            self.emit(MediaChanged(changed))

    def _no_ack(self, number: int) -> None:
        self._unacked.pop(number, None)
        self._abort("network", "no ACK", 408)

    def _abort(self, by: str, reason: str, status: int) -> None:
        if self.ended is None:
            self.end(by, reason, status, forget=False)
            self.core.spawn(self.bye(), "sip-abort")

    def respond(self, transaction: ServerTransaction, status: int, reason: str = "", **headers: str) -> None:
        """Respond without a body."""
        contact = self.core.contact(transaction.peer) if 200 <= status < 300 else ""
        response = self.dialog.response(transaction.request, status, reason, contact=contact)
        for name, value in headers.items():
            response.headers.set(name.replace("_", "-"), value)
        transaction.respond(response)

    def referred(self, refer: SipRequest, referral: Referral) -> None:
        """A transfer that the far end asked for was accepted; the first NOTIFY goes out at once (RFC 3515 section
        2.4.4)."""
        self.log.info("sip.transfer_asked", target=referral.target, attended=bool(referral.replaces))
        if not referral.silent:
            self.subscription = Subscription(self, refer, first=self.subscription is None)
            self.core.spawn(self.subscription.notify(100, REASONS[100]), "sip-notify")
        self.emit(TransferAsked(referral.target, referral.replaces))

    # --- session timer ---

    def _session_expired(self) -> None:
        self.log.warning("sip.session_expired", interval_s=self.session.interval_s)
        self._abort("network", "session timer expired", 408)

    def _refresh_due(self) -> None:
        if self.ended is None:
            self.core.spawn(self._refresh(), "sip-refresh")

    async def _refresh(self) -> None:
        """Send UPDATE where the far end takes it, else re-INVITE with our SDP as it is (RFC 4028 section 7.4)."""
        interval = self.session.interval_s
        try:
            async with asyncio.timeout(REFRESH_S):
                peer = await self.core.peer_of(self.dialog, self.arrival)
                response = await self._send_refresh(peer, interval)
                if response.status_code == 422:
                    interval = max(interval, min_se(response))
                    response = await self._send_refresh(peer, interval)
        except (Unresolvable, TimeoutError) as error:
            self.log.warning("sip.refresh_unsent", error=str(error) or "no answer in time")
            self.session.try_again()
            return
        status = response.status_code
        if self.ended is not None:
            return
        if status in (408, 481):
            self._session_expired()
        elif status == 491:
            self.core.timers.call_later(glare_s(ours=self.far == "agent"), self._refresh_due)
        elif status >= 300:
            self.updates = self.updates and status not in (405, 501)
            self.log.info("sip.refresh_refused", status=status, reason=response.reason_phrase)
            self.session.try_again()
        else:
            if (terms := agreed(response, interval)) is not None:
                self.session.start(terms, "uac")
            self.log.debug("sip.refreshed", status=status)

    async def _send_refresh(self, peer: Peer, interval: int) -> SipResponse:
        if not self.updates:
            return await Reinvite(self, self.audio.text, interval).send()
        request = self.dialog.request("UPDATE", self.core.via(peer), self.core.contact(peer))
        request.headers.set("Session-Expires", SessionTerms(interval, "uac").header)
        return await self.core.request(request, peer, self.trunk, self.dialog)
