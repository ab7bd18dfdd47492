"""Drafts in the database: only the files that they change; each change audited by digests, in its transaction."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence

from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.ports import AuditEvent
from ivr.ports.drafts import Draft, DraftFile
from ivr.store.audit_log import append
from ivr.store.database import TableGroup, fit, insert_new, reads, writes
from ivr.store.draft_tables import flow_draft_files, flow_drafts


class FlowDrafts(TableGroup):
    """Implements ``ivr.ports.drafts.DraftStore``."""

    @writes
    async def begin(self, connection: AsyncConnection, owner: str) -> str:
        name, now = secrets.token_hex(8), self._now()
        row = {"id": name, "owner": fit(owner, 100), "created_at": now, "changed_at": now}
        await connection.execute(insert(flow_drafts).values(row))
        await append(connection, AuditEvent(owner, "draft.begun", name), now)
        return name

    @reads
    async def all(self, connection: AsyncConnection) -> Sequence[Draft]:
        rows = await connection.execute(select(flow_drafts).order_by(flow_drafts.c.changed_at.desc(), flow_drafts.c.id))
        files: dict[str, dict[str, DraftFile]] = {}
        for row in await connection.execute(select(flow_draft_files).order_by(flow_draft_files.c.name)):
            files.setdefault(row.draft, {})[row.name] = _file(row)
        return [Draft(row.id, row.owner, row.created_at, row.changed_at, files.get(row.id, {})) for row in rows]

    @reads
    async def find(self, connection: AsyncConnection, draft: str) -> Draft | None:
        row = (await connection.execute(select(flow_drafts).where(flow_drafts.c.id == fit(draft, 40)))).one_or_none()
        if row is None:
            return None
        there = select(flow_draft_files).where(flow_draft_files.c.draft == row.id).order_by(flow_draft_files.c.name)
        files = {each.name: _file(each) for each in await connection.execute(there)}
        return Draft(row.id, row.owner, row.created_at, row.changed_at, files)

    @writes
    async def put(
        self,
        connection: AsyncConnection,
        draft: str,
        name: str,
        by: str,
        *,
        base: str | None,
        text: str | None,
        known: DraftFile | None,
    ) -> bool:
        now, files = self._now(), flow_draft_files
        held = select(flow_drafts.c.id).where(flow_drafts.c.id == draft).with_for_update()
        if (await connection.execute(held)).first() is None:
            return False
        here = (files.c.draft == draft) & (files.c.name == name)
        row = (await connection.execute(select(files).where(here))).one_or_none()
        there = _file(row) if row is not None else None
        if (there and (there.base, there.text)) != (known and (known.base, known.text)):
            return False
        if text == base:
            await connection.execute(delete(files).where(here))
        else:
            kept = {"base": base, "text": text, "changed_by": fit(by, 100), "changed_at": now}
            new = insert_new(connection, files).values({"draft": draft, "name": name, **kept})
            await connection.execute(new.on_conflict_do_update(index_elements=[files.c.draft, files.c.name], set_=kept))
        await connection.execute(update(flow_drafts).where(flow_drafts.c.id == draft).values(changed_at=now))
        before, after = _told(name, there.text if there else base), _told(name, text)
        await append(connection, AuditEvent(by, "draft.changed", draft, before, after), now)
        return True

    @writes
    async def drop(self, connection: AsyncConnection, draft: str, by: str) -> bool:
        rows = await connection.execute(select(flow_draft_files).where(flow_draft_files.c.draft == draft))
        before = {row.name: _digest(row.text) for row in rows}
        await connection.execute(delete(flow_draft_files).where(flow_draft_files.c.draft == draft))
        gone = await connection.execute(delete(flow_drafts).where(flow_drafts.c.id == draft))
        if gone.rowcount != 1:
            return False
        await append(connection, AuditEvent(by, "draft.dropped", draft, before or None), self._now())
        return True


def _file(row: Row[tuple[object, ...]]) -> DraftFile:
    return DraftFile(row.name, row.base, row.text, row.changed_by, row.changed_at)


def _told(name: str, text: str | None) -> Mapping[str, str]:
    return {"file": name, "digest": _digest(text)}


def _digest(text: str | None) -> str:
    """As editors of files have it: "" for no file."""
    return "" if text is None else hashlib.sha256(text.encode()).hexdigest()[:16]
