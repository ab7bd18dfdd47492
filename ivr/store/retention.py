"""Retention: deletes what is kept about people once it is old, really and in small steps."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from sqlalchemy import ColumnElement, Table, delete, func, select, tuple_
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.config import RetentionConfig
from ivr.config.retention_section import OF_CALLS
from ivr.errors import StoreUnavailable
from ivr.ports import Clock
from ivr.store import spool_folder
from ivr.store.account_tables import audit_log
from ivr.store.audit_log import AuditLogTable
from ivr.store.database import Database, TableGroup
from ivr.store.retention_rules import RULES
from ivr.store.upkeep import alone, emptied_log

LONG_S = 60.0  # nobody waits for it
FIRST_S = 60.0  # a start has better to do
HOUR_S = 3600.0
AGAIN_S = 300.0  # after a run that failed
AT_ONCE = 500  # rows in a transaction
SETTLE = 3  # tries, a second apart, to empty SQLite's log while others read
RETENTION = "retention"

Cuts = Mapping[str, datetime]
"""By kind: what is older goes. What is kept for ever isn't here."""
Purge = Callable[[datetime], Awaitable[int]]
"""Deletes files of one kind that are older; how many. Raises StoreUnavailable, OSError."""

log = structlog.get_logger(__name__)


def about_calls(before: datetime) -> Cuts:
    """Everything of calls that is older, whatever is configured."""
    return dict.fromkeys(("calls", *OF_CALLS, "verification"), before)


