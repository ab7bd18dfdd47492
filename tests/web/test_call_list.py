"""The list of calls over HTTP and in the browser: searched, filtered, paged and summed; and what stays known of one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.web.browser import window
from tests.web.console import Console, console

pytestmark = pytest.mark.asyncio(loop_scope="module")
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
KNOWN = {"caller.name": "Rosa Diaz", "member.number": "10001"}


@pytest_asyncio.fixture(loop_scope="module")
async def served(tmp_path: Path) -> AsyncIterator[Console]:
    async with console(tmp_path, mask=False) as running:
        yield running


async def kept(served: Console, count: int) -> None:
    """``count`` calls an hour apart: every third handed over, for cancellation or because somebody asked."""
    for n in range(count):
        at, handed = START + timedelta(hours=n), n % 3 == 0
        await served.store.calls.begin(f"call-{n}", f"+1503555{n:04d}", "5035550199", at, {"sip_call_id": f"Sip{n}@h"})
        outcome = "handed over" if handed else "resolved"
        reason = ("cancellation-risk" if n % 2 else "asked") if handed else ""
        await served.store.calls.finish(
            f"call-{n}", outcome, at + timedelta(minutes=1), {"seconds": 60, "handoff_reason": reason}
        )


async def asked(served: Console, query: str, status: int = 200) -> Any:
    async with aiohttp.ClientSession() as session, session.get(f"{served.base}/api/calls{query}") as answer:
        assert answer.status == status, await answer.text()
        return await answer.json()


async def test_programs_search_filter_and_page(served: Console) -> None:
    await kept(served, 30)
    caller = served.call("5035550142")
    await asyncio.sleep(0)
    for query, count in (
        ("", 31),
        ("?q=5550007", 1),
        ("?q=%2B1%20(503)%20555-0007", 1),
        ("?q=Sip7@h", 1),
        ("?q=call-29", 1),
        ("?q=cancellation+risk", 5),
        ("?outcome=handed+over", 10),
        ("?reason=asked", 5),
        ("?reason=asked&outcome=resolved", 0),
        ("?day=2026-03-02", 18),
        ("?from=2026-03-01T13:00&to=2026-03-01T15:00", 2),
        ("?from=2026-03-01T13:00Z&to=2026-03-01T15:30%2B01:00", 2),
        ("?to=2026-03-01", 12),
        ("?live=true", 1),
        ("?live=true&q=0142", 1),
        ("?live=true&q=nowhere", 0),
        ("?live=false", 30),
        ("?live=any", 31),
        ("?q=0142", 1),
    ):
        body = await asked(served, query)
        assert (body["totals"]["count"], len(body["calls"])) == (count, count), query
    body = await asked(served, "?limit=10&page=1")
    assert (body["page"], body["pages"], body["totals"]["count"], body["totals"]["live"]) == (1, 4, 31, 1)
    assert body["calls"][0]["call_id"] == caller.call_id, "who is on the line comes first"
    assert body["totals"]["seconds"] == 1800
    assert body["totals"]["outcomes"] == {"resolved": 20, "handed over": 10}
    ids = [call["call_id"] for n in (1, 2, 3, 4) for call in (await asked(served, f"?limit=10&page={n}"))["calls"]]
    assert ids == [caller.call_id, *(f"call-{n}" for n in reversed(range(30)))]
    assert (await asked(served, "?limit=10&page=9"))["calls"] == []
    assert body["calls"][3]["reason"] == "cancellation-risk"
    await caller.hang_up()


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=501", "limit=-1", "limit=1.5", "limit=²", f"limit={'9' * 5000}", "page=0", "page=x",
        "page=99999999", "live=perhaps", "day=yesterday", "day=2026-03-01T10:00", "day=2026-02-30", "from=x",
        "to=2026-13-01", "from=0001-01-01", "to=9999-12-31", f"q={'a' * 300}", "from=%00", "to=2026-03-01T25:00",
    ],
)  # fmt: skip
async def test_what_cannot_be_asked_is_said(standing: Console, query: str) -> None:
    assert "must" in (await asked(standing, f"?{query}", 400))["error"] or "%00" in query


async def test_people_search_and_page(served: Console, browser: Browser) -> None:
    await kept(served, 130)
    async with window(browser) as shown:
        page = shown.page
        await page.goto(f"{served.base}/calls")
        await expect(page.locator("#found tbody tr")).to_have_count(50)
        totals = page.locator("#totals")
        await expect(totals).to_contain_text("130")
        await expect(totals).to_contain_text("2:10:00")
        await expect(page.locator("#found th")).to_contain_text(["Reason"])
        await page.get_by_role("link", name="Older").click()
        await page.get_by_role("link", name="Older").click()
        await expect(page.locator("#found tbody tr")).to_have_count(30)
        await expect(page.get_by_role("navigation", name="Pages")).to_contain_text("Page 3 of 3")
        await expect(totals).to_contain_text("130")

        await page.get_by_label("Number, id, SIP Call-ID").fill("503-555-0009")
        await page.get_by_role("button", name="Search").click()
        await expect(page.locator("#found tbody tr")).to_have_count(1)
        await expect(page.locator("#found tbody tr")).to_contain_text("cancellation risk")
        await page.get_by_role("link", name="Clear").click()
        await page.get_by_label("From").fill("2026-03-01 12:00")
        await page.get_by_label("To", exact=True).fill("2026-03-01T18:00")
        await page.get_by_role("button", name="Search").click()
        await expect(page.locator("#found tbody tr")).to_have_count(6)
        await page.locator("#totals").get_by_role("link", name="handed over").click()
        await expect(page.locator("#found tbody tr")).to_have_count(2)
        assert await page.get_by_label("Outcome").input_value() == "handed over"
        await page.get_by_label("Show").select_option("In progress")
        await page.get_by_role("button", name="Search").click()
        await expect(page.locator(".empty")).to_have_text("No call matches this.")
        assert not shown.complaints


async def test_the_facts_of_a_call_that_ended_are_shown(served: Console, browser: Browser) -> None:
    caller = served.call("5035550101")
    async with window(browser) as shown:
        page = shown.page
        await page.goto(f"{served.base}/calls/{caller.call_id}")
        await expect(page.locator(".story .prompt").last).to_contain_text("What can I do for you?")
        live = await page.locator("section", has=page.get_by_role("heading", name="Known facts")).inner_text()
        await caller.hang_up()
        await expect(page.locator("#call")).to_have_attribute("data-live", "no")
        facts = page.locator("section", has=page.get_by_role("heading", name="Known facts")).last
        assert await facts.inner_text() == live
        await expect(facts).not_to_contain_text("Nothing is known")
    found = await served.store.calls.get(caller.call_id)
    assert found is not None and found["facts"]["call.caller"] == "5035550101" and found["state"]
