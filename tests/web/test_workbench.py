"""The workbench in a real browser: files edited, found wrong and mended, tried, looked at in words and published."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.web.accessibility import SERIOUS, violations
from tests.web.browser import PATIENCE_MS, window
from tests.web.console import Console, console
from tests.web.people import PASSWORD, Roles
from tests.web.test_words import lines_changed

pytestmark = pytest.mark.asyncio(loop_scope="module")
PEOPLE: Roles = {"dan": ("designer",), "eva": ("designer",), "rosa": ("supervisor",)}
SAYING = "Hold your deliveries until"
STARTED_MS = 90_000


async def bench(page: Page, served: Console, flow: str = "hold") -> None:
    await page.goto(f"{served.base}/workbench?flow={flow}")
    await expect(page.locator(".bench[data-ready]")).to_be_visible()
    await expect(page.locator("#file-name")).to_have_text(f"{flow}.yaml")


async def logged_in(served: Console, page: Page, name: str) -> None:
    await page.goto(f"{served.base}/login")
    await page.get_by_label("Name").fill(name)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("button", name="Log out")).to_be_visible()


async def replaced(page: Page, old: str, new: str) -> None:
    """As a person does with the editor's search."""
    await page.locator(".cm-content").press("Control+f")
    await page.locator(".cm-search input[name=search]").fill(old)
    await page.locator(".cm-search input[name=replace]").fill(new)
    await page.locator(".cm-search button[name=next]").click()
    await page.locator(".cm-search button[name=replace]").click()
    await page.locator(".cm-search button[name=close]").click()


async def saved(page: Page, old: str, new: str) -> None:
    await replaced(page, old, new)
    await page.keyboard.press("Control+s")
    await expect(page.locator("#saved")).to_have_text(re.compile("^Saved"))


async def looked(page: Page, why: str) -> None:
    await page.get_by_role("button", name="Changes").click()
    await expect(page.locator("#publish .primary")).to_be_enabled(timeout=STARTED_MS)
    await page.get_by_label("Why").fill(why)


async def published(page: Page, why: str) -> None:
    await looked(page, why)
    await page.get_by_role("button", name="Publish for everybody").click()
    await expect(page.locator("#outcome")).to_contain_text("Live as", timeout=STARTED_MS)


@asynccontextmanager
async def two_designers(folder: Path, browser: Browser) -> AsyncIterator[tuple[Console, Page, Page]]:
    """Dan and Eva, each at the workbench."""
    async with (
        console(folder, token="hunter2", people=PEOPLE) as served,
        window(browser, 1440, 900) as dans,
        window(browser, 1440, 900) as evas,
    ):
        for at, name in ((dans, "dan"), (evas, "eva")):
            await logged_in(served, at.page, name)
            await bench(at.page, served)
        yield served, dans.page, evas.page


async def test_from_an_edit_to_callers(tmp_path: Path, browser: Browser) -> None:
    async with window(browser, 1440, 900) as at, console(tmp_path) as served:
        page, before = at.page, served.serving.live.version
        await bench(page, served)
        await expect(page.locator("#count")).to_contain_text("0 errors")
        await replaced(page, "goto: hold", "goto: hodl")
        wrong = page.locator("#findings li[data-severity=error]").first
        await expect(wrong).to_contain_text("hodl")
        await expect(page.locator(".cm-lintRange-error").first).to_be_visible()
        await expect(page.locator(".card.error")).to_have_count(1)
        await wrong.get_by_role("button").click()
        await expect(page.locator(".cm-activeLine")).to_contain_text("goto: hodl")
        await replaced(page, "goto: hodl", "goto: hold")
        await expect(page.locator("#count")).to_contain_text("0 errors")
        await replaced(page, SAYING, "Shall I hold your deliveries until")
        await page.keyboard.press("Control+s")
        await expect(page.locator("#saved")).to_have_text("Saved in your draft")
        assert served.serving.live.version == before and lines_changed(served.folder, "hold.yaml") == ([], [])
        await page.get_by_role("button", name="Changes").click()
        await expect(page.locator("#diff")).to_contain_text("asks before acting: other words")
        await page.get_by_role("button", name="Publish for everybody").click()
        await expect(page.locator("#outcome")).to_contain_text("Say why")
        await page.get_by_label("Why").fill("it is a question")
        await page.get_by_role("button", name="Publish for everybody").click()
        await expect(page.locator("#outcome")).to_contain_text("Live as", timeout=STARTED_MS)
        assert served.serving.live.version != before
        gone, came = lines_changed(served.folder, "hold.yaml")
        assert [line.replace(SAYING, "Shall I hold your deliveries until") for line in gone] == came and len(came) == 1
        (newest,) = await served.workshop.history(1)
        assert newest["why"] == "it is a question"
        assert not at.complaints


