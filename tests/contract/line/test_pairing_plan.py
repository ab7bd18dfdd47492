"""Pairing's plan on PostgreSQL: one made once, for every moment, needs no more than the index of live places."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Select, text
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.config import LineConfig
from ivr.store.line.pairing import Pairing, could

from .conftest import opened

OFFERED = Pairing(LineConfig())._offered
ANY = datetime(2026, 3, 2, tzinfo=UTC)
VALUES = {"now": ANY, "late": ANY, "patient": ANY, "lease": ANY, "process": "here", "drains": False}


pytestmark = pytest.mark.postgres


@pytest.mark.parametrize("statement", [could(True), OFFERED], ids=["could", "offered"])
async def test_places_of_the_past_are_in_nobodys_way(seeded_postgres_url: str, statement: Select[Any]) -> None:
    """However many there are: a plan for any parameters finds those who wait by their index."""
    compiled = statement.params(VALUES).compile(dialect=asyncpg.dialect(), compile_kwargs={"render_postcompile": True})  # type: ignore[no-untyped-call]
    unknown = ", ".join("NULL" for _ in compiled.positiontup or ())

    async def explained(connection: AsyncConnection) -> str:
        for setting in ("enable_seqscan = off", "plan_cache_mode = force_generic_plan"):
            await connection.execute(text(f"SET LOCAL {setting}"))
        await connection.exec_driver_sql(f"PREPARE paired AS {compiled}")
        rows = await connection.exec_driver_sql(
            f"EXPLAIN EXECUTE paired({unknown})" if unknown else "EXPLAIN EXECUTE paired"
        )
        await connection.exec_driver_sql("DEALLOCATE paired")
        return "\n".join(row[0] for row in rows)

    desk = await opened(seeded_postgres_url, "here")
    plan = await desk.store.database.write(explained)
    await desk.store.close()
    assert "ix_places_live" in plan, plan
    assert "Seq Scan on places" not in plan, plan
