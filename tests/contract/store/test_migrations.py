"""Databases come up from empty, stay up, and are what the models say."""

from __future__ import annotations

import argparse
import asyncio
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from ivr.__main__ import main
from ivr.call_search import CallSearch
from ivr.cli import db
from ivr.config import CompanyConfig, Config, StoreConfig
from ivr.errors import ConfigError, StoreUnavailable
from ivr.ports import AuditEvent, AuditSearch
from ivr.store import Store
from ivr.store.migration import CORE, head
from ivr.store.tables import metadata
from tests.films import films_on, films_store

LATER_THAN_0001 = (
    "ALTER TABLE calls DROP COLUMN node",
    "ALTER TABLE calls DROP COLUMN line",
    "DROP TABLE line_processes",
    "DROP INDEX uq_call_entries_call_id_number",
    "ALTER TABLE call_entries DROP COLUMN number",
    "DROP INDEX uq_resume_points_call_id",
    "ALTER TABLE resume_points DROP COLUMN call_id",
)


async def told(command: Any, url: str, package: str = "ivr.reference") -> str:
    """What ``ivr db …`` says."""
    config = Config(store=StoreConfig(url=url), company=CompanyConfig(package=package))
    return await db.run(config, argparse.Namespace(work=command))


def ours(name: str | None, kind: str, _: object) -> bool:
    """Alembic leaves out its own version table, not a company's."""
    return not (kind == "table" and str(name).startswith("alembic_version"))


async def drift_of(url: str) -> list[object]:
    def drift(connection: Connection) -> list[object]:
        options = {"compare_type": True, "compare_server_default": True, "include_name": ours}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))

    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(drift)
    finally:
        await engine.dispose()


async def test_upgrade_makes_exactly_the_models(empty_url: str) -> None:
    store = films_store(empty_url, timeout_s=15.0)
    await store.upgrade()
    await store.close()
    assert await drift_of(empty_url) == []


async def test_a_database_from_before_the_company_had_a_branch(empty_url: str) -> None:
    """Revision 0001 held the company's tables too, and there was one version table."""
    store = films_store(empty_url, timeout_s=15.0)
    await store.upgrade()
    await films_on(store).seed()
    engine = create_async_engine(empty_url)
    async with engine.begin() as connection:
        await connection.exec_driver_sql("DROP TABLE alembic_version_films")
        await before_calls_were_searched(connection)
        for later in LATER_THAN_0001:
            await connection.exec_driver_sql(later)
        await connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    await engine.dispose()
    assert "run ivr db upgrade" in await told(db.status, empty_url)
    await store.upgrade()
    assert (await store.status()).usable
    assert (await films_on(store).counts())["members"] == 8
    assert await drift_of(empty_url) == []
    await store.close()


async def before_calls_were_searched(connection: AsyncConnection) -> None:
    """What revision 0004 changed is undone."""
    await connection.exec_driver_sql("DROP INDEX ix_calls_listed")
    for column in ("sip_call_id", "reason", "seconds"):
        await connection.exec_driver_sql(f"ALTER TABLE calls DROP COLUMN {column}")
    await connection.exec_driver_sql("CREATE INDEX ix_calls_started_at ON calls (started_at)")


async def test_calls_from_before_they_were_searched_are_found(empty_url: str) -> None:
    store = Store(empty_url)
    await store.upgrade()
    at = datetime(2026, 3, 1, tzinfo=UTC)
    for call_id, told in (("a", {"sip_call_id": "x@host"}), ("b", {})):
        await store.calls.begin(call_id, "5035550101", "5035550199", at, told)
    await store.calls.finish("a", "handed over", at, {"handoff_reason": "cancellation-risk", "seconds": 61.5})
    engine = create_async_engine(empty_url)
    async with engine.begin() as connection:
        await before_calls_were_searched(connection)
        await connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0003'")
    await engine.dispose()
    await store.upgrade()
    found = await store.calls.find(CallSearch(text="X@HOST cancellation"))
    assert [call["call_id"] for call in found.calls] == ["a"]
    assert (found.totals.seconds, found.totals.reasons) == (61.5, {"cancellation-risk": 1})
    assert (await store.calls.find(CallSearch())).totals.live == 1
    await store.close()


