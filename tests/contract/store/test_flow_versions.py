"""Publishing flows, on both databases."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from ivr.errors import FlowError
from ivr.ports import AuditSearch
from ivr.store import Store

from .conftest import Time


@pytest.fixture
async def recorded(store: Store) -> Store:
    for version in ("a1", "b2", "c3"):
        assert await store.flow_versions.record_version("main", version, f"source of {version}", "dana")
    return store


async def live(store: Store) -> str:
    found = await store.flow_versions.live_version("main")
    return found.version if found else ""


async def test_recording(recorded: Store) -> None:
    versions = recorded.flow_versions
    assert not await versions.record_version("main", "a1", "source of a1", "somebody else")
    found = await versions.version("main", "a1")
    assert found is not None
    assert (found.source, found.by, found.state) == ("source of a1", "dana", "recorded")
    assert await versions.version("main", "zz") is None
    assert await live(recorded) == ""


async def test_publishing_and_history(recorded: Store, now: Time) -> None:
    versions = recorded.flow_versions
    assert await versions.publish("main", "a1", "dana") == ""
    now.pass_(minutes=5)
    assert await versions.publish("main", "b2", "eli") == "a1"
    assert await versions.publish("main", "b2", "eli") == "b2"
    assert await live(recorded) == "b2"
    old = await versions.version("main", "a1")
    assert old is not None
    assert old.state == "retired"
    history = await versions.history("main")
    assert [(p.version, p.previous, p.kind, p.by) for p in history] == [
        ("b2", "a1", "publish", "eli"),
        ("a1", "", "publish", "dana"),
    ]
    assert history[0].at == now()
    with pytest.raises(FlowError, match="no such version"):
        await versions.publish("main", "zz", "eli")


async def test_rolling_back_goes_back_and_back(recorded: Store) -> None:
    versions = recorded.flow_versions
    for version in ("a1", "b2", "c3"):
        await versions.publish("main", version, "dana")
    assert await versions.roll_back("main", "ops") == "b2"
    assert await versions.roll_back("main", "ops") == "a1"
    assert await live(recorded) == "a1"
    assert await versions.rollback_target("main") is None
    with pytest.raises(FlowError, match="no earlier"):
        await versions.roll_back("main", "ops")
    assert [p.kind for p in await versions.history("main")][:2] == ["rollback", "rollback"]


async def test_canaries(recorded: Store) -> None:
    versions = recorded.flow_versions
    await versions.publish("main", "a1", "dana")
    await versions.start_canary("main", "b2", "dana", percent=10, numbers=["5035550101"])
    canary = await versions.canary_version("main")
    assert canary is not None
    assert (canary.version, canary.canary_percent, canary.canary_numbers) == ("b2", 10, ("5035550101",))
    await versions.start_canary("main", "c3", "dana", percent=50)
    canary = await versions.canary_version("main")
    assert canary is not None
    assert canary.version == "c3"
    assert await live(recorded) == "a1"
    assert await versions.end_canary("main", "dana") == "c3"
    assert await versions.end_canary("main", "dana") is None
    await versions.start_canary("main", "b2", "dana", percent=100)
    await versions.publish("main", "b2", "dana")
    assert await versions.canary_version("main") is None
    assert await live(recorded) == "b2"
    with pytest.raises(FlowError, match="live"):
        await versions.start_canary("main", "b2", "dana", percent=5)
    for percent in (0, -1, 101):
        with pytest.raises(FlowError, match="percentage"):
            await versions.start_canary("main", "c3", "dana", percent=percent)


async def test_why_is_kept_with_who_and_when(recorded: Store) -> None:
    versions = recorded.flow_versions
    await versions.publish("main", "a1", "dana")
    await versions.publish("main", "b2", "dana", why=" the office moved\n")
    await versions.start_canary("main", "c3", "eli", percent=10, why="is it quicker?")
    await versions.end_canary("main", "eli", "x" * 900)
    await versions.roll_back("main", "ops", "callers got lost")
    said = [(step.kind, step.why) for step in await versions.history("main")]
    assert said == [
        ("rollback", "callers got lost"), ("withdraw", "x" * 500), ("canary", "is it quicker?"),
        ("publish", "the office moved"), ("publish", ""),
    ]  # fmt: skip
    rows = (await recorded.audit_log.find(AuditSearch(what="flow.canary"))).rows
    assert rows[0].event.after == {"version": "c3", "percent": 10, "numbers": 0, "why": "is it quicker?"}


async def test_publications_at_once_leave_one_live_version(recorded: Store) -> None:
    versions = recorded.flow_versions
    await asyncio.gather(*(versions.publish("main", v, "dana") for v in ("a1", "b2", "c3") * 4))
    history = await versions.history("main")
    assert await live(recorded) == history[0].version
    for newer, older in pairwise(history):
        assert newer.previous == older.version
