"""The audit log on both databases: nobody changes a row, and what somebody with the database's own tools did shows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.errors import StoreUnavailable
from ivr.origin import asked_from, source
from ivr.ports import AuditEvent, AuditSearch
from ivr.store import Store
from tests.contract.store.conftest import Time
from tests.films import films_store

REFUSED = (StoreUnavailable, IntegrityError)
TRIGGERS = {
    "sqlite": ("audit_log_at_its_end", "audit_log_unchanged", "audit_log_kept"),
    "postgresql": ("audit_log_rows", "audit_log_whole"),
}


async def noted(store: Store, count: int = 5) -> None:
    for number in range(count):
        await store.audit_log.note(
            AuditEvent("rosa", "recording.played", f"call-{number}", after={"n": number, "é": 1.5})
        )


async def does(store: Store, *statements: str, force: bool = False) -> None:
    """As somebody with the database's own tools. ``force``: who takes the triggers off first."""

    async def work(connection: AsyncConnection) -> None:
        dialect = connection.dialect.name
        for trigger in TRIGGERS[dialect] if force else ():
            await connection.execute(text(f"DROP TRIGGER {trigger}" + " ON audit_log" * (dialect == "postgresql")))
        for statement in statements:
            await connection.execute(text(statement))

    await store.database.write(work)


async def test_rows_follow_each_other_and_are_found(store: Store, now: Time) -> None:
    begun = now()
    with asked_from("203.0.113.9"):
        await noted(store)
    now.pass_(hours=1)
    await store.audit_log.note(AuditEvent("shell:root", "data.forgotten", "10001", result="failed: disk"))
    whole = await store.audit_log.verify()
    assert (whole.broken, whole.rows, whole.last) == (None, 6, 6)
    (newest, *rest) = (await store.audit_log.find(AuditSearch())).rows
    assert (newest.event.actor, newest.event.result, newest.source) == ("shell:root", "failed: disk", source())
    assert rest[0].event == AuditEvent("rosa", "recording.played", "call-4", None, {"n": 4, "é": 1.5})
    assert rest[0].source == "203.0.113.9" and newest.hash == whole.hash

    async def ids(**asked: object) -> Sequence[int]:
        return [row.id for row in (await store.audit_log.find(AuditSearch(**asked))).rows]  # type: ignore[arg-type]

    assert await ids(who="ROS", limit=2) == [5, 4] and await ids(who="203.0.113") == [5, 4, 3, 2, 1]
    assert await ids(what="recording.", on="call-2") == [3] and await ids(what="%") == []
    assert await ids(since=begun + timedelta(minutes=1)) == [6] and await ids(until=now()) == [5, 4, 3, 2, 1]
    found = await store.audit_log.find(AuditSearch(limit=2, offset=2))
    assert (found.count, [row.id for row in found.rows]) == (6, [4, 3])


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_log SET actor = 'nobody' WHERE id = 3",
        "DELETE FROM audit_log WHERE id = 3",
        "DELETE FROM audit_log",
        "INSERT INTO audit_log SELECT 99, at, actor, source, action, target, before, after, result, expired, previous,"
        " hash FROM audit_log WHERE id = 3",
    ],
)
async def test_the_database_itself_lets_nobody_change_a_row(store: Store, statement: str) -> None:
    await noted(store)
    with pytest.raises(REFUSED) as refused:
        await does(store, statement)
    assert "append-only" in f"{refused.value} {refused.value.__cause__}"
    assert (await store.audit_log.verify()).broken is None


async def test_other_ways_round_the_triggers(store: Store) -> None:
    """REPLACE asks no DELETE trigger, TRUNCATE no row's, and a replica's session no ordinary one."""
    await noted(store)
    if store.database.sqlite:
        ways = ["INSERT OR REPLACE INTO audit_log SELECT * FROM audit_log WHERE id = 3"]
    else:
        ways = ["TRUNCATE audit_log", "SET LOCAL session_replication_role = replica; DELETE FROM audit_log"]
    for way in ways:
        with pytest.raises(REFUSED):
            await does(store, *way.split("; "))
    assert (await store.audit_log.verify()).rows == 5


@pytest.mark.parametrize(
    ("statement", "broken", "why"),
    [
        ("UPDATE audit_log SET actor = 'nobody' WHERE id = 3", 3, "content"),
        ("UPDATE audit_log SET after = NULL WHERE id = 1", 1, "content"),
        ("UPDATE audit_log SET at = '2020-01-01 00:00:00.000000' WHERE id = 5", 5, "content"),
        ("DELETE FROM audit_log WHERE id = 3", 3, "missing"),
        ("DELETE FROM audit_log WHERE id = 1", 1, "missing"),
        ("DELETE FROM audit_log WHERE id >= 4", 4, "missing"),
        ("DELETE FROM audit_log", 1, "missing"),
        ("UPDATE audit_log SET previous = hash WHERE id = 2", 2, "follow"),
        ("UPDATE audit_log SET expired = 2 WHERE id = 4", 4, "content"),
    ],
)
async def test_who_takes_the_triggers_off_leaves_a_trace(store: Store, statement: str, broken: int, why: str) -> None:
    await noted(store)
    await does(store, statement, force=True)
    found = await store.audit_log.verify()
    assert found.broken == broken and why in found.why


