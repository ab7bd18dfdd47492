"""The tie line (between exchanges): an agent whose console is in another process of this line is rung by SIP, there.

The caller's conversation stays with the process that has the call; the one with the console (``ivr.call.tied_call``)
is a telephone to it, which answers, hangs up, and says by REFER where the caller is to go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from ivr.errors import CallEnded, DialFailed, StoreUnavailable
from ivr.phones.participant import Participant, first_of
from ivr.phones.switchboard import Switchboard
from ivr.ports import AgentPhone, Clock, Leg, Line, MediaLeg, Offer, Party, Ring, Ties

log = structlog.get_logger(__name__)

LOOK_S = 2.0  # the other process may be gone without a word
DEATH_S = 0.25  # and is known to be dead sooner
HEIR_S = 12.0  # until another process has told that it has the caller now
SILENT = "the other line is silent"
UNAVAILABLE, UNREACHABLE = 480, 503


class TieLine:
    """``phone_of`` for whom another process rings; ``watch`` for legs between the two."""

    def __init__(self, ties: Ties, switchboard: Switchboard, line: Line, clock: Clock) -> None:
        self.ties = ties
        self._switchboard = switchboard
        self._line = line
        self._clock = clock
        self._watching: set[asyncio.Task[None]] = set()

    def phone_of(self, offer: Offer) -> AgentPhone | None:
        """None: the agent's console is here, or they have none."""
        if offer.line in ("", self.ties.line):
            return None
        return TiePhone(offer.agent, self)

    def watch(self, leg: Leg, line: str = "", patience_s: float = 0.0) -> None:
        """It ends soon after the process at its other end, ``line``, has died, too; ``patience_s``: another one may
        go on with what that had."""
        task = asyncio.create_task(self._watch(leg, line, patience_s), name=f"tie {leg.id}")
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)

    async def close(self) -> None:
        for task in self._watching:
            task.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)

    async def _watch(self, leg: Leg, line: str, patience_s: float) -> None:
        now = self._clock.monotonic
        answered = asked = now()
        while leg.kept() is not None:
            if now() - asked >= LOOK_S:
                answers = await leg.answers()
                asked = now()
                answered = asked if answers else answered
            if asked - answered > patience_s or (line and self.ties.dead(line)):
                await leg.hangup(SILENT, lost=True)
                return
            await self._clock.sleep(DEATH_S)

    async def dialled(self, ring: Ring, on_ringing: Callable[[], None] | None) -> Participant:
        """Raises DialFailed, MediaUnavailable."""
        offer, context = ring.offer, ring.context
        try:
            uri = await self.ties.uri_of(offer)
        except StoreUnavailable as error:
            raise DialFailed(UNREACHABLE, str(error)) from error
        if not uri:
            raise DialFailed(UNREACHABLE, "the line with their console can't be dialled")
        log.info("tie.dialling", agent=offer.agent, place=offer.place.id, line=offer.line)
        try:
            return await self._switchboard.dial(
                f"tie-{offer.place.id}-{offer.place.offers}-{context.call_id}",
                uri,
                Party(context.caller.number, context.caller.display, self._switchboard.caller_id),
                headers={},
                ring_timeout_s=ring.ring_timeout_s,
                on_ringing=on_ringing,
                call=context.call_id,
            )
        except CallEnded as ended:
            raise DialFailed(UNAVAILABLE, ended.reason) from ended

    async def lapsed(self, offer: Offer) -> Participant:
        """Raises DialFailed once the offer stands no more, so that nobody rings for a process that is dead."""
        await self._line.lapsed(offer)
        raise DialFailed(UNAVAILABLE, "the offer stands no more")


@dataclass(frozen=True, slots=True)
class TiePhone:
    """Implements ``ivr.ports.AgentPhone``: the console, and phone, of an agent in another process."""

    agent: str
    tie: TieLine

    def reachable(self) -> bool:
        return True

    async def ring(
        self, ring: Ring, on_ringing: Callable[[], None] | None = None, *, wanted: bool = False
    ) -> tuple[Leg, MediaLeg]:
        there = await first_of(self.tie.dialled(ring, on_ringing), self.tie.lapsed(ring.offer))
        self.tie.watch(there.leg, ring.offer.line)
        return there.leg, there.media
