"""Inbound SIP leg: a call to us that rings (reliably where wanted, RFC 3262), is answered, refused or cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable

from ivr.media.description import MediaDescription
from ivr.ports import Party
from ivr.sip.dialog import CallDialog
from ivr.sip.indialog import add_session
from ivr.sip.leg import SipLeg
from ivr.sip.message import SipRequest
from ivr.sip.negotiation import OfferAnswer
from ivr.sip.session_timer import SessionTerms
from ivr.sip.signalling import Signalling
from ivr.sip.timers import TIMEOUT, Backoff, Timer
from ivr.sip.transaction import InviteServerTransaction


class InboundLeg(SipLeg):
    """It is made for an admitted INVITE whose offer, if any, can be served. ``on_end`` is called once."""

    far = "caller"

    def __init__(
        self,
        core: Signalling,
        invite: InviteServerTransaction,
        dialog: CallDialog,
        audio: OfferAnswer,
        terms: SessionTerms,
        *,
        trunk: str,
        caller: Party,
        called: Party,
        on_end: Callable[[InboundLeg], None],
    ) -> None:
        headers = invite.request.headers.joined()
        super().__init__(
            core, dialog, audio, trunk=trunk, caller=caller, called=called, headers=headers, arrival=invite.peer
        )
        self.updates = "update" in invite.request.tokens("allow")
        self._invite = invite
        self._terms = terms
        self._on_end = on_end
        self._answered = False
        self._acked = asyncio.Event()
        self._rseq = 0
        self._unpracked: Backoff | None = None
        self._prack_deadline: Timer | None = None
        invite.on_cancel = self._cancelled

    async def ring(self) -> None:
        self.check()
        if self._answered or self._unpracked is not None:
            return
        request = self._invite.request
        ringing = self.dialog.response(request, 180, contact=self.core.contact(self.arrival))
        if "100rel" in request.extensions and not self._rseq:
            self._rseq = random.randint(1, 2**30)
            ringing.headers.set("Require", "100rel")
            ringing.headers.set("RSeq", str(self._rseq))
            self._unpracked = Backoff(self.core.timers, lambda: self._invite.respond(ringing), TIMEOUT)
            self._prack_deadline = self.core.timers.call_later(TIMEOUT, self._no_prack)
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
        response.carry_sdp(self.audio.offer(local) if offerless else self.audio.answer(local))
        self.await_ack(self._invite, answer_expected=offerless)
        self._invite.respond(response)
        await self.or_gone(self._acked.wait())
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
        if self._invite.final is None:
            code = status if status >= 300 else 480 if by == "service" else 487
            self._invite.respond(self.dialog.response(self._invite.request, code))
        super().end(by, reason, status, forget=forget)
        self._on_end(self)

    def pracked(self, request: SipRequest) -> bool:
        if request.headers.first("rack").split() != [str(self._rseq), *str(self._invite.request.cseq).split()]:
            return False
        self._stop_ringing()
        return True

    def acked(self) -> None:
        if self._acked.is_set():
            return
        self._acked.set()
        if self.ended is None:
            self.confirmed = True
            self.keep_session(self._terms, ours=self._terms.refresher == "uas")
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
        if self._unpracked is not None:
            self._unpracked.cancel()
            self._unpracked = None
        if self._prack_deadline is not None:
            self._prack_deadline.cancel()
            self._prack_deadline = None