async def test_a_log_that_was_written_anew_is_not_the_one_that_was_noted(store: Store, now: Time) -> None:
    await noted(store)
    whole = await store.audit_log.verify()
    await noted(store, 2)
    assert (await store.audit_log.verify(whole.last, whole.hash)).broken is None
    await does(store, "DELETE FROM audit_log", "DELETE FROM audit_head", force=True)
    await does(store, "INSERT INTO audit_head (id, last, hash) VALUES (1, 0, '" + "0" * 64 + "')")
    now.pass_(seconds=1)
    await noted(store)
    assert (await store.audit_log.verify()).broken is None, "by itself it is whole"
    assert (await store.audit_log.verify(whole.last, whole.hash)).broken == whole.last


async def test_who_writes_anew_that_all_expired_is_found_out_by_what_was_noted(store: Store, now: Time) -> None:
    await noted(store)
    before = await store.audit_log.verify()
    await noted(store)
    later = await store.audit_log.verify()
    assert await store.audit_log.expire(now() + timedelta(seconds=1), "retention") == 10, "though nothing is old"
    found = await store.audit_log.verify()
    assert (found.broken, found.expired) == (None, 10)
    assert (await store.audit_log.verify(later.last, later.hash)).broken is None, "what expired ended as was noted"
    assert (await store.audit_log.verify(later.last, "0" * 64)).broken == later.last
    lost = await store.audit_log.verify(before.last, before.hash)
    assert lost.broken == before.last and "expired" in lost.why


async def test_processes_that_write_at_once_keep_one_chain(store: Store, url: str) -> None:
    others = [films_store(url, timeout_s=30.0) for _ in range(3)]
    await asyncio.gather(*(noted(each, 12) for each in [*others, *others]))
    found = await store.audit_log.verify()
    assert (found.broken, found.rows) == (None, 72)
    for each in others:
        await each.close()


async def test_what_is_old_may_go_and_the_rest_still_holds_together(store: Store, now: Time) -> None:
    await noted(store)
    now.pass_(days=10)
    await noted(store, 2)
    assert await store.audit_log.expire(now() - timedelta(days=30), "retention") == 0
    assert await store.audit_log.expire(now() - timedelta(days=1), "retention") == 5
    rows = (await store.audit_log.find(AuditSearch())).rows
    assert [row.id for row in rows] == [8, 7, 6]
    assert rows[0].event.action == "audit.expired" and rows[0].event.actor == "retention"
    assert (await store.audit_log.verify()).broken is None
    with pytest.raises(REFUSED):
        await does(store, "DELETE FROM audit_log WHERE id = 6")
    now.pass_(days=10)
    assert await store.audit_log.expire(now(), "retention") == 3
    assert [row.id for row in (await store.audit_log.find(AuditSearch())).rows] == [9]
    await noted(store, 1)
    assert (await store.audit_log.verify()).broken is None
    await does(store, "DELETE FROM audit_log WHERE id = 9", force=True)
    assert (await store.audit_log.verify()).broken == 1, "where it begins is told by a row that is gone"


async def test_a_change_and_its_row_stand_or_fall_together(store: Store) -> None:
    """Where nothing can be noted nothing is changed, played or published."""
    await does(store, "DROP TABLE audit_head")
    with pytest.raises(StoreUnavailable):
        await store.flow_versions.record_version("library", "v1", "", "rosa")
        await store.flow_versions.publish("library", "v1", "rosa")
    assert await store.flow_versions.live_version("library") is None


async def test_who_published_what_is_told(store: Store) -> None:
    await store.flow_versions.record_version("library", "v1", "", "rosa")
    await store.flow_versions.record_version("library", "v2", "", "rosa")
    await store.flow_versions.publish("library", "v1", "rosa")
    await store.flow_versions.publish("library", "v2", "shell:root")
    await store.flow_versions.roll_back("library", "dan")
    rows = (await store.audit_log.find(AuditSearch(what="flow."))).rows
    assert [(row.event.actor, row.event.action, row.event.before, row.event.after) for row in rows] == [
        ("dan", "flow.rollback", {"version": "v2"}, {"version": "v1"}),
        ("shell:root", "flow.publish", {"version": "v1"}, {"version": "v2"}),
        ("rosa", "flow.publish", None, {"version": "v1"}),
    ]
