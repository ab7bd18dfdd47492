"""The transfer of a bridged caller: blind or attended, by the line, or by ringing there while they hear music."""

from __future__ import annotations

import asyncio
from typing import Protocol

import structlog

from ivr.errors import CallEnded, DialFailed, IvrError, MediaUnavailable, TransferFailed
from ivr.phones.conference import Party
from ivr.phones.consultation import Consultation
from ivr.phones.conversation import Conversation
from ivr.phones.destinations import Onward
from ivr.phones.participant import or_let_go
from ivr.phones.placing import Placing
from ivr.ports import BridgeEnd, Ring

log = structlog.get_logger(__name__)


class Transferable(Protocol):
    """The bridge. ``holder``: who has the caller; ``turn``: one thing at a time; ``trouble``: what failed last."""

    talk: Conversation
    consultation: Consultation
    placing: Placing
    turn: asyncio.Lock
    holder: Party
    ring: Ring
    trouble: str

    def check(self) -> None: ...
    def end(self, how: BridgeEnd) -> None: ...
    def gone(self, party: Party) -> None:
        """Their console has it no more."""

    async def settle(self) -> None: ...
    async def dropped(self, trouble: str) -> None: ...
    async def succeeded_by(self, party: Party) -> None: ...


class BridgeTransfer:
    """Of one bridge, one at a time. ``to``: where the caller is on their way to, "" nowhere."""

    def __init__(self, bridge: Transferable) -> None:
        self._bridge = bridge
        self.to = ""

    async def begin(self, onward: Onward, replaces: str = "", by: Party | None = None) -> None:
        """To an agent or skill by the line, where there is one: it knows who is free, and keeps the place. Else it
        rings there while the caller hears music. ``by``: whose phone asked; they stay until somebody has answered.

        Raises TransferFailed, StoreUnavailable: nothing is different then."""
        bridge = self._bridge
        bridge.check()
        agent, placing = bridge.holder, bridge.placing
        log.info("bridge.transfer", kind=onward.kind, agent=agent.name, attended=bool(replaces))
        if onward.kind != "outside" and not replaces and (placing.waits or onward.kind == "skill"):
            if not placing.waits:
                raise TransferFailed(503, "there is no line to wait in: name an agent")
            to = {"skill": onward.name} if onward.kind == "skill" else {"named": onward.name}
            await placing.passed(agent.name, **to)
            await agent.participant.leg.notify(200)
            bridge.end(BridgeEnd("line", agent.name, "agent", f"transferred to {onward.name}"))
            return
        if not replaces:
            bridge.consultation.check(onward)
        await bridge.dropped("")
        self.to, bridge.trouble = onward.name, ""
        if by is None:
            bridge.gone(agent)
            await bridge.talk.part(agent, "transferred")
        await bridge.settle()
        bridge.talk.spawn(self._carried_over(onward, replaces), f"transfer to {onward.name}")

    async def _carried_over(self, onward: Onward, replaces: str) -> None:
        """The caller gets there; or is back with the agent, or in the line where that one is gone."""
        bridge, agent = self._bridge, self._bridge.holder
        try:
            target = await bridge.consultation.reach(onward, bridge.ring, replaces=replaces)
        except (DialFailed, TransferFailed, MediaUnavailable, CallEnded) as error:
            log.warning("bridge.transfer_failed", to=onward.name, why=str(error))
            await agent.participant.leg.notify(status_of(error))
            async with bridge.turn:
                self.to, bridge.trouble = "", f"{onward.name}: {error}"
                if agent in bridge.talk.parties:
                    await bridge.settle()
                else:
                    await self._unreached(f"{onward.name}: {error}")
            return

        async def told() -> None:
            await agent.participant.leg.notify(200)
            await bridge.turn.acquire()

        await or_let_go(target.participant, told())
        try:
            self.to = ""
            bridge.talk.admit(target)
            await bridge.succeeded_by(target)
        finally:
            bridge.turn.release()

    async def _unreached(self, why: str) -> None:
        """Nobody has the caller: they wait again at their old place."""
        bridge = self._bridge
        waits, name = bridge.placing.waits, bridge.holder.name
        try:
            await bridge.placing.passed(name)
        except IvrError as error:
            log.error("line.untold", what="passed", error=str(error))
            waits = False
        bridge.end(BridgeEnd("line" if waits else "dropped", name, "service", why))


def status_of(error: IvrError | CallEnded) -> int:
    """Of the sipfrag that tells of it."""
    return int(getattr(error, "status", 480))
