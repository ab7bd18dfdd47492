"""Accounts in a real Chromium: the first one, log-in, a one-time password, and the pages on every screen."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from ivr.accounts.first_link import first_link
from tests.web.accessibility import violations
from tests.web.browser import window
from tests.web.console import console
from tests.web.people import EVERYTHING, PASSWORD

pytestmark = pytest.mark.asyncio(loop_scope="module")
PICTURES = os.environ.get("IVR_PICTURES", "")  # a folder, to look at the pages


async def enter(page: Page, base: str, name: str, password: str) -> None:
    await page.goto(f"{base}/login")
    await page.get_by_label("Name", exact=True).fill(name)
    await page.get_by_label("Password", exact=True).fill(password)
    await page.keyboard.press("Enter")


async def test_from_the_first_account_to_an_agents_log_in(tmp_path: Path, browser: Browser) -> None:
    async with (
        console(tmp_path, token="hunter2") as served,
        window(browser) as boss,
        window(browser) as agent,
    ):
        page = boss.page
        await page.goto(f"{served.base}/accounts")
        await expect(page.locator("h1")).to_have_text("Make the first account")
        await page.goto(first_link(served.base, await served.authentication.first_secret()))
        await expect(page).to_have_url(f"{served.base}/login")
        await expect(page.get_by_label("Name", exact=True)).to_be_focused()
        await page.keyboard.type("Rosa")
        await page.get_by_label("Password", exact=True).fill(PASSWORD)
        await page.get_by_label("Password, again").fill(PASSWORD)
        await page.keyboard.press("Enter")
        await expect(page.locator("h1")).to_contain_text("Live calls")
        await page.goto(f"{served.base}/accounts")
        await expect(page.locator("h1")).to_contain_text("Accounts")

        await page.get_by_label("Name, to log in with").fill("sam")
        await page.get_by_label("Name, as others see it").fill("Sam <b>Lee</b>")
        await page.get_by_role("button", name="Add", exact=True).click()
        secret = await page.locator("#secret").inner_text()
        await expect(page.locator('[data-account="sam"] h2')).to_contain_text("Sam <b>Lee</b>")

        theirs = agent.page
        await enter(theirs, served.base, "sam", secret)
        await expect(theirs.get_by_role("heading", name="Choose a password")).to_be_visible()
        await theirs.get_by_label("New password", exact=True).fill("short")
        await theirs.get_by_label("New password, again").fill("short")
        await theirs.keyboard.press("Enter")
        await expect(theirs.get_by_role("alert")).to_contain_text("5 characters")
        await theirs.get_by_label("New password", exact=True).fill("words of my own")
        await theirs.get_by_label("New password, again").fill("words of my own")
        await theirs.keyboard.press("Enter")
        await expect(theirs.get_by_role("link", name="Sam <b>Lee</b>")).to_be_visible()
        await theirs.goto(f"{served.base}/accounts")
        await expect(theirs.locator("main")).to_contain_text("needs the role supervisor")
        await expect(theirs.get_by_role("link", name="Calls")).to_have_count(0)

        await page.reload()
        await page.get_by_role("button", name="Disable sam").click()
        await expect(page.locator('[data-account="sam"]')).to_contain_text("disabled")
        await theirs.goto(f"{served.base}/account")
        assert "/login" in theirs.url
        await enter(theirs, served.base, "sam", "words of my own")
        await expect(theirs.get_by_role("alert")).to_contain_text("disabled")


async def test_who_asked_for_a_room_of_others_begins_in_their_own(tmp_path: Path, browser: Browser) -> None:
    people = {"rosa": ("supervisor",), "otto": ("ops",)}
    async with console(tmp_path, token="hunter2", people=people) as served, window(browser) as opened:  # type: ignore[arg-type]
        page = opened.page
        for wanted, begins in (("/accounts", "Accounts"), ("/desk?x=1", "Live calls")):
            await page.context.clear_cookies()
            await page.goto(f"{served.base}{wanted}")
            await page.get_by_label("Name", exact=True).fill("otto")
            await page.get_by_label("Password", exact=True).fill(PASSWORD)
            await page.keyboard.press("Enter")
            await expect(page.locator("h1")).to_contain_text(begins)
        assert not opened.complaints


async def test_who_only_looks_sees_a_flow_without_its_simulator(tmp_path: Path, browser: Browser) -> None:
    people = {"rosa": ("supervisor",), "otto": ("ops",)}
    async with console(tmp_path, token="hunter2", people=people) as served, window(browser) as opened:  # type: ignore[arg-type]
        await enter(opened.page, served.base, "otto", PASSWORD)
        await expect(opened.page.get_by_role("button", name="Log out")).to_be_visible()
        await opened.page.goto(f"{served.base}/flows/main")
        await expect(opened.page.locator("svg [id^=state-main-]").first).to_be_visible()
        await expect(opened.page.get_by_role("button", name="Call", exact=True)).to_have_count(0)
        served.call()
        await expect(opened.page.locator("#on-it")).to_have_text("1 live call here")
        assert not opened.complaints


@pytest.mark.parametrize("width", [390, 1440])
async def test_the_pages_fit_every_screen(tmp_path: Path, browser: Browser, width: int) -> None:
    people = {**EVERYTHING, "agnes-with-a-rather-long-name": ("agent", "ops"), "sam": ("agent",)}
    async with console(tmp_path, token="hunter2", people=people) as served, window(browser, width) as opened:  # type: ignore[arg-type]
        page = opened.page
        await served.authentication.store.set_disabled("sam", True, "rosa")

        async def looked_at(name: str) -> None:
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
            assert not await violations(page), name
            unnamed = (
                "[...document.querySelectorAll('input:not([type=hidden]):not(.hidden)')].filter(e => !e.labels.length)"
            )
            assert await page.evaluate(f"{unnamed}.length") == 0, name
            if PICTURES:
                await page.screenshot(path=f"{PICTURES}/{name}-{width}.png", full_page=True)

        await enter(page, served.base, "rosa", "wrong words")
        await expect(page.get_by_role("alert")).to_be_visible()
        await looked_at("login")
        await enter(page, served.base, "rosa", PASSWORD)
        await expect(page.get_by_role("button", name="Log out")).to_be_visible()
        await page.goto(f"{served.base}/account")
        await looked_at("account")
        await page.goto(f"{served.base}/accounts")
        await page.get_by_role("button", name="One-time password for agnes-with-a-rather-long-name").click()
        await expect(page.locator("#secret")).to_be_visible()
        await looked_at("accounts")
        broken = "[...document.querySelectorAll('.people label')].filter(e => e.getClientRects().length > 1).length"
        assert await page.evaluate(broken) == 0, "a box stands beside the role that it is for"
        tall = "[...document.querySelectorAll('.people label')].filter(e => e.offsetHeight > 34).length"
        assert await page.evaluate(tall) == 0, "and in one line with it"
        await page.goto(f"{served.base}/tokens")
        await page.get_by_label("Which program shows it").fill("Prometheus")
        await page.get_by_label("metrics:read").check()
        await page.get_by_role("button", name="Make it").click()
        await expect(page.locator("#secret")).to_contain_text("ivr_")
        table, heading = await page.locator(".scroll").bounding_box(), await page.locator("#add").bounding_box()
        assert table and heading and heading["y"] - table["y"] - table["height"] >= 16, "they are two things"
        rows = "new Set([...document.querySelectorAll('.top nav a')].map(e => e.offsetTop)).size"
        assert await page.evaluate(rows) == 1, "the rooms stand in one row, on a telephone too"
        await looked_at("tokens")
        await page.goto(f"{served.base}/audit")
        await expect(page.locator("#audit")).to_contain_text("token.added")
        await looked_at("audit")
        await page.get_by_label("Who, or from where").fill("nobody")
        await page.keyboard.press("Enter")
        await expect(page.locator("main")).to_contain_text("Nothing of that kind")