async def test_a_company_comes_and_goes(empty_url: str) -> None:
    """Without one there are no tables of films; a database that has them serves without."""
    assert "brings no example data" in await told(db.seed, empty_url, package="")
    assert f"is current ({head((CORE,))})" in await told(db.status, empty_url, package="")
    assert "films none, this release needs" in await told(db.status, empty_url)
    assert "added 420 titles" in await told(db.seed, empty_url)
    assert f"is current ({head((CORE,))})" in await told(db.status, empty_url, package="")


async def test_drift_would_be_seen(empty_url: str) -> None:
    """The comparison above can fail: without a table it says so."""
    store = films_store(empty_url, timeout_s=15.0)
    await store.upgrade()
    await store.close()
    engine = create_async_engine(empty_url)
    async with engine.begin() as connection:
        await connection.exec_driver_sql("DROP TABLE holds")
        await connection.exec_driver_sql("ALTER TABLE notes ADD COLUMN mood TEXT")

    def drift(connection: Connection) -> str:
        return str(list(compare_metadata(MigrationContext.configure(connection), metadata)))

    async with engine.connect() as connection:
        found = await connection.run_sync(drift)
    await engine.dispose()
    assert "add_table" in found
    assert "holds" in found
    assert "remove_column" in found
    assert "mood" in found


async def test_status_and_seed_commands(empty_url: str) -> None:
    assert "run ivr db upgrade" in await told(db.status, empty_url)
    assert f"is at revision {head((CORE,))}, films 0003" in await told(db.upgrade, empty_url)
    first = await told(db.seed, empty_url)
    assert "added 420 titles and 8 members" in first
    assert "added 0 titles and 0 members" in await told(db.seed, empty_url)
    assert "420 titles, 8 members" in await told(db.status, empty_url)


async def test_instances_starting_together_upgrade_once(empty_url: str) -> None:
    stores = [films_store(empty_url, timeout_s=15.0) for _ in range(4)]
    await asyncio.gather(*(store.upgrade() for store in stores))
    assert (await stores[0].status()).usable
    for store in stores:
        await store.close()


async def at(url: str, revision: str, floor: str = "") -> None:
    """A later release has been here; ``floor``: who does not know that revision is kept out."""
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{revision}'")
        await connection.exec_driver_sql("DELETE FROM schema_floors")
        if floor:
            await connection.exec_driver_sql(f"INSERT INTO schema_floors VALUES ('', '{floor}')")
    await engine.dispose()


@pytest.mark.parametrize("floor", ["", "0015"])
async def test_a_database_of_a_later_release_that_only_expanded_serves(empty_url: str, floor: str) -> None:
    store = films_store(empty_url, timeout_s=15.0)
    await store.upgrade()
    await at(empty_url, "9999", floor)
    await store.prepare()
    await store.upgrade()
    now = await store.status()
    assert (now.newer, now.usable, now.pending) == (True, True, 0) and "9999" in now.revision
    assert "9999, films 0003, newer than this release" in await told(db.status, empty_url)
    assert "which runs on it" in await told(db.upgrade, empty_url)
    assert "added 420 titles" in await told(db.seed, empty_url)
    await store.close()


async def test_one_that_contracted_keeps_it_out(empty_url: str) -> None:
    store = films_store(empty_url, timeout_s=15.0)
    await store.upgrade()
    await at(empty_url, "9999", "9998")
    for refused in (store.upgrade, store.prepare):
        with pytest.raises(StoreUnavailable, match="keeps this") as caught:
            await refused()
        assert "newer release" in str(caught.value)
    assert not (await store.status()).usable
    assert "which it keeps out: start the newer release" in await told(db.status, empty_url)
    await store.close()


async def test_a_line_upgrades_its_own_file_and_asks_for_it_on_a_server(empty_url: str) -> None:
    store = films_store(empty_url, timeout_s=15.0)
    if store.database.sqlite:
        await store.prepare()
    else:
        with pytest.raises(StoreUnavailable, match=r"is empty.*run: ivr db upgrade"):
            await store.prepare()
        await store.upgrade()
        await at(empty_url, "0014")
        with pytest.raises(StoreUnavailable, match=r"0014, films 0003, this release needs .*run: ivr db upgrade"):
            await store.prepare()
        await store.upgrade()
        await store.prepare()
    assert (await store.status()).usable
    await store.close()


