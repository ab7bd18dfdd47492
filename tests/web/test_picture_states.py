"""A flow's picture as something to work with: states and their neighbours, what is wrong, what calls did, the list."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from ivr.workshop.picture.traffic import BROAD, THIN
from tests.web.accessibility import SERIOUS, violations
from tests.web.browser import Window, window
from tests.web.console import Console, console
from tests.web.test_picture import IN_VIEW, picture_of

pytestmark = pytest.mark.asyncio(loop_scope="module")
STARTED_MS = 30_000  # the simulator's process, on a busy machine
PICKED = ".card.picked, .member.picked"


@pytest_asyncio.fixture(loop_scope="module")
async def served(tmp_path: Path) -> AsyncIterator[Console]:
    """A console of one's own, whose flows may be changed."""
    async with console(tmp_path) as running:
        yield running


async def picked(page: Page) -> str:
    return str(await page.locator(PICKED).get_attribute("data-state"))


async def test_focus_leaves_a_state_and_its_neighbours(standing: Console, shown: Window) -> None:
    page = shown.page
    await picture_of(page, standing.base, "hold")
    await page.get_by_label("Find a state").fill("held")
    await page.get_by_role("button", name="Focus").click()
    await page.get_by_label("Find a state").fill("until")
    await expect(page.locator(PICKED)).to_have_attribute("data-state", "hold.until")
    states = standing.serving.live.flows["hold"].states
    onward = {way.target for way in states["until"].transitions()} & set(states)
    callers = {name for name, state in states.items() if "until" in {way.target for way in state.transitions()}}
    near = await page.locator("g.card.near").evaluate_all("(all) => all.map((e) => e.dataset.state.split('.')[1])")
    assert set(near) == {"until", *onward, *callers}
    far = page.locator("g.card:not(.near)").first
    assert float(await far.evaluate("(e) => getComputedStyle(e).opacity")) < 0.2
    told = page.get_by_label("The chosen state")
    await expect(told).to_contain_text("until")
    await told.get_by_role("button", name=sorted(onward)[0], exact=True).last.click()
    assert await picked(page) == f"hold.{sorted(onward)[0]}"
    await page.get_by_role("button", name="Close").click()
    await expect(page.locator(PICKED)).to_have_count(0)
    await expect(page.get_by_role("button", name="Focus")).to_have_attribute("aria-pressed", "false")


async def test_arrow_keys_lead_from_state_to_neighbour(standing: Console, shown: Window) -> None:
    page = shown.page
    await page.emulate_media(reduced_motion="reduce")
    await picture_of(page, standing.base)
    states = standing.serving.live.flows["main"].states
    await page.locator("#canvas").focus()
    await page.keyboard.press("n")
    start = standing.serving.live.flows["main"].start
    assert await picked(page) == f"main.{start}"
    await page.keyboard.press("ArrowRight")
    second = (await picked(page)).removeprefix("main.")
    assert second in {way.target for way in states[start].transitions()}, "along a way"
    await expect(page.get_by_label("The chosen state")).to_contain_text(second)
    await page.keyboard.press("ArrowLeft")
    assert await picked(page) == f"main.{start}", "and back along it"
    await page.keyboard.press("ArrowLeft")
    assert await picked(page) == f"main.{start}", "the edge of the picture"
    for _ in range(3):
        await page.keyboard.press("ArrowRight")
    at = await picked(page)
    assert await page.locator(f"[data-state='{at}']").evaluate(IN_VIEW)
    await page.keyboard.press("f")
    await expect(page.locator("#canvas svg")).to_have_class(re.compile(r"\bfocused\b"))
    await page.keyboard.press("Escape")
    await expect(page.locator(PICKED)).to_have_count(0)
    await expect(page.locator("#canvas svg")).not_to_have_class(re.compile(r"\bfocused\b"))
    await page.keyboard.press("/")
    await expect(page.get_by_label("Find a state")).to_be_focused()


