"""Allowance of call backs: how many a caller is promised in a day, and how many a number gets; what agents ask for is
neither. Nobody has strangers rung over and over by this line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select

from ivr.errors import TooManyCallBacks
from ivr.store.database import fit
from ivr.store.line.turn import Turn
from ivr.store.tables import place_events
from ivr.store.verification import hashed

DAY_S = 24 * 3600.0
WITHHELD = 10  # times as many for all who withhold their number, who can't be told apart


@dataclass(frozen=True, slots=True)
class Promise:
    """``values``: the place's; ``told``: what its event says, by which the next ones are counted."""

    values: Mapping[str, Any]
    told: Mapping[str, Any]


async def allow(turn: Turn, number: str, due_at: datetime | None, *, by: str | None) -> Promise:
    """``by``: the number that the caller called from, "" where it is withheld; None: an agent asks, who is not counted.
    Raises TooManyCallBacks."""
    values = {"callback_number": fit(number, 40), "due_at": due_at or turn.at, "attempts": 0, "line": ""}
    if by is None:
        return Promise(values, {})
    most = turn.rules.callbacks_day
    told = {"to": hashed(number), "by": hashed(by) if by else ""}
    if await _promised(turn, place_events.c.detail["to"].as_string() == told["to"]) >= most:
        raise TooManyCallBacks("this number was promised enough call backs for a day")
    if await _promised(turn, place_events.c.detail["by"].as_string() == told["by"]) >= most * (1 if by else WITHHELD):
        raise TooManyCallBacks("this caller was promised enough call backs for a day")
    return Promise(values, told)


async def _promised(turn: Turn, whose: ColumnElement[bool]) -> int:
    lately = (place_events.c.kind == "callback") & (place_events.c.at > turn.before(DAY_S))
    query = select(func.count()).select_from(place_events).where(lately, whose)
    return int((await turn.connection.execute(query)).scalar_one())
