"""Sessions: how long they last, and what is known of them while the database is away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from ivr.accounts.sessions import AWAY_S, FRESH_S, IDLE, LIFE, Sessions
from ivr.errors import StoreUnavailable
from ivr.ports import Account, AccountRecord, Session
from ivr.store import Store


class Time:
    """Both clocks, turned together."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime(2026, 6, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def clock(self) -> float:
        return self.seconds


class Away:
    """The store, that can go away."""

    def __init__(self, store: Store) -> None:
        self._accounts = store.accounts
        self.away, self.asked = False, 0

    def __getattr__(self, name: str) -> object:
        self.asked += 1
        if self.away:
            raise StoreUnavailable("gone")
        return getattr(self._accounts, name)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def store(time: Time) -> AsyncIterator[Away]:
    opened = Store("sqlite+aiosqlite://", now=time.now)
    await opened.upgrade()
    await opened.accounts.add(Account("rosa", frozenset(["supervisor"])), "test", password="$argon2id$")
    yield Away(opened)
    await opened.close()


async def begun(store: Away, time: Time) -> tuple[Sessions, str, Session]:
    sessions = Sessions(store, time.now, time.clock)  # type: ignore[arg-type]  # it passes everything on
    record: AccountRecord | None = await store.find("rosa")  # type: ignore[operator]
    assert record is not None
    return sessions, *await sessions.begin(record, "203.0.113.9", "a browser")


async def test_what_nobody_uses_ends(store: Away, time: Time) -> None:
    sessions, secret, session = await begun(store, time)
    assert session.id != secret and secret not in repr(session)
    time.seconds += IDLE.total_seconds() - 1
    assert await sessions.find(secret) is not None
    time.seconds += 2
    assert await sessions.find(secret) is None


async def test_what_is_used_all_the_time_ends_once(store: Away, time: Time) -> None:
    sessions, secret, _ = await begun(store, time)
    while (found := await sessions.find(secret)) is not None:
        await sessions.touch(found)
        time.seconds += 600
    assert LIFE.total_seconds() <= time.seconds <= LIFE.total_seconds() + 600


async def test_a_session_is_looked_up_at_most_once_a_second(store: Away, time: Time) -> None:
    sessions, secret, _ = await begun(store, time)
    before = store.asked
    for _ in range(50):
        assert await sessions.find(secret) is not None
    assert store.asked == before + 1
    time.seconds += FRESH_S
    await sessions.find(secret)
    assert store.asked == before + 2


async def test_nobody_is_thrown_out_by_a_database_that_is_away_for_a_minute(store: Away, time: Time) -> None:
    sessions, secret, session = await begun(store, time)
    assert await sessions.find(secret) is not None
    store.away = True
    asked = store.asked
    for _ in range(int(AWAY_S) - 1):
        time.seconds += 1
        found = await sessions.find(secret)
        assert found is not None and found.id == session.id
        await sessions.touch(found)
    assert store.asked - asked < AWAY_S, "it is not asked again and again"
    time.seconds += 3
    with pytest.raises(StoreUnavailable):
        await sessions.find(secret)
    with pytest.raises(StoreUnavailable):
        await sessions.find("a stranger's")
    store.away = False
    assert await sessions.find(secret) is not None


async def test_what_ended_elsewhere_is_noticed_and_forgotten_here_at_once(store: Away, time: Time) -> None:
    sessions, secret, _ = await begun(store, time)
    assert await sessions.find(secret) is not None
    await store.end_sessions("rosa", "test")  # type: ignore[operator]
    assert await sessions.find(secret) is not None, "known for a second"
    sessions.forget("rosa")
    assert await sessions.find(secret) is None