async def test_a_state_of_the_picture_is_a_line_of_the_file_and_the_simulator_follows(
    tmp_path: Path, browser: Browser
) -> None:
    async with window(browser, 1440, 900) as at, console(tmp_path) as served:
        page = at.page
        await bench(page, served)
        await page.locator("#state-hold-held").click()
        await expect(page.locator(".cm-activeLine")).to_contain_text("held:")
        await replaced(page, "Nothing is sent before", "Nothing comes before")
        await page.keyboard.press("Control+s")
        await expect(page.locator("#saved")).to_have_text("Saved in your draft")
        await page.get_by_role("button", name="Simulator").click()
        await page.get_by_role("button", name="Call", exact=True).click()
        await expect(page.locator("#talk .prompt").last).to_contain_text("What can I do for you?", timeout=STARTED_MS)
        assert not at.complaints


async def test_two_designers_overwrite_nothing(tmp_path: Path, browser: Browser) -> None:
    async with two_designers(tmp_path, browser) as (served, dan, eva):
        await replaced(dan, "about: Hold the member's", "about: Stop the member's")
        await replaced(eva, SAYING, "Stop your deliveries until")
        for page in (dan, eva):
            await page.keyboard.press("Control+s")
            await expect(page.locator("#saved")).to_have_text(
                re.compile("^Saved")
            )  # with the other's, if that was first
            await published(page, "words")
        _, came = lines_changed(served.folder, "hold.yaml")
        assert len(came) == 2 and "about: Stop" in came[0] and "Stop your deliveries" in came[1]


async def test_the_same_lines_of_two_designers_are_settled_by_one(tmp_path: Path, browser: Browser) -> None:
    async with two_designers(tmp_path, browser) as (served, dan, eva):
        await saved(dan, "about: Hold the member's", "about: Keep the member's")
        await saved(dan, SAYING, "Pause your deliveries until")
        await saved(eva, SAYING, "Stop your deliveries until")
        await published(eva, "stop is the word")

        await dan.reload()
        await expect(dan.locator(".bench[data-ready]")).to_be_visible()
        clash = dan.get_by_role("region", name="Changed by two")
        await expect(clash).to_be_visible()
        await expect(clash.locator("pre").nth(0)).to_contain_text("Pause your deliveries until")
        await expect(clash.locator("pre").nth(1)).to_contain_text("Stop your deliveries until")
        await expect(dan.locator(".cm-content")).to_contain_text("Pause your deliveries until")
        await expect(dan.locator("#files .tag")).to_have_text("clash")
        await looked(dan, "mine")
        await dan.get_by_role("button", name="Publish for everybody").click()
        await expect(dan.locator("#outcome")).to_contain_text("settle that first", timeout=STARTED_MS)
        _, came = lines_changed(served.folder, "hold.yaml")
        assert len(came) == 1 and "Stop your deliveries" in came[0], "nothing of Eva's is overwritten"

        await clash.get_by_role("button", name="Take theirs").click()
        await clash.get_by_label("takes account of both").check()
        await dan.locator(".cm-content").focus()
        await dan.keyboard.press("Control+s")
        await expect(clash).to_be_hidden()
        await expect(dan.locator("#files .tag")).to_have_text("changed")
        await published(dan, "mine, with Eva's word")
        _, came = lines_changed(served.folder, "hold.yaml")
        assert len(came) == 2 and "about: Keep" in came[0] and "Stop your deliveries" in came[1]


async def test_two_windows_of_one_designer_overwrite_nothing_unsettled(tmp_path: Path, browser: Browser) -> None:
    """Nothing of it is saved, by the keys, in a while or by another file, until somebody has settled it."""
    async with (
        console(tmp_path) as served,
        window(browser, 1440, 900) as first,
        window(browser, 1440, 900) as second,
    ):
        one, two = first.page, second.page
        await bench(one, served)
        await bench(two, served)
        await saved(one, SAYING, "Pause your deliveries until")
        await saved(one, "about: Hold the member's", "about: Keep the member's")
        await replaced(two, SAYING, "Stop your deliveries until")
        await two.keyboard.press("Control+s")
        clash = two.get_by_role("region", name="Changed by two")
        await expect(clash).to_be_visible()
        await expect(two.locator(".cm-content")).to_contain_text("about: Keep the member's")
        await expect(two.locator(".cm-content")).to_contain_text("Stop your deliveries until")
        await two.keyboard.press("Control+s")
        await expect(two.locator("#saved")).to_contain_text("tick the box")
        assert await violations(two, *SERIOUS) == []
        await two.locator("#files").get_by_role("button", name="main.yaml").click()
        await expect(two.locator("#file-name")).to_have_text("hold.yaml")
        await two.get_by_role("button", name="Changes").click()
        await expect(two.locator("#diff")).to_contain_text("tick the box")
        await one.reload()
        await expect(one.locator(".bench[data-ready]")).to_be_visible()
        await expect(one.locator(".cm-content")).to_contain_text("Pause your deliveries until")

        await two.locator(".cm-content").press("Control+Home")
        await two.keyboard.type("# the same words again: Stop your deliveries until\n")
        await clash.get_by_role("button", name="Take theirs").click()
        await expect(two.locator(".cm-content")).to_contain_text("Pause your deliveries until")
        await expect(two.locator(".cm-content")).to_contain_text("again: Stop your deliveries until")
        await clash.get_by_label("takes account of both").check()
        await two.locator(".cm-content").focus()
        await two.keyboard.press("Control+s")
        await expect(two.locator("#saved")).to_have_text(re.compile("^Saved"))
        await expect(clash).to_be_hidden()
        await two.locator("#files").get_by_role("button", name="main.yaml").click()
        await expect(two.locator("#file-name")).to_have_text("main.yaml")


