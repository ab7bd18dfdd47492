"""The bridge at the near end of a tie line: the agent is here, the caller and their place are another process's.

Hold, mute, keys, consultation, conference and supervision happen here; what becomes of the caller is asked of the
process that has them by a REFER: another agent's or skill's line, or back to the dialogue.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from ivr.errors import CallEnded, TransferFailed
from ivr.events import TransferProgress
from ivr.phones.bridge import Bridge
from ivr.phones.destinations import MACHINE, at
from ivr.phones.participant import Participant
from ivr.phones.placing import Placing
from ivr.phones.rejoining import KeptTalk
from ivr.phones.switchboard import Switchboard
from ivr.ports import Floor, HangUp, Leg, Line, Ring

REFERRED_S = 5.0  # it is one transaction over there

Onwards = Callable[[str], Awaitable[None]]


class Referring:
    """The REFER of one leg to the process at its other end, which tells by NOTIFY, or by its BYE, that it was done."""

    def __init__(self, leg: Leg) -> None:
        self._leg = leg
        self._told: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._turn = asyncio.Lock()

    def progress(self, event: TransferProgress) -> None:
        if event.status >= 200 and not self._told.done():
            self._told.set_result(event.status)

    def gone(self) -> None:
        """The leg is over."""
        if not self._told.done():
            self._told.set_result(200)

    async def onward(self, to: str) -> None:
        """The caller goes "agent:NAME", "skill:NAME" or to the "machine". Raises TransferFailed: they stay."""
        async with self._turn:
            if self._told.done() and self._told.result() < 300:
                return
            self._told = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(REFERRED_S):
                    await self._leg.refer(at(to, "line.invalid"), {})
                    status = await self._told
            except CallEnded:
                return
            except TimeoutError as error:
                raise TransferFailed(504, "the line with the caller does not say whether it worked") from error
        if status >= 300:
            raise TransferFailed(status, "the line with the caller could not do that")


class TiedPlacing(Placing):
    """The place, as far as it is this process's to tell of it."""

    def __init__(self, ring: Ring, line: Line, onward: Onwards) -> None:
        super().__init__(ring.offer.place.id, line)
        self._skill = ring.offer.place.arrival.skill
        self._onward = onward

    async def passed(self, agent: str, *, to: str = "", skill: str = "", named: str = "") -> None:
        if to:
            await super().passed(agent, to=to)
        elif self._line is not None:
            await self._onward(f"agent:{named}" if named else f"skill:{skill or self._skill}")
            self._line = None

    def forget(self) -> None:
        """The process with the caller tells how it ended, or, should it be dead, whoever reaps it."""
        self._line = None


class TiedBridge(Bridge):
    """Of a caller at the other end of a tie line, whose leg ``referring`` is."""

    def __init__(
        self,
        caller: Participant,
        agent: Participant,
        ring: Ring,
        switchboard: Switchboard,
        floor: Floor,
        placing: TiedPlacing,
        onward: Onwards,
        *,
        hang_up: HangUp,
        on_change: Callable[[], None] = lambda: None,
        kept: KeptTalk | None = None,
    ) -> None:
        super().__init__(
            caller, agent, ring, switchboard, floor, hang_up=hang_up, placing=placing, on_change=on_change, kept=kept
        )
        self._onward = onward

    async def back_to_machine(self) -> None:
        self.check()
        await self._onward(MACHINE)
