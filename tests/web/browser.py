"""A real Chromium for the console's tests. It is the machine's own; nothing is downloaded."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from playwright.async_api import Browser, Page

from ivr.demo.chromium import chromium

__all__ = ["PATIENCE_MS", "Window", "chromium", "window"]

PATIENCE_MS = 30_000  # a page on a busy machine


@dataclass
class Window:
    """One page, and everything its scripts complained about."""

    page: Page
    complaints: list[str] = field(default_factory=list)


@asynccontextmanager
async def window(
    browser: Browser,
    width: int = 1300,
    height: int = 850,
    zone: str = "UTC",
    permissions: Sequence[str] = (),
) -> AsyncIterator[Window]:
    context = await browser.new_context(
        viewport={"width": width, "height": height},
        timezone_id=zone,
        permissions=list(permissions) or None,
    )
    context.set_default_timeout(PATIENCE_MS)
    opened = Window(await context.new_page())
    opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
    opened.page.on(
        "console", lambda message: opened.complaints.append(message.text) if message.type == "error" else None
    )
    try:
        yield opened
    finally:
        await context.close()
