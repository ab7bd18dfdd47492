"""Consultation (attended transfer): another agent, or somebody outside, is asked while the caller hears music."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal, Protocol

import structlog

from ivr.errors import CallEnded, DialFailed, MediaUnavailable, TransferFailed
from ivr.phones.conference import Party
from ivr.phones.conversation import Conversation
from ivr.phones.destinations import Onward
from ivr.phones.music import MusicOnHold
from ivr.phones.participant import Participant, or_let_go
from ivr.phones.placing import Placing
from ivr.phones.switchboard import Switchboard
from ivr.phones.tones import RINGBACK
from ivr.ports import AgentPhone, Floor, HangUp, Ring, Supervision
from ivr.ports import Party as Identity

log = structlog.get_logger(__name__)

OUTSIDE_RING_S = 30.0
INSTEAD = (
    "or at another process of this line, where nobody can be asked: transfer the caller to them,"
    " who then waits for them at the old place, with the whole story"
)
State = Literal["", "ringing", "private", "conference"]


class Consulting(Protocol):
    """The bridge: what is told of it, and what the consulted one's console has of it."""

    def rings(self) -> None: ...
    async def consulted(self) -> None: ...
    async def unconsulted(self, why: str) -> None: ...
    def view(self) -> Mapping[str, Any]: ...
    async def mute_party(self, party: Party, on: bool) -> None: ...
    async def drop(self) -> None: ...


class Consultation:
    """Of one at a time. ``name``: whom, "" for nobody; ``party``: once they are there; ``aside``: as their console has
    the conversation."""

    def __init__(
        self, talk: Conversation, switchboard: Switchboard, floor: Floor, placing: Placing, bridge: Consulting
    ) -> None:
        self._talk = talk
        self._switchboard = switchboard
        self._floor = floor
        self._placing = placing
        self._bridge = bridge
        self._asking: asyncio.Task[None] | None = None
        self.state: State = ""
        self.name = ""
        self.party: Party | None = None
        self.aside: ConsultedBridge | None = None

    def view(self) -> Mapping[str, str] | None:
        return {"with": self.name, "state": self.state} if self.state else None

    def begin(self, onward: Onward, ring: Ring, agent: Party) -> None:
        """Their phone rings, which ``agent`` hears. Raises TransferFailed where it can't."""
        if self.state:
            raise TransferFailed(409, f"{self.name} is asked already: complete or drop that first")
        if onward.kind == "skill":
            raise TransferFailed(400, "one can be asked: an agent, or a number")
        try:
            self.check(onward)
        except TransferFailed as error:
            if not self._placing.waits:
                raise
            raise TransferFailed(error.status, f"{error.reason}, {INSTEAD}") from error
        self.name, self.state = onward.name, "ringing"
        self._asking = self._talk.spawn(self._ask(onward, ring, agent), f"consult {onward.name}")

    def joined(self) -> Party:
        """Who was asked, and is there. Raises TransferFailed."""
        if self.party is None:
            raise TransferFailed(409, f"{self.name} has not answered yet" if self.name else "nobody was asked")
        return self.party

    def open(self) -> None:
        """They talk with the caller too."""
        self.joined()
        self.state = "conference"

    def forget(self) -> None:
        """Whoever was asked is none any more: they stay, or have left."""
        self.state, self.name, self.party, self._asking, self.aside = "", "", None, None, None

    async def end(self, reason: str) -> None:
        """They leave, or ring no more."""
        asking, party, aside = self._asking, self.party, self.aside
        self.forget()
        if asking is not None and asking is not asyncio.current_task():
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
        if party is not None:
            await self._talk.part(party, reason)
        if party is not None and aside is not None:
            self._floor.parted(party.name, aside)
            await self._placing.unasked(party.name)

    def check(self, onward: Onward) -> None:
        """Raises TransferFailed where nobody would be rung."""
        if onward.kind == "agent":
            self._phone(onward)

    async def reach(
        self, onward: Onward, ring: Ring, on_ringing: Callable[[], None] | None = None, *, replaces: str = ""
    ) -> Party:
        """Ring there until somebody answers. Raises DialFailed, TransferFailed, MediaUnavailable, CallEnded."""

        def rings() -> None:
            self._bridge.rings()
            if on_ringing is not None:
                on_ringing()

        if onward.kind == "agent" and not replaces:
            offer = replace(ring.offer, agent=onward.name, line="")
            leg, media = await self._phone(onward).ring(replace(ring, offer=offer), rings)
            answered = Participant(leg, media, may_mute=True)
        else:
            answered = await self._switchboard.dial(
                f"onward-{ring.context.call_id}",
                onward.target,
                Identity("", "", self._switchboard.caller_id),
                headers={"Replaces": replaces} if replaces else {},
                ring_timeout_s=OUTSIDE_RING_S,
                on_ringing=rings,
                call=ring.context.call_id,
            )
        now = asyncio.get_running_loop().time()
        return Party("consulted", onward.name, answered, now, outside=onward.kind == "outside")

    def _phone(self, onward: Onward) -> AgentPhone:
        phone = self._floor.phone_of(onward.name)
        if phone is None or not phone.reachable():
            raise TransferFailed(480, f"{onward.name} is not here")
        return phone

    async def _ask(self, onward: Onward, ring: Ring, agent: Party) -> None:
        ringback = MusicOnHold(agent.participant.media, [RINGBACK])
        party: Party | None = None
        try:
            party = await self.reach(onward, replace(ring, asked_by=agent.name), ringback.start)
        except (DialFailed, TransferFailed, MediaUnavailable, CallEnded) as error:
            log.info("bridge.unconsulted", who=onward.name, why=str(error))
            await self._bridge.unconsulted(f"{onward.name}: {error}")
            return
        finally:
            await (ringback.stop() if party is None else or_let_go(party.participant, ringback.stop()))
        self.party, self.state = party, "private"
        self._asking = None
        self._talk.admit(party)
        if not party.outside:
            self.aside = ConsultedBridge(self._bridge, party)
            await self._placing.asked(party.name, agent.name)
            self._floor.joined(replace(ring, offer=replace(ring.offer, agent=party.name, line="")), self.aside)
        await self._bridge.consulted()


class ConsultedBridge:
    """Implements ``ivr.ports.Bridge`` for who is only asked: they mute themselves, and leave."""

    def __init__(self, bridge: Consulting, party: Party) -> None:
        self._bridge = bridge
        self._party = party

    def view(self) -> Mapping[str, Any]:
        return {**self._bridge.view(), "you": "consulted", "muted": self._party.muted}

    async def mute(self, on: bool) -> None:
        await self._bridge.mute_party(self._party, on)

    async def hang_up(self) -> None:
        await self._bridge.drop()

    async def drop(self) -> None:
        await self._bridge.drop()

    async def hold(self, on: bool) -> None:
        raise self._refused()

    async def press(self, keys: str) -> None:
        raise self._refused()

    async def record(self, on: bool) -> None:
        raise self._refused()

    async def withdraw_recording(self) -> None:
        raise self._refused()

    async def transfer(self, to: str) -> None:
        raise self._refused()

    async def consult(self, to: str) -> None:
        raise self._refused()

    async def complete(self) -> None:
        raise self._refused()

    async def conference(self) -> None:
        raise self._refused()

    async def back_to_machine(self) -> None:
        raise self._refused()

    async def on_hang_up(self, how: HangUp) -> None:
        raise self._refused()

    async def supervise(self, supervisor: str, how: Supervision) -> None:
        raise self._refused()

    def _refused(self) -> TransferFailed:
        return TransferFailed(409, f"the caller is {self._bridge.view()['agent']}'s: ask them")