async def test_a_draft_is_tried_on_some_callers(tmp_path: Path, browser: Browser) -> None:
    async with window(browser, 1440, 900) as at, console(tmp_path) as served:
        await bench(at.page, served)
        before = served.serving.live.version
        await saved(at.page, SAYING, "Shall I hold your deliveries until")
        await looked(at.page, "is a question better?")
        await at.page.get_by_label("Percent of callers").fill("25")
        await at.page.get_by_role("button", name="Try on").click()
        await expect(at.page.locator("#outcome")).to_contain_text("for 25 % of callers", timeout=STARTED_MS)
        assert served.serving.canary is not None and served.serving.live.version == before
        assert served.serving.canary.percent == 25
        await expect(at.page.locator(".cm-content")).to_contain_text("Shall I hold")
        assert not at.complaints


async def test_a_draft_is_dropped_when_somebody_means_it(tmp_path: Path, browser: Browser) -> None:
    async with window(browser, 1440, 900) as at, console(tmp_path) as served:
        page, answers = at.page, [False, True]
        page.on("dialog", lambda dialog: dialog.accept() if answers.pop(0) else dialog.dismiss())
        await bench(page, served)
        await saved(page, SAYING, "Shall I hold your deliveries until")
        await page.get_by_role("button", name="Changes").click()
        await page.get_by_role("button", name="Drop the draft").click()
        await expect(page.locator("#files .tag")).to_have_text("changed")
        await page.get_by_role("button", name="Drop the draft").click()
        # What was asked of the draft is answered before: its picture, its findings, its changes.
        await expect(page.locator("#outcome")).to_have_text("Your draft is dropped.", timeout=3 * PATIENCE_MS)
        await expect(page.locator("#files .tag")).to_have_count(0)
        await expect(page.locator(".cm-content")).not_to_contain_text("Shall I hold")
        assert lines_changed(served.folder, "hold.yaml") == ([], []) and answers == []


async def test_completion_and_explanations_come_from_the_schema(tmp_path: Path, browser: Browser) -> None:
    async with window(browser, 1440, 900) as at, console(tmp_path) as served:
        page = at.page
        await bench(page, served)
        await page.locator("#state-hold-held").click()
        await page.locator(".cm-content").press("End")
        await page.keyboard.press("Enter")
        await page.keyboard.type("  hangov")
        await expect(page.locator(".cm-tooltip-autocomplete li").first).to_contain_text("hangover")
        await expect(page.locator(".cm-completionInfo")).to_contain_text("silence")
        await page.keyboard.press("Escape")
        await page.keyboard.type("er: 1s")
        await page.keyboard.press("Enter")
        await page.keyboard.type("goto: don")
        await expect(page.locator(".cm-tooltip-autocomplete li").first).to_contain_text("done")
        await page.keyboard.press("Escape")
        await page.get_by_text("goto", exact=True).first.hover()
        await expect(page.locator(".cm-tooltip-hover")).to_contain_text("Where to go next")


async def test_without_a_mouse(tmp_path: Path, browser: Browser) -> None:
    async with window(browser, 1440, 900) as at, console(tmp_path) as served:
        page = at.page
        await bench(page, served)
        await page.locator(".cm-content").focus()
        await page.keyboard.press("Control+End")
        await page.keyboard.type("# the end")
        await page.keyboard.press("Control+s")
        await expect(page.locator("#saved")).to_have_text("Saved in your draft")
        await page.keyboard.press("Escape")
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.id") != "editor"
        await expect(page.locator("#files .tag")).to_have_text("changed")


@pytest.mark.parametrize("width", [390, 1440])
async def test_axe_finds_nothing_serious_and_it_fits(tmp_path: Path, browser: Browser, width: int) -> None:
    async with window(browser, width, 900) as at, console(tmp_path) as served:
        await bench(at.page, served)
        await replaced(at.page, "goto: hold", "goto: hodl")
        await expect(at.page.locator("#findings li[data-severity=error]").first).to_contain_text("hodl")
        for panel in ("Simulator", "Changes", "Picture"):
            await at.page.get_by_role("button", name=panel, exact=True).click()
            assert await violations(at.page, *SERIOUS) == []
        await at.page.locator(".cm-content").press("Control+f")
        await at.page.locator(".cm-search input[name=search]").fill("goto")
        shaded = "e => getComputedStyle(e).backgroundImage"  # axe judges no letters on a gradient
        assert await at.page.locator(".cm-search button[name=next]").evaluate(shaded) == "none"
        assert await violations(at.page, *SERIOUS) == []
        assert await at.page.evaluate("document.documentElement.scrollWidth") <= width
        assert all("409" in each for each in at.complaints), "there are no changes of what can't be read as flows"
