"""What is kept of calls in progress, and claimed once their process is dead, on both databases."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Executable, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from structlog.testing import capture_logs

from ivr.clock import SystemClock
from ivr.ports import Arrival, Orphan
from ivr.record import Entry, Keyed
from ivr.sealing import Confidential, Keys
from ivr.store import Store
from ivr.store.live_dialogs import LATE_ENTRIES
from ivr.store.tables import line_processes, live_dialogs

from .conftest import Time

DEAD, HEIR, OTHER = "dead", "heir", "other"


@pytest.fixture
async def stores(url: str, now: Time, tmp_path: Path) -> AsyncIterator[dict[str, Store]]:
    """Three lines of one database, as on three machines."""
    made = {
        name: Store(url, timeout_s=10.0, now=now, node=f"node-{name}", line=name, spool=tmp_path / name)
        for name in (DEAD, HEIR, OTHER)
    }
    await made[DEAD].upgrade()
    for store in made.values():
        await store.begin()
    yield made
    for store in made.values():
        await store.close()


async def call(store: Store, now: Time, call_id: str, **snapshot: Any) -> None:
    await store.calls.begin(call_id, "5035550101", "line", now(), {"sip_call_id": f"{call_id}@far"})
    await store.dialogs.keep(call_id, f"{call_id}@far", {"caller": {}, **snapshot})


async def died(store: Store) -> None:
    """Its row is struck out, as after half a minute."""
    gone = delete(line_processes).where(line_processes.c.id == DEAD)
    await store.database.write(lambda connection: connection.execute(gone))


async def executed(statement: Executable, connection: AsyncConnection) -> None:
    await connection.execute(statement)


async def claimed(store: Store, room: int = 100) -> Sequence[Orphan]:
    found: list[Orphan] = []
    for _ in range(10):  # of so many looks one is for lines that somebody else has struck out
        found += await store.dialogs.claim(room)
    return found


async def test_a_dead_lines_call_is_one_heirs(stores: dict[str, Store], now: Time) -> None:
    dead, heir = stores[DEAD], stores[HEIR]
    await call(dead, now, "one", dialogue={"state": "main.ask"})
    await dead.calls.append_all("one", [Entry(Keyed("1"), now()), Entry(Keyed("2"), now())], 0)
    assert not await claimed(heir), "it lives"
    await died(dead)
    both = await asyncio.gather(claimed(heir), claimed(stores[OTHER]))
    (orphan,) = [*both[0], *both[1]]
    assert (orphan.call_id, orphan.line, orphan.node) == ("one", DEAD, "node-dead")
    assert orphan.snapshot == {"caller": {}, "dialogue": {"state": "main.ask"}}
    assert orphan.entries == 2 + LATE_ENTRIES and orphan.started_at == now()
    assert await dead.dialogs.lost() == {"one"} and not await heir.dialogs.lost()
    assert not await claimed(heir) and not await claimed(stores[OTHER])


SECRET = {"inline": "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"}
KEYS = [base64.b64encode(bytes([number] * 32)).decode() for number in (1, 2)]


@asynccontextmanager
async def sealing(url: str, now: Time, folder: Path, line: str, *keys: str) -> AsyncIterator[Store]:
    made = Store(
        url,
        timeout_s=10.0,
        now=now,
        node=f"node-{line}",
        line=line,
        spool=folder / line,
        keys=Keys.of(keys, "takeover"),
    )
    await made.upgrade()
    await made.begin()
    try:
        yield made
    finally:
        await made.close()


async def left_by(dead: Store, now: Time) -> None:
    """A call, one leg of which has keys, and another's row beside it."""
    media = Confidential(SECRET)
    for call_id in ("one", "two"):
        await call(dead, now, call_id, agent={"leg": {"media": media}}, list=[media])


async def rows(store: Store) -> dict[str, Any]:
    found = await store.database.read(lambda connection: connection.execute(select(live_dialogs)))
    return {row.call_id: row.snapshot for row in found}


@pytest.mark.parametrize("heirs", [KEYS[:1], KEYS[::-1]], ids=["the same key", "a newer one beside it"])
async def test_media_keys_are_kept_sealed_for_who_has_the_key(
    url: str, now: Time, tmp_path: Path, heirs: list[str]
) -> None:
    async with (
        sealing(url, now, tmp_path, DEAD, KEYS[0]) as dead,
        sealing(url, now, tmp_path, HEIR, *heirs) as heir,
    ):
        await left_by(dead, now)
        kept = await rows(dead)
        assert SECRET["inline"] not in json.dumps(kept) and KEYS[0] not in json.dumps(kept)
        assert set(kept["one"]["agent"]["leg"]["media"]) == {"key", "data_key", "sealed"}
        await died(dead)
        orphans = await claimed(heir)
        for orphan in orphans:
            assert orphan.snapshot["agent"]["leg"]["media"] == Confidential(SECRET) == orphan.snapshot["list"][0]
            assert SECRET["inline"] not in repr(orphan)
        assert len(orphans) == 2
        await heir.dialogs.keep("one", "one@far", orphans[0].snapshot)
        kept = await rows(heir)
        newest = Keys.of((heirs[0],), "takeover").current
        assert kept["one"]["list"][0]["key"] == newest, "the newest seals"
        await heir.dialogs.forget("one")
        await heir.dialogs.forget("two")
        assert not await rows(heir)


