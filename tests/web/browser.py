"""A real Chromium for the console's tests. It is the machine's own; nothing is downloaded."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from playwright.async_api import Browser, Page, async_playwright

REMEDY = "browser tests need Chromium: sudo apt-get install chromium (Debian), or put chromium on the PATH"
NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class Window:
    """One page, and everything its scripts complained about."""

    page: Page
    complaints: list[str] = field(default_factory=list)


@asynccontextmanager
async def chromium(*flags: str) -> AsyncIterator[Browser]:
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.fail(REMEDY)
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=program, headless=True, args=[*FLAGS, *flags])
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def window(browser: Browser, width: int = 1300, height: int = 850, zone: str = "UTC") -> AsyncIterator[Window]:
    context = await browser.new_context(viewport={"width": width, "height": height}, timezone_id=zone)
    context.set_default_timeout(15_000)
    opened = Window(await context.new_page())
    opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
    opened.page.on(
        "console", lambda message: opened.complaints.append(message.text) if message.type == "error" else None
    )
    try:
        yield opened
    finally:
        await context.close()
