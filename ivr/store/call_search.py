"""The calls list's query: one page of the calls that match, and what all of them come to, by the table's indexes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.call_search import SEARCHED, CallSearch, CallTotals, summed
from ivr.store.database import fit
from ivr.store.tables import calls

LONGEST_SIP_CALL_ID = 128
LONGEST_REASON = 100


def searchable(told: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that a search looks at, of what is told as a call begins and ends."""
    found: dict[str, Any] = {}
    if "sip_call_id" in told:
        found["sip_call_id"] = fit(str(told["sip_call_id"]), LONGEST_SIP_CALL_ID)
    if "handoff_reason" in told:
        found["reason"] = fit(str(told["handoff_reason"]), LONGEST_REASON)
    if isinstance(told.get("seconds"), int | float):
        found["seconds"] = float(told["seconds"])
    return found


async def found_calls(
    connection: AsyncConnection, asked: CallSearch, without: Collection[str]
) -> tuple[Sequence[Row[Any]], CallTotals]:
    """Newest first. ``without``: calls that are known from elsewhere."""
    condition = and_(true(), *_conditions(asked), *([calls.c.call_id.not_in(without)] if without else ()))
    live = func.count().filter(calls.c.ended_at.is_(None))
    each = select(calls.c.outcome, calls.c.reason, func.count(), live, func.sum(calls.c.seconds)).where(condition)
    groups = (await connection.execute(each.group_by(calls.c.outcome, calls.c.reason))).all()
    totals = CallTotals(
        sum(group[2] for group in groups),
        sum(group[3] for group in groups),
        round(sum(group[4] or 0.0 for group in groups), 1),
        summed(*((group[0], group[2]) for group in groups)),
        summed(*((group[1], group[2]) for group in groups)),
    )
    if not asked.limit or totals.count <= asked.offset:
        return (), totals
    newest = calls.c.started_at.desc(), calls.c.call_id.desc()
    page = select(calls.c.call_id).where(condition).order_by(*newest).limit(asked.limit).offset(asked.offset)
    # the ids first: rows are read of this page only, not of those before it
    return (await connection.execute(select(calls).where(calls.c.call_id.in_(page)).order_by(*newest))).all(), totals


def _conditions(asked: CallSearch) -> list[ColumnElement[bool]]:
    columns = calls.c
    told: ColumnElement[str] = columns[SEARCHED[0]]
    for name in SEARCHED[1:]:
        told = told + "\n" + columns[name]
    lower = func.lower(told)
    found = [or_(*(lower.contains(fit(form, 100), autoescape=True) for form in word)) for word in asked.words()]
    if asked.outcome:
        found.append(columns.outcome == fit(asked.outcome, 60))
    if asked.reason:
        found.append(columns.reason == fit(asked.reason, LONGEST_REASON))
    if asked.since is not None:
        found.append(columns.started_at >= asked.since)
    if asked.until is not None:
        found.append(columns.started_at < asked.until)
    if asked.live is not None:
        found.append(columns.ended_at.is_(None) if asked.live else columns.ended_at.is_not(None))
    return found
