"""Who registers an account: one line at a time, the next when it dies or gives it up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import pytest
from sqlalchemy import delete

from ivr.ports import RegistrationStatus
from ivr.store import Store
from ivr.store.tables import line_processes

pytestmark = pytest.mark.postgres
ACCOUNT = "sip:ivr@pbx.example"
TRYING = RegistrationStatus("pbx", "trying")
A, B = "sip:ivr@192.0.2.5:5060", "sip:ivr@192.0.2.6:5060"


@pytest.fixture
async def lines(seeded_postgres_url: str) -> AsyncIterator[tuple[Store, Store]]:
    async with AsyncExitStack() as stack:
        made = [Store(seeded_postgres_url, timeout_s=10.0, line=name, node=f"node {name}") for name in ("a", "b")]
        for store in made:
            stack.push_async_callback(store.close)
            await store.begin()
        yield made[0], made[1]


async def test_one_at_a_time_and_the_others_know_how_it_stands(lines: tuple[Store, Store]) -> None:
    a, b = (store.registrations for store in lines)
    assert (await a.hold(ACCOUNT, TRYING, contacts=[A])).mine
    assert not (await b.hold(ACCOUNT, TRYING)).mine
    until = datetime(2026, 3, 2, 12, tzinfo=UTC)
    assert (await a.hold(ACCOUNT, RegistrationStatus("pbx", "registered", "", until), contacts=[A])).mine
    held = await b.hold(ACCOUNT, TRYING)
    assert held.status == RegistrationStatus("pbx", "registered", "", until, "node a")
    assert await b.all() == {ACCOUNT: RegistrationStatus("", "registered", "", until, "node a")}
    assert (await a.hold(ACCOUNT, TRYING)).heirs


async def test_what_is_offered_is_kept_until_another_takes_it_with_what_the_registrar_knows(
    lines: tuple[Store, Store],
) -> None:
    a, b = (store.registrations for store in lines)
    assert (await a.hold(ACCOUNT, TRYING, contacts=[A])).mine
    assert (await a.hold(ACCOUNT, TRYING, offered=True)).mine
    taken = await b.hold(ACCOUNT, TRYING)
    assert taken.mine and taken.contacts == (A,)
    assert not (await a.hold(ACCOUNT, TRYING, contacts=[A], offered=True)).mine, "asked before each REGISTER"
    assert not (await a.hold(ACCOUNT, TRYING)).mine
    await a.release(ACCOUNT)  # of another's, nothing
    assert (await b.hold(ACCOUNT, TRYING, contacts=[B, A])).mine
    await b.release(ACCOUNT)
    again = await a.hold(ACCOUNT, TRYING)
    assert again.mine and again.contacts == (B, A)


async def test_a_line_that_is_gone_leaves_it(lines: tuple[Store, Store]) -> None:
    a, b = (store.registrations for store in lines)
    assert (await b.hold(ACCOUNT, TRYING, contacts=[B])).mine
    await lines[0].database.write(
        lambda connection: connection.execute(delete(line_processes).where(line_processes.c.id == "b"))
    )
    taken = await a.hold(ACCOUNT, TRYING)
    assert taken.mine and taken.contacts == (B,)
    assert not (await b.hold(ACCOUNT, TRYING)).mine, "back from a standstill, it is another's"


async def test_of_many_who_ask_at_once_one_has_it(lines: tuple[Store, Store]) -> None:
    held = await asyncio.gather(*(store.registrations.hold(ACCOUNT, TRYING) for store in lines * 4))
    mine = [each.mine for each in held]
    assert {any(mine[0::2]), any(mine[1::2])} == {True, False}
