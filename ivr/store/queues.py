"""Editing a member's queue: one transaction an edit, so that the positions are always 1..n without gaps or doubles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.errors import ActionError
from ivr.store.database import Database
from ivr.store.ledger import Stamp, once, record
from ivr.store.tables import audit, members, queue_entries

Edit = Callable[[tuple[int, ...]], tuple[str, Sequence[int]]]
"""From the title ids in order to (outcome, the new order). Pure; an unchanged order changes nothing."""

UNDO = "queue.undo"
QUEUE_SCOPE = "queue."


@dataclass(frozen=True, slots=True)
class QueueEdit:
    """``repeated``: the key had been used, and this is what happened then."""

    outcome: str
    before: tuple[int, ...]
    after: tuple[int, ...]
    repeated: bool = False

    @property
    def changed(self) -> bool:
        return self.before != self.after


class Queues:
    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def rearrange(
        self,
        member: str,
        edit: Edit,
        *,
        key: str,
        action: str,
        call_id: str,
        actor: str = "caller",
        expected_version: int | None = None,
    ) -> QueueEdit:
        """Apply ``edit`` to the member's queue once per ``key``.

        With ``expected_version`` the outcome is "changed_since" when somebody else edited the queue in between.
        Raises ActionError for an unknown member, StoreUnavailable, ValueError when ``edit`` doubles a title."""
        stamp = Stamp(key, action, call_id, actor, self._now())

        async def work(connection: AsyncConnection) -> QueueEdit:
            async def effect() -> dict[str, Any]:
                member_id, version, before = await _locked_queue(connection, member)
                if expected_version is not None and version != expected_version:
                    return _result("changed_since", before, before)
                outcome, after = edit(before)
                if tuple(after) != before:
                    await _replace(connection, member_id, before, tuple(after), stamp.at)
                    await record(connection, stamp, member, {"queue": list(before)}, {"queue": list(after)})
                return _result(outcome, before, tuple(after))

            return _edit(*await once(connection, stamp, effect))

        return await self._database.write(work)

    async def undo(self, member: str, *, key: str, call_id: str, actor: str = "caller") -> QueueEdit:
        """Take back this call's last change that is not taken back yet.

        Outcomes: "ok", "nothing_to_undo", and "changed_since" when the queue is not as that change left it."""
        stamp = Stamp(key, UNDO, call_id, actor, self._now())

        async def work(connection: AsyncConnection) -> QueueEdit:
            async def effect() -> dict[str, Any]:
                member_id, _, current = await _locked_queue(connection, member)
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


async def _locked_queue(connection: AsyncConnection, member: str) -> tuple[int, int, tuple[int, ...]]:
    """(member id, queue version, title ids). The member's row stays locked until the transaction ends."""
    row = (
        await connection.execute(
            select(members.c.id, members.c.queue_version).where(members.c.number == member).with_for_update()
        )
    ).one_or_none()
    if row is None:
        raise ActionError("no such member", remedy="identify the caller before editing a queue")
    entries = await connection.execute(
        select(queue_entries.c.title_id).where(queue_entries.c.member_id == row.id).order_by(queue_entries.c.position)
    )
    return row.id, row.queue_version, tuple(entries.scalars())


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
