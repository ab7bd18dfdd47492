"""A flow's picture in a real Chromium: readable as it opens, and moved, zoomed and searched by whatever one has."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.web.browser import Window, window
from tests.web.console import Console

pytestmark = pytest.mark.asyncio(loop_scope="module")
LEAST_PX = 11.0
LABELS = """() => [...document.querySelectorAll("#canvas svg text")].map((text) =>
    [text.textContent, parseFloat(getComputedStyle(text).fontSize) * text.getScreenCTM().a])"""
VIEW = """() => { const c = document.getElementById("canvas");
    return {left: c.scrollLeft, top: c.scrollTop, scale: document.querySelector("#canvas svg").getScreenCTM().a}; }"""
IN_VIEW = """(element) => { const c = document.getElementById("canvas").getBoundingClientRect();
    const b = element.getBoundingClientRect();
    return b.left >= c.left - 1 && b.top >= c.top - 1 && b.left < c.right && b.top < c.bottom; }"""


async def picture_of(page: Page, base: str, flow: str = "main") -> None:
    await page.goto(f"{base}/flows/{flow}")
    await expect(page.locator("#canvas .card.start")).to_be_attached()


async def view(page: Page) -> Any:
    return await page.evaluate(VIEW)


@pytest.mark.parametrize(("width", "height"), [(390, 844), (360, 640), (844, 390), (1300, 850), (2560, 1300)])
async def test_every_label_is_readable_as_it_opens(
    standing: Console, browser: Browser, width: int, height: int
) -> None:
    async with window(browser, width, height) as opened:
        for flow in standing.serving.live.flows:
            await picture_of(opened.page, standing.base, flow)
            labels = await opened.page.evaluate(LABELS)
            assert labels and not [label for label in labels if label[1] < LEAST_PX]
            start = opened.page.locator("#canvas .card.start")
            assert await start.evaluate(IN_VIEW), "it opens where calls begin"
            assert await opened.page.evaluate("document.documentElement.scrollWidth") <= width
        assert not opened.complaints


async def test_mouse_and_buttons(standing: Console, shown: Window) -> None:
    page = shown.page
    await picture_of(page, standing.base)
    first = await view(page)
    box = await page.locator("#canvas").bounding_box()
    assert box is not None
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    await page.mouse.move(*middle)
    await page.mouse.down()
    await page.mouse.move(middle[0] - 200, middle[1] - 50, steps=4)
    await page.mouse.up()
    moved = await view(page)
    assert moved["left"] == pytest.approx(first["left"] + 200, abs=2)
    await page.keyboard.down("Control")
    await page.mouse.wheel(0, -200)
    await page.keyboard.up("Control")
    assert (await view(page))["scale"] > first["scale"]
    await page.get_by_role("button", name="Whole").click()
    whole = await view(page)
    assert whole["scale"] < first["scale"]
    seen = "(c => c.scrollWidth <= c.clientWidth + 1 && c.scrollHeight <= c.clientHeight + 1)"
    assert await page.evaluate(f"{seen}(document.getElementById('canvas'))"), "all of it fits"
    await expect(page.locator("#overview")).to_be_hidden()
    await page.get_by_role("button", name="Larger").click()
    assert (await view(page))["scale"] == pytest.approx(whole["scale"] * 1.25, rel=0.01)
    await page.get_by_role("button", name="Smaller").click()
    await page.get_by_role("button", name="Readable").click()
    assert (await view(page))["scale"] == pytest.approx(first["scale"], rel=0.01)


async def test_the_overview_shows_and_moves_what_is_seen(standing: Console, shown: Window) -> None:
    page = shown.page
    await picture_of(page, standing.base)
    overview = page.locator("#overview")
    await expect(overview).to_be_visible()
    cards = await page.locator("#canvas g.card:not(.member)").count()
    await expect(overview.locator("rect")).to_have_count(cards + 1)
    box = await overview.bounding_box()
    assert box is not None
    before = await view(page)
    await page.mouse.click(box["x"] + box["width"] * 0.8, box["y"] + box["height"] * 0.8)
    await expect(overview.locator(".seen")).not_to_have_attribute("x", "0")
    after = await view(page)
    assert after["left"] > before["left"] + 300
    seen = float(await overview.locator(".seen").get_attribute("x") or 0)
    assert seen == pytest.approx(after["left"] / after["scale"], abs=2)


async def test_the_keyboard_moves_and_zooms(standing: Console, shown: Window) -> None:
    page = shown.page
    await picture_of(page, standing.base)
    first = await view(page)
    await page.locator("#canvas").focus()
    await page.keyboard.press("+")
    assert (await view(page))["scale"] > first["scale"]
    await page.keyboard.press("0")
    assert (await view(page))["scale"] < first["scale"]
    await page.keyboard.press("1")
    left = (await view(page))["left"]
    await page.keyboard.press("ArrowRight")
    await page.wait_for_function(f"document.getElementById('canvas').scrollLeft > {left}")


async def test_two_fingers_zoom(standing: Console, browser: Browser) -> None:
    context = await browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = await context.new_page()
    await picture_of(page, standing.base)
    first = await view(page)
    devtools = await context.new_cdp_session(page)
    box = await page.locator("#canvas").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    async def touch(kind: str, *apart: float) -> None:
        points = [{"x": x - each / 2, "y": y} for each in apart] + [{"x": x + each / 2, "y": y} for each in apart]
        await devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    await touch("touchStart", 60)
    for apart in (80, 100, 120):
        await touch("touchMove", apart)
    await touch("touchEnd")
    assert (await view(page))["scale"] == pytest.approx(first["scale"] * 2, rel=0.1)
    await context.close()


async def test_a_state_is_found(standing: Console, shown: Window) -> None:
    page = shown.page
    await picture_of(page, standing.base)
    find = page.get_by_label("Find a state")
    names = list(standing.serving.live.flows["main"].states)
    await find.fill(names[-1])
    chosen = page.locator(".chosen")
    await expect(chosen).to_have_attribute("data-state", f"main.{names[-1]}")
    await expect(chosen).to_be_in_viewport()
    await find.fill("membership number")
    await expect(page.locator("#found-state")).to_contain_text("1 of")
    await find.press("Enter")
    await find.fill("no such state")
    await expect(page.locator("#found-state")).to_have_text("no states")
    await find.press("Escape")
    await expect(page.locator("#canvas")).to_be_focused()
    await expect(page.locator(".match")).to_have_count(0)
