"""An agent at a real Chromium, whose one leg serves the callers of two media processes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from ivr.demo.line import AgentPhone, LineSetup, RunningLine
from ivr.softphone.phone import Softphone
from tests.web.browser import window
from tests.wire.desk.agent_page import at_desk, page_hears, phone_hears, speaking
from tests.wire.desk.test_browser_agent import asking, taken
from tests.wire.line.test_media_processes import invited
from tests.wire.line.watching import logged, mark

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def line(cleo: Softphone, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningLine]:
    setup = LineSetup(
        Path(tmp_path_factory.mktemp("desk")), agents=[AgentPhone(cleo.uri, name="cleo")], media_processes=2
    )
    async with RunningLine.running(setup) as running:
        yield running


async def test_one_caller_after_the_other_is_heard_wherever_they_are(line: RunningLine, page: Page) -> None:
    await at_desk(page, line.http)
    since = mark(line)
    async with asking(line, "5035550101") as (first, _), speaking(first, "caller"):
        await taken(page)
        await phone_hears(first, "ada")
        await page_hears(page, "caller")
        async with asking(line, "5035550102") as (second, behind), speaking(second, "other"):
            await logged(line, "line.entered", call_id=behind)
            await page.get_by_role("button", name="Hang up").press("Enter")
            assert (await first.wait_ended(10)).by == "remote"
            await page.keyboard.press("a")
            await taken(page)
            await phone_hears(second, "ada")
            await page_hears(page, "other")
            moved = await logged(line, "media.moved", since=since)
            assert moved["leg"] in [call["call_id"] for call in await line.calls()], "a caller's: the browser's stays"
            assert not any(invited(phone) for phone in (first, second)), "nobody need be told"
            await page.get_by_role("button", name="Hang up").press("Enter")
            assert (await second.wait_ended(10)).by == "remote"
    assert b"media.lost" not in line.log.read_bytes()[since:]


async def test_a_supervisor_of_another_process_joins_and_leaves(line: RunningLine, page: Page, sue: Browser) -> None:
    await at_desk(page, line.http)
    async with (
        asking(line, "5035550105") as (phone, _),
        speaking(phone, "caller"),
        window(sue, 1440, 900, permissions=("microphone",)) as opened,
    ):
        await taken(page)
        await phone_hears(phone, "ada")
        board = opened.page
        await board.goto(f"{line.http}/board")
        talk = board.get_by_role("group", name="Conversation of")
        await talk.get_by_role("button", name="Listen").click()
        await page_hears(board, "caller", "ada", sound="#listening")
        await page_hears(page, "caller")
        await talk.get_by_role("button", name="Barge in").click()
        await phone_hears(phone, "ada", "sue")
        await talk.get_by_role("button", name="Leave").click()
        await phone_hears(phone, "ada")
        await page_hears(page, "caller")
        await page.get_by_role("button", name="Hang up").press("Enter")
        assert (await phone.wait_ended(10)).by == "remote"
        await expect(page.locator(".phone-state")).to_have_text("Phone ready")
        assert not opened.complaints
