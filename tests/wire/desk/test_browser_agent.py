"""From a caller's key to an agent in a real Chromium and back: sound both ways, keys, transfers, tabs, a supervisor."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import numpy as np
import pytest
from playwright.async_api import Browser, Page, expect

from ivr.demo.line import RunningLine
from ivr.softphone.phone import Softphone
from ivr.softphone.script import Caller
from tests.web.browser import window
from tests.wire.desk.agent_page import at_desk, back, page_hears, phone_hears, speaking
from tests.wire.line.watching import call_of, logged, mark, reached_state, until

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

NOTICED_S = 2.5
SLACK_S = 5.0  # a busy machine's; the bound itself is held where the media process's own clock tells


@asynccontextmanager
async def asking(line: RunningLine, number: str) -> AsyncIterator[tuple[Softphone, str]]:
    """A caller who has pressed 0: their telephone, and the call's id."""
    async with Softphone.open() as phone, Caller.calling(phone, line.uri, None, from_number=number) as caller:
        await caller.prompt_begin()
        call = (await call_of(line, number))["call_id"]
        await caller.press("0")
        yield phone, str(call)


async def taken(page: Page) -> None:
    """The offer is taken by Enter."""
    await expect(page.get_by_role("alertdialog")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator(".buttons")).to_be_visible()


async def tone(phone: Softphone) -> None:
    """Returns once the tone was heard after which a message is spoken, and its end."""
    heard = b""
    async for piece in phone.listen():
        heard = (heard + piece.pcm)[-4800:]  # 0.3 s
        spectrum = np.abs(np.fft.rfft(np.frombuffer(heard, "<i2")))
        if len(heard) == 4800 and spectrum.argmax() in range(298, 303):  # of 3.3 Hz
            return


async def test_from_zero_to_wrap_up(line: RunningLine, page: Page, cleo: Softphone) -> None:
    await at_desk(page, line.http)
    keys = page.keyboard
    async with asking(line, "5035550101") as (phone, call), speaking(phone, "caller"):
        offer = page.get_by_role("alertdialog")
        await expect(offer).to_be_focused()
        await expect(offer).to_contain_text("Asked")
        await expect(offer).to_contain_text("Waiting 0:0")
        await keys.press("Enter")
        await phone_hears(phone, "ada")
        await page_hears(page, "caller")

        await keys.press("m")
        await phone_hears(phone)
        await keys.press("m")
        await phone_hears(phone, "ada")
        await keys.press("h")
        await phone_hears(phone, "music")
        await page_hears(page)
        await keys.press("h")
        await phone_hears(phone, "ada")
        await page_hears(page, "caller")
        await keys.press("k")
        await keys.type("5#")
        await expect(page.locator(".dial + p")).to_have_text("5#")

        async def pressed() -> bool:
            return [press.key for press in phone.trace.heard.keys] == ["5", "#"]

        await until(pressed)
        await keys.press("Escape")

        await keys.press("t")
        await expect(page.locator("#transfer-to")).to_be_focused()
        await page.locator("#transfer-to").select_option("agent:cleo")
        await page.get_by_role("button", name="Talk to them first").press("Enter")
        await cleo.wait_answered(10)
        async with speaking(cleo, "cleo"):
            await page_hears(page, "cleo")
            await phone_hears(cleo, "ada")
            await page.get_by_role("button", name="Leave them together").press("Enter")
            await phone_hears(phone, "cleo")
            await phone_hears(cleo, "caller")
        await expect(page.locator("#talk-title")).to_contain_text("After the conversation")
        await keys.press("w")
        await page.get_by_label("Passed on to somebody else").check()
        since = mark(line)
        await page.get_by_role("button", name="Save, take the next").press("Enter")
        await logged(line, "conversation.wrapped_up", since=since, agent="local", disposition="passed_on")
        await expect(page.locator(".me .state")).to_contain_text("Available")
    ended = await logged(line, "call.end", call_id=call)
    assert ended["outcome"] == "handed over"

    view = await page.context.new_page()
    await view.goto(f"{line.http}/calls/{call}")
    await expect(view.locator("main")).to_contain_text("local")
    await view.close()
    day = await line.get("/board/day")
    assert day["service_level"]["kept"] == day["service_level"]["made"] == 1
    assert day["conversations"]["count"] == 1 and sum(hour["callers"] for hour in day["hours"]) == 1


