"""The place of a caller who talks, as their conversation tells the line of it: passed on, broken or finished, once."""

from __future__ import annotations

from collections.abc import Awaitable

import structlog

from ivr.errors import IvrError
from ivr.ports import AgentState, Line

log = structlog.get_logger(__name__)


class Placing:
    """``place`` 0: they are in no line, and nobody need be told."""

    def __init__(self, place: int, line: Line | None) -> None:
        self._place = place
        self._line = line if place else None

    @property
    def waits(self) -> bool:
        """Whether the place is theirs still, and can wait again."""
        return self._line is not None

    async def passed(self, agent: str, *, to: str = "", skill: str = "", named: str = "") -> None:
        """Raises StoreUnavailable; without ``to`` the place waits again, and is not this conversation's any more."""
        if self._line is not None:
            await self._line.passed(self._place, agent, to=to, skill=skill, named=named)
            self._line = self._line if to else None

    async def finished(self, agent: str) -> None:
        line, self._line = self._line, None
        if line is not None:
            await _told(line.finished(self._place, agent), "finished")

    async def broken(self, agent: str) -> None:
        line, self._line = self._line, None
        if line is not None:
            await _told(line.broken(self._place, agent), "broken")

    async def engaged(self, agent: str, state: AgentState, reason: str) -> None:
        """An agent who is asked in, or not any more."""
        if self._line is not None:
            await _told(self._line.set_state(agent, state, reason), state)


async def _told(telling: Awaitable[object], what: str) -> None:
    """A conversation does not end because the database is away."""
    try:
        await telling
    except IvrError as error:
        log.error("line.untold", what=what, error=str(error))
