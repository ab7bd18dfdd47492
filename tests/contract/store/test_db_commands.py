"""`ivr db`: what calls changed, who waits for a call back, and retention, as an operator reads them."""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ivr.cli import db
from ivr.cli.options import age
from ivr.config import CompanyConfig, Config, StoreConfig, load_config
from ivr.errors import ConfigError
from ivr.ports import Arrival
from ivr.record import Entry, Understood
from ivr.store import Store
from ivr.store.spool import Spool
from ivr.store.spool_folder import Write
from tests.films import edited


async def told(url: str, command: Any, **arguments: object) -> str:
    return await db.run(Config(store=StoreConfig(url=url)), argparse.Namespace(work=command, **arguments))


async def test_audit(url: str, store: Store) -> None:
    await edited(store, lambda order: ("ok", order[::-1]), key="k", call_id="call-1")
    assert '"action": "queue.test"' in await told(url, db.audit, call_id="call-1")
    await store.calls.begin("call-2", "5035550101", "5035550199", datetime.now(UTC), {})
    assert await told(url, db.audit, call_id="call-2") == "call call-2 changed nothing"


async def test_a_call_that_nobody_made_is_not_said_to_have_changed_nothing(url: str, store: Store) -> None:
    with pytest.raises(ConfigError, match="there is no call call-3"):
        await told(url, db.audit, call_id="call-3")


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        (db.audit, {"call_id": "c"}),
        (db.callbacks, {"done": None}),
        (db.purge, {"older_than": timedelta(1), "yes": False}),
    ],
)
async def test_a_database_without_tables_is_told_so(command: Any, arguments: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "new.sqlite3"
    path.touch()
    with pytest.raises(ConfigError, match="is empty: run ivr db upgrade"):
        await told(f"sqlite+aiosqlite:///{path}", command, **arguments)


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        (db.status, {}),
        (db.audit, {"call_id": "c"}),
        (db.callbacks, {"done": None}),
        (db.purge, {"older_than": timedelta(1), "yes": False}),
    ],
)
async def test_a_wrong_path_is_told_and_nothing_is_made_there(
    command: Any, arguments: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "no" / "such.sqlite3"
    try:
        said = await told(f"sqlite+aiosqlite:///{path}", command, **arguments)
    except ConfigError as error:
        said = str(error)
    assert f"{path}: there is no database" in said and "ivr db upgrade" in said
    assert list(tmp_path.iterdir()) == []


async def test_the_beginning_of_an_id_will_do_where_it_names_one_call(url: str, store: Store) -> None:
    for call in ("abc123", "abc456", "ab_789"):
        await store.calls.begin(call, "5035550101", "5035550199", datetime.now(UTC), {})
    await edited(store, lambda order: ("ok", order[::-1]), key="k", call_id="abc123")
    assert '"action": "queue.test"' in await told(url, db.audit, call_id="abc1")
    assert await told(url, db.audit, call_id="ABC4") == "call abc456 changed nothing"
    assert await told(url, db.audit, call_id="ab_") == "call ab_789 changed nothing"
    with pytest.raises(ConfigError, match="several calls begin with abc: abc"):
        await told(url, db.audit, call_id="abc")
    for nobodys in ("x", "", "%"):
        with pytest.raises(ConfigError, match="there is no call"):
            await told(url, db.audit, call_id=nobodys)
    await store.calls.begin("abc", "5035550101", "5035550199", datetime.now(UTC), {})
    assert await told(url, db.audit, call_id="abc") == "call abc changed nothing", "a whole id is that call's"


async def test_callbacks(url: str, store: Store) -> None:
    assert "nobody waits" in await told(url, db.callbacks, done=None)
    wanted = Arrival("member:10001", "c", "discs", 5, "third damaged disc", name="Ada", member="10001")
    place = await store.line.ask_call_back(wanted, "+15035550101")
    await store.callbacks.request(
        "5035550102", name="Bo", caller_id="", skill="general", wanted="at nine", key="k", call_id="c2"
    )
    first, second = (await told(url, db.callbacks, done=None)).split("\n")
    assert re.fullmatch(
        rf"{place.id}:  \+15035550101  Ada \(10001\)  skill discs  since [-0-9]+ [0-9:]+  third damaged disc", first
    )
    assert second == "promised:  5035550102  Bo  skill general  at nine", "the line takes it over when it runs"
    assert await told(url, db.callbacks, done=place.id) == f"{place.id}: done"
    with pytest.raises(ConfigError, match="nobody waits"):
        await told(url, db.callbacks, done=place.id)


async def test_purge_counts_before_it_deletes(url: str, store: Store) -> None:
    old = datetime.now(UTC) - timedelta(days=100)
    await store.calls.begin("call-1", "5035550101", "5035550199", old, {})
    await store.calls.finish("call-1", "resolved", old, {})
    ninety = {"older_than": timedelta(days=90)}
    assert "would delete" in await told(url, db.purge, yes=False, **ninety)
    assert await store.calls.get("call-1") is not None
    deleted = await told(url, db.purge, yes=True, **ninety)
    assert deleted.startswith("deleted") and "1 calls" in deleted
    assert await store.calls.get("call-1") is None
    assert "nothing to delete" in await told(url, db.purge, yes=False, **ninety)


@pytest.mark.parametrize("text", ["90", "d", "-3d", "90h"])
def test_an_age_is_a_number_of_days(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="90d"):
        age(text)


async def test_purge_without_an_age_goes_by_the_configuration(url: str, store: Store) -> None:
    old = datetime.now(UTC) - timedelta(days=100)
    await store.calls.begin("call-1", "5035550101", "5035550199", old, {})
    await store.calls.append_all("call-1", [Entry(Understood("hello"), old)])
    await store.calls.finish("call-1", "resolved", old, {})
    assert "1 call_entries" in await told(url, db.purge, yes=False, older_than=None)
    said = await told(url, db.purge, yes=True, older_than=None)
    assert said.startswith("deleted 1 call_entries, ") and said.endswith("(by [retention])")
    kept = await store.calls.get("call-1")
    assert kept is not None and kept["entries"] == []


async def test_what_waits_for_the_database_is_told_and_nothing_is_made(url: str, tmp_path: Path) -> None:
    config = Config(store=StoreConfig(url=url, spool=str(tmp_path / "spool")), company=CompanyConfig(package=""))
    asked = argparse.Namespace(work=db.status)
    assert "writes" not in await db.run(config, asked)
    assert not (tmp_path / "spool").exists()
    line = Store(url, line="line", spool=tmp_path / "spool")
    assert line.spool_folder is not None
    await Spool(line.spool_folder, "dead", 10_000).keep([Write("update", {"call_id": "call-1", "changes": {}})])
    assert f"1 writes wait for it in {line.spool_folder}" in await db.run(config, asked)
    await line.close()
    another = StoreConfig(url=f"sqlite+aiosqlite:///{tmp_path}/other.sqlite3", spool=str(tmp_path / "spool"))
    other = Config(store=another)
    assert "writes" not in await db.run(other, asked), "what waits for one database is not another's"


def test_where_the_spool_is(tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "config.toml").write_text("")
    beside = load_config(folder / "config.toml").store
    assert beside.spool_folder == folder / "var/ivr.sqlite3.spool"
    elsewhere = load_config(folder / "config.toml", {"store.url": "env:IVR_DATABASE"}).store
    assert elsewhere.spool_folder == folder / "var/spool"
    named = load_config(folder / "config.toml", {"store.spool": "waiting", "store.url": "postgresql://h/x"}).store
    assert named.spool_folder == folder / "waiting"