class Retention(TableGroup):
    """``spool``: the folder where writes wait; what has waited for as long as calls are kept is deleted too.

    Calls in progress, who is in the line, waiting call backs and unexpired hand-over links stay. ``trouble``: why the
    last run failed, "" when it didn't. ``purge`` and ``count`` raise StoreUnavailable."""

    def __init__(self, database: Database, now: Callable[[], datetime], spool: Path | None) -> None:
        super().__init__(database, now)
        self._spool = spool
        self._audit_log = AuditLogTable(database, now)
        self._config: RetentionConfig | None = None
        self._changed = asyncio.Event()
        self._traces = True  # SQLite's log may still show what was deleted, also by a run before this one
        self.trouble = ""
        self.done_at: datetime | None = None  # when what was old was last deleted, all of it

    async def purge(self, cuts: Cuts) -> Mapping[str, int]:
        """Delete what is old: rows deleted, by table. One process at a time; the others find nothing to do."""
        before, folder = cuts.get("calls"), self._spool
        if before and folder and (gone := await asyncio.to_thread(spool_folder.purge, folder, before)):
            log.warning("retention.spool_purged", writes=gone, older_than=before.isoformat())
        counts: Counter[str] = Counter()
        async with alone(self._database, RETENTION) as mine:
            if mine:
                for table, is_old in self._old(cuts):
                    counts[table.name] += await self.erase(table, is_old)
                if "audit" in cuts:  # a chain is cut at its beginning, and says so itself
                    counts[audit_log.name] = await self._audit_log.expire(cuts["audit"], RETENTION)
        return dict(counts)

    async def erase(self, table: Table, which: ColumnElement[bool]) -> int:
        """Delete rows, AT_ONCE a transaction; how many. ``settle`` when all of it is done."""
        key = tuple(table.primary_key.columns)
        some = select(*key).where(which).limit(AT_ONCE)
        chosen = key[0].in_(some) if len(key) == 1 else tuple_(*key).in_(some)
        total = 0

        async def work(connection: AsyncConnection) -> int:
            return (await connection.execute(delete(table).where(chosen))).rowcount

        while True:
            gone = await self._database.write(work, timeout_s=LONG_S)
            total += gone
            self._traces = self._traces or gone > 0
            if gone < AT_ONCE:
                return total

    async def settle(self, pause: Callable[[float], Awaitable[None]] = asyncio.sleep) -> bool:
        """What was deleted is nowhere in the database's files any more. False: somebody has read without a pause, and
        the next run tries again."""
        for tried in range(SETTLE):
            if not self._traces or await emptied_log(self._database):
                self._traces = False
                return True
            if tried < SETTLE - 1:
                await pause(1.0)
        return False

    async def count(self, cuts: Cuts) -> Mapping[str, int]:
        """What ``purge`` would delete."""

        async def work(connection: AsyncConnection) -> Mapping[str, int]:
            counts: Counter[str] = Counter()
            for table, is_old in self._old(cuts):
                query = select(func.count()).select_from(table).where(is_old)
                counts[table.name] += (await connection.execute(query)).scalar_one()
            if "audit" in cuts:
                query = select(func.count()).where(audit_log.c.at < cuts["audit"])
                counts[audit_log.name] = (await connection.execute(query)).scalar_one()
            return dict(counts)

        return await self._database.read(work, timeout_s=LONG_S)

    def apply(self, config: RetentionConfig) -> None:
        """From now on; what is to be kept shorter is purged at once."""
        if self._config is not None and config != self._config:
            self._changed.set()
        self._config = config

    async def hourly(self, clock: Clock, files: Mapping[str, Purge]) -> None:
        """Purge soon and then once an hour, until cancelled. ``files``: who deletes files, by kind."""
        seconds = FIRST_S
        while True:
            await self._pause(clock, seconds)
            try:
                done = await self.run(clock, files)
            except Exception:  # whatever it is, what is old must go in the end
                log.exception("retention.raised")
                done, self.trouble = False, "it raised: see retention.raised in the log"
            seconds = HOUR_S if done else AGAIN_S

    async def run(self, clock: Clock, files: Mapping[str, Purge]) -> bool:
        """One run, as configured, told in the log; False: something of it failed, and is to be tried again."""
        began, config = clock.monotonic(), self._config or RetentionConfig()
        cuts, troubles, counts = config.cuts(clock.now()), list[str](), dict[str, int]()
        try:
            counts.update(await self.purge(cuts))
        except (StoreUnavailable, SQLAlchemyError) as error:
            troubles.append(f"database: {error}")
        for kind, purge in files.items():
            try:
                if kind in cuts:
                    counts[kind] = counts.get(kind, 0) + await purge(cuts[kind])
            except (StoreUnavailable, OSError) as error:
                troubles.append(f"{kind}: {error}")
        try:
            if not await self.settle(clock.sleep):
                log.warning("retention.traces", remedy="somebody reads the database for long; the next run tries again")
        except StoreUnavailable as error:
            troubles.append(f"database: {error}")
        self.trouble = "; ".join(troubles)
        if not troubles:
            self.done_at = self._now()
        else:
            log.error("retention.failed", error=self.trouble, again_s=AGAIN_S)
        deleted = {name: count for name, count in counts.items() if count}
        took = round(clock.monotonic() - began, 2)
        log.info("retention.done", deleted=sum(deleted.values()), by_table=deleted, seconds=took, whole=not troubles)
        return not troubles

    async def overdue(self, config: RetentionConfig, by: timedelta) -> Mapping[str, int]:
        """Rows, by table, that should have been deleted ``by`` so long ago: nobody purges. Raises StoreUnavailable."""
        found = await self.count(config.cuts(self._now() - by))
        return {name: count for name, count in found.items() if count}

    async def _pause(self, clock: Clock, seconds: float) -> None:
        """Or until something else is configured."""
        over = asyncio.ensure_future(clock.sleep(seconds))
        changed = asyncio.ensure_future(self._changed.wait())
        try:
            await asyncio.wait({over, changed}, return_when=asyncio.FIRST_COMPLETED)
            if over.done():
                over.result()
        finally:
            over.cancel()
            changed.cancel()
            self._changed.clear()

    def _old(self, cuts: Cuts) -> list[tuple[Table, ColumnElement[bool]]]:
        now = self._now()
        return [(rule.table, rule.old(cuts[rule.kind], now)) for rule in RULES if rule.kind in cuts]
