"""A real Chromium for the pages' tests: those of a file share one, and each has windows of its own in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.checked_once import checked_once
from tests.web.browser import PATIENCE_MS, Window, chromium, window
from tests.web.console import Console, console

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="package", autouse=True)
def flows_are_checked_once() -> Iterator[None]:
    with checked_once():
        yield


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """For tests in the loop of their file: ``pytest.mark.asyncio(loop_scope="module")``."""
    async with chromium() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def shown(browser: Browser) -> AsyncIterator[Window]:
    async with window(browser) as opened:
        yield opened
        assert not opened.complaints, "scripts failed, or the policy forbade something of ours"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def standing(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Console]:
    """A console for those who only look at it."""
    async with console(tmp_path_factory.mktemp("standing")) as running:
        yield running
