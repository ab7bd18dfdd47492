"""The bridge: one conversation of a caller with agents, as their consoles command it and their phones signal it.

``view()``: see ``ivr.phones.bridge_view``.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import structlog

from ivr.errors import IvrError, TransferFailed
from ivr.events import CALLER_NAME
from ivr.phones.bridge_phones import CONVERSATION_S, BridgePhones
from ivr.phones.bridge_transfer import BridgeTransfer
from ivr.phones.bridge_view import bridge_view
from ivr.phones.conference import Party
from ivr.phones.consultation import Consultation
from ivr.phones.conversation import Conversation
from ivr.phones.participant import Participant, to_the_end
from ivr.phones.placing import Placing
from ivr.phones.rejoining import KeptTalk, kept_agent
from ivr.phones.supervision import SupervisedTalk
from ivr.phones.switchboard import Switchboard
from ivr.ports import BridgeEnd, Floor, HangUp, Line, Ring, Supervision

log = structlog.get_logger(__name__)

TURN_S = 2.0  # what is under way when it is over is done first, unless it takes too long
KEYS = frozenset("0123456789*#ABCD")


class Bridge:
    """Implements ``ivr.ports.Bridge``. ``run`` once, by whoever has the caller and reads their signals and audio.

    ``ring``: what the agent took; a place of id 0 is in no line. ``hang_up``: what hanging up by the agent's phone
    does; ``machine``: there is a dialogue to go back to; ``placing``: who tells ``line`` otherwise.
    ``on_change``: it is not as it was; ``kept``: how it was in a process that died."""

    def __init__(
        self,
        caller: Participant,
        agent: Participant,
        ring: Ring,
        switchboard: Switchboard,
        floor: Floor,
        line: Line | None = None,
        *,
        hang_up: HangUp = "ends",
        machine: bool = True,
        placing: Placing | None = None,
        on_change: Callable[[], None] = lambda: None,
        kept: KeptTalk | None = None,
    ) -> None:
        place, context = ring.offer.place, ring.context
        self.ring = ring
        self._switchboard = switchboard
        self._floor = floor
        self.placing = placing or Placing(place.id, line)
        self.machine = machine
        self._name = str(context.facts.get(CALLER_NAME) or place.arrival.name or context.caller.number)
        self._over: asyncio.Future[BridgeEnd] = asyncio.get_running_loop().create_future()
        self.phones = BridgePhones(self, switchboard.destinations)
        self.talk = Conversation(
            caller, self._name, switchboard.music, self.phones, self._crashed,
            switchboard.recording.of(ring, tied=agent.tied, kept=kept), lambda: floor.changed(self),
        )  # fmt: skip
        self.consultation = Consultation(self.talk, switchboard, floor, self.placing, self)
        self._supervision = SupervisedTalk(self.talk, floor)
        self.transfers = BridgeTransfer(self)
        self.turn = asyncio.Lock()  # one thing at a time: commands, and what phones do
        self._begun = False
        self._closing: asyncio.Task[None] | None = None
        self._on_change = on_change
        before = kept or KeptTalk()
        self._began = before.since or datetime.now(UTC)
        lasted_s = max(before.lasted_s, CONVERSATION_S) if kept is not None else 0.0
        self.holder = Party("agent", ring.offer.agent, agent, _now() - lasted_s, before.muted, outside=before.outside)
        self.hang_up_means: HangUp = before.hang_up or hang_up
        self._hold_asked = before.held
        self.trouble = before.trouble

    def kept(self) -> Mapping[str, Any] | None:
        """What another process needs to go on with it (``ivr.phones.rejoining``); ``others``: legs of whoever else is
        in it. None where nobody has the caller just now."""
        if self.over or self.holder not in self.talk.parties:
            return None
        offer = replace(self.ring.offer, agent=self.holder.name)
        agent = kept_agent(self.holder.participant, offer, self.kept_talk())
        if agent is None:
            return None
        legs = (party.participant.leg.kept() for party in self._others())
        return {**agent, "others": [leg for leg in legs if leg is not None]}

    def kept_talk(self) -> KeptTalk:
        """How it is now."""
        return KeptTalk(
            since=self._began,
            held=self._hold_asked,
            muted=self.holder.muted,
            outside=self.holder.outside,
            hang_up=self.hang_up_means,
            paused=self.talk.recording.paused,
            withdrawn=self.talk.recording.withdrawn,
            others=tuple(party.name for party in self._others()),
        )

    def _others(self) -> list[Party]:
        return [party for party in self.talk.parties if party not in (self.talk.caller, self.holder)]

    def leave(self) -> None:
        """Another process has the conversation: here it ends without a word to anybody."""
        self.placing = Placing(0, None)
        for party in self.talk.parties:
            party.participant.leg.leave()

    async def run(self) -> BridgeEnd:
        """Joined until it is over for the caller; how it ended. Cancelled when the caller leaves: then everybody else
        is let go of, and the line is told."""
        try:
            async with self.turn:
                self._begun = True
                self.talk.admit(self.holder)
                await self._taken_up()
            return await self._over
        finally:
            await self.close()

    @property
    def agent(self) -> str:
        """Who has the caller, or had them last."""
        return self.holder.name

    @property
    def recorded(self) -> bool:
        return self.talk.recording.recorded

    async def close(self) -> None:
        """Everybody but the caller is let go of, and the line is told, whoever is cancelled meanwhile; once."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(), name="bridge close")
        await to_the_end(self._closing)

    async def _close(self) -> None:
        """Once what is under way is done, or takes too long."""
        ours = False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TURN_S):
                ours = await self.turn.acquire()
        try:
            self._floor.parted(self.holder.name, self)
            await self.consultation.end("the conversation is over")
            await self.talk.close()
            if not self._begun:
                await self.holder.participant.let_go("not joined")
            await self.placing.finished(self.holder.name)
        finally:
            if ours:
                self.turn.release()

    # -- what consoles command ---------------------------------------------------------------------------------

    def view(self) -> Mapping[str, Any]:
        return {
            **bridge_view(self.ring, self._name, self.holder, self.talk.parties, _now()),
            "began": self._began.isoformat(),
            "held": bool(self._held_by),
            "held_by": self._held_by,
            "consulting": self.consultation.view(),
            "transferring": self.transfers.to,
            "on_hang_up": self.hang_up_means,
            "trouble": self.trouble,
            "recording": self.talk.recording.view(),
            "you": "agent",
        }

    async def hold(self, on: bool) -> None:
        async with self.turn:
            self._hold_asked = on
            await self.settle()

    async def mute(self, on: bool) -> None:
        await self.mute_party(self.holder, on)

    async def mute_party(self, party: Party, on: bool) -> None:
        async with self.turn:
            party.muted = on
            await self.settle()

    async def press(self, keys: str) -> None:
        if not keys or not KEYS.issuperset(keys):
            raise TransferFailed(400, "those are no keys of a telephone")
        await self.talk.caller.participant.media.press(keys)

    async def record(self, on: bool) -> None:
        async with self.turn:
            await self.talk.recording.pause(not on)
        self._floor.changed(self)

    async def withdraw_recording(self) -> None:
        async with self.turn:
            await self.talk.recording.withdraw()
        self._floor.changed(self)

    async def transfer(self, to: str) -> None:
        async with self.turn:
            await self.transfers.begin(self._switchboard.destinations.onward(to))

    async def consult(self, to: str) -> None:
        async with self.turn:
            self.check()
            self.consultation.begin(self._switchboard.destinations.onward(to), self.ring, self.holder)
            self.trouble = ""
            await self.settle()

    async def complete(self) -> None:
        async with self.turn:
            await self.succeeded_by(self.consultation.joined())

    async def conference(self) -> None:
        async with self.turn:
            self.consultation.open()
            self._hold_asked = False
            await self.settle()

    async def drop(self) -> None:
        async with self.turn:
            await self.dropped("")

    async def back_to_machine(self) -> None:
        self.check()
        if not self.machine:
            raise TransferFailed(409, "the caller comes from no dialogue: they were called")
        self.end(BridgeEnd("machine", self.holder.name))

    async def hang_up(self) -> None:
        self.end(BridgeEnd("over", self.holder.name, "agent", "hung up"))

    async def on_hang_up(self, how: HangUp) -> None:
        self.hang_up_means = how
        self._floor.changed(self)

    async def supervise(self, supervisor: str, how: Supervision) -> None:
        party = await self._supervision.party(supervisor, how, self._ring_for(supervisor))
        async with self.turn:
            if self.over:
                raise TransferFailed(410, "the conversation is over")
            if party is not None:
                await self._supervision.set(party, how)
            await self.settle()
        log.info("bridge.supervised", supervisor=supervisor, agent=self.holder.name, how=how)

    # -- what becomes of a consultation (Consulting) --------------------------------------------------------------

    def rings(self) -> None:
        """Another telephone, which a process that takes this call over has to stop."""
        self._on_change()

    async def consulted(self) -> None:
        async with self.turn:
            await self.settle()

    async def unconsulted(self, why: str) -> None:
        async with self.turn:
            await self.dropped(why)

    # -- how it goes on ------------------------------------------------------------------------------------------

    @property
    def _held_by(self) -> str:
        if self.transfers.to:
            return "transfer"
        if self.consultation.state in ("ringing", "private"):
            return "consultation"
        return "phone" if self.phones.hold else "agent" if self._hold_asked else ""

    async def settle(self) -> None:
        await self.talk.mix(held=bool(self._held_by), conference=self.consultation.state == "conference")
        self._floor.changed(self)
        if (aside := self.consultation.aside) is not None:
            self._floor.changed(aside)
        self._on_change()

    async def _taken_up(self) -> None:
        """The agent has the caller."""
        self.phones.taken_up(self.holder)
        await self.talk.mix(held=bool(self._held_by), conference=False)
        if not self.holder.outside:
            self._floor.joined(self.ring, self)
        self._on_change()

    def _ring_for(self, agent: str) -> Ring:
        return replace(self.ring, offer=replace(self.ring.offer, agent=agent, line=""))

    def gone(self, party: Party) -> None:
        self._floor.parted(party.name, self)

    @property
    def age_s(self) -> float:
        return _now() - self.holder.since

    @property
    def over(self) -> bool:
        return self._over.done()

    def end(self, how: BridgeEnd) -> None:
        if not self.over:
            self._over.set_result(how)

    def _crashed(self, error: BaseException) -> None:
        """A fault of ours: whoever has the caller hears of it."""
        if not self.over:
            self._over.set_exception(error)

    def check(self) -> None:
        if self.over or self._closing is not None:
            raise TransferFailed(410, "the conversation is over")
        if self.transfers.to:
            raise TransferFailed(409, f"the caller is being transferred to {self.transfers.to}")

    async def dropped(self, trouble: str) -> None:
        """Nobody is consulted any more, and the caller is back."""
        if self.consultation.state:
            self.trouble = trouble
            self._hold_asked = False
            await self.consultation.end("the consultation is over")
            await self.settle()

    async def succeeded_by(self, party: Party) -> None:
        """``party`` has the caller from now on, the agent is free."""
        before, self.holder = self.holder, party
        self._began, self._hold_asked = datetime.now(UTC), False
        party.role = "agent"
        self.consultation.forget()
        self.ring = self._ring_for(party.name)
        self._floor.parted(before.name, self)
        try:
            await self.talk.part(before, "transferred")
            await self._taken_up()
        finally:
            await to_the_end(self._passed(before, party))
        log.info("bridge.transferred", agent=before.name, to=party.name, outside=party.outside)

    async def _passed(self, before: Party, party: Party) -> None:
        """The line is told who has the place."""
        try:
            await (
                self.placing.finished(before.name) if party.outside else self.placing.passed(before.name, to=party.name)
            )
        except IvrError as error:
            log.error("line.untold", what="passed", error=str(error))


def _now() -> float:
    return asyncio.get_running_loop().time()
