"""Every test here that takes ``url`` or ``store`` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ivr.store import Store
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
        store = Store(f"sqlite+aiosqlite:///{file}", timeout_s=30.0)
        await store.upgrade()
        await store.seed()
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
    if request.param == "postgres":
        found: str = request.getfixturevalue("seeded_postgres_url")
        return found
    template: Path = request.getfixturevalue("sqlite_template")
    shutil.copy(template, tmp_path / "ivr.sqlite3")
    return f"sqlite+aiosqlite:///{tmp_path}/ivr.sqlite3"


@pytest.fixture
async def store(url: str, now: Time) -> AsyncIterator[Store]:
    opened = Store(url, timeout_s=10.0, now=now)
    yield opened
    await opened.close()
