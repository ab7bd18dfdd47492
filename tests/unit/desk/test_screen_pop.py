"""The link that an agent opens: unguessable, complete, good for a day, and there without a database."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ivr.desk.screen_pop import ScreenPops
from ivr.errors import StoreUnavailable
from tests.unit.desk.handed import CONTEXT

DAY = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


class Contexts:
    """A ContextStore in memory that can be out of order: gone, or silent."""

    def __init__(self) -> None:
        self.kept: dict[str, Mapping[str, Any]] = {}
        self.gone = False
        self.silent = False
        self.later = False

    async def keep_context(self, token: str, call_id: str, payload: Mapping[str, Any], expires_at: datetime) -> bool:
        if self.silent:
            await asyncio.Event().wait()
        if self.gone:
            raise StoreUnavailable("gone")
        if self.later:
            return False
        self.kept[token] = payload
        return True

    async def context(self, token: str) -> Mapping[str, Any] | None:
        return self.kept.get(token)


async def test_the_link_shows_everything() -> None:
    pops = ScreenPops(Contexts(), "https://line.example/", lambda: DAY)
    url = await pops.keep(CONTEXT)
    base, _, token = url.rpartition("/")
    assert base == "https://line.example/handoff"
    assert len(token) == 32
    shown = await pops.context(token)
    assert shown is not None
    assert shown["transcript"] == [
        {"kind": "heard", "state": "main.menu", "text": "I want to cancel", "intent": "leave"}
    ]
    assert shown["caller"]["number"] == "5035550101"
    assert shown["facts"]["member.number"] == "10001"
    assert (shown["reason"], shown["priority"], shown["tried"]) == ("cancellation-risk", 9, ["menu", "queue.read"])
    assert await pops.keep(CONTEXT) != url
    assert await pops.context("guess") is None


@pytest.mark.parametrize("fault", ["gone", "silent", "later"])
async def test_the_link_works_without_a_database(fault: str) -> None:
    contexts = Contexts()
    setattr(contexts, fault, True)
    pops = ScreenPops(contexts, "https://line.example", lambda: DAY)
    token = (await pops.keep(CONTEXT)).rpartition("/")[2]
    shown = await pops.context(token)
    assert shown is not None
    assert shown["call_id"] == "call-1"
    assert contexts.kept == {}


async def test_links_kept_in_hand_age_too() -> None:
    contexts = Contexts()
    contexts.gone = True
    time = [DAY]
    pops = ScreenPops(contexts, "", lambda: time[0])
    token = (await pops.keep(CONTEXT)).rpartition("/")[2]
    time[0] += timedelta(days=2)
    assert await pops.context(token) is None