async def test_who_has_another_key_or_none_goes_on_without(url: str, now: Time, tmp_path: Path) -> None:
    for heirs in ([KEYS[1]], []):
        async with (
            sealing(url, now, tmp_path, DEAD, KEYS[0]) as dead,
            sealing(url, now, tmp_path, HEIR, *heirs) as heir,
        ):
            await left_by(dead, now)
            await died(dead)
            with capture_logs() as logs:
                orphans = await claimed(heir)
            assert [orphan.snapshot["list"] for orphan in orphans] == [[None], [None]]
            told = [line for line in logs if line["event"] == "takeover.keys_unreadable"]
            assert {line["call_id"] for line in told} == {"one", "two"} and "[takeover] key" in told[0]["error"]
            for orphan in orphans:
                await heir.dialogs.forget(orphan.call_id)


async def test_without_a_key_no_media_key_is_kept(url: str, now: Time, tmp_path: Path) -> None:
    async with sealing(url, now, tmp_path, DEAD) as dead:
        await left_by(dead, now)
        assert (await rows(dead))["one"] == {"caller": {}, "agent": {"leg": {"media": None}}, "list": [None]}
        await dead.dialogs.forget("one")
        await dead.dialogs.forget("two")


async def test_what_is_sealed_opens_for_its_own_call_only(url: str, now: Time, tmp_path: Path) -> None:
    """Nobody who may write there can have one call go on with the keys of another."""
    async with sealing(url, now, tmp_path, DEAD, KEYS[0]) as dead, sealing(url, now, tmp_path, HEIR, KEYS[0]) as heir:
        await left_by(dead, now)
        other = (await rows(dead))["two"]
        moved = update(live_dialogs).where(live_dialogs.c.call_id == "one").values(snapshot=other)
        await dead.database.write(partial(executed, moved))
        await died(dead)
        found = {orphan.call_id: orphan.snapshot["list"] for orphan in await claimed(heir)}
        assert found == {"one": [None], "two": [Confidential(SECRET)]}
        for call_id in found:
            await heir.dialogs.forget(call_id)


async def test_what_a_line_still_writes_of_a_call_that_is_anothers_changes_nothing(
    stores: dict[str, Store], now: Time
) -> None:
    dead, heir = stores[DEAD], stores[HEIR]
    await call(dead, now, "one")
    await died(dead)
    assert len(await claimed(heir)) == 1
    await dead.dialogs.keep("one", "one@far", {"late": True})
    await dead.dialogs.forget("one")
    await heir.dialogs.keep("one", "one@far", {"mine": True})
    rows = await heir.database.read(lambda connection: connection.execute(select(live_dialogs.c.snapshot)))
    assert [row.snapshot for row in rows] == [{"mine": True}]
    await heir.dialogs.forget("one")
    assert not await dead.dialogs.lost()


async def test_calls_are_shared_by_room_and_none_is_taken_without(stores: dict[str, Store], now: Time) -> None:
    dead, heir, other = stores.values()
    for number in range(12):
        await call(dead, now, f"call-{number:02}")
    for store, room in ((heir, 30), (other, 10)):
        beaten = update(line_processes).where(line_processes.c.id == (HEIR if store is heir else OTHER))
        await store.database.write(partial(executed, beaten.values(room=room)))
    await died(dead)
    assert not await claimed(heir, 0)
    first: Sequence[Orphan] = ()
    while not first:
        first = await heir.dialogs.claim(30)
    assert len(first) == 9, "three in four of them"
    assert len(await claimed(other, 10)) == 1, "one in four of the rest"
    while await claimed(heir, 30):
        pass
    taken = await heir.database.read(lambda connection: connection.execute(select(live_dialogs.c.line)))
    assert [row.line for row in taken].count(HEIR) == 11


async def test_the_place_in_the_line_goes_along(stores: dict[str, Store], now: Time) -> None:
    dead, heir = stores[DEAD], stores[HEIR]
    await call(dead, now, "one")
    place = await dead.line.enter(Arrival("tel:+15035550101", "one", "general", 5))
    await died(dead)
    await claimed(heir)
    (kept,) = (await heir.line.snapshot()).places
    assert (kept.id, kept.line, kept.state, kept.entered_at) == (place.id, HEIR, "waiting", place.entered_at)
    again = await heir.line.enter(Arrival("tel:+15035550101", "one", "general", 5))
    assert (again.id, again.entered_at) == (place.id, place.entered_at)


