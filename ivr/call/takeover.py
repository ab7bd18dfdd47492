"""The takeover of calls whose process died: claimed, told by a re-INVITE where they are now, and gone on with.

Each process is an heir of all others on its database, and of the one that it was before it was restarted. A call goes
to one of them; a process that was only thought dead lets go of it without a word.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import structlog

from ivr.call.acceptor import Acceptor
from ivr.call.call_backs import CallBacks
from ivr.call.callback_call import CallBackCall, Reached
from ivr.call.handed_over import Rejoin, Rejoined
from ivr.call.registry import CallServices
from ivr.call.session import CallSession, Inherited, Open
from ivr.dialogue.engine.contract import Installed
from ivr.dialogue.engine.dialogue import Dialogue
from ivr.errors import IvrError
from ivr.phones.placing import unasked_after
from ivr.phones.rejoining import KeptTalk, offer_of, phone_again
from ivr.ports import CallOpening, Leg, LiveDialogs, Orphan, Orphans, SipEndpoint

log = structlog.get_logger(__name__)

LOOK_S = 0.2
FENCED_EVERY = 5  # looks between those for calls that others took over
LOST = "lost"

GoOn = Callable[[str, Leg, Installed, Mapping[str, Any]], Dialogue]
"""How a call goes on that another process had, from what that kept of its dialogue."""


class Kept(Orphans, LiveDialogs, Protocol):
    """What is kept of calls in progress, by everybody."""


class Takeovers:
    """``room``: for how many calls there is room here now. ``taken``: how many were taken over since the start."""

    def __init__(
        self,
        services: CallServices,
        acceptor: Acceptor,
        kept: Kept,
        endpoint: SipEndpoint,
        opening: Open,
        go_on: GoOn,
        room: Callable[[], int],
        call_backs: CallBacks,
    ) -> None:
        self._services = services
        self._acceptor = acceptor
        self._kept = kept
        self._endpoint = endpoint
        self._opening = opening
        self._go_on = go_on
        self._room = room
        self._call_backs = call_backs
        self.taken = 0

    async def run(self, inherited: Collection[Orphan] = ()) -> None:
        """Until cancelled; first with those ``inherited`` from before this process was restarted."""
        self._take_over(inherited)
        looks = 0
        while True:
            await self._services.clock.sleep(LOOK_S)
            looks += 1
            try:
                self._take_over(await self._kept.claim(self._room()))
                if not looks % FENCED_EVERY:
                    self._let_go(await self._kept.lost())
            except IvrError as error:
                log.debug("takeover.blind", error=str(error))  # while the database is away nobody is found dead

    async def take(self, sip_call_id: str) -> bool:
        """A request came inside a dialog that is not here: whether it is now, since its process is dead."""
        try:
            orphan = await self._kept.claim_dialog(sip_call_id)
        except IvrError as error:
            log.info("takeover.blind", error=str(error))
            return False
        return orphan is not None and self._begin(orphan)

    def _take_over(self, orphans: Collection[Orphan]) -> None:
        if not orphans:
            return
        begun = sum(map(self._begin, orphans))
        for node, count in Counter(orphan.node for orphan in orphans).items():
            log.warning("calls.taken_over", count=count, begun=begun, node=node)

    def _let_go(self, lost: Collection[str]) -> None:
        for call_id in lost:
            call = self._services.registry.get(call_id)
            if isinstance(call, CallSession | CallBackCall):
                call.leave()

    def _begin(self, orphan: Orphan) -> bool:
        """What one call can't be gone on with for, another release's snapshot say, is nothing to the others."""
        try:
            begun = self._begun(orphan)
            self.taken += begun
            return begun
        except Exception:
            log.exception("takeover.raised", call_id=orphan.call_id)
        self._lose(orphan)
        try:  # whoever is there would hear silence for ever
            self._let_go_of([orphan.snapshot["caller"]] if "caller" in orphan.snapshot else ())
        except Exception:
            log.exception("takeover.not_hung_up", call_id=orphan.call_id)
        return False

    def _begun(self, orphan: Orphan) -> bool:
        snapshot = orphan.snapshot
        if "remains" in snapshot:
            return self._clear_away(orphan)
        if "call_back" in snapshot:
            return self._call_back(orphan, snapshot["call_back"])
        try:
            leg = self._endpoint.restore(snapshot["caller"])
        except (KeyError, ValueError) as error:
            log.error("takeover.failed", call_id=orphan.call_id, error=str(error))
            self._lose(orphan)
            return False
        self._stop_ringing(snapshot.get("ringing", ()))
        opening, rejoin = self._opening, None
        if (dialogue := snapshot.get("dialogue")) is not None:
            agent = snapshot.get("agent")
            self._part_from_others(agent)
            known = {**dialogue, "connected": agent is not None and agent["leg"] is not None}
            opening, rejoin = self._continuing(known), agent and self._rejoining(orphan.call_id, agent, known)
        inherited = Inherited(orphan, self._services.clock.monotonic(), rejoin)
        self._acceptor.begin(CallSession(orphan.call_id, leg, self._services, opening, inherited))
        return True

    def _clear_away(self, orphan: Orphan) -> bool:
        """Telephones of a call that is another process's: the line with the agent's console died, not the caller's."""
        self._stop_ringing(orphan.snapshot.get("ringing", ()))
        self._let_go_of(orphan.snapshot["remains"], orphan.snapshot.get("others", ()))
        asyncio.ensure_future(self._kept.forget(orphan.call_id)).add_done_callback(_told)
        return False

    def _call_back(self, orphan: Orphan, made: Mapping[str, Any]) -> bool:
        """With the member at its other end it goes on; before that nobody is left to listen to silence, and it is made
        anew."""
        snapshot, agent = orphan.snapshot, made.get("agent")
        self._stop_ringing(snapshot.get("ringing", ()))
        self._part_from_others(agent)
        try:
            offer = offer_of(made["offer"])
            member = self._endpoint.restore(snapshot["caller"]) if "caller" in snapshot else None
        except (KeyError, TypeError, ValueError) as error:
            log.error("takeover.failed", call_id=orphan.call_id, error=str(error))
            self._lose(orphan)
            return False
        if member is None:
            self._let_go_of([agent["leg"]] if agent and agent["leg"] else ())
            self._call_backs.take_back(offer)
            self._lose(orphan)
            return False
        rejoin = self._rejoining(orphan.call_id, agent, {}) if agent is not None else _nobody
        since = self._services.clock.monotonic()
        self._call_backs.go_on(offer, Reached(orphan, since, member, rejoin, made.get("joined_after")))
        return True

    def _stop_ringing(self, phones: Sequence[Mapping[str, Any]]) -> None:
        """What the dead process had ring: whoever took it up would hear nobody, and is rung again."""
        for kept in phones:
            try:
                self._endpoint.cancel(kept)
            except ValueError as error:
                log.warning("agent.rings_on", error=str(error))

    def _part_from_others(self, agent: Mapping[str, Any] | None) -> None:
        """From whoever was in a conversation beside caller and agent."""
        if agent is not None:
            self._let_go_of(agent.get("others", ()), agent.get("talk", {}).get("others", ()))

    def _let_go_of(self, legs: Sequence[Mapping[str, Any]], names: Sequence[str] = ()) -> None:
        """They would hear nobody any more. ``names``: of those who were asked by a colleague."""
        if names:
            asyncio.ensure_future(unasked_after(self._services.line, names)).add_done_callback(_told)
        for kept in legs:
            try:
                leg = self._endpoint.restore(kept)
            except ValueError as error:
                log.warning("party.not_let_go", error=str(error))
                continue
            asyncio.ensure_future(leg.hangup("the line with this call died", lost=True)).add_done_callback(_told)

    def _continuing(self, known: Mapping[str, Any]) -> Open:
        return lambda call_id, leg, installed: self._go_on(call_id, leg, installed, known)

    def _rejoining(self, call_id: str, agent: Mapping[str, Any], known: dict[str, Any]) -> Rejoin:
        async def rejoin() -> Rejoined | None:
            try:
                offer, talk = offer_of(agent["offer"]), KeptTalk.from_json(agent.get("talk", {}))
                if agent["leg"] is None:  # a browser's
                    return Rejoined(None, offer, talk)
                participant = await phone_again(self._endpoint, self._services.media, call_id, agent)
            except (KeyError, TypeError, ValueError) as error:
                log.error("agent.not_rejoined", error=str(error))
                participant = None
            if participant is None:
                known["connected"] = False
                return None
            if participant.tied and self._services.tie is not None:
                self._services.tie.watch(participant.leg, offer.line)
            return Rejoined(participant, offer if participant.tied else replace(offer, line=""), talk)

        return rejoin

    def _lose(self, orphan: Orphan) -> None:
        """Nobody can go on with it."""
        records, now = self._services.records, self._services.clock.now()
        opening = CallOpening(orphan.caller, orphan.called, orphan.started_at, {})
        for work in (records.finish(orphan.call_id, LOST, now, {}, opening), self._kept.forget(orphan.call_id)):
            asyncio.ensure_future(work).add_done_callback(_told)


async def _nobody() -> Rejoined | None:
    return None


def _told(asked: asyncio.Future[None]) -> None:
    if not asked.cancelled() and (error := asked.exception()) is not None:
        log.warning("takeover.untold", error=str(error))
