"""Retention: deletes what is kept about calls once it is old."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import structlog
from sqlalchemy import ColumnElement, Table, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.errors import StoreUnavailable
from ivr.ports import Clock
from ivr.store.database import TableGroup
from ivr.store.tables import (
    call_entries,
    callbacks,
    calls,
    handoff_contexts,
    idempotency,
    resume_points,
    verification_tries,
)

LONG_S = 60.0  # nobody waits for it
DAY_S = 24 * 3600.0

log = structlog.get_logger(__name__)


class Retention(TableGroup):
    """Calls in progress, waiting callbacks and unexpired hand-over links stay; so does the audit trail, which names
    callers and what was changed but nothing that was said. Both methods raise StoreUnavailable."""

    async def purge(self, older_than: datetime) -> Mapping[str, int]:
        """Delete what is kept about calls that ended before ``older_than``: rows deleted, by table."""

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

    async def daily(self, keep: timedelta, clock: Clock) -> None:
        """Purge once a day what is older than ``keep``; runs until cancelled."""
        while True:
            try:
                log.info("retention.purged", older_than_days=keep.days, **await self.purge(clock.now() - keep))
            except StoreUnavailable as error:
                log.warning("retention.failed", error=str(error))
            await clock.sleep(DAY_S)

    def _old(self, older_than: datetime) -> list[tuple[Table, ColumnElement[bool]]]:
        """Calls last: the conditions before ask which of them ended."""
        ended = select(calls.c.call_id).where(calls.c.ended_at < older_than)
        live = select(calls.c.call_id).where(calls.c.ended_at.is_(None))
        entries, contexts = call_entries.c, handoff_contexts.c
        return [
            (call_entries, entries.call_id.in_(ended) | ((entries.at < older_than) & entries.call_id.not_in(live))),
            (handoff_contexts, (contexts.created_at < older_than) & (contexts.expires_at < self._now())),
            (resume_points, resume_points.c.at < older_than),
            (verification_tries, verification_tries.c.at < older_than),
            (callbacks, (callbacks.c.created_at < older_than) & (callbacks.c.state != "waiting")),
            (idempotency, idempotency.c.at < older_than),
            (calls, calls.c.ended_at < older_than),
        ]
