"""An agent at the console page in a browser: logs in, takes offers, gives goodwill, wraps up, all by keyboard."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

from playwright.async_api import Browser, Locator, Page

THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
WIDTHS = {1440: 900, 390: 844}  # a desk's screen, a telephone's
PATIENCE_MS = 20_000
ANSWER_MS = 30_000

Pictures = Callable[[Page, str], Awaitable[None]]


async def unseen(page: Page, name: str) -> None:
    """No pictures."""


def pictures(folder: Path) -> Pictures:
    """Whole pages, in both themes, as wide as a desk's screen and as a telephone's: NAME-THEME-WIDTH.png."""
    folder.mkdir(parents=True, exist_ok=True)

    async def take(page: Page, name: str) -> None:
        for width, height in WIDTHS.items():
            await page.set_viewport_size({"width": width, "height": height})
            whole = await page.evaluate("document.documentElement.scrollHeight")  # what sticks to an edge stays there
            await page.set_viewport_size({"width": width, "height": max(height, whole)})
            for theme in THEMES:
                await page.emulate_media(color_scheme=theme)
                await page.screenshot(path=folder / f"{name}-{theme}-{width}.png")
        await page.emulate_media(color_scheme=THEMES[0])
        await page.set_viewport_size({"width": 1440, "height": WIDTHS[1440]})

    return take


@asynccontextmanager
async def logged_in(
    browser: Browser, base: str, name: str, password: str, see: Pictures = unseen
) -> AsyncIterator[Page]:
    """A window of somebody who has an account, at the page where they begin."""
    context = await browser.new_context(
        viewport={"width": 1440, "height": WIDTHS[1440]}, timezone_id="UTC", permissions=["microphone"]
    )
    context.set_default_timeout(PATIENCE_MS)
    page = await context.new_page()
    try:
        await page.goto(f"{base}/login")
        await see(page, "login")
        await page.get_by_label("Name", exact=True).fill(name)
        await page.get_by_label("Password", exact=True).fill(password)
        await page.keyboard.press("Enter")
        await page.locator("header.top").wait_for()
        yield page
    finally:
        await context.close()


class AgentDesk:
    """``page``: the desk's, of an agent who is logged in. Methods raise playwright's TimeoutError."""

    def __init__(self, page: Page, see: Pictures = unseen) -> None:
        self.page = page
        self.see = see

    async def available(self) -> None:
        """The page is a phone that stands, and the next caller comes here."""
        await self._text(".me .state", "Away")
        await self.see(self.page, "desk-away")
        await self.page.keyboard.press("a")
        await self._text(".me .state", "Available")
        await self._text(".phone-state", "Phone ready")
        await self.see(self.page, "desk-available")

    async def offered(self, who: str) -> str:
        """What the offer says before it is answered, once ``who`` is offered."""
        offer = self.page.get_by_role("alertdialog", name=who)
        await offer.wait_for(timeout=ANSWER_MS)
        return await offer.inner_text()

    async def answer(self) -> None:
        """Returns once the two are joined; of a call back, once the caller has picked up."""
        await self.page.keyboard.press("Enter")
        await self.page.locator(".buttons").wait_for(timeout=ANSWER_MS)

    async def waiting(self, who: str) -> Locator:
        """Who waits, as the page lists them in the order of service; once ``who`` is there."""
        places = self.page.locator(".places li")
        await places.filter(has_text=who).first.wait_for()
        return places

    async def story(self) -> str:
        """What the screen pop holds of what the caller told the line."""
        said = self.page.locator(".story")
        await said.first.wait_for()
        return "\n".join(await said.all_inner_texts())

    async def give_first(self) -> str:
        """The goodwill that ``g`` leads to first; what was given, as the page tells it."""
        await self.page.locator("#goodwill button").first.wait_for()
        await self.page.keyboard.press("g")
        await self.page.keyboard.press("Enter")
        given = self.page.locator(".given li span").first
        await given.wait_for()
        return await given.inner_text()

    async def wrapped_up(self, *, away: bool = False) -> None:
        """After the caller has hung up: the first disposition, and the next caller or a pause."""
        await self._text("#talk-title", "After the conversation")
        await self._text(".me .state", "Wrapping up")
        await self.see(self.page, "desk-wrap-up")
        await self.page.keyboard.press("w")
        await self.page.keyboard.press("Space")
        await self.page.keyboard.press("Tab")
        if away:
            await self.page.keyboard.press("Tab")
        await self.page.keyboard.press("Enter")
        await self.page.locator("#wrap").wait_for(state="detached")

    async def _text(self, selector: str, text: str) -> None:
        await self.page.locator(selector).filter(has_text=text).first.wait_for()
