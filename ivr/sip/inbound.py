"""Inbound SIP leg: a call to us that rings (reliably where wanted, RFC 3262), is answered, refused or cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable

from aiosipua import generate_tag

from ivr.media.description import MediaDescription
from ivr.sip.dialog import CallDialog
from ivr.sip.dialogs import add_session
from ivr.sip.leg import SipLeg
from ivr.sip.message import SipRequest, origin
from ivr.sip.party import called_of, caller_of
from ivr.sip.session_timer import terms_for
from ivr.sip.signalling import Signalling
from ivr.sip.timers import TIMEOUT, Backoff, Timer
from ivr.sip.transaction import InviteServerTransaction


class InboundLeg(SipLeg):
    """It is made of an admitted INVITE. Raises BadMessage for one that cannot be served. ``on_end`` is called once."""

    far = "caller"

    def __init__(
        self,
        core: Signalling,
        invite: InviteServerTransaction,
        trunk: str,
        on_end: Callable[[InboundLeg], None],
    ) -> None:
        request = invite.request
        audio = core.offer_answer(invite.peer, origin(request, invite.peer), srtp=core.srtp_of(trunk))
        if (offer := request.sdp()) is not None:
            audio.take_offer(offer)
        self._terms = terms_for(request, core.config.session_expires_s)
        super().__init__(
            core,
            CallDialog.of_request(request, generate_tag()),
            audio,
            trunk=trunk,
            caller=caller_of(request, core.numbering),
            called=called_of(request, core.own_users, core.numbering),
            headers=request.headers.joined(),
            arrival=invite.peer,
        )
        self.updates = "update" in request.tokens("allow")
        self._invite = invite
        self._cseq = str(request.cseq)
        self._on_end = on_end
        self._answered = False
        self._acked = asyncio.Event()
        self._settled = asyncio.Event()  # acknowledged, or over
        self._rseq = 0
        self._unpracked: list[Timer] = []  # of the 180 that waits for its PRACK
        invite.on_cancel = self._cancelled

    async def ring(self) -> None:
        self.check()
        if self._answered or self._unpracked:
            return
        request = self._invite.request
        ringing = self.dialog.response(request, 180, contact=self.core.contact(self.arrival))
        if "100rel" in request.extensions and not self._rseq:
            self._rseq = random.randint(1, 2**30)
            ringing.headers.set("Require", "100rel")
            ringing.headers.set("RSeq", str(self._rseq))
            timers = self.core.timers
            again = Backoff(timers, lambda: self._invite.respond(ringing), TIMEOUT)
            self._unpracked = [again, timers.call_later(TIMEOUT, self._no_prack)]
        self._invite.respond(ringing)

    async def answer(self, local: MediaDescription) -> MediaDescription:
        self.check()
        if self._answered:
            raise RuntimeError("the leg is answered already")
        self._answered = True
        self._stop_ringing()
        offerless = self.audio.remote is None
        response = self.dialog.response(self._invite.request, 200, contact=self.core.contact(self.arrival))
        add_session(response, self._invite, self._terms)
        response.carry_sdp(self.audio.describe(local))
        self.await_ack(self._invite, answer_expected=offerless)
        self._invite.respond(response)
        await self._settled.wait()
        self.check()
        if self.audio.remote is None:
            raise RuntimeError("answered without the far end's description")
        return self.audio.remote

    async def reject(self, status: int, reason: str, *, retry_after_s: int | None = None) -> None:
        self.check()
        if self._answered:
            raise RuntimeError("the leg is answered already: hang up instead")
        response = self.dialog.response(self._invite.request, status, reason)
        if retry_after_s is not None:
            response.headers.set("Retry-After", str(retry_after_s))
        self._invite.respond(response)
        self.end("service", reason or "rejected", status)

    def end(self, by: str, reason: str, status: int = 0, *, forget: bool = True) -> None:
        if self.ended is not None:
            return
        self._stop_ringing()
        if not self._invite.answered:
            code = status if status >= 300 else 480 if by == "service" else 487
            self._invite.respond(self.dialog.response(self._invite.request, code))
        super().end(by, reason, status, forget=forget)
        self._settled.set()
        self._on_end(self)

    def pracked(self, request: SipRequest) -> bool:
        if request.headers.first("rack").split() != [str(self._rseq), *self._cseq.split()]:
            return False
        self._stop_ringing()
        return True

    def acked(self) -> None:
        if self._acked.is_set():
            return
        self._acked.set()
        self._settled.set()
        if self.ended is None:
            self.confirmed = True
            self.session.start(self._terms, "uas")
            self.log.info("sip.answered", leg=self.id)

    async def _close(self) -> None:
        if not self._answered:
            self.release()
            return
        with contextlib.suppress(TimeoutError):  # RFC 3261 section 15: no BYE before the ACK, or its time-out
            async with asyncio.timeout(TIMEOUT):
                await self._acked.wait()
        await self.bye()

    def _no_ack(self, number: int) -> None:
        super()._no_ack(number)
        self._acked.set()

    def _cancelled(self) -> None:
        self.end("caller", "cancelled", 487)

    def _no_prack(self) -> None:
        self._stop_ringing()
        if "100rel" in self._invite.request.tokens("require"):
            self.end("network", "no PRACK", 500)

    def _stop_ringing(self) -> None:
        while self._unpracked:
            self._unpracked.pop().cancel()
