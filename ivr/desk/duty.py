"""Phones of the configuration on duty: each is an agent of the line by itself, within hours or on call."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from ivr.config import Agent
from ivr.ports.line_store import BY_ITSELF, LineStore, Phone, Snapshot


class PhonesOnDuty:
    """``open_at``: whether the office is open."""

    def __init__(self, store: LineStore, open_at: Callable[[datetime], bool]) -> None:
        self._store = store
        self._open_at = open_at
        self._agents: tuple[Agent, ...] = ()
        self._last: tuple[Phone, ...] | None = None

    def apply(self, agents: tuple[Agent, ...]) -> None:
        self._agents = agents
        self._last = None

    async def look(self, snapshot: Snapshot | None, now: datetime) -> None:
        """See to them where something is not as it should be. Raises StoreUnavailable."""
        is_open = self._open_at(now)
        phones = tuple(
            Phone(each.name, each.target, each.skills, each.calls, is_open or each.on_call) for each in self._agents
        )
        if phones == self._last and snapshot is not None and all(_settled(phone, snapshot) for phone in phones):
            return
        await self._store.look_after(phones)
        self._last = phones


def _settled(phone: Phone, snapshot: Snapshot) -> bool:
    """Somebody looks after each of its seats, and they are on duty when they should be; or somebody has it at a
    console."""
    seats = {agent.slot: agent for agent in snapshot.agents if agent.name == phone.name}
    if any((phone.name, slot) not in snapshot.keepers for slot in seats):
        return True
    for slot in range(1, phone.calls + 1):
        seat = seats.get(slot)
        if seat is None or not snapshot.keepers[phone.name, slot]:
            return False
        ought = seat.state == "away" and seat.reason in BY_ITSELF and seat.until is None
        if ought if phone.on_duty else seat.state == "idle":
            return False
    return True
