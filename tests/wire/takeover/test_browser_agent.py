"""An agent in a real Chromium talks when a line is killed: their page comes back at another, and so does the caller."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from ivr.call.awaited_page import BACK_S
from ivr.demo.line import AgentPhone
from tests.postgres import PostgresServer, postgres_server, postgres_template
from tests.web.browser import window
from tests.wire.desk.agent_page import at_desk, page_hears, speaking_browser
from tests.wire.line.watching import logged
from tests.wire.takeover.house import House, caller, hears, house, tone
from tests.wire.takeover.telephone import Telephone

__all__ = ["postgres_server", "postgres_template"]

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

ROSA = "5035550101"
NOTE = "wants the blue disc replaced, not the red one"
WITHIN_S = 15.0  # on a loaded machine; what it takes is printed


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def cleo() -> AsyncIterator[Telephone]:
    """A colleague with a telephone, who gets a caller where nobody else is there."""
    phone = await Telephone.ready(None, "cleo")
    phone.says = tone("cleo")
    yield phone
    phone.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def both(
    cleo: Telephone, postgres_server: PostgresServer, postgres_template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    agents = [AgentPhone(cleo.uri, name="cleo", skills=("discs", "retention"), ring_timeout_s=20.0)]
    async with house(postgres_server, postgres_template, tmp_path_factory.mktemp("pages"), "pages", agents) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ada(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    async with speaking_browser(tmp_path_factory.mktemp("ada"), "ada") as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def two(both: House, cleo: Telephone) -> AsyncIterator[House]:
    await both.up()
    cleo.switched_on()
    yield both


@pytest_asyncio.fixture(loop_scope="session")
async def page(ada: Browser, two: House) -> AsyncIterator[Page]:
    async with window(ada, 1440, 900, permissions=("microphone",)) as opened:
        yield opened.page


async def taken(page: Page) -> None:
    await expect(page.get_by_role("alertdialog")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator(".buttons")).to_be_visible()


def talk_of(kept: dict[str, Any]) -> dict[str, Any]:
    """How the agent's conversation is, in what is kept of a call; nothing where there is none."""
    return (kept.get("agent") or {}).get("talk") or {}


async def talking(two: House, page: Page, phone: Telephone) -> None:
    await taken(page)
    await hears(phone, "ada")
    await page_hears(page, "caller")
    await two.until_kept(lambda kept: bool(talk_of(kept).get("since")))


async def on_hold(page: Page, phone: Telephone) -> None:
    await page.keyboard.press("h")
    await hears(phone, "music")
    await expect(page.get_by_role("button", name="Hold")).to_have_attribute("aria-pressed", "true")


async def again(two: House, page: Page, phone: Telephone, died: float) -> None:
    at = await hears(phone, "ada", within_s=WITHIN_S)
    await page_hears(page, "caller")
    await expect(page.locator(".talk-card")).to_contain_text("again")
    place = await two.place_of(phone)
    assert (place["state"], place["agent"]) == ("talking", "local")
    print(f"bridged again after {at - died:.1f} s")


async def over(page: Page, phone: Telephone) -> None:
    """The agent ends it, and says how it came out."""
    await page.get_by_role("button", name="Hang up").press("Enter")
    async with asyncio.timeout(15):
        await phone.over.wait()
    assert phone.ended_by == "them"
    await expect(page.locator("#talk-title")).to_contain_text("After the conversation")
    await page.get_by_label("Solved", exact=True).check()
    await page.get_by_role("button", name="Save, be away").press("Enter")
    await expect(page.locator(".me .state")).to_contain_text("Away")


async def test_caller_and_page_at_the_line_that_dies(two: House, page: Page) -> None:
    first, second = two.lines
    two.front.to = [first, second]
    await at_desk(page, two.front.http)
    async with caller(first, ROSA) as phone:
        await talking(two, page, phone)
        began = (await two.place_of(phone))["changed_at"]
        await page.locator("#note").fill(NOTE)
        died = await two.kill(first)
        await again(two, page, phone, died)
        assert await page.locator("#note").input_value() == NOTE
        assert (await two.place_of(phone))["changed_at"] == began, "since when they talk"
        (busy,) = await two.rows("SELECT * FROM agents WHERE name = 'local'")
        assert busy["state"] == "busy"
        assert any(each.at > died for each in phone.reinvited)
        await over(page, phone)
    ends = await logged(second, "call.end")
    assert ends["outcome"] == "handed over"


