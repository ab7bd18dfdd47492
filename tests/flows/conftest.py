from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ivr.actions.titles import terms
from ivr.events import Term
from ivr.store import Store


def _url(file: Path) -> str:
    return f"sqlite+aiosqlite:///{file}"


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[Term, ...]]:
    """A seeded database to copy, and its catalogue."""
    file = tmp_path_factory.mktemp("flows") / "seeded.sqlite3"

    async def make() -> tuple[Term, ...]:
        store = Store(_url(file), timeout_s=30.0)
        await store.upgrade()
        await store.seed()
        catalogue = terms(await store.membership.titles())
        await store.close()
        return catalogue

    return file, asyncio.run(make())


@pytest.fixture
async def store(seeded: tuple[Path, tuple[Term, ...]], tmp_path: Path) -> AsyncIterator[Store]:
    """A scratch copy of the demonstration database."""
    file = tmp_path / "ivr.sqlite3"
    shutil.copy(seeded[0], file)
    opened = Store(_url(file), timeout_s=30.0)
    yield opened
    await opened.close()
