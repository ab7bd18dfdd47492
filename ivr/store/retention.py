"""Retention: deletes what is kept about calls once it is old."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from sqlalchemy import ColumnElement, Table, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.config import RetentionConfig
from ivr.errors import StoreUnavailable
from ivr.ports import Clock
from ivr.store import spool
from ivr.store.database import Database, TableGroup
from ivr.store.tables import (
    LIVE,
    agent_events,
    announced,
    call_entries,
    callbacks,
    calls,
    handoff_contexts,
    idempotency,
    live_dialogs,
    place_events,
    places,
    resume_points,
    verification_tries,
)

LONG_S = 60.0  # nobody waits for it
DAY_S = 24 * 3600.0

log = structlog.get_logger(__name__)


class Retention(TableGroup):
    """``spool``: the folder where writes wait; what has waited for so long is deleted with the rest.

    Calls in progress, who is in the line, waiting callbacks and unexpired hand-over links stay; so does the audit
    trail, which names callers and what was changed but nothing that was said. ``purge`` and ``count`` raise
    StoreUnavailable."""

    def __init__(self, database: Database, now: Callable[[], datetime], spool: Path | None) -> None:
        super().__init__(database, now)
        self._spool = spool
        self._days = 0
        self._changed = asyncio.Event()

    async def purge(self, older_than: datetime) -> Mapping[str, int]:
        """Delete what is kept about calls that ended before ``older_than``: rows deleted, by table."""

        if self._spool is not None and (gone := await asyncio.to_thread(spool.purge, self._spool, older_than)):
            log.warning("retention.spool_purged", writes=gone, older_than=older_than.isoformat())

        async def work(connection: AsyncConnection) -> Mapping[str, int]:
            old = self._old(older_than)
            return {
                table.name: (await connection.execute(delete(table).where(is_old))).rowcount for table, is_old in old
            }

        return await self._database.write(work, timeout_s=LONG_S)

    async def count(self, older_than: datetime) -> Mapping[str, int]:
        """What ``purge`` would delete."""

        async def work(connection: AsyncConnection) -> Mapping[str, int]:
            counts = {
                table.name: select(func.count()).select_from(table).where(is_old)
                for table, is_old in self._old(older_than)
            }
            return {name: (await connection.execute(count)).scalar_one() for name, count in counts.items()}

        return await self._database.read(work, timeout_s=LONG_S)

    def apply(self, config: RetentionConfig) -> None:
        """From now on; shorter ones are purged at once."""
        if config.calls_days != self._days:
            self._days = config.calls_days
            self._changed.set()

    async def daily(self, clock: Clock) -> None:
        """Purge once a day what is older than configured; runs until cancelled."""
        while True:
            self._changed.clear()
            if self._days:
                await self._purge_before(clock.now() - timedelta(days=self._days))
            day, changed = asyncio.ensure_future(clock.sleep(DAY_S)), asyncio.ensure_future(self._changed.wait())
            try:
                await asyncio.wait({day, changed}, return_when=asyncio.FIRST_COMPLETED)
                if day.done():
                    day.result()
            finally:
                day.cancel()
                changed.cancel()

    async def _purge_before(self, moment: datetime) -> None:
        try:
            log.info("retention.purged", older_than_days=self._days, **await self.purge(moment))
        except StoreUnavailable as error:
            log.warning("retention.failed", error=str(error))

    def _old(self, older_than: datetime) -> list[tuple[Table, ColumnElement[bool]]]:
        """Calls last: the conditions before ask which of them ended."""
        ended = select(calls.c.call_id).where(calls.c.ended_at < older_than)
        live = select(calls.c.call_id).where(calls.c.ended_at.is_(None))
        in_line = select(places.c.id).where(places.c.state.in_(LIVE))
        entries, contexts = call_entries.c, handoff_contexts.c
        return [
            (call_entries, entries.call_id.in_(ended) | ((entries.at < older_than) & entries.call_id.not_in(live))),
            (handoff_contexts, (contexts.created_at < older_than) & (contexts.expires_at < self._now())),
            (place_events, (place_events.c.at < older_than) & place_events.c.place.not_in(in_line)),
            (places, places.c.id.not_in(in_line) & (places.c.changed_at < older_than)),
            (agent_events, agent_events.c.at < older_than),
            (live_dialogs, (live_dialogs.c.at < older_than) & live_dialogs.c.call_id.not_in(live)),
            (resume_points, resume_points.c.at < older_than),
            (announced, announced.c.at < older_than),
            (verification_tries, verification_tries.c.at < older_than),
            (callbacks, (callbacks.c.created_at < older_than) & (callbacks.c.state != "waiting")),
            (idempotency, idempotency.c.at < older_than),
            (calls, calls.c.ended_at < older_than),
        ]