async def test_the_list_says_all_of_it_in_words(standing: Console, shown: Window) -> None:
    page = shown.page
    await picture_of(page, standing.base, "hold")
    await page.get_by_role("button", name="List").press("Enter")
    listed = page.get_by_role("region", name="The flow as a list")
    states = standing.serving.live.flows["hold"].states
    await expect(listed.locator("[data-outline]")).to_have_count(len(states))
    await listed.get_by_role("button", name=re.compile("^until")).press("Enter")
    opened = listed.locator("[data-outline=until]")
    await expect(opened.locator("> button")).to_have_attribute("aria-expanded", "true")
    await opened.locator("[data-go=hold]").last.press("Enter")
    await expect(listed.locator("[data-outline=hold] > button")).to_be_focused()
    await expect(listed.locator("[data-outline=hold] > button")).to_have_attribute("aria-expanded", "true")
    await page.get_by_label("Find a state").fill("until")
    await expect(listed.locator("[data-outline]:visible")).to_have_count(
        await page.locator(".match[data-state]").count()
    )


async def test_what_was_rejected_is_drawn_with_its_errors_at_their_states(served: Console, shown: Window) -> None:
    page = shown.page
    await picture_of(page, served.base, "discs")
    notice = page.locator("#rejected")
    await expect(notice).to_be_hidden()
    await expect(page.locator(".card.error")).to_have_count(0)
    whole = (served.folder / "discs.yaml").read_text(encoding="utf-8")
    served.edit("discs.yaml", "      failed: sorry\n", "")
    await notice.get_by_role("button", name="Show them").click()
    wrong = page.locator("#state-discs-report")
    await expect(wrong).to_have_class(re.compile(r"\berror\b"))
    assert served.serving.rejected is not None
    errors = [found for found in served.serving.rejected.findings if found.severity == "error"]
    await expect(wrong.locator(".fault-mark title")).to_contain_text(errors[0].why)
    red = await wrong.locator(".fault-mark circle").evaluate("(e) => getComputedStyle(e).fill")
    assert red == "rgb(198, 40, 40)"
    problems = page.locator(".problems")
    await expect(problems).to_contain_text(f"{len(errors)} error")
    await problems.click()
    assert await picked(page) == "discs.report"
    fault = page.get_by_label("The chosen state").locator(".fault.error").first
    await expect(fault).to_contain_text(errors[0].why)
    await expect(fault).to_contain_text(errors[0].remedy)
    await notice.get_by_role("button", name="Show what is live").click()
    await expect(page.locator(".card.error")).to_have_count(0)
    await notice.get_by_role("button", name="Show them").click()
    await expect(wrong).to_have_class(re.compile(r"\berror\b"))
    (served.folder / "discs.yaml").write_text(whole, encoding="utf-8")
    await expect(notice).to_be_hidden()
    await expect(page.locator("#canvas .card.start")).to_be_attached()
    await expect(page.locator(".card.error")).to_have_count(0)


async def test_traffic_of_real_calls_is_on_the_ways(served: Console, shown: Window) -> None:
    page = shown.page
    caller = served.call("5035550101")
    await page.goto(served.base)
    await expect(page.locator(f'tr[data-call="{caller.call_id}"]')).to_contain_text("main.ask")
    await caller.hang_up()
    await picture_of(page, served.base)
    await page.get_by_role("button", name="Traffic").click()
    await expect(page.locator("#found-state")).to_have_text("1 call in 7 days")
    passed = (await served.store.calls.passages(datetime.now(UTC) - timedelta(hours=1), 10)).visits
    states = [state.removeprefix("main.") for _, state in passed]
    assert len(states) > 1
    pairs = "(all) => all.map((e) => [e.dataset.from, e.dataset.to])"
    drawn = {tuple(pair) for pair in await page.locator(".line").evaluate_all(pairs)}
    busy = {tuple(pair) for pair in await page.locator(".line.busy").evaluate_all(pairs)}
    assert busy == set(pairwise(states)) & drawn != set()
    wide = page.locator(".line.busy path[stroke-width]").first
    assert float(await wide.get_attribute("stroke-width") or 0) == pytest.approx(THIN + BROAD, abs=0.1)
    await expect(page.locator("#state-main-greet .load.end")).to_have_text("1")
    await page.locator("#state-main-greet").click()
    await expect(page.get_by_label("The chosen state")).to_contain_text("Entered once")
    await page.get_by_role("button", name="Traffic").click()
    await expect(page.locator(".load")).to_have_count(0)
    await expect(page.locator(".busy")).to_have_count(0)


