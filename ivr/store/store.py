"""The store as the service sees it: the parts, and what concerns all of them (migrations, seed, retention)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Table, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.store import migration, seeding
from ivr.store.calls import CallLog
from ivr.store.database import TIMEOUT_S, Database
from ivr.store.handoffs import HandoffContexts
from ivr.store.members import Membership
from ivr.store.queues import Queues
from ivr.store.services import MemberServices
from ivr.store.tables import (
    audit,
    call_entries,
    callbacks,
    calls,
    handoff_contexts,
    idempotency,
    metadata,
    resume_points,
)
from ivr.store.versions import FlowVersions

LONG_S = 60.0  # for what is not done while a caller waits


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """``revision`` is "" for an empty database; ``up_to_date`` says whether ``upgrade`` has nothing to do."""

    database: str
    revision: str
    head: str
    members: int
    titles: int

    @property
    def up_to_date(self) -> bool:
        return self.revision == self.head


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Store:
    """All persistence behind one URL. Connections are made when first needed; ``upgrade`` before first use."""

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S, now: Callable[[], datetime] = _utc_now) -> None:
        self._database = Database(url, timeout_s=timeout_s)
        self.now = now
        self.membership = Membership(self._database)
        self.queues = Queues(self._database, now)
        self.services = MemberServices(self._database, now)
        self.calls = CallLog(self._database, now)
        self.handoffs = HandoffContexts(self._database, now)
        self.flow_versions = FlowVersions(self._database, now)

    @property
    def name(self) -> str:
        """The URL without its password."""
        return self._database.name

    async def upgrade(self) -> None:
        """Create or migrate the tables; nothing to do when they are current. Raises StoreUnavailable.

        A database in memory belongs to this process alone and is simply created."""
        if self._database.in_memory:
            await self._database.write(lambda connection: connection.run_sync(metadata.create_all))
            return
        await migration.upgrade(self._database.url)

    async def seed(self) -> seeding.Seeded:
        """Load the catalogue and the example members. What is there already is left as it is."""
        return await self._database.write(lambda connection: seeding.seed(connection, self.now()), timeout_s=LONG_S)

    async def status(self) -> StoreStatus:
        """Raises StoreUnavailable when the database cannot be asked."""
        head = migration.head()
        if self._database.in_memory:
            revision = head
        else:
            revision = await self._database.read(migration.revision)
        if revision != head:
            return StoreStatus(self.name, revision, head, 0, 0)
        titles = len(await self.membership.titles())
        return StoreStatus(self.name, revision, head, await self.membership.count(), titles)

    async def ping(self) -> None:
        """For /readyz. Raises StoreUnavailable."""
        await self._database.ping()

    async def purge(self, older_than: datetime) -> Mapping[str, int]:
        """Delete what is kept about calls that ended before ``older_than``: rows deleted, by table.

        Calls in progress, waiting callbacks and unexpired hand-over links stay; so does the audit trail, which names
        members and titles but nothing that was said."""
        ended = select(calls.c.call_id).where(calls.c.ended_at < older_than)
        live = select(calls.c.call_id).where(calls.c.ended_at.is_(None))
        old: list[tuple[Table, ColumnElement[bool]]] = [
            (
                call_entries,
                call_entries.c.call_id.in_(ended)
                | ((call_entries.c.at < older_than) & call_entries.c.call_id.not_in(live)),
            ),
            (
                handoff_contexts,
                (handoff_contexts.c.created_at < older_than) & (handoff_contexts.c.expires_at < self.now()),
            ),
            (resume_points, resume_points.c.at < older_than),
            (callbacks, (callbacks.c.created_at < older_than) & (callbacks.c.state != "waiting")),
            (idempotency, idempotency.c.at < older_than),
            (calls, calls.c.ended_at < older_than),
        ]

        async def work(connection: AsyncConnection) -> Mapping[str, int]:
            counts: dict[str, int] = {}
            for table, condition in old:
                counts[table.name] = (await connection.execute(delete(table).where(condition))).rowcount
            return counts

        return await self._database.write(work, timeout_s=LONG_S)

    async def audit_of(self, call_id: str) -> Sequence[Mapping[str, Any]]:
        """What a call changed, in order: at, actor, action, member, key, before, after, undone."""

        async def work(connection: AsyncConnection) -> Sequence[Mapping[str, Any]]:
            rows = await connection.execute(select(audit).where(audit.c.call_id == call_id).order_by(audit.c.id))
            return [{**row._mapping, "at": row.at.isoformat()} for row in rows]

        return await self._database.read(work)

    async def close(self) -> None:
        await self._database.close()
