"""Verification by PIN: whose it is, what it tells, and that tries are limited across calls, on both databases and in
memory."""

from __future__ import annotations

import asyncio

import pytest

from ivr.actions import ActionRegistry
from ivr.store import Store
from ivr.store.tables import verification_tries
from ivr.store.verification import FOR_ONE_CALLER, FROM_ONE_NUMBER, WINDOW, WITHHELD
from tests.films import films_store

from .conftest import Office, Time
from .test_films import Caller

ADA, PIN, NOBODY = "10001", "2401", "99999"
STRANGER = "2125550199"
count = iter(range(10_000))


@pytest.fixture
def actions(office: Office) -> ActionRegistry:
    return office.actions


async def tried(actions: ActionRegistry, pin: str, member: str = ADA, phone: str = STRANGER) -> str:
    """The outcome of one try, in a call of its own."""
    caller = Caller(actions, f"call-{next(count)}", phone)
    return (await caller.do("member.verify", pin=pin, number=member)).outcome


async def test_the_right_pin_verifies_and_reads_the_member(actions: ActionRegistry) -> None:
    caller = Caller(actions, phone=STRANGER)
    assert (await caller.do("member.identify_by_number", number=ADA)).outcome == "claimed"
    assert "member.first_name" not in caller.facts
    assert not caller.vocabularies
    assert (await caller.do("queue.read")).outcome == "not_verified"
    assert (await caller.do("member.verify", pin=PIN)).outcome == "ok"
    assert caller.facts["caller.identity"] == "verified"
    assert caller.facts["caller.identity_by"] == "PIN"
    assert caller.facts["member.first_name"] == "Ada"
    assert (await caller.do("notes.read")).outcome == "none"


@pytest.mark.parametrize("member", [ADA, NOBODY])
async def test_a_wrong_pin_and_a_number_that_nobody_has_are_one(actions: ActionRegistry, member: str) -> None:
    for _ in range(FOR_ONE_CALLER):
        caller = Caller(actions, f"call-{next(count)}", STRANGER)
        result = await caller.do("member.verify", pin="0000", number=member)
        assert (result.outcome, result.values, result.facts) == ("wrong", {}, {})
    assert await tried(actions, "0000", member) == "locked"


async def test_tries_from_many_numbers_lock_one_member_and_nobody_else(actions: ActionRegistry) -> None:
    for n in range(FOR_ONE_CALLER):
        assert await tried(actions, "0000", phone=f"212555010{n}") == "wrong"
    assert await tried(actions, PIN, phone="2125550110") == "locked"
    assert await tried(actions, PIN, phone="5035550101") == "locked"
    assert await tried(actions, "2405", "10005", "2125550110") == "ok"
    known = Caller(actions, "known", "5035550101")
    assert (await known.do("member.identify_by_caller")).outcome == "found"
    assert (await known.do("queue.next")).outcome == "ok"


async def test_one_number_cannot_try_everybody(actions: ActionRegistry) -> None:
    for n in range(FROM_ONE_NUMBER):
        assert await tried(actions, "0000", f"2000{n}") == "wrong"
    assert await tried(actions, "2405", "10005") == "locked"
    assert await tried(actions, "2405", "10005", f"+1 {STRANGER}") == "locked", "one number, however it is written"
    assert await tried(actions, "2405", "10005", "2125550198") == "ok"


async def test_withheld_numbers_are_limited_together(actions: ActionRegistry) -> None:
    for n in range(WITHHELD):
        assert await tried(actions, "0000", f"3{n:04}", phone="") == "wrong"
    assert await tried(actions, "2405", "10005", phone="") == "locked"


async def test_a_lock_goes_by_itself_and_grows(actions: ActionRegistry, now: Time) -> None:
    for _ in range(FOR_ONE_CALLER):
        await tried(actions, "0000")
    assert await tried(actions, PIN) == "locked"
    now.pass_(minutes=14)
    assert await tried(actions, PIN) == "locked", "and what is refused adds nothing"
    now.pass_(minutes=2)
    assert await tried(actions, "0000") == "wrong"
    now.pass_(minutes=16)
    assert await tried(actions, PIN) == "locked", "twice as long"
    now.pass_(minutes=16)
    assert await tried(actions, PIN) == "ok"


async def test_old_tries_count_no_more(actions: ActionRegistry, now: Time) -> None:
    for _ in range(FOR_ONE_CALLER - 1):
        await tried(actions, "0000")
    now.moment += WINDOW
    assert await tried(actions, "0000") == "wrong"
    assert await tried(actions, PIN) == "ok"


async def test_who_proves_right_is_forgiven_and_nobody_else(actions: ActionRegistry) -> None:
    assert await tried(actions, "0000", phone="2125550101") == "wrong"
    assert await tried(actions, "0000") == "wrong"
    assert await tried(actions, PIN) == "ok"
    assert await tried(actions, "0000") == "wrong"
    assert await tried(actions, "0000", phone="2125550101") == "wrong"
    assert await tried(actions, PIN) == "locked"


async def test_a_caller_with_a_pin_of_their_own_guesses_no_longer_for_it(actions: ActionRegistry) -> None:
    outcomes = []
    for n in range(FROM_ONE_NUMBER + 1):
        outcomes.append(await tried(actions, "0000", f"2000{n}"))
        await tried(actions, PIN)
    assert outcomes[-1] == "locked"


async def test_many_tries_at_once_are_no_more_than_one_after_the_other(actions: ActionRegistry) -> None:
    outcomes = await asyncio.gather(*(tried(actions, "0000", phone=f"21255501{n:02}") for n in range(12)))
    assert sorted(outcomes) == ["locked"] * (12 - FOR_ONE_CALLER) + ["wrong"] * FOR_ONE_CALLER


async def test_nothing_readable_is_kept(store: Store) -> None:
    await store.verification.begin("10001", "5035550101")
    async with store.database.engine.connect() as connection:
        rows = (await connection.execute(verification_tries.select())).all()
    assert len(rows) == 1
    assert "10001" not in str(rows)
    assert "5035550101" not in str(rows)


async def test_pins_are_kept_hashed_and_come_to_a_database_that_is_older(url: str) -> None:
    store = films_store(url)
    async with store.database.engine.connect() as connection:
        kept = (await connection.exec_driver_sql("SELECT hash FROM member_pins ORDER BY member_id")).scalars().all()
    assert len(kept) == len(set(kept)) == 8
    assert all(hash_.startswith("scrypt$") and "2401" not in hash_.split("$")[0] for hash_ in kept)
    await store.close()