async def test_who_was_on_hold_is_on_hold_and_comes_back(two: House, page: Page) -> None:
    first, second = two.lines
    two.front.to = [first, second]
    await at_desk(page, two.front.http)
    async with caller(first, ROSA) as phone:
        await talking(two, page, phone)
        await on_hold(page, phone)
        await two.until_kept(lambda kept: bool(talk_of(kept).get("held")))
        await two.kill(first)
        await expect(page.locator(".talk-card")).to_contain_text("You are with")
        await expect(page.get_by_role("button", name="Hold")).to_have_attribute("aria-pressed", "true")
        await hears(phone, "music")
        await page.keyboard.press("h")
        await hears(phone, "ada")
        await page_hears(page, "caller")
        await over(page, phone)


async def test_the_agents_line_dies_and_the_callers_lives(two: House, page: Page) -> None:
    first, second = two.lines
    two.front.to = [second, first]
    await at_desk(page, two.front.http)
    async with caller(first, ROSA) as phone:
        await talking(two, page, phone)
        await on_hold(page, phone)
        died = await two.kill(second)
        await expect(page.locator(".talk-card")).to_contain_text("You are with")
        await expect(page.get_by_role("button", name="Hold")).to_have_attribute("aria-pressed", "true")
        await page.keyboard.press("h")
        await again(two, page, phone, died)
        await over(page, phone)


async def test_the_callers_line_dies_and_the_agents_lives(two: House, page: Page) -> None:
    first, second = two.lines
    two.front.to = [second, first]
    await at_desk(page, two.front.http)
    async with caller(first, ROSA) as phone:
        await talking(two, page, phone)
        died = await two.kill(first)

        async def told() -> None:
            while not any(each.at > died for each in phone.reinvited):  # noqa: ASYNC110
                await asyncio.sleep(0.05)

        async with asyncio.timeout(WITHIN_S):
            await told()
        at = await hears(phone, "ada", within_s=WITHIN_S)
        print(f"bridged again after {at - died:.1f} s")
        await asyncio.sleep(14.0)  # longer than the agent's line waits for an heir
        await hears(phone, "ada")
        await page_hears(page, "caller")
        await over(page, phone)


async def consulted(page: Page) -> None:
    """The agent asks cleo about the caller, who is on hold meanwhile."""
    await page.keyboard.press("t")
    await page.locator("#transfer-to").select_option("agent:cleo")
    await page.get_by_role("button", name="Talk to them first").press("Enter")


async def test_of_three_the_caller_and_their_agent_go_on_and_the_third_is_let_go(
    two: House, page: Page, cleo: Telephone
) -> None:
    first, second = two.lines
    two.front.to = [first, second]
    await at_desk(page, two.front.http)
    async with caller(first, ROSA) as phone:
        await talking(two, page, phone)
        await consulted(page)
        await page.get_by_role("button", name="All three").press("Enter")
        await hears(phone, "ada", "cleo")
        await two.until_kept(lambda kept: "cleo" in talk_of(kept).get("others", ()))
        died = await two.kill(first)
        await again(two, page, phone, died)
        await expect(page.locator(".talk-card")).to_contain_text("cleo is no longer with you")
        assert cleo.over.is_set() and cleo.ended_by == "them", "nobody is left on a phone with nobody"
        await over(page, phone)


async def test_a_colleague_whose_telephone_rings_rings_no_more(two: House, page: Page, cleo: Telephone) -> None:
    first, second = two.lines
    two.front.to = [first, second]
    cleo.answers_after_s = None
    await at_desk(page, two.front.http)
    async with caller(first, ROSA) as phone:
        await talking(two, page, phone)
        await consulted(page)
        await expect(page.locator(".talk-card")).to_contain_text("It rings at")
        await two.until_kept(lambda kept: bool(kept.get("ringing")))
        died = await two.kill(first)
        await again(two, page, phone, died)
        assert (cleo.rung, cleo.cancelled) == (1, 1)
        await over(page, phone)


async def test_a_page_that_does_not_come_back_leaves_the_caller_to_others_before_everybody(
    two: House, page: Page, cleo: Telephone
) -> None:
    first, second = two.lines
    two.front.to = [first, second]
    await at_desk(page, two.front.http)
    async with caller(first, ROSA) as phone:
        await talking(two, page, phone)
        entered = (await two.place_of(phone))["entered_at"]
        two.front.to = []
        died = await two.kill(first)
        await asyncio.sleep(BACK_S / 2)
        assert (await two.place_of(phone))["state"] == "talking", "kept for them"
        at = await hears(phone, "cleo", within_s=BACK_S)
        print(f"with another agent after {at - died:.1f} s")
        place = await two.place_of(phone)
        assert (place["agent"], place["entered_at"]) == ("cleo", entered)
        (broken,) = await two.rows("SELECT * FROM place_events WHERE place = $1 AND kind = 'broken'", place["id"])
        assert broken["agent"] == "local"
        two.front.to = [second]
        await expect(page.locator(".me .state")).to_contain_text("Away", timeout=15_000)
        await expect(page.get_by_role("region", name="Phone")).to_contain_text("could not be joined with you again")
