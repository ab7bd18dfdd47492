"""Every test here that takes ``url`` or ``desk`` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from ivr.config import LineConfig
from ivr.ports import Arrival, Offer, Place
from ivr.ports.line_store import Phone
from ivr.store import Store
from ivr.store.columns import Moment
from ivr.store.line import LineTables
from ivr.store.tables import agent_events, agents, line_processes, place_events, places
from tests.contract.store.conftest import sqlite_template, url
from tests.postgres import postgres_server, postgres_template, postgres_url, seeded_postgres_url

__all__ = ["postgres_server", "postgres_template", "postgres_url", "seeded_postgres_url", "sqlite_template", "url"]


def arrival(person: str = "member:1", skill: str = "general", priority: int = 5, **more: Any) -> Arrival:
    return Arrival(person, more.pop("call_id", f"call of {person}"), skill, priority, **more)


@dataclass(frozen=True, slots=True)
class OneLine:
    """One process at the line."""

    store: Store

    @property
    def line(self) -> LineTables:
        return self.store.line

    async def age(self, seconds: float) -> None:
        """Everything is as it would be ``seconds`` later, but that processes beat."""

        async def older(connection: Any) -> None:
            for table in (places, agents):
                moments = [column for column in table.c if isinstance(column.type, Moment)]
                key = next(iter(table.primary_key.columns))
                for row in (await connection.execute(select(table))).all():
                    values = {c.name: getattr(row, c.name) for c in moments}
                    changed = {name: at - timedelta(seconds=seconds) for name, at in values.items() if at is not None}
                    await connection.execute(update(table).where(key == getattr(row, key.name)).values(changed))

        await self.store.database.write(older)

    async def silence(self, process: str, seconds: float) -> None:
        """``process`` has not beaten for so long."""

        async def older(connection: Any) -> None:
            mine = line_processes.c.id == process
            at: datetime = (await connection.execute(select(line_processes.c.beat_at).where(mine))).scalar_one()
            await connection.execute(update(line_processes).where(mine).values(beat_at=at - timedelta(seconds=seconds)))

        await self.store.database.write(older)

    async def enter(self, person: str = "member:1", skill: str = "general", priority: int = 5, **more: Any) -> Place:
        return await self.line.enter(arrival(person, skill, priority, **more))

    async def agent(self, name: str = "ann", *skills: str, state: str = "idle", phone: str = "browser") -> None:
        """At a console of this process."""
        await self.line.sign_in(name, skills=skills or ("general",), phone=phone)
        if state != "away":
            await self.line.set_state(name, state)  # type: ignore[arg-type]

    async def phones(self, *phones: Phone) -> None:
        await self.line.look_after(phones)

    async def pair(self) -> Offer:
        offer = await self.line.pair()
        assert offer is not None
        return offer

    async def nobody(self) -> None:
        assert await self.line.pair() is None

    async def serve(self) -> Offer:
        """The next one is offered and answered."""
        offer = await self.pair()
        assert await self.line.answered(offer)
        return offer

    async def place(self, place_id: int) -> Mapping[str, Any]:
        query = select(places).where(places.c.id == place_id)
        row = await self.store.database.read(lambda connection: connection.execute(query))
        return dict(row.one()._mapping)

    async def states(self) -> dict[str, str]:
        """By seat."""
        row = await self.store.database.read(lambda connection: connection.execute(select(agents)))
        return {each.seat: each.state for each in row}

    async def events(self, place_id: int) -> Sequence[str]:
        query = select(place_events).where(place_events.c.place == place_id).order_by(place_events.c.id)
        return [row.kind for row in await self.store.database.read(lambda connection: connection.execute(query))]

    async def history(self, agent: str) -> Sequence[tuple[str, str]]:
        query = select(agent_events).where(agent_events.c.agent == agent).order_by(agent_events.c.id)
        rows = await self.store.database.read(lambda connection: connection.execute(query))
        return [(row.state, row.reason) for row in rows]

    def configure(self, **changes: Any) -> None:
        self.line.apply(LineConfig(**changes))


async def opened(url: str, name: str, **options: Any) -> OneLine:
    store = Store(url, timeout_s=10.0, line=name, node=f"node of {name}", **options)
    await store.begin()
    return OneLine(store)


def phone(name: str = "front", *skills: str, **more: Any) -> Phone:
    return replace(Phone(name, f"sip:{name}@test", skills or ("general",)), **more)


@pytest.fixture
async def desk(url: str) -> AsyncIterator[OneLine]:
    made = await opened(url, "here")
    yield made
    await made.store.close()


@pytest.fixture
async def other(url: str) -> AsyncIterator[OneLine]:
    """Another process on the same database."""
    made = await opened(url, "there")
    yield made
    await made.store.close()
