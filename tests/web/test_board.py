"""The supervisor's page in a real Chromium, on a real board and database; the line is one in memory."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from ivr.accounts.authentication import Authentication
from ivr.clock import SystemClock
from ivr.config import Hours
from ivr.desk.board import DeskBoard
from ivr.desk.hours import WEEKDAYS, Calendar, HoursNow, in_force
from ivr.desk.settings import LiveSettings
from ivr.ports import Account, AuditSearch
from ivr.store import Store
from ivr.web.access import GATE, Gate
from ivr.web.app import HttpServer, application, bound, port_of
from ivr.web.backend import Backend, BoardPhone
from ivr.web.live import Feed
from tests.databases import migrated
from tests.films import ZONE
from tests.web.accessibility import SERIOUS, violations
from tests.web.browser import Window, window
from tests.web.desk_day import BusyDays, DayLine, Heard
from tests.web.fakes import FakeCalls, FakeFlows, ready

pytestmark = pytest.mark.asyncio(loop_scope="module")
ALWAYS = Calendar(Hours(**dict.fromkeys(WEEKDAYS, "00:00-24:00")), ZONE)


class Handset:
    """``BoardPhone`` without a telephone behind it."""

    def __init__(self, name: str) -> None:
        self.name = f"{name} at the board"
        self.offers: list[str] = []
        self.closed = False

    async def connect(self, sdp: str) -> str:
        self.offers.append(sdp)
        return "v=0"

    async def close(self) -> None:
        self.closed = True


@dataclass
class Desk:
    base: str
    line: DayLine
    settings: LiveSettings
    other: LiveSettings  # of another process
    store: Store
    heard: Heard
    gate: Gate
    handsets: list[Handset] = field(default_factory=list)

    async def audited(self) -> list[tuple[str, str, str, Any, Any]]:
        rows = (await self.store.audit_log.find(AuditSearch(what="desk."))).rows
        return [
            (row.event.actor, row.event.action, row.event.target, row.event.before, row.event.after)
            for row in reversed(rows)
        ]


@asynccontextmanager
async def desk(folder: Path) -> AsyncIterator[Desk]:
    store = Store(await migrated(folder / "ivr.sqlite3"), timeout_s=10.0)
    feed, clock, heard = Feed(), SystemClock(), Heard()
    settings = LiveSettings(store.desk_settings, feed.touch)
    line = DayLine(feed.touch)

    def hours(now: datetime) -> HoursNow:
        return in_force(ALWAYS, settings.now().override_at(now), now)

    board = DeskBoard(
        line.as_line(),
        settings,
        store.audit_log,
        BusyDays(),
        clock,
        ZONE,
        hours=hours,
        skills=lambda: ("billing", "general"),
        bridge_of=lambda agent: heard if agent == "ann" else None,
        on_change=feed.touch,
    )
    handsets: list[Handset] = []

    def handset(name: str) -> BoardPhone:
        handsets.append(Handset(name))
        return handsets[-1]

    backend = Backend(
        FakeCalls(),
        FakeFlows(),
        ready,
        _no_context,
        store.audit_log,
        mask=True,
        zone=ZONE,
        board=board,
        board_phone=handset,
    )
    sockets = bound("127.0.0.1", 0)
    app = application(backend, feed, authentication=Authentication(store.accounts, store.tokens), token="")
    server = HttpServer(app, sockets)
    await server.start()
    other = LiveSettings(store.desk_settings)
    beside = [asyncio.create_task(board.follow()), asyncio.create_task(other.follow(clock))]
    try:
        base = f"http://127.0.0.1:{port_of(sockets)}"
        yield Desk(base, line, settings, other, store, heard, app[GATE], handsets)
    finally:
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        await server.stop()
        await store.close()


async def until(so: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not so():  # noqa: ASYNC110 - what another task does tells nobody
            await asyncio.sleep(0.02)


async def _no_context(token: str) -> None:
    return None


@pytest_asyncio.fixture(loop_scope="module")
async def served(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(tmp_path) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def shown(browser: Browser, served: Desk) -> AsyncIterator[Window]:
    async with window(browser, 1440, 900) as opened:
        await opened.page.goto(f"{served.base}/board")
        await expect(opened.page.locator("#callers tbody tr")).to_have_count(4)
        yield opened
        assert not opened.complaints, "scripts failed, or the policy forbade something of ours"


async def test_the_board_shows_who_waits_and_who_works(served: Desk, shown: Window) -> None:
    rows = shown.page.locator("#callers tbody tr")
    first = rows.first
    await expect(first).to_contain_text("1.")
    await expect(first).to_contain_text("Rosa Diaz")
    await expect(first).to_contain_text("Urgent thinking of cancelling")
    await expect(first).to_contain_text("I'm thinking of cancelling")
    await expect(shown.page.locator('tr[data-place="102"]')).to_contain_text("••••••••02")
    await expect(shown.page.locator('tr[data-place="104"]')).to_contain_text("Call back, tried 1×")
    await expect(shown.page.locator('tr[data-agent="ann"]')).to_contain_text("Talking with Joe Marsh")
    await expect(shown.page.locator('tr[data-agent="cy"]')).to_contain_text("Away: lunch")
    longest = shown.page.locator(".figure-card", has_text="Longest wait").locator(".figure")
    before = await longest.text_content()
    await expect(longest).not_to_have_text(before or "")
    del served.line.places[101]
    served.line.touch()
    await expect(rows).to_have_count(3)


async def test_a_call_back_waits_from_when_it_is_due(served: Desk, shown: Window) -> None:
    """Tomorrow's has not waited all night; who was cut off is not served, and doesn't wait either."""
    waits = shown.page.locator('tr[data-place="104"] td[data-of="Waited"]')
    tomorrow = (datetime.now(ZONE) + timedelta(days=1)).replace(hour=9, minute=30)
    served.line.places[104] = replace(served.line.places[104], due_at=tomorrow, waits_since=tomorrow)
    served.line.touch()
    await expect(waits).to_have_text(re.compile(r"^due at \D+.*0?9[:.]30"))
    due = datetime.now(UTC) - timedelta(minutes=3)
    served.line.places[104] = replace(served.line.places[104], due_at=due, waits_since=due)
    served.line.touch()
    await expect(waits).to_have_text(re.compile(r"^3:\d\d, due at "))
    served.line.places[104] = replace(served.line.places[104], state="away", callback_number="")
    served.line.touch()
    await expect(waits).to_have_text("–")


async def test_promises_and_service_level_of_today(shown: Window) -> None:
    cards = shown.page.locator(".figure-card")
    await expect(cards.filter(has_text="Waits kept").locator(".figure")).to_contain_text("%")
    await expect(cards.filter(has_text="Service level").locator(".figure")).to_contain_text("%")
    await expect(cards.filter(has_text="Call backs kept")).to_contain_text("none due yet")


async def test_a_caller_is_moved(served: Desk, shown: Window) -> None:
    page = shown.page
    await page.get_by_role("button", name="Move Henry Park").click()
    dialog = page.get_by_role("dialog", name="Move Henry Park")
    skills = dialog.get_by_label("Waits for").locator("option")
    await expect(skills).to_have_text(["billing (nobody there has it)", "discs", "general", "retention"])
    await dialog.get_by_label("Waits for").select_option("general")
    await dialog.get_by_label("Priority").fill("9")
    await page.keyboard.press("Enter")
    await expect(page.locator(".said")).to_contain_text("Henry Park was moved")
    await expect(dialog).to_have_count(0)
    await expect(page.get_by_role("button", name="Move Henry Park")).to_be_focused()
    moved = served.line.places[103].arrival
    assert (moved.skill, moved.priority) == ("general", 9)
    assert await served.audited() == [
        ("local", "desk.move", "103", {"skill": "discs", "priority": 3}, {"skill": "general", "priority": 9})
    ]


async def test_an_agent_gets_another_skill_and_goes_away(served: Desk, shown: Window) -> None:
    page = shown.page
    await page.get_by_role("button", name="Skills of front").click()
    dialog = page.get_by_role("dialog", name="Skills of front")
    await dialog.get_by_label("retention").check()
    await dialog.get_by_label("And for").fill("spanish")
    await dialog.get_by_role("button", name="Change").click()
    await expect(page.locator('tr[data-agent="front"]')).to_contain_text("spanish")
    assert served.line.agents["front"].skills == ("general", "retention", "spanish")
    await page.get_by_role("button", name="Make front away").click()
    await expect(page.locator('tr[data-agent="front"]')).to_contain_text("Away: by a supervisor")
    await expect(page.locator(".said")).to_have_text("front is away.")
    assert [line[:3] for line in await served.audited()] == [
        ("local", "desk.skills", "front"),
        ("local", "desk.state", "front"),
    ]


async def test_hours_count_at_once_and_in_every_process(served: Desk, shown: Window) -> None:
    page = shown.page
    await page.get_by_label("Reason, as callers hear it").fill("We are out for an hour.")
    await page.get_by_role("button", name="Close until then").click()
    await expect(page.locator("#hours-now")).to_contain_text("Closed until")
    await expect(page.locator("#hours-now")).to_contain_text("We are out for an hour.")
    override = served.settings.now().hours
    assert override is not None and not override.open
    assert timedelta(minutes=58) < override.until - datetime.now(UTC) < timedelta(minutes=61), "on the company's wall"
    await until(lambda: served.other.now().hours == override)
    await page.get_by_role("button", name="Back to the calendar").click()
    await expect(page.locator("#hours-now")).to_have_text("Open by the calendar")
    assert [line[:2] for line in await served.audited()] == [("local", "desk.hours")] * 2


async def test_an_announcement_is_made_and_taken_back(served: Desk, shown: Window) -> None:
    page = shown.page
    await page.get_by_label("What callers who want a person hear").fill("Discs are a day late.")
    await page.get_by_role("button", name="Announce").click()
    await expect(page.locator("#announced")).to_contain_text("Discs are a day late.")
    assert served.settings.now().announced_at(datetime.now(UTC)) == "Discs are a day late."
    await page.get_by_role("button", name="Take it back").click()
    await expect(page.locator("#announced")).to_contain_text("nothing special")
    assert served.settings.now().announcement is None


async def test_what_cannot_be_done_is_said(served: Desk, shown: Window) -> None:
    page = shown.page
    await page.get_by_role("button", name="Move Henry Park").click()
    del served.line.places[103]
    await page.get_by_role("dialog").get_by_role("button", name="Move").click()
    await expect(page.locator(".said.bad")).to_contain_text("They are not in the line any more")


async def test_commands_by_the_socket(served: Desk) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{served.base}/board/socket") as ws:

        async def ask(**asked: object) -> dict[str, Any]:
            await ws.send_json({"id": 1, **asked})
            async with asyncio.timeout(30):
                while (told := await ws.receive_json())["kind"] not in ("done", "refused"):
                    pass
            return dict(told)

        assert (await ask(do="phone.offer", sdp="v=0 offer"))["sdp"] == "v=0"
        refused = await ask(do="supervise", agent="ann", how="barge")
        assert refused["kind"] == "refused" and refused["why"] == "listen first"
        for how in ("listen", "whisper", "barge", "off"):
            assert (await ask(do="supervise", agent="ann", how=how))["kind"] == "done"
        assert served.heard.how == [("local at the board", how) for how in ("listen", "whisper", "barge", "off")]
        assert "no conversation in this process" in (await ask(do="supervise", agent="bo", how="listen"))["why"]
        assert (await ask(do="move", place=102, skill="magic"))["why"] == (
            "there is no skill 'magic': choose billing, discs, general, retention, or give it to an agent first"
        )
        assert (await ask(do="move", place=102, skill="billing"))["kind"] == "done", "though nobody has it"
        assert served.line.places[102].arrival.skill == "billing"
        assert "0 to 10" in (await ask(do="move", place=102, priority=11))["why"]
        assert "needs a skill" in (await ask(do="skills", agent="bo", skills=[" "]))["why"]
        assert "time to come" in (await ask(do="hours", open=False, until="2020-01-01T10:00"))["why"]
        for wrong in ({"do": "dance"}, {"do": "skills", "agent": "bo", "skills": [1]}, {"do": "move", "place": "x"}):
            assert (await ask(**wrong))["why"].startswith("not understood"), wrong
        (handset,) = served.handsets
    await until(lambda: handset.closed)


async def test_only_supervisors_get_there(served: Desk) -> None:
    served.gate.anybody = replace(served.gate.anybody, account=Account("ann", frozenset({"agent", "designer", "ops"})))
    async with aiohttp.ClientSession() as session:
        for path in ("/board", "/board/day", "/board/socket"):
            async with session.get(served.base + path) as answer:
                assert answer.status == 403, path
        async with session.get(f"{served.base}/calls", headers={"Accept": "text/html"}) as answer:
            assert "/board" not in await answer.text(), "nobody is led to what they may not see"
        async with session.get(f"{served.base}/api/desk/promises") as answer:
            assert answer.status == 200


async def test_listening_from_the_page(served: Desk, shown: Window) -> None:
    """Headless Chromium has no microphone here; what is asked for is said, not swallowed."""
    listen = shown.page.get_by_role("button", name="Listen: Ann Lee with Joe Marsh")
    await expect(listen).to_be_visible()
    await expect(shown.page.get_by_role("group", name="Conversation of Bo Chen")).to_have_count(0)
    await listen.click()
    await expect(shown.page.locator(".said")).not_to_be_empty()


async def test_history_in_plots_and_numbers(shown: Window) -> None:
    page = shown.page
    await expect(page.locator(".plots canvas")).to_have_count(3)
    await expect(page.get_by_role("img", name="announced waits were kept")).to_be_visible()
    await expect(page.get_by_role("figure", name="Zero-outs by state")).to_contain_text("main.ask")
    risk = page.get_by_role("figure", name="Callers at risk")
    await expect(risk).to_contain_text("Saved")
    goodwill = page.get_by_role("figure", name="Goodwill").locator("tbody tr")
    await expect(goodwill.first).to_contain_text("cy")
    await expect(goodwill.first).to_contain_text("none, with callers at risk")
    await page.get_by_text("By hour, in numbers").click()
    await expect(page.locator("details table tbody tr").first).to_be_visible()
    await expect(page.locator(".history")).to_contain_text("That is recorded, and no target.")


async def test_the_history_of_a_day_for_programs(served: Desk) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{served.base}/board/day?day=2026-03-01") as answer:
            told = await answer.json()
        assert told["day"] == "2026-03-01" and told["promises"]["waits"]["share"] > 0.5
        async with session.get(f"{served.base}/board/day?day=yesterday") as answer:
            assert answer.status == 400
        async with session.get(f"{served.base}/api/desk/promises") as answer:
            assert (await answer.json())["waits"]["made"] == 240


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
async def test_it_fits_and_axe_finds_nothing_serious(served: Desk, browser: Browser, width: int, height: int) -> None:
    async with window(browser, width, height) as opened:
        page = opened.page
        await page.goto(f"{served.base}/board")
        await expect(page.locator(".plots canvas")).to_have_count(3)
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        whole = """() => { const nav = document.querySelector(".top nav"), desk = nav.firstElementChild.cloneNode(true);
            nav.append(desk); const right = desk.getBoundingClientRect().right; desk.remove(); return right; }"""
        assert await page.evaluate(whole) <= width, "whoever may enter one room more sees it, too"
        small = await page.evaluate(
            """() => [...document.querySelectorAll("main :is(button, input, select, summary, a)")].filter((e) => {
                const box = e.closest("label.check") ?? e, { width, height } = box.getBoundingClientRect();
                return width && (width < 24 || height < 24); }).map((e) => e.outerHTML)"""
        )
        assert small == []
        assert await violations(page, *SERIOUS) == []


async def test_the_keyboard_alone_closes_the_desk(served: Desk, shown: Window) -> None:
    page = shown.page
    await page.get_by_label("Reason, as callers hear it").focus()
    await page.keyboard.type("A drill.")
    await page.keyboard.press("Enter")
    await expect(page.locator("#hours-now")).to_contain_text("Closed until")


async def test_everybody_sees_what_was_promised_and_kept(served: Desk, shown: Window) -> None:
    await shown.page.goto(f"{served.base}/calls")
    await expect(shown.page.locator("#promises")).to_have_text(
        re.compile(r"Kept today: \d+ % of 240 announced waits\.")
    )


async def test_that_the_database_is_away_is_told(served: Desk, shown: Window) -> None:
    page = shown.page
    served.line.fresh = False
    served.line.touch()
    await expect(page.locator(".said")).to_contain_text("The database does not answer")
