"""Re-INVITE (RFC 3261 section 14.1): an offer of ours inside a dialog: acknowledged, challenged, tried again after a
glare."""

from __future__ import annotations

import asyncio
import random
from typing import Protocol

import structlog

from ivr.errors import CallEnded
from ivr.ports import LegEvent, MediaChanged
from ivr.sip.dialog import CallDialog
from ivr.sip.headers import BadMessage
from ivr.sip.message import Peer, SipRequest, SipResponse, encode
from ivr.sip.sdp import OfferAnswer
from ivr.sip.session_timer import SessionTerms, SessionTimer, agreed, min_se
from ivr.sip.signalling import MAX_CHALLENGES, Signalling, Unresolvable

ANSWER_S = 10.0  # somebody waits in silence; also for who says 100 and nothing more
MOST_GLARES = 5


def glare_s(*, ours: bool) -> float:
    """How long to wait after a 491, in units of 10 ms; ``ours``: we made the Call-ID."""
    return random.randint(210, 400) / 100 if ours else random.randint(0, 200) / 100


class Offering(Protocol):
    """The leg, as a re-INVITE needs it. ``turn``: one of ours at a time; ``offering``: theirs must wait for it (491);
    ``glaring``: one of theirs is under way."""

    core: Signalling
    dialog: CallDialog
    audio: OfferAnswer
    arrival: Peer
    session: SessionTimer
    trunk: str
    far: str
    turn: asyncio.Lock
    offering: bool
    ended: CallEnded | None
    log: structlog.stdlib.BoundLogger

    @property
    def glaring(self) -> bool: ...
    def emit(self, event: LegEvent) -> None: ...


class Reinvite:
    """One new offer ``text`` on ``leg``; ``interval_s`` of the session timer, 0 for the one agreed."""

    def __init__(self, leg: Offering, text: str, interval_s: int = 0) -> None:
        self._leg = leg
        self._text = text
        self._interval_s = interval_s or leg.session.interval_s or leg.core.config.session_expires_s

    async def settle(self) -> tuple[int, str]:
        """Status and reason of the final answer, once glares are over; 408 where none came in ANSWER_S."""
        leg = self._leg
        status, reason = 491, "Request Pending"
        for _ in range(MOST_GLARES):
            if not leg.glaring:
                try:
                    async with asyncio.timeout(ANSWER_S):
                        response = await self.send()
                except TimeoutError:
                    return 408, "no answer in time"
                except Unresolvable as error:
                    return 503, str(error)
                status, reason = response.status_code, response.reason_phrase
                if status == 422:
                    self._interval_s = max(self._interval_s, min_se(response))
                    continue
                if status != 491:
                    break
            await self._pause(glare_s(ours=leg.far == "agent"))
        return status, reason

    async def send(self) -> SipResponse:
        """Once; the final response. Of a 2xx the ACK goes out, the answer is taken. Raises Unresolvable."""
        leg, core = self._leg, self._leg.core
        async with leg.turn:
            leg.offering = True
            try:
                peer = await core.peer_of(leg.dialog, leg.arrival)
                request = leg.dialog.request("INVITE", core.via(peer), core.contact(peer))
                request.headers.set("Session-Expires", SessionTerms(self._interval_s, "uac").header)
                request.carry_sdp(self._text)
                if (account := core.accounts.get(leg.trunk)) is not None:
                    account.authorise(request, peer.host)
                return await core.hunted(request, (peer,), self._exchange)
            finally:
                leg.offering = False

    async def _exchange(self, request: SipRequest, peer: Peer, patience_s: float | None) -> SipResponse:
        leg = self._leg
        response = await self._answered(request, peer, patience_s)
        for _ in range(MAX_CHALLENGES):
            again = leg.core.challenged(request, response, peer, leg.trunk, leg.dialog)
            if again is None:
                break
            request, response = again, await self._answered(again, peer)
        return response

    async def _answered(self, request: SipRequest, peer: Peer, patience_s: float | None = None) -> SipResponse:
        leg = self._leg

        def acknowledge() -> None:
            ack = leg.dialog.request("ACK", leg.core.via(peer), "", number=request.cseq.number)
            for name in ("Authorization", "Proxy-Authorization"):
                ack.headers.set(name, *request.headers.get(name))
            leg.core.send(encode(ack), peer)

        response = await leg.core.transactions.request(request, peer, acknowledge, patience_s)
        if response.status_code < 300 and leg.ended is None:
            self._take(response)
        return response

    def _take(self, response: SipResponse) -> None:
        leg = self._leg
        try:
            leg.dialog.retarget(response)
            if (body := response.sdp()) and (changed := leg.audio.take_later_answer(body)):
                leg.emit(MediaChanged(changed))
        except BadMessage as error:
            leg.log.warning("sip.bad_answer", error=str(error))
        if (terms := agreed(response, self._interval_s)) is not None:
            leg.session.start(terms, "uac")

    async def _pause(self, seconds: float) -> None:
        over = asyncio.Event()
        timer = self._leg.core.timers.call_later(seconds, over.set)
        try:
            await over.wait()
        finally:
            timer.cancel()
