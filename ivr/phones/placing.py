"""The place of a caller who talks, as their conversation tells the line of it: passed on, broken or finished, once."""

from __future__ import annotations

from collections.abc import Awaitable, Collection

import structlog

from ivr.errors import IvrError
from ivr.ports import AgentState, Line

log = structlog.get_logger(__name__)

ASKED_BY = "asked by "  # why an agent is away whom a colleague consults


class Placing:
    """``place`` 0: they are in no line, and nobody need be told."""

    def __init__(self, place: int, line: Line | None) -> None:
        self._place = place
        self._line = self._asking = line if place else None
        self._before: dict[str, AgentState] = {}

    @property
    def waits(self) -> bool:
        """Whether the place is theirs still, and can wait again."""
        return self._line is not None

    async def passed(self, agent: str, *, to: str = "", skill: str = "", named: str = "") -> None:
        """Raises StoreUnavailable; without ``to`` the place waits again, and is not this conversation's any more."""
        if self._line is not None:
            await self._line.passed(self._place, agent, to=to, skill=skill, named=named)
            self._line = self._line if to else None
            self._before.pop(to, None)

    async def finished(self, agent: str) -> None:
        line, self._line = self._line, None
        if line is not None:
            await _told(line.finished(self._place, self._holder(line, agent)), "finished")

    async def broken(self, agent: str) -> None:
        line, self._line = self._line, None
        if line is not None:
            await _told(line.broken(self._place, self._holder(line, agent)), "broken")

    def _holder(self, line: Line, agent: str) -> str:
        """Who has the place: at a console of another process ``agent`` may have given it to somebody there."""
        held = (each.agent for each in line.view().places if each.id == self._place and each.state == "talking")
        return next(held, "") or agent

    async def asked(self, agent: str, by: str) -> None:
        """An agent whom ``by`` consults is offered nobody meanwhile."""
        if self._line is not None:
            seats = self._line.view().agents
            state: AgentState = next((each.state for each in seats if each.name == agent), "away")
            if state in ("idle", "wrap_up"):
                self._before[agent] = state
                await _told(self._line.set_state(agent, "away", f"{ASKED_BY}{by}"), "asked")

    async def unasked(self, agent: str) -> None:
        """They are as they were."""
        if (before := self._before.pop(agent, None)) is not None and self._asking is not None:
            await _told(self._asking.set_state(agent, before), "unasked")


async def unasked_after(line: Line, agents: Collection[str]) -> None:
    """The process in which these were consulted died: whoever is away for that alone is on duty again."""
    seats = line.view().agents
    for agent in {each.name for each in seats if each.name in agents and each.reason.startswith(ASKED_BY)}:
        await _told(line.set_state(agent, "idle"), "unasked")


async def _told(telling: Awaitable[object], what: str) -> None:
    """A conversation does not end because the database is away."""
    try:
        await telling
    except IvrError as error:
        log.error("line.untold", what=what, error=str(error))
