"""Every test here that takes ``url`` or ``store`` runs on SQLite and on PostgreSQL, ``office`` also in memory."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ivr.actions import ActionRegistry
from ivr.actions.waiting import WaitingActions
from ivr.company import Times
from ivr.ports import Callbacks
from ivr.reference import COMPANY
from ivr.reference.company import OpenFilms
from ivr.store import Store
from ivr.store.memory import MemoryCallbacks, MemoryLedger
from tests.films import ZONE, films_on, films_store
from tests.postgres import postgres_server, postgres_template, postgres_url, seeded_postgres_url

__all__ = ["postgres_server", "postgres_template", "postgres_url", "seeded_postgres_url"]

BOTH = [pytest.param("sqlite"), pytest.param("postgres", marks=pytest.mark.postgres)]


class Time:
    """A clock that tests turn."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def pass_(self, **delta: float) -> datetime:
        self.moment += timedelta(**delta)
        return self.moment


@pytest.fixture
def now() -> Time:
    return Time()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("template") / "ivr.sqlite3"

    async def make() -> None:
        store = films_store(f"sqlite+aiosqlite:///{file}", timeout_s=30.0)
        await store.upgrade()
        await films_on(store).seed()
        await store.close()

    asyncio.run(make())
    return file


@pytest.fixture(params=BOTH)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without tables."""
    if request.param == "postgres":
        url: str = request.getfixturevalue("postgres_url")
        return url
    return f"sqlite+aiosqlite:///{tmp_path}/empty.sqlite3"


@pytest.fixture(params=BOTH)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A migrated and seeded database."""
    return _seeded(request, tmp_path)


def _seeded(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgres":
        found: str = request.getfixturevalue("seeded_postgres_url")
        return found
    template: Path = request.getfixturevalue("sqlite_template")
    shutil.copy(template, tmp_path / "ivr.sqlite3")
    return f"sqlite+aiosqlite:///{tmp_path}/ivr.sqlite3"


@pytest.fixture
async def store(url: str, now: Time) -> AsyncIterator[Store]:
    opened = films_store(url, timeout_s=10.0, now=now)
    yield opened
    await opened.close()


@dataclass(frozen=True, slots=True)
class Office:
    """The films company at work, wherever it keeps its records. ``trail``: what a call changed."""

    films: OpenFilms
    callbacks: Callbacks
    trail: Callable[[str], Awaitable[Sequence[Mapping[str, Any]]]]

    @property
    def actions(self) -> ActionRegistry:
        return ActionRegistry(self.films.actions, WaitingActions(self.callbacks).actions)


@pytest.fixture(params=[*BOTH, pytest.param("memory")])
def office_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A seeded database; "" for none at all."""
    return "" if request.param == "memory" else _seeded(request, tmp_path)


@pytest.fixture
async def office(office_url: str, now: Time) -> AsyncIterator[Office]:
    if not office_url:
        ledger = MemoryLedger()

        async def trail(call_id: str) -> Sequence[Mapping[str, Any]]:
            return [
                {
                    "action": line.stamp.action,
                    "key": line.stamp.key,
                    "member": line.caller_id,
                    "actor": line.stamp.actor,
                    "before": line.before,
                    "after": line.after,
                }
                for line in ledger.trail
                if line.stamp.call_id == call_id
            ]

        yield Office(COMPANY.in_memory(Times(now, ZONE), ledger), MemoryCallbacks(now, ledger), trail)
        return
    store = films_store(office_url, timeout_s=10.0, now=now)
    yield Office(films_on(store), store.callbacks, store.audit.of_call)
    await store.close()
