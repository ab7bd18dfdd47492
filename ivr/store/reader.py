"""The reader: a connection to SQLite for statements that are read by themselves, one trip to its thread for each."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ivr.store import sqlite_driver


class Reader:
    """One of the engine's connections, for as long as it lives. Between statements no transaction is open on it."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._opening: asyncio.Task[tuple[AsyncConnection, sqlite_driver.Connection]] | None = None
        self._compiled: dict[Select[Any], tuple[str, Sequence[str]]] = {}

    async def rows(self, statement: Select[Any], values: Mapping[str, str | int]) -> Sequence[Any]:
        """All that ``statement`` finds, as the driver has it. Raises what the driver raises."""
        known = self._compiled.get(statement)
        if known is None:  # statements are made once: this keeps few
            compiled = statement.compile(dialect=self._engine.dialect)
            known = self._compiled[statement] = compiled.string, tuple(compiled.positiontup or ())
        sql, names = known
        wanted = tuple(values[name] for name in names)
        if self._opening is None:
            self._opening = asyncio.create_task(self._opened(), name="reader")
        _, driver = await asyncio.shield(self._opening)  # who is cancelled takes it from nobody else
        *_, rows = await driver.done(lambda connection: connection.execute(sql, wanted))
        found: Sequence[Any] = rows
        return found

    async def _opened(self) -> tuple[AsyncConnection, sqlite_driver.Connection]:
        connection = await self._engine.connect()
        driver = (await connection.get_raw_connection()).driver_connection
        assert isinstance(driver, sqlite_driver.Connection)
        return connection, driver

    async def close(self, *, broken: bool = False) -> None:
        """Give the connection back. Who waits for rows gets them before. ``broken``: it is of no use to anybody."""
        opening, self._opening = self._opening, None
        if opening is None:
            return
        await asyncio.wait({opening})
        if opening.cancelled() or opening.exception() is not None:
            return
        connection, _ = opening.result()
        if broken:
            await connection.invalidate()
        await connection.close()
