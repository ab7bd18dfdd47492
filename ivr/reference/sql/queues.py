"""Editing a member's queue: one transaction an edit, so that the positions are always 1..n without gaps or doubles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.errors import ActionError
from ivr.reference.backend import QUEUE_SCOPE, UNDO, Edit
from ivr.reference.records import QueueEdit
from ivr.reference.tables import members, queue_entries
from ivr.store.database import Database
from ivr.store.ledger import Stamp, once, record
from ivr.store.tables import audit


class SqlQueues:
    """Implements ``ivr.reference.backend.Queues``."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def rearrange(
        self, member: str, edit: Edit, *, key: str, action: str, call_id: str, actor: str = "caller"
    ) -> QueueEdit:
        stamp = Stamp(key, action, call_id, actor, self._now())

        async def work(connection: AsyncConnection) -> QueueEdit:
            async def effect() -> dict[str, Any]:
                member_id, before = await _locked_queue(connection, member)
                outcome, after = edit(before)
                if tuple(after) != before:
                    await _replace(connection, member_id, before, tuple(after), stamp.at)
                    await record(connection, stamp, member, {"queue": list(before)}, {"queue": list(after)})
                return _result(outcome, before, tuple(after))

            return _edit(*await once(connection, stamp, effect))

        return await self._database.write(work)

    async def undo(self, member: str, *, key: str, call_id: str, actor: str = "caller") -> QueueEdit:
        stamp = Stamp(key, UNDO, call_id, actor, self._now())

        async def work(connection: AsyncConnection) -> QueueEdit:
            async def effect() -> dict[str, Any]:
                member_id, current = await _locked_queue(connection, member)
                last = (
                    await connection.execute(
                        select(audit.c.id, audit.c.before, audit.c.after)
                        .where(
                            audit.c.call_id == call_id,
                            audit.c.member == member,
                            audit.c.action.startswith(QUEUE_SCOPE, autoescape=True),
                            audit.c.action != UNDO,
                            audit.c.undone.is_(False),
                        )
                        .order_by(audit.c.id.desc())
                        .limit(1)
                    )
                ).one_or_none()
                if last is None:
                    return _result("nothing_to_undo", current, current)
                if tuple(last.after["queue"]) != current:
                    return _result("changed_since", current, current)
                restored = tuple(last.before["queue"])
                await _replace(connection, member_id, current, restored, stamp.at)
                await connection.execute(update(audit).where(audit.c.id == last.id).values(undone=True))
                await record(connection, stamp, member, {"queue": list(current)}, {"queue": list(restored)})
                return _result("ok", current, restored)

            return _edit(*await once(connection, stamp, effect))

        return await self._database.write(work)


async def _locked_queue(connection: AsyncConnection, member: str) -> tuple[int, tuple[int, ...]]:
    """(member id, title ids). The member's row stays locked until the transaction ends."""
    row = (
        await connection.execute(select(members.c.id).where(members.c.number == member).with_for_update())
    ).one_or_none()
    if row is None:
        raise ActionError("no such member", remedy="identify the caller before editing a queue")
    entries = await connection.execute(
        select(queue_entries.c.title_id).where(queue_entries.c.member_id == row.id).order_by(queue_entries.c.position)
    )
    return row.id, tuple(entries.scalars())


async def _replace(
    connection: AsyncConnection, member_id: int, before: tuple[int, ...], after: tuple[int, ...], at: datetime
) -> None:
    if len(set(after)) != len(after):
        raise ValueError("a title would stand twice in the queue")
    rows = await connection.execute(
        select(queue_entries.c.title_id, queue_entries.c.added_at).where(queue_entries.c.member_id == member_id)
    )
    added = {row.title_id: row.added_at for row in rows}
    # Positions are part of the primary key: taking all out and putting all back never meets a half-moved state.
    await connection.execute(delete(queue_entries).where(queue_entries.c.member_id == member_id))
    if after:
        await connection.execute(
            insert(queue_entries),
            [
                {"member_id": member_id, "position": place, "title_id": title, "added_at": added.get(title, at)}
                for place, title in enumerate(after, start=1)
            ],
        )
    await connection.execute(
        update(members).where(members.c.id == member_id).values(queue_version=members.c.queue_version + 1)
    )


def _result(outcome: str, before: Sequence[int], after: Sequence[int]) -> dict[str, Any]:
    return {"outcome": outcome, "before": list(before), "after": list(after)}


def _edit(result: dict[str, Any], repeated: bool) -> QueueEdit:
    return QueueEdit(result["outcome"], tuple(result["before"]), tuple(result["after"]), repeated)
