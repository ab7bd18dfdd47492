"""Two lines on one PostgreSQL, and a telephone outside the house's ordinary skills that both of them know."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from ivr.demo.line import AgentPhone, LineSetup, RunningLine
from ivr.softphone.phone import Softphone
from tests.postgres import PostgresServer, postgres_server, postgres_template
from tests.wire.ports import free_port

__all__ = ["postgres_server", "postgres_template"]

DATABASE = "tie_lines"


@dataclass(frozen=True, slots=True)
class House:
    """Callers phone ``near``; the agent's console is at ``far``. ``front``: rung for who has nobody else."""

    near: RunningLine
    far: RunningLine
    front: Softphone
    postgres: PostgresServer

    async def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        host, user = str(self.postgres.folder), "postgres"
        connection = await asyncpg.connect(host=host, user=user, database=DATABASE)
        try:
            return [dict(row) for row in await connection.fetch(query, *values)]
        finally:
            await connection.close()

    async def place(self, place: int) -> dict[str, Any]:
        (row,) = await self.rows("SELECT * FROM places WHERE id = $1", place)
        return row


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(
    postgres_server: PostgresServer, postgres_template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    await postgres_server.execute(f"CREATE DATABASE {DATABASE} TEMPLATE {postgres_template}")
    url = postgres_server.url(DATABASE)
    folder = Path(tmp_path_factory.mktemp("house"))
    async with Softphone.open() as front:
        await front.set_incoming("answer", after_s=0.3)
        nowhere = AgentPhone(f"sip:nobody@127.0.0.1:{free_port()}", name="gone", skills=("general", "retention"))
        agents = [AgentPhone(front.uri, name="front", skills=("discs",)), nowhere]
        setups = [LineSetup(folder / name, agents=agents, database=url, rest_s=3600.0) for name in ("near", "far")]
        async with RunningLine.running(setups[0]) as near, RunningLine.running(setups[1]) as far:
            yield House(near, far, front, postgres_server)
    await postgres_server.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")