async def test_a_closed_tab_brings_the_caller_back_first(line: RunningLine, page: Page) -> None:
    await at_desk(page, line.http)
    async with asking(line, "5035550102") as (first, call), speaking(first, "caller"):
        await taken(page)
        await phone_hears(first, "ada")
        async with asking(line, "5035550103") as (other, behind), speaking(other, "other"):
            await logged(line, "line.entered", call_id=behind)
            again = await page.context.new_page()
            since, began = mark(line), time.monotonic()
            await page.close()
            await logged(line, "line.entered", since=since, call_id=call, again=True)
            assert time.monotonic() - began <= NOTICED_S + SLACK_S
            await back(again, line.http)
            await taken(again)
            await page_hears(again, "caller")
            await phone_hears(first, "ada")
            assert other.ended is None and first.ended is None
            await again.get_by_role("button", name="Hang up").press("Enter")
            assert (await first.wait_ended(10)).by == "remote"
            await again.keyboard.press("a")
            await taken(again)
            await page_hears(again, "other")
            await phone_hears(other, "ada")


async def test_a_reload_keeps_the_conversation(line: RunningLine, page: Page) -> None:
    await at_desk(page, line.http)
    page.on("dialog", lambda dialog: dialog.accept())  # it asks before a conversation is left
    async with asking(line, "5035550104") as (phone, call), speaking(phone, "caller"):
        await taken(page)
        await phone_hears(phone, "ada")
        since = mark(line)
        await page.reload()
        await expect(page.locator(".buttons")).to_be_visible()
        await expect(page.locator(".phone-state")).to_have_text("Phone ready")
        await phone_hears(phone, "ada")
        await page_hears(page, "caller")
        assert b"console.lost" not in line.log.read_bytes()[since:]
        await page.get_by_role("button", name="Hang up").press("Enter")
        assert (await phone.wait_ended(10)).by == "remote"
    assert (await logged(line, "call.end", since=since, call_id=call))["outcome"] == "handed over"


async def test_a_supervisor_listens_whispers_and_barges_in(line: RunningLine, page: Page, sue: Browser) -> None:
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
        await expect(page.locator(".talk-card")).to_contain_text("With you:")
        await talk.get_by_role("button", name="Whisper").click()
        await page_hears(page, "caller", "sue")
        await phone_hears(phone, "ada")
        await talk.get_by_role("button", name="Barge in").click()
        await phone_hears(phone, "ada", "sue")
        await talk.get_by_role("button", name="Leave").click()
        await phone_hears(phone, "ada")
        await page_hears(page, "caller")
        await page.get_by_role("button", name="Hang up").press("Enter")
        assert (await phone.wait_ended(10)).by == "remote"
        assert not opened.complaints


async def test_a_member_who_calls_again_has_their_place_and_hears_where_they_stand(
    line: RunningLine, page: Page
) -> None:
    await at_desk(page, line.http)
    async with asking(line, "5035550106") as (phone, _), speaking(phone, "caller"):
        await taken(page)
        async with asking(line, "5035550107") as (_, behind):
            place = (await logged(line, "line.entered", call_id=behind))["place"]
        await logged(line, "line.left", place=place, how="away")
        async with asking(line, "5035550108") as (later, call_of_later):
            await logged(line, "line.entered", call_id=call_of_later)
            async with asking(line, "5035550107") as (_, back):
                entered = await logged(line, "line.entered", call_id=back)
                assert entered["place"] == place and entered["again"]
                told = await logged(line, "line.told", place=place)
                assert told["position"] == 1, "before who came later"
                assert later.ended is None
        await page.get_by_role("button", name="Hang up").press("Enter")
        assert (await phone.wait_ended(10)).by == "remote"


async def test_a_message_reaches_the_console_and_is_played(line: RunningLine, page: Page) -> None:
    await at_desk(page, line.http)
    async with asking(line, "5035550109") as (phone, _), speaking(phone, "caller"):
        await taken(page)
        await phone_hears(phone, "ada")
        async with asking(line, "5035550110") as (other, call):
            await logged(line, "line.told", call_id=call)
            since = mark(line)
            await other.press("2")
            await reached_state(line, "human.message", call, since=since)
            await tone(other)
            async with speaking(other, "other"):
                await asyncio.sleep(2.5)  # of a message
            await other.press("#")
            assert (await other.wait_ended(20)).by == "remote"
            assert (await logged(line, "call.end", since=since, call_id=call))["outcome"] == "message"
        await page.get_by_role("button", name="Hang up").press("Enter")
        assert (await phone.wait_ended(10)).by == "remote"
    await page.keyboard.press("a")
    offer = page.get_by_role("alertdialog")
    await expect(offer).to_contain_text("A message was left")
    await page.keyboard.press("Enter")
    recording = page.locator("audio[controls]")
    async with aiohttp.ClientSession() as session:
        answer = await session.get(f"{line.http}{await recording.get_attribute('src')}")
        assert answer.status == 200 and (await answer.read()).startswith(b"RIFF")
    played = await recording.evaluate(
        "(sound) => new Promise((done) => { sound.onended = () => done(sound.duration); sound.play(); })"
    )
    assert 1.5 <= played <= 6
    await page.get_by_label("Solved", exact=True).check()
    await page.get_by_role("button", name="Save, take the next").press("Enter")
    await expect(page.locator(".me .state")).to_contain_text("Available")