async def test_the_picture_follows_a_simulated_call_from_flow_to_flow(standing: Console, shown: Window) -> None:
    page = shown.page
    await picture_of(page, standing.base)
    await page.get_by_role("button", name="Call", exact=True).click()
    prompt = page.locator("#talk .prompt").last
    await expect(prompt).to_contain_text("What can I do for you?", timeout=STARTED_MS)
    current = page.locator(".card.current, .member.current")
    await expect(current).to_have_attribute("data-state", "main.ask")
    await expect(current).to_be_in_viewport()
    await page.get_by_label("Say").fill("put my deliveries on hold")
    await page.keyboard.press("Enter")
    await expect(current).to_have_attribute("data-state", re.compile(r"^hold\."))
    assert (await current.get_attribute("data-state")) == await page.locator("#state").text_content()
    await expect(page.locator("#canvas .caption")).to_contain_text("hold")
    await expect(current).to_be_in_viewport()


async def test_the_simulator_says_what_was_asked_of_whom(standing: Console, shown: Window) -> None:
    page = shown.page
    await picture_of(page, standing.base)
    await expect(page.get_by_label("What", exact=True)).to_have_value("deliveries")
    await page.get_by_role("button", name="Call", exact=True).click()
    await expect(page.locator("#talk .prompt").last).to_contain_text("What can I do for you?", timeout=STARTED_MS)
    done = page.get_by_label("Done and asked of services")
    await expect(done).to_contain_text("member.identify_by_caller → found")
    await page.get_by_label("answers", exact=True).fill("404")
    await page.get_by_role("button", name="Set").click()
    await expect(page.locator("#talk .caller").last).to_contain_text("deliveries: 404")


MOUNTED = """async ([line, draft]) => {
    const { mountPicture } = await import("/static/flow_picture.js");
    const { mountSimulator } = await import("/static/simulator_panel.js");
    const [left, right] = [make("section"), make("section")];
    left.style.height = "600px";
    document.getElementById("main").replaceChildren(left, right);
    window.selected = [];
    const picture = mountPicture(left, { flow: "hold", onSelect: (...told) => window.selected.push(told) });
    await picture.open("hold", "", draft);
    const wrong = { severity: "error", message: "a word too many", remedy: "take it out", file: "hold.yaml", line };
    picture.setErrors([wrong]);
    const onState = (flow, state) => picture.active(`${flow}.${state}`);
    mountSimulator(right, { flow: "main", draftId: draft, onState });
}"""


async def test_picture_and_simulator_are_mounted_anywhere_for_a_draft_too(standing: Console, shown: Window) -> None:
    page = shown.page
    await page.goto(f"{standing.base}/flows")
    library = standing.serving.live
    line = library.key_place("hold", "states", "held").line
    await page.evaluate(MOUNTED, [line + 1, "newest"])
    held = page.locator("#state-hold-held")
    await expect(held).to_have_class(re.compile(r"\berror\b"))
    await held.click()
    await expect(page.get_by_label("The chosen state")).to_contain_text("a word too many → take it out")
    assert await page.evaluate("window.selected") == [["held", line, {"flow": "hold", "file": "hold.yaml"}]]
    await page.get_by_role("button", name="Call", exact=True).click()
    await expect(page.locator("#talk .prompt").last).to_contain_text("What can I do for you?", timeout=STARTED_MS)
    await expect(page.locator(".card.current")).to_have_attribute("data-state", "main.ask")
    await expect(page.locator(".card.error")).to_have_count(0)


@pytest.mark.parametrize("width", [390, 1440])
async def test_axe_finds_nothing_serious_and_it_fits(served: Console, browser: Browser, width: int) -> None:
    served.edit("discs.yaml", "      failed: sorry\n", "")
    async with window(browser, width, 900) as at:
        page = at.page
        await picture_of(page, served.base, "discs")
        await page.locator("#rejected button").click()
        await expect(page.locator(".card.error")).to_have_count(1)
        await page.locator(".problems").click()
        for name in ("Focus", "Traffic"):
            await page.get_by_role("button", name=name).click()
        await expect(page.locator("#found-state")).to_have_text("0 calls in 7 days")
        assert await violations(page, *SERIOUS) == []
        await page.get_by_role("button", name="Focus").click()
        for name in ("List", "Legend"):
            await page.get_by_role("button", name=name).click()
            assert await violations(page, *SERIOUS) == []
        seen = """e => { e.scrollIntoView({ block: "center" });
            const { x, y, width, height } = e.getBoundingClientRect();
            return e.contains(document.elementFromPoint(x + width / 2, y + height / 2)); }"""
        assert await page.locator(".legend").evaluate(seen), "it is not under the list"
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        assert not at.complaints
