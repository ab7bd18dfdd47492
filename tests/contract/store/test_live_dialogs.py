"""What is kept of calls in progress, and claimed once their process is dead, on both databases."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Executable, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.clock import SystemClock
from ivr.ports import Arrival, Orphan
from ivr.record import Entry, Keyed
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