async def test_a_call_by_its_dialog(stores: dict[str, Store], now: Time) -> None:
    dead, heir = stores[DEAD], stores[HEIR]
    await call(dead, now, "one")
    assert await heir.dialogs.claim_dialog("one@far") is None, "its line lives"
    await died(dead)
    assert await heir.dialogs.claim_dialog("nobody@far") is None
    orphan = await heir.dialogs.claim_dialog("one@far")
    assert orphan is not None and orphan.call_id == "one"
    assert await stores[OTHER].dialogs.claim_dialog("one@far") is None


async def test_who_asks_for_a_dialog_that_is_nobodys_waits_for_no_turn_to_write(stores: dict[str, Store]) -> None:
    """A proxy takes a line that does not answer a BYE in time for dead."""
    begun, over = asyncio.Event(), asyncio.Event()

    async def hold(connection: AsyncConnection) -> None:
        await connection.execute(update(live_dialogs).values(at=live_dialogs.c.at))
        begun.set()
        await over.wait()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(stores[OTHER].database.write(hold))
        await begun.wait()
        assert await stores[HEIR].dialogs.claim_dialog("nobody@far") is None
        over.set()


async def test_what_is_stale_is_nobodys_and_swept(stores: dict[str, Store], now: Time) -> None:
    dead, heir = stores[DEAD], stores[HEIR]
    await call(dead, now, "one")
    await died(dead)
    aged = update(live_dialogs).values(at=now())  # months ago, by the database's clock
    await dead.database.write(lambda connection: connection.execute(aged))
    assert not await claimed(heir)
    assert await heir.dialogs.sweep() == 1


async def test_a_call_that_was_ended_as_lost_is_open_again(stores: dict[str, Store], now: Time) -> None:
    dead, heir = stores[DEAD], stores[HEIR]
    await call(dead, now, "one")
    await died(dead)
    heir_lease = heir.calls._lease
    assert heir_lease is not None
    await heir_lease.begin(())
    assert (await heir.calls.get("one") or {})["outcome"] == "lost"
    await claimed(heir)
    found = await heir.calls.get("one") or {}
    assert found["live"] and found["outcome"] == ""


@pytest.mark.postgres
async def test_a_process_that_is_killed_is_known_to_be_dead_within_a_second(postgres_url: str, tmp_path: Path) -> None:
    """By the advisory lock that is let go of with its connection, once it beats no more."""
    clock = SystemClock()
    dead, heir = (
        Store(postgres_url, now=clock.now, line=name, spool=tmp_path / name, node=name) for name in (DEAD, HEIR)
    )
    await dead.upgrade()
    for store in (dead, heir):
        await store.begin()
    listening = asyncio.create_task(dead.line.follow(clock, lambda kind, place: None))
    try:
        await dead.calls.begin("one", "1", "2", clock.now(), {})
        await dead.dialogs.keep("one", "one@far", {"caller": {}})
        for _ in range(5):
            assert not await heir.dialogs.claim(10)
            await asyncio.sleep(0.2)
        listening.cancel()
        began = asyncio.get_running_loop().time()
        async with asyncio.timeout(20):
            while not await heir.dialogs.claim(10):  # noqa: ASYNC110
                await asyncio.sleep(0.2)  # nobody announces it
        print(f"claimed after {asyncio.get_running_loop().time() - began:.2f} s")
    finally:
        listening.cancel()
        for store in (dead, heir):
            await store.close()


async def test_a_line_that_is_alone_inherits_its_own_calls(url: str, now: Time, tmp_path: Path) -> None:
    before = Store(url, now=now, line=DEAD, spool=tmp_path / "spool", node="alone")
    await before.upgrade()
    await before.begin(heir=True)
    await call(before, now, "one")
    assert before._spool is not None
    assert before._spool._lock_fd is not None
    os.close(before._spool._lock_fd)  # as the kernel does, when the process is killed
    before._spool._lock_fd = None
    again = Store(url, now=now, line=HEIR, spool=tmp_path / "spool", node="alone")
    await again.begin(heir=True)
    (orphan,) = again.inherited
    assert orphan.call_id == "one" and orphan.node == "alone"
    assert (await again.calls.get("one") or {})["live"]
    await again.close()
    await before.database.close()


async def test_a_process_of_this_machine_is_known_to_be_dead_at_once(url: str, now: Time, tmp_path: Path) -> None:
    """By the lock on its spool, whatever its beat says."""
    dead, heir = (Store(url, now=now, line=name, spool=tmp_path / "spool", node=name) for name in (DEAD, HEIR))
    await dead.upgrade()
    for store in (dead, heir):
        await store.begin()
    await call(dead, now, "one")
    assert not await heir.dialogs.claim(10)
    assert dead._spool is not None and dead._spool._lock_fd is not None
    os.close(dead._spool._lock_fd)
    dead._spool._lock_fd = None
    assert [orphan.call_id for orphan in await heir.dialogs.claim(10)] == ["one"]
    await heir.close()
    await dead.database.close()
