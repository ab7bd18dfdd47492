from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from ivr.actions.titles import terms
from ivr.events import ActionResult, Term
from ivr.store import Store
from tests.flows.line import Line

Begin = Callable[..., Awaitable[Line]]


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
async def begin(seeded: tuple[Path, tuple[Term, ...]], tmp_path: Path) -> AsyncIterator[Begin]:
    """Begins a call of the script given, on a scratch copy of the demonstration database."""
    opened: list[Store] = []

    async def call(script: Mapping[str, Any], at: datetime, answers: Mapping[str, str] | None = None) -> Line:
        file = tmp_path / f"{len(opened)}.sqlite3"
        shutil.copy(seeded[0], file)
        opened.append(Store(_url(file), timeout_s=30.0))
        line = Line(opened[-1], seeded[1], script, at)
        line.answers = {name: ActionResult(outcome) for name, outcome in (answers or {}).items()}
        await line.call()
        return line

    yield call
    for store in opened:
        await store.close()