async def test_whoever_asks_for_versions_of_flows_migrates_no_server(
    empty_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Lines of the release before serve from it, and what a later one takes away they still use."""
    (tmp_path / "config.toml").write_text(f'[store]\nurl = "{empty_url}"\n', "utf-8")
    store = films_store(empty_url, timeout_s=15.0)
    code = await asyncio.to_thread(main, ["flow", "history", "--config", str(tmp_path / "config.toml")])
    said, now = capsys.readouterr(), await store.status()
    if store.database.sqlite:
        assert (code, now.revision != "") == (0, True) and "nothing was published yet" in said.out
    else:
        assert (code, now.revision) == (1, "") and "run: ivr db upgrade" in said.err
    await store.close()


async def test_an_upgrade_says_how_far_it_is(empty_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    await told(db.upgrade, empty_url)
    said = capsys.readouterr().out
    assert f"{len(CORE.steps()) + 3} to run" in said
    assert re.search(r"^0015: Which line registers an account.* \(\d+\.\d s\)$", said, re.M)
    assert said.count("\n") == len(CORE.steps()) + 4
    await told(db.upgrade, empty_url)
    assert capsys.readouterr().out == ""


async def test_a_store_in_memory_needs_no_file() -> None:
    store = films_store("sqlite+aiosqlite://")
    await store.upgrade()
    assert (await films_on(store).seed())["members"] == 8
    assert (await store.status()).usable
    await store.close()


async def test_using_a_database_before_upgrade_is_unavailable_not_a_traceback(empty_url: str) -> None:
    store = films_store(empty_url, timeout_s=15.0)
    with pytest.raises(StoreUnavailable):
        await films_on(store).backend.profile("10001")
    await store.close()


@pytest.mark.parametrize("url", ["mysql://root:hush@db/x", "not a url:hush", "oracle+asyncpg://u:hush@h/x"])
def test_other_databases_are_refused_without_echoing_passwords(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Store(url)
    assert "hush" not in str(caught.value)


def test_names_of_databases_hide_passwords() -> None:
    assert "hush" not in Store("postgresql+asyncpg://ivr:hush@127.0.0.1/ivr").name


async def test_what_the_ledger_told_of_the_staff_is_in_the_audit_log(empty_url: str) -> None:
    """Until 0011 log-ins, played recordings and the desk's settings stood beside what calls changed."""
    store = films_store(empty_url, timeout_s=15.0)
    await store.upgrade()
    engine = create_async_engine(empty_url)
    rows = [
        ("rosa", "account.roles", "account sam", "", '{"roles": []}', '{"roles": ["ops"]}'),
        ("caller", "queue.move", "k", "call-1", None, None),
        ("rosa", "recording.played", "0a1b", "call-2", None, '{"recording": "r"}'),
        ("sue", "desk.hours", "desk.hours 0b0c0d0e-0000-4000-8000-000000000000", "", None, None),
        ("sam", "account.login", "account sam", "", None, '{"source": "203.0.113.9"}'),
    ]
    async with engine.begin() as connection:
        for table in ("audit_log", "audit_head"):
            await connection.exec_driver_sql(f"DROP TABLE {table}")
        for actor, action, key, call_id, before, after in rows:
            told = [f"'{each}'" if each is not None else "NULL" for each in (before, after)]
            await connection.exec_driver_sql(
                "INSERT INTO audit (at, actor, action, member, call_id, key, before, after, undone) VALUES "
                f"('2026-01-02 03:04:05.000006', '{actor}', '{action}', '', '{call_id}', '{key}',"
                f" {told[0]}, {told[1]}, false)"
            )
        await connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0011'")
    await engine.dispose()
    await store.upgrade()
    found = (await store.audit_log.find(AuditSearch())).rows
    assert [(row.event.actor, row.event.action, row.event.target) for row in reversed(found)] == [
        ("rosa", "account.roles", "sam"),
        ("rosa", "recording.played", "call-2"),
        ("sue", "desk.hours", "desk.hours"),
        ("sam", "account.login", "sam"),
    ]
    assert found[3].event.before == {"roles": []} and found[0].source == "203.0.113.9"
    assert (found[0].at.second, found[0].at.microsecond) == (5, 6)
    await store.audit_log.note(AuditEvent("rosa", "recording.played", "call-3"))
    assert (await store.audit_log.verify()).broken is None
    await store.close()
    assert await drift_of(empty_url) == []
