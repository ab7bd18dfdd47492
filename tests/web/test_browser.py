"""The console in a real Chromium: what agents, ops and flow designers see and do there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from ivr.limits.throttle import FREE_GUESSES
from tests.web.browser import Window, window
from tests.web.console import Console, console, stopped
from tests.web.fakes import serving
from tests.web.people import EVERYTHING, PASSWORD

pytestmark = pytest.mark.asyncio(loop_scope="module")
STARTED_MS = 30_000  # the simulator's process, on a busy machine


@pytest_asyncio.fixture(loop_scope="module")
async def served(tmp_path: Path) -> AsyncIterator[Console]:
    async with console(tmp_path) as running:
        yield running


async def test_live_calls_move_as_they_talk(served: Console, shown: Window) -> None:
    page = shown.page
    await page.goto(served.base)
    await expect(page.locator("#nobody")).to_be_visible()
    caller, other = served.call("5035550142"), served.call("5035550177")
    rows = page.locator("#live tbody tr")
    await expect(rows).to_have_count(2)
    mine = page.locator(f'tr[data-call="{caller.call_id}"]')
    await expect(mine).to_contain_text("••••••••42")
    await expect(mine).to_contain_text("main.ask")
    await expect(mine).to_contain_text(served.serving.live.version)

    await mine.locator("a").click()
    await expect(page.locator(".story .prompt").last).to_contain_text("What can I do for you?")
    caller.say("what's in my queue")
    await expect(page.locator(".story .heard")).to_contain_text("what's in my queue")
    await expect(page.locator(".story .prompt").last).to_contain_text("Casablanca")

    await page.goto(served.base)
    await other.hang_up()
    await expect(rows).to_have_count(1)
    await caller.hang_up()
    await expect(page.locator("#nobody")).to_be_visible()


async def test_times_are_those_of_the_line_wherever_one_looks_from(browser: Browser) -> None:
    async with serving() as (base, _), window(browser, zone="Asia/Tokyo") as opened:
        await opened.page.goto(f"{base}/calls?q=")
        await expect(opened.page.locator("time").first).to_contain_text("03:04:05")


async def test_a_flow_is_a_picture_with_the_live_calls_on_it(served: Console, shown: Window) -> None:
    page = shown.page
    served.call()
    await page.goto(f"{served.base}/flows")
    await page.get_by_role("link", name="main").first.click()
    await expect(page.locator("h1")).to_contain_text(served.serving.live.versions["main"])
    states = served.serving.live.flows["main"].states
    await expect(page.locator("svg [id^=state-main-]")).to_have_count(len(states))
    await expect(page.locator("#state-main-ask")).to_have_class("state card question live-here")
    await expect(page.locator("#on-it")).to_have_text("1 live call here")
    frame = page.locator("#state-main-ask > .frame").first
    assert await frame.evaluate("e => getComputedStyle(e).strokeWidth") == "3px", "the picture's style is allowed"


async def test_a_designer_talks_to_the_flow(standing: Console, shown: Window) -> None:
    page = shown.page
    await page.goto(f"{standing.base}/flows/main")
    await page.get_by_role("button", name="Call", exact=True).click()
    talk = page.locator("#talk")
    await expect(talk.locator(".prompt").last).to_contain_text("What can I do for you?", timeout=STARTED_MS)
    before = await page.locator("[data-record='queue'] li").all_text_contents()
    assert "Casablanca" in before and before[0] != "Casablanca"
    await _say(page, "move Casablanca to the top")
    await expect(talk.locator(".prompt").last).to_contain_text("Casablanca is at the top")
    after = await page.locator("[data-record='queue'] li").all_text_contents()
    assert after == ["Casablanca", *(title for title in before if title != "Casablanca")]
    await expect(page.locator("#state-main-ask")).to_have_class("state card question current")
    await expect(page.locator("#state")).to_have_text("main.ask")

    await page.get_by_role("button", name="Silence").click()
    await expect(talk.locator(".caller").last).to_contain_text("silence")
    await _say(page, "goodbye")
    await expect(talk.locator(".end")).to_be_visible()
    await _say(page, "hello?")
    await expect(talk.locator(".error").last).to_contain_text("the call is over")
    await page.get_by_role("button", name="Call again").click()
    await page.get_by_role("button", name="0", exact=True).click()
    await expect(talk.locator(".handoff")).to_contain_text("connected")


async def _say(page: Page, text: str) -> None:
    await page.get_by_label("Say").fill(text)
    await page.keyboard.press("Enter")


async def test_broken_parts_bring_a_human_in_the_simulator(standing: Console, shown: Window) -> None:
    page = shown.page
    await page.goto(f"{standing.base}/flows/main")
    await page.get_by_role("button", name="Call", exact=True).click()
    await expect(page.locator("#talk .prompt").last).to_contain_text("What can I do for you?", timeout=STARTED_MS)
    await page.get_by_label("recogniser").check()
    await expect(page.locator("#talk .handoff")).to_contain_text("connected")


async def test_a_rejected_edit_is_a_banner_everywhere_until_it_is_mended(served: Console, shown: Window) -> None:
    page = shown.page
    await page.goto(served.base)
    banner = page.locator("#banner")
    await expect(banner).to_be_hidden()
    good = served.serving.live.version
    served.edit("main.yaml", "goto:", "gotoo:")
    await expect(banner).to_contain_text(f"Version {good} keeps serving")
    await banner.get_by_role("link").click()
    findings = page.locator("#findings .finding")
    rejected = served.serving.rejected
    assert rejected is not None
    await expect(findings).to_have_count(len(rejected.findings))
    await expect(page.locator("#findings")).to_contain_text("did you mean goto?")
    served.edit("main.yaml", "gotoo:", "goto:")
    await expect(banner).to_be_hidden()
    await expect(findings).to_have_count(0)


async def test_going_back_to_an_earlier_version(served: Console, shown: Window) -> None:
    page = shown.page
    first = served.serving.live.version
    await page.goto(f"{served.base}/flows")
    served.edit("main.yaml", "What can I do for you?", "What would you like?")
    rows = page.locator("table tbody tr")
    await expect(rows).to_have_count(2)
    await expect(rows.first).to_contain_text("main")
    await page.get_by_role("button", name=f"Go back to this: {first}").click()
    await expect(rows.first).to_contain_text("rollback")
    await expect(page.locator("h1")).to_contain_text(first)
    assert served.serving.live.version == first


async def test_name_and_password_are_asked_for_once(tmp_path: Path, browser: Browser) -> None:
    async with console(tmp_path, token="hunter2", people=EVERYTHING) as served, window(browser) as opened:
        page = opened.page
        await page.goto(f"{served.base}/flows/main")
        assert "/login" in page.url
        await _log_in(page, "rosa", "wrong")
        await expect(page.get_by_role("alert")).to_contain_text("not the password")
        await _log_in(page, "rosa", PASSWORD)
        await expect(page.locator("h1")).to_contain_text("main")
        for cookie in await page.context.cookies():
            assert cookie.get("httpOnly") and cookie.get("sameSite") == "Lax"
            assert PASSWORD not in str(cookie.get("value"))
        await page.get_by_role("button", name="Call", exact=True).click()
        await expect(page.locator("#talk .prompt").last).to_contain_text("What can I do for you?", timeout=STARTED_MS)
        await page.get_by_role("button", name="Log out").click()
        assert "/login" in page.url
        await page.goto(f"{served.base}/calls")
        assert "/login" in page.url


async def test_guessing_a_password_takes_longer_and_longer(tmp_path: Path, browser: Browser) -> None:
    async with (
        console(tmp_path, token="hunter2", people=EVERYTHING, clock=stopped) as served,
        window(browser) as opened,
    ):
        page = opened.page
        await page.goto(f"{served.base}/login")
        for number in range(FREE_GUESSES + 2):
            await _log_in(page, "rosa", f"guess {number}")
        await expect(page.get_by_role("alert")).to_contain_text("Too many attempts")


async def _log_in(page: Page, name: str, password: str) -> None:
    await page.get_by_label("Name").fill(name)
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Log in").click()


async def test_an_agent_reads_the_whole_story(standing: Console, shown: Window) -> None:
    page = shown.page
    await page.goto(f"{standing.base}/handoff/right")
    await expect(page.locator("h1")).to_have_text("Rosa Diaz")
    await expect(page.locator(".reason")).to_contain_text("cancellation risk")
    await expect(page.locator(".story .heard")).to_contain_text("<b>cancelling</b>")
    await expect(page.locator(".tag.urgent")).to_have_text("priority 9")


@pytest.mark.parametrize("path", ["/calls", "/flows", "/flows/main", "/handoff/right", "/nowhere"])
async def test_a_phone_shows_it_without_scrolling_sideways(standing: Console, browser: Browser, path: str) -> None:
    caller = standing.call()
    async with window(browser, 360, 740) as opened:
        await opened.page.goto(standing.base + path)
        await expect(opened.page.locator("h1")).to_be_visible()
        assert await opened.page.evaluate("document.documentElement.scrollWidth") <= 360
    await caller.hang_up()


@pytest.mark.parametrize("path", ["/calls", "/flows", "/flows/main"])
async def test_the_keyboard_reaches_everything_and_shows_where_it_is(
    standing: Console, shown: Window, path: str
) -> None:
    page = shown.page
    await page.goto(standing.base + path)
    await page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to content")
    await expect(skip).to_be_focused()
    await expect(skip).to_be_in_viewport()
    await page.keyboard.press("Enter")
    await expect(page.locator("#main")).to_be_focused()
    reachable = "#main :is(a[href], button, input, select, [tabindex='0']):enabled, #main :is(a[href], [tabindex='0'])"
    wanted = await page.locator(reachable).filter(visible=True).count()
    reached = set()
    for _ in range(wanted):
        await page.keyboard.press("Tab")
        seen = await page.evaluate(
            """() => { const here = document.activeElement, style = getComputedStyle(here);
                return [[...document.querySelectorAll("*")].indexOf(here), style.outlineStyle, style.outlineWidth]; }"""
        )
        assert seen[1:] == ["solid", "2px"], "one sees where the focus is"
        reached.add(seen[0])
    assert len(reached) == wanted
