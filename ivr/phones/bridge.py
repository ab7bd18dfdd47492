"""The bridge: one conversation of a caller with agents, as their consoles command it and their phones signal it.

``view()``: see ``ivr.phones.bridge_view``.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import structlog

from ivr.errors import CallEnded, DialFailed, IvrError, MediaUnavailable, TransferFailed
from ivr.events import CALLER_NAME
from ivr.media.description import held
from ivr.phones.bridge_view import bridge_view
from ivr.phones.conference import Party
from ivr.phones.consultation import Consultation
from ivr.phones.conversation import Conversation
from ivr.phones.destinations import Onward
from ivr.phones.participant import Participant, or_let_go, to_the_end
from ivr.phones.placing import Placing
from ivr.phones.rejoining import kept_offer
from ivr.phones.supervision import SupervisedTalk
from ivr.phones.switchboard import Switchboard
from ivr.ports import BridgeEnd, Floor, HangUp, Line, Ring, Supervision, TransferAsked

log = structlog.get_logger(__name__)

# An agent's BYE sooner than this after the join is a dropped call, not the end of a conversation.
CONVERSATION_S = 8.0
TURN_S = 2.0  # what is under way when it is over is done first, unless it takes too long
KEYS = frozenset("0123456789*#ABCD")


class Bridge:
    """Implements ``ivr.ports.Bridge``. ``run`` once, by whoever has the caller and reads their signals and audio.

    ``ring``: what the agent took; a place of id 0 is in no line. ``hang_up``: what hanging up by the agent's phone
    does; ``machine``: there is a dialogue to go back to; ``placing``: who tells ``line`` otherwise.
    ``on_agent``: another agent has the caller; ``rejoined``: they had been talking before, in a process that died."""

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
        on_agent: Callable[[], None] = lambda: None,
        rejoined: bool = False,
    ) -> None:
        place, context = ring.offer.place, ring.context
        self._ring = ring
        self._switchboard = switchboard
        self._floor = floor
        self._placing = placing or Placing(place.id, line)
        self._hang_up: HangUp = hang_up
        self._machine = machine
        self._name = str(context.facts.get(CALLER_NAME) or place.arrival.name or context.caller.number)
        self._over: asyncio.Future[BridgeEnd] = asyncio.get_running_loop().create_future()
        self._talk = Conversation(
            caller, self._name, switchboard.music, self, self._crashed,
            switchboard.recording.of(ring, tied=agent.tied), lambda: floor.changed(self),
        )  # fmt: skip
        since = _now() - (CONVERSATION_S if rejoined else 0.0)
        self._agent = Party("agent", ring.offer.agent, agent, since)
        self._consultation = Consultation(self._talk, switchboard, floor, self._placing, self)
        self._supervision = SupervisedTalk(self._talk, floor)
        self._turn = asyncio.Lock()  # one thing at a time: commands, and what phones do
        self._begun = False
        self._closing: asyncio.Task[None] | None = None
        self._hold_asked = self._phone_holds = False
        self._transferring = ""
        self._trouble = ""
        self._on_agent = on_agent

    def kept(self) -> Mapping[str, Any] | None:
        """What another process needs to go on with it (``ivr.phones.rejoining``): the leg of whoever has the caller,
        and the offer that they took. None for a browser, whose page is this process's."""
        agent, leg = self._agent, self._agent.participant.kept()
        if leg is None or self._over.done():
            return None
        offer = replace(self._ring.offer, agent=agent.name)
        return {"leg": leg, "offer": kept_offer(offer), "tied": agent.participant.tied}

    def leave(self) -> None:
        """Another process has the conversation: here it ends without a word to anybody."""
        self._placing = Placing(0, None)
        for party in self._talk.parties:
            party.participant.leg.leave()

    async def run(self) -> BridgeEnd:
        """Joined until it is over for the caller; how it ended. Cancelled when the caller leaves: then everybody else
        is let go of, and the line is told."""
        try:
            async with self._turn:
                self._begun = True
                self._talk.admit(self._agent)
                await self._taken_up()
            return await self._over
        finally:
            await self.close()

    @property
    def agent(self) -> str:
        """Who has the caller, or had them last."""
        return self._agent.name

    @property
    def recorded(self) -> bool:
        return self._talk.recording.recorded

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
                ours = await self._turn.acquire()
        try:
            self._floor.parted(self._agent.name, self)
            await self._consultation.end("the conversation is over")
            await self._talk.close()
            if not self._begun:
                await self._agent.participant.let_go("not joined")
            await self._placing.finished(self._agent.name)
        finally:
            if ours:
                self._turn.release()

    # -- what consoles command ---------------------------------------------------------------------------------

    def view(self) -> Mapping[str, Any]:
        return {
            **bridge_view(self._ring, self._name, self._agent, self._talk.parties, _now()),
            "held": bool(self._held_by),
            "held_by": self._held_by,
            "consulting": self._consultation.view(),
            "transferring": self._transferring,
            "on_hang_up": self._hang_up,
            "trouble": self._trouble,
            "recording": self._talk.recording.view(),
            "you": "agent",
        }

    async def hold(self, on: bool) -> None:
        async with self._turn:
            self._hold_asked = on
            await self._settle()

    async def mute(self, on: bool) -> None:
        await self.mute_party(self._agent, on)

    async def mute_party(self, party: Party, on: bool) -> None:
        async with self._turn:
            party.muted = on
            await self._settle()

    async def press(self, keys: str) -> None:
        if not keys or not KEYS.issuperset(keys):
            raise TransferFailed(400, "those are no keys of a telephone")
        await self._talk.caller.participant.media.press(keys)

    async def record(self, on: bool) -> None:
        async with self._turn:
            await self._talk.recording.pause(not on)
        self._floor.changed(self)

    async def withdraw_recording(self) -> None:
        async with self._turn:
            await self._talk.recording.withdraw()
        self._floor.changed(self)

    async def transfer(self, to: str) -> None:
        async with self._turn:
            await self._transfer(self._switchboard.destinations.onward(to))

    async def consult(self, to: str) -> None:
        async with self._turn:
            self._check()
            self._consultation.begin(self._switchboard.destinations.onward(to), self._ring, self._agent)
            self._trouble = ""
            await self._settle()

    async def complete(self) -> None:
        async with self._turn:
            await self._succeeded_by(self._consultation.joined())

    async def conference(self) -> None:
        async with self._turn:
            self._consultation.open()
            self._hold_asked = False
            await self._settle()

    async def drop(self) -> None:
        async with self._turn:
            await self._dropped("")

    async def back_to_machine(self) -> None:
        self._check()
        if not self._machine:
            raise TransferFailed(409, "the caller comes from no dialogue: they were called")
        self._end(BridgeEnd("machine", self._agent.name))

    async def hang_up(self) -> None:
        self._end(BridgeEnd("over", self._agent.name, "agent", "hung up"))

    async def on_hang_up(self, how: HangUp) -> None:
        self._hang_up = how
        self._floor.changed(self)

    async def supervise(self, supervisor: str, how: Supervision) -> None:
        party = await self._supervision.party(supervisor, how, self._ring_for(supervisor))
        async with self._turn:
            if self._over.done():
                raise TransferFailed(410, "the conversation is over")
            if party is not None:
                await self._supervision.set(party, how)
            await self._settle()
        log.info("bridge.supervised", supervisor=supervisor, agent=self._agent.name, how=how)

    # -- what the parties' phones do (Watched, Consulting) -----------------------------------------------------

    async def left(self, party: Party, ended: CallEnded) -> None:
        """Somebody's line is gone, properly or not."""
        async with self._turn:
            if self._over.done() or party not in self._talk.parties:
                return
            if party.role == "consulted":
                await self._dropped(f"{party.name} left")
            elif party.role == "supervisor" or self._transferring:
                await self._talk.part(party, "left")
                await self._settle()
            elif self._consultation.party is not None:
                await self._succeeded_by(self._consultation.party)
            else:
                await self._agent_left(ended)

    async def _agent_left(self, ended: CallEnded) -> None:
        lasted_s, name = _now() - self._agent.since, self._agent.name
        tied = self._agent.participant.tied
        if ended.by == "agent" and (tied or lasted_s >= CONVERSATION_S):
            returns = self._hang_up == "returns" and self._machine and not tied
            self._end(BridgeEnd("machine" if returns else "over", name, ended.by, ended.reason))
            return
        log.warning("handoff.dropped", by=ended.by, why=ended.reason, lasted_s=round(lasted_s, 1))
        await self._placing.broken(name)
        self._end(BridgeEnd("dropped", name, ended.by, ended.reason))

    async def phone_holds(self, party: Party, on: bool) -> None:
        """A re-INVITE of the agent's own phone (RFC 3264 section 8.4)."""
        async with self._turn:
            if party is self._agent and on != self._phone_holds:
                self._phone_holds = on
                await self._settle()

    async def transfer_asked(self, party: Party, asked: TransferAsked) -> None:
        """A REFER of the agent's own phone, to where it may; they hear by NOTIFY how that goes."""
        async with self._turn:
            onward = self._switchboard.destinations.referred(asked.target)
            try:
                if party is not self._agent or onward is None:
                    raise TransferFailed(403, "not an allowed destination")
                if onward.kind == "machine":
                    await self.back_to_machine()
                    await party.participant.leg.notify(200)
                    return
                await self._transfer(onward, asked.replaces, by=party)
            except IvrError as error:
                log.warning("bridge.transfer_failed", why=str(error))
                self._talk.spawn(party.participant.leg.notify(_status(error)), "notify")

    async def consulted(self) -> None:
        async with self._turn:
            await self._settle()

    async def unconsulted(self, why: str) -> None:
        async with self._turn:
            await self._dropped(why)

    # -- how it goes on ------------------------------------------------------------------------------------------

    @property
    def _held_by(self) -> str:
        if self._transferring:
            return "transfer"
        if self._consultation.state in ("ringing", "private"):
            return "consultation"
        return "phone" if self._phone_holds else "agent" if self._hold_asked else ""

    async def _settle(self) -> None:
        await self._talk.mix(held=bool(self._held_by), conference=self._consultation.state == "conference")
        self._floor.changed(self)
        if (aside := self._consultation.aside) is not None:
            self._floor.changed(aside)

    async def _taken_up(self) -> None:
        """The agent has the caller."""
        leg = self._agent.participant.leg
        leg.allow_transfers(self._switchboard.destinations.allows)
        self._hold_asked = False
        self._phone_holds = leg.remote is not None and held(leg.remote)
        await self._talk.mix(held=bool(self._held_by), conference=False)
        if not self._agent.outside:
            self._floor.joined(self._ring, self)
        self._on_agent()

    def _ring_for(self, agent: str) -> Ring:
        return replace(self._ring, offer=replace(self._ring.offer, agent=agent, line=""))

    def _end(self, how: BridgeEnd) -> None:
        if not self._over.done():
            self._over.set_result(how)

    def _crashed(self, error: BaseException) -> None:
        """A fault of ours: whoever has the caller hears of it."""
        if not self._over.done():
            self._over.set_exception(error)

    def _check(self) -> None:
        if self._over.done() or self._closing is not None:
            raise TransferFailed(410, "the conversation is over")
        if self._transferring:
            raise TransferFailed(409, f"the caller is being transferred to {self._transferring}")

    async def _dropped(self, trouble: str) -> None:
        """Nobody is consulted any more, and the caller is back."""
        if self._consultation.state:
            self._trouble = trouble
            self._hold_asked = False
            await self._consultation.end("the consultation is over")
            await self._settle()

    async def _transfer(self, onward: Onward, replaces: str = "", by: Party | None = None) -> None:
        """To an agent or skill by the line, where there is one: it knows who is free, and keeps the place. Else it
        rings there while the caller hears music. ``by``: whose phone asked; they stay until somebody has answered.

        Raises TransferFailed, StoreUnavailable: nothing is different then."""
        self._check()
        log.info("bridge.transfer", kind=onward.kind, agent=self._agent.name, attended=bool(replaces))
        if onward.kind != "outside" and not replaces and (self._placing.waits or onward.kind == "skill"):
            if not self._placing.waits:
                raise TransferFailed(503, "there is no line to wait in: name an agent")
            to = {"skill": onward.name} if onward.kind == "skill" else {"named": onward.name}
            await self._placing.passed(self._agent.name, **to)
            await self._agent.participant.leg.notify(200)
            self._end(BridgeEnd("line", self._agent.name, "agent", f"transferred to {onward.name}"))
            return
        if not replaces:
            self._consultation.check(onward)
        await self._dropped("")
        self._transferring, self._trouble = onward.name, ""
        if by is None:
            self._floor.parted(self._agent.name, self)
            await self._talk.part(self._agent, "transferred")
        await self._settle()
        self._talk.spawn(self._carried_over(onward, replaces), f"transfer to {onward.name}")

    async def _carried_over(self, onward: Onward, replaces: str) -> None:
        """The caller gets there; or is back with the agent, or in the line where that one is gone."""
        agent = self._agent
        try:
            target = await self._consultation.reach(onward, self._ring, replaces=replaces)
        except (DialFailed, TransferFailed, MediaUnavailable, CallEnded) as error:
            log.warning("bridge.transfer_failed", to=onward.name, why=str(error))
            await agent.participant.leg.notify(_status(error))
            async with self._turn:
                self._transferring, self._trouble = "", f"{onward.name}: {error}"
                if agent in self._talk.parties:
                    await self._settle()
                else:
                    await self._unreached(f"{onward.name}: {error}")
            return

        async def told() -> None:
            await agent.participant.leg.notify(200)
            await self._turn.acquire()

        await or_let_go(target.participant, told())
        try:
            self._transferring = ""
            self._talk.admit(target)
            await self._succeeded_by(target)
        finally:
            self._turn.release()

    async def _unreached(self, why: str) -> None:
        """Nobody has the caller: they wait again at their old place."""
        waits, name = self._placing.waits, self._agent.name
        try:
            await self._placing.passed(name)
        except IvrError as error:
            log.error("line.untold", what="passed", error=str(error))
            waits = False
        self._end(BridgeEnd("line" if waits else "dropped", name, "service", why))

    async def _succeeded_by(self, party: Party) -> None:
        """``party`` has the caller from now on, the agent is free."""
        before, self._agent = self._agent, party
        party.role = "agent"
        self._consultation.forget()
        self._ring = self._ring_for(party.name)
        self._floor.parted(before.name, self)
        try:
            await self._talk.part(before, "transferred")
            await self._taken_up()
        finally:
            await to_the_end(self._passed(before, party))
        log.info("bridge.transferred", agent=before.name, to=party.name, outside=party.outside)

    async def _passed(self, before: Party, party: Party) -> None:
        """The line is told who has the place."""
        try:
            await (
                self._placing.finished(before.name)
                if party.outside
                else self._placing.passed(before.name, to=party.name)
            )
        except IvrError as error:
            log.error("line.untold", what="passed", error=str(error))


def _status(error: IvrError) -> int:
    """Of the sipfrag that tells of it."""
    return int(getattr(error, "status", 480))


def _now() -> float:
    return asyncio.get_running_loop().time()
