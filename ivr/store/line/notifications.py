"""Notifications of the line: PostgreSQL's LISTEN, on a connection of its own outside the pool, remade when it breaks;
while it stands it holds the lock that tells others that this process lives.

What comes while it reconnects is missed, and behind PgBouncer in transaction mode nothing comes at all: whoever listens
looks every second besides. On SQLite there is one process, which needs none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import asyncpg
import structlog

from ivr.ports import Clock
from ivr.store.database import Database
from ivr.store.deaths import life_lock
from ivr.store.line.turn import CHANNEL

RETRY_S = 1.0
AGAIN_S = 0.05  # after one that stood: until it stands again, others see this process's lock free
ALIVE_S = 10.0  # a connection that a firewall forgot looks like one on which nothing happens

log = structlog.get_logger(__name__)


class Notifications:
    """``database``: the one whose line is listened to."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self, clock: Clock, heard: Callable[[str, int], None], line: str) -> None:
        """What all but ``line`` tell, until cancelled: ``heard`` gets what happened ("offered", "changed"; "" for
        anything, after a gap) and to which place, 0 for none."""
        if self._database.sqlite:
            await asyncio.Event().wait()
        told = False
        while True:
            try:
                await self._listen(heard, line)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                if not told:
                    log.warning("line.unnotified", error=str(error) or type(error).__name__)
                told = True
                await clock.sleep(RETRY_S)
            else:
                told = False
                await clock.sleep(AGAIN_S)

    async def _listen(self, heard: Callable[[str, int], None], line: str) -> None:
        url = self._database.url
        dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)
        connection = await asyncpg.connect(dsn, timeout=self._database.timeout_s)
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        try:
            if line:
                await connection.execute("SELECT pg_try_advisory_lock($1, $2)", *life_lock(line))
            await connection.add_listener(CHANNEL, lambda *message: _hear(str(message[3]), heard, line))
            heard("", 0)
            while not lost.is_set():
                try:
                    async with asyncio.timeout(ALIVE_S):
                        await lost.wait()
                except TimeoutError:
                    await connection.execute("SELECT 1", timeout=self._database.timeout_s)
            log.warning("line.unnotified", error="the connection was closed")
        finally:
            connection.terminate()


def _hear(payload: str, heard: Callable[[str, int], None], line: str) -> None:
    kind, number, sender = payload.split(" ")
    if sender != line:
        heard(kind, int(number))
