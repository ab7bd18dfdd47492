"""A day at the desk, read from what calls, places, announcements and the audit trail left behind."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.ports.history import CallRow, DayRows, EventRow, PlaceRow
from ivr.ports.line import Announced
from ivr.store.database import TableGroup, reads
from ivr.store.tables import agent_events, announced, audit, call_entries, calls, place_events, places

ASKED = "asked"  # the reason of a wish for a person that nothing else led to
GOODWILL = "goodwill."  # what grants are called in the audit trail
AT_WORK = ("busy", "wrap_up")


class DeskHistory(TableGroup):
    """Implements ``ivr.ports.history.DayLog``."""

    @reads
    async def rows(self, connection: AsyncConnection, since: datetime, until: datetime) -> DayRows:
        def during(column: ColumnElement[Any]) -> ColumnElement[bool]:
            return (column >= since) & (column < until)

        columns = [places.c[name] for name in PlaceRow.__slots__]
        began = during(places.c.entered_at)
        place_rows = await connection.execute(select(*columns).where(began).order_by(places.c.entered_at, places.c.id))
        detail = place_events.c.detail
        events = (
            select(
                place_events.c.place,
                place_events.c.at,
                place_events.c.kind,
                place_events.c.agent,
                *(func.coalesce(detail[name].as_string(), "").label(name) for name in ("state", "was", "disposition")),
            )
            .where(place_events.c.place.in_(select(places.c.id).where(began)))
            .order_by(place_events.c.id)
        )
        told = select(announced).where(during(announced.c.at)).order_by(announced.c.at)
        to_human = calls.c.canonical["seconds_to_human"].as_float()
        reached = select(calls.c.started_at, to_human.label("seconds_to_human")).where(
            during(calls.c.started_at), to_human.is_not(None)
        )
        entry = call_entries.c.entry
        left = entry["from"].as_string()
        zero_outs = (
            select(left, func.count())
            .where(during(call_entries.c.at), call_entries.c.kind == "decision")
            .where(entry["to"].as_string() == "human", entry["reason"].as_string() == ASKED)
            .group_by(left)
        )
        grants = (
            select(audit.c.actor, func.count())
            .where(during(audit.c.at), audit.c.action.startswith(GOODWILL, autoescape=True), ~audit.c.undone)
            .group_by(audit.c.actor)
        )
        return DayRows(
            [PlaceRow(*row) for row in place_rows],
            [EventRow(**row._mapping) for row in await connection.execute(events)],
            [Announced(**row._mapping) for row in await connection.execute(told)],
            [CallRow(**row._mapping) for row in await connection.execute(reached.order_by(calls.c.started_at))],
            {str(row[0] or ""): row[1] for row in await connection.execute(zero_outs)},
            {row[0]: row[1] for row in await connection.execute(grants)},
        )

    @reads
    async def handle_times(self, connection: AsyncConnection, limit: int) -> Sequence[float]:
        """Seconds of the last conversations with their wrap-up, oldest first."""
        table = agent_events
        newest = select(table).order_by(table.c.id.desc()).limit(limit * 6)
        rows = (await connection.execute(newest)).all()[::-1]
        began: dict[tuple[str, int], datetime] = {}
        found: list[float] = []
        for row in rows:
            seat = (row.agent, row.slot)
            if row.state == "busy":
                began.setdefault(seat, row.at)
            elif row.state not in AT_WORK and seat in began:
                found.append((row.at - began.pop(seat)).total_seconds())
        return found[-limit:]
