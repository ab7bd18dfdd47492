"""Settings of the desk in the database: what supervisors set while it runs, each change audited."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.ports import AuditEvent, DeskAnnouncement, DeskSettings, HoursOverride
from ivr.store.audit_log import append
from ivr.store.database import TableGroup, fit, insert_new, reads, writes
from ivr.store.ledger import Json
from ivr.store.tables import desk_settings

HOURS, ANNOUNCEMENT = "hours", "announcement"
LONGEST_TOLD = 500


class DeskSettingsTable(TableGroup):
    """Implements ``ivr.ports.DeskSettingsStore``."""

    @reads
    async def settings(self, connection: AsyncConnection) -> DeskSettings:
        rows = await connection.execute(select(desk_settings.c.name, desk_settings.c.value))
        found: dict[str, Json] = {row.name: row.value for row in rows}
        hours, told = found.get(HOURS), found.get(ANNOUNCEMENT)
        return DeskSettings(
            HoursOverride(hours["open"], datetime.fromisoformat(hours["until"]), hours["reason"]) if hours else None,
            DeskAnnouncement(told["text"], datetime.fromisoformat(told["until"]) if told["until"] else None)
            if told
            else None,
        )

    async def set_hours(self, override: HoursOverride | None, by: str) -> None:
        value = None
        if override is not None:
            reason, until = fit(override.reason, LONGEST_TOLD), override.until.isoformat()
            value = {"open": override.open, "until": until, "reason": reason}
        await self._set(HOURS, value, by)

    async def announce(self, announcement: DeskAnnouncement | None, by: str) -> None:
        value = None
        if announcement is not None:
            until = announcement.until.isoformat() if announcement.until else ""
            value = {"text": fit(announcement.text, LONGEST_TOLD), "until": until}
        await self._set(ANNOUNCEMENT, value, by)

    @writes
    async def _set(self, connection: AsyncConnection, name: str, value: Json | None, by: str) -> None:
        table, now = desk_settings, self._now()
        if connection.dialect.name == "postgresql":
            # Two supervisors at once: the trail says in which order; SQLite's writers wait for each other anyway.
            await connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"desk {name}", 0))))
        before = (await connection.execute(select(table.c.value).where(table.c.name == name))).scalar_one_or_none()
        if value is None:
            await connection.execute(delete(table).where(table.c.name == name))
        else:
            row = {"name": name, "value": value, "by": fit(by, 100), "at": now}
            new = insert_new(connection, table).values(row)
            await connection.execute(new.on_conflict_do_update(index_elements=[table.c.name], set_=row))
        await append(connection, AuditEvent(by, f"desk.{name}", "", before, value), now)
