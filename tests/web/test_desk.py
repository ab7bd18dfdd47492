"""The agents' console in a real Chromium, with its phone: a day by keyboard, reloads, two tabs, axe, small screens."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from ivr.desk.page import TranscriptLine
from tests.seats import SKILLS, FakePhone
from tests.web.accessibility import SERIOUS, violations
from tests.web.browser import PATIENCE_MS, Window, chromium, window
from tests.web.desk import EARLIER, FLAGS, Desk, desk, far_end, seated
from tests.web.people import Roles, log_in
from tests.web.people import browser as logged_in

pytestmark = pytest.mark.asyncio(loop_scope="module")
PATIENCE_S = PATIENCE_MS / 1000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium(*FLAGS) as running:
        yield running


@asynccontextmanager
async def at_work(
    browser: Browser, *, width: int = 1440, height: int = 900
) -> AsyncIterator[tuple[Desk, Window, Page]]:
    """A desk, an agent's window at it, and the page that plays the line's media."""
    async with (
        desk(earlier=EARLIER) as served,
        far_end(browser, served) as media,
        window(browser, width, height, permissions=("microphone",)) as opened,
    ):
        yield served, opened, media
        assert not opened.complaints, "scripts failed, or the policy forbade something of ours"


async def focused(page: Page) -> str:
    return str(await page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))


async def talking(page: Page, served: Desk) -> None:
    served.floor.call(waited_s=221)
    await expect(page.get_by_role("alertdialog")).to_be_visible()
    await page.keyboard.press("Enter")
    await expect(page.locator(".buttons")).to_be_visible()


async def test_a_day_by_keyboard_alone(browser: Browser) -> None:
    async with at_work(browser) as (served, opened, _):
        page, floor = opened.page, served.floor
        keys = page.keyboard
        served.waits("Rosa Diaz", "asked", 222.0)
        await page.goto(f"{served.base}/desk")
        await expect(page.locator(".me .state")).to_contain_text("Away")
        await expect(page.locator(".waiting")).to_contain_text("Rosa Diaz")
        await keys.press("a")
        await expect(page.locator(".me .state")).to_contain_text("Available")
        await expect(page.locator(".phone-state")).to_have_text("Phone ready")

        # an offer: why, in their words, how long, before answering
        await keys.press("/")
        assert await focused(page) == "find"
        await keys.press("Escape")
        floor.call(waited_s=221)
        offer = page.get_by_role("alertdialog", name="Ada Moreno")
        await expect(offer).to_be_focused()
        await expect(offer).to_contain_text("Thinking of cancelling")
        await expect(offer).to_contain_text("“honestly I am thinking of cancelling the whole thing”")
        await expect(offer).to_contain_text(re.compile(r"Waiting [34]:\d\d"))
        await expect(offer).to_contain_text("2 earlier calls")
        assert (await page.title()).startswith("● Call: Ada Moreno")
        await keys.press("Enter")
        await expect(page.locator("#talk-title")).to_be_focused()
        await expect(page).to_have_title("Ada Moreno · Desk")
        assert await page.locator(".story .unsure").all_text_contents() == ["cassa (unsure)", "blanca (unsure)"]
        await floor.until(lambda: bool(floor.bridges))
        bridge = floor.bridges[-1]

        await keys.press("m")
        await expect(page.get_by_role("button", name="Mute")).to_have_attribute("aria-pressed", "true")
        await keys.press("m")
        await expect(page.get_by_role("button", name="Mute")).to_have_attribute("aria-pressed", "false")
        await keys.press("h")
        await expect(page.locator("#talk-title")).to_contain_text("on hold")
        await keys.press("h")
        await expect(page.locator("#talk-title")).not_to_contain_text("on hold")
        await keys.press("k")
        await keys.type("42#")
        await expect(page.locator(".dial + p")).to_have_text("42#")
        await keys.press("Escape")
        assert bridge.told == [("mute", "True"), ("mute", "False"), ("hold", "True"), ("hold", "False"),
                               ("press", "4"), ("press", "2"), ("press", "#")]  # fmt: skip

        # goodwill and its undo; a note, in which letters are letters
        await keys.press("g")
        await keys.press("Enter")
        given = page.locator(".given li")
        await expect(given).to_contain_text("Bonus title")
        await expect(page.get_by_role("status").filter(has_text="Bonus title: given.")).to_be_visible()
        await keys.press("n")
        await keys.type("mght: wants new discs?")
        await keys.press("Control+Enter")
        await expect(page.locator(".notes li").first).to_contain_text("mght: wants new discs?")
        await expect(page.locator(".notes li").first).to_contain_text("Local")
        await expect(page.locator("#note")).to_have_value("")
        await keys.press("Escape")
        await given.get_by_role("button", name="Undo").press("Enter")
        await expect(given).to_contain_text("taken back")

        # transfer: asked first, then all three, then alone again; and on
        await keys.press("t")
        await expect(page.locator("#transfer-to")).to_be_focused()
        await keys.type("+1")
        await keys.press("Tab")
        await keys.press("Tab")
        await keys.press("Enter")
        await expect(page.locator(".others-in")).to_contain_text("You talk with +15035550123")
        assert ("consult", "tel:+15035550123") in bridge.told
        await page.get_by_role("button", name="All three").press("Enter")
        await expect(page.locator(".others-in")).to_contain_text("are together")
        await page.get_by_role("button", name="Back to Ada Moreno alone").press("Enter")
        await expect(page.locator(".others-in")).to_have_count(0)
        await page.get_by_role("button", name="Hang up").press("Enter")

        # wrap-up with a disposition, and away
        await expect(page.locator("#talk-title")).to_contain_text("After the conversation with Ada Moreno")
        await keys.press("w")
        await keys.press("ArrowDown")
        await expect(page.get_by_label("Wanted to leave, stays")).to_be_checked()
        await keys.press("Tab")
        await keys.press("Tab")
        await keys.press("Enter")
        await expect(page.locator(".me .state")).to_contain_text("Away")
        assert floor.line.noted_of("wrapped_up") == [(2, "saved")]
        await expect(page.locator(".phone-state")).to_have_text("Phone off")


async def test_declining_by_escape_and_keys_switched_off(browser: Browser) -> None:
    async with at_work(browser) as (served, opened, _):
        page = await seated(opened, served)
        await page.keyboard.press("?")
        await expect(page.locator(".keys")).to_contain_text("answer")
        await page.get_by_label("Letters are keys").uncheck()
        await page.keyboard.press("Escape")
        call = served.floor.call()
        await expect(page.get_by_role("alertdialog")).to_be_visible()
        await page.keyboard.press("Escape")
        assert await call == "declined"
        await expect(page.get_by_role("alertdialog")).to_have_count(0)
        await talking(page, served)
        await page.keyboard.press("h")
        await page.keyboard.press("m")
        await page.reload()
        await expect(page.locator(".buttons")).to_be_visible()
        await page.keyboard.press("h")
        await page.keyboard.press("?")
        await expect(page.locator(".keys")).to_be_visible()
        assert served.floor.bridges[-1].told == []


async def test_an_offer_while_writing_takes_no_letter_and_gives_the_place_back(browser: Browser) -> None:
    async with at_work(browser) as (served, opened, _):
        page = await seated(opened, served)
        await page.locator("#find").fill("5035")
        call = served.floor.call()
        await expect(page.get_by_role("alertdialog")).to_be_focused()
        call.cancel()
        await expect(page.get_by_role("alertdialog")).to_have_count(0)
        await expect(page.locator("#find")).to_be_focused()
        await expect(page.get_by_role("status").filter(has_text="is not offered any more")).to_be_visible()


RINGS = """
window.tones = 0; window.notes = [];
const start = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (...at) {
  Object.assign(document.documentElement.dataset, {tones: ++window.tones, sink: this.context.sinkId});
  return start.apply(this, at);
};
window.Notification = class {
  static permission = "granted";
  constructor(title, more) { this.title = title; this.body = more.body; window.notes.push(this); }
  close() { this.closed = true; }
};
document.hasFocus = () => false;
"""


async def test_an_offer_rings_on_the_chosen_device_in_the_title_and_as_a_notification(browser: Browser) -> None:
    async with at_work(browser) as (served, opened, _):
        page = opened.page
        await page.add_init_script(RINGS)
        await seated(opened, served)
        choice = page.get_by_label("Ring on")
        await choice.select_option(label=(await choice.locator("option").all_text_contents())[-1])
        whole = page.locator("html")
        await expect(whole).to_have_attribute("data-tones", "4")  # it lets hear where it rings
        call = served.floor.call()
        await expect(whole).to_have_attribute("data-tones", re.compile(r"^(8|\d\d+)$"))
        await expect(whole).to_have_attribute("data-sink", await choice.input_value())
        assert (await page.title()).startswith("● Call: Ada Moreno")
        assert await page.evaluate("notes.map((n) => [n.title, n.body])") == [["Ada Moreno", "thinking of cancelling"]]
        call.cancel()
        await expect(page).to_have_title("Desk · ivr")
        assert await page.evaluate("notes.every((n) => n.closed)")
        await page.reload()
        assert await page.get_by_label("Ring on").input_value() == await page.evaluate("localStorage['desk.ring']")


async def test_a_reload_loses_nothing(browser: Browser) -> None:
    async with at_work(browser) as (served, opened, media):
        page = await seated(opened, served)
        await talking(page, served)
        seat = served.floor.seats.of("local")
        assert seat is not None
        seat.transcribed(TranscriptLine("caller", "The discs are scratched.", datetime.now(UTC)))
        await expect(page.locator(".live-lines li")).to_have_count(1)
        await page.keyboard.press("m")
        await page.keyboard.press("h")
        await expect(page.locator("#talk-title")).to_contain_text("on hold")
        await page.get_by_role("button", name="Give", exact=False).first.click()
        await expect(page.locator(".given li")).to_have_count(1)

        async def confirmed(dialog: Any) -> None:
            await dialog.accept()  # it asks before a conversation is left

        page.on("dialog", confirmed)
        await page.reload()
        await expect(page.locator("#talk-title")).to_contain_text("on hold")
        await expect(page.locator("#talk-title")).to_contain_text("you are muted")
        await expect(page.locator(".live-lines li")).to_contain_text("The discs are scratched.")
        await expect(page.locator(".given li")).to_have_count(1)
        await expect(page.locator(".phone-state")).to_have_text("Phone ready")
        assert len(served.floor.phones["local"].offers) == 2, (
            "the page's phone stands anew, the conversation is the same"
        )
        assert served.floor.line.noted_of("sign_out") == [] and len(served.floor.bridges) == 1
        await until_heard(media, loud=False)  # still muted
        await page.keyboard.press("m")
        await until_heard(media, loud=True)


async def until_heard(media: Page, *, loud: bool) -> None:
    """Whether the far end of the agent's phone hears their microphone (Chromium's own beeps once a second)."""
    level = """async () => {
      const audio = new AudioContext(), meter = audio.createAnalyser(), frame = new Float32Array(2048);
      const sound = new Audio();
      Object.assign(sound, {srcObject: new MediaStream([window.heard]), muted: true});
      await sound.play();
      audio.createMediaStreamSource(new MediaStream([window.heard])).connect(meter);
      let most = 0;
      const end = performance.now() + 2500;
      while (performance.now() < end) {
        meter.getFloatTimeDomainData(frame);
        most = Math.max(most, ...frame);
        await new Promise((next) => setTimeout(next, 40));
      }
      return most;
    }"""
    async with asyncio.timeout(PATIENCE_S):
        while (await media.evaluate(level) > 0.01) is not loud:
            pass


async def test_how_it_sounds_is_a_word_and_a_lost_connection_is_made_anew(browser: Browser) -> None:
    async with at_work(browser) as (served, opened, media):
        page = await seated(opened, served)
        await talking(page, served)
        await expect(page.locator(".quality")).to_have_text(re.compile("^Sound: (good|fair|bad)$"))
        await media.evaluate("window.legs.close()")
        phone = served.floor.phones["local"]
        await served.floor.until(lambda: len(phone.offers) == 2, within_s=60.0)
        await expect(page.locator(".phone-state")).to_have_text("Phone ready")
        await expect(page.locator("#talk-title")).to_contain_text("Ada Moreno")
        await until_heard(media, loud=True)


async def test_a_closed_tab_brings_the_caller_back_in_line(browser: Browser) -> None:
    async with at_work(browser) as (served, opened, _):
        page = await seated(opened, served)
        call = served.floor.call()
        await expect(page.get_by_role("alertdialog")).to_be_visible()
        await page.keyboard.press("Enter")
        await served.floor.until(lambda: bool(served.floor.bridges))
        await page.close()
        async with asyncio.timeout(PATIENCE_S):  # the 2.5 s are held in tests/unit/desk, by a clock of its own
            assert await call == "dropped"
        assert served.floor.line.places[1].state == "waiting"


async def test_the_newer_of_two_tabs_has_the_desk_and_the_older_says_so(browser: Browser) -> None:
    async with at_work(browser) as (served, opened, _):
        older = await seated(opened, served)
        await talking(older, served)
        newer = await older.context.new_page()
        await newer.goto(f"{served.base}/desk")
        await expect(newer.locator("#talk-title")).to_contain_text("Ada Moreno")
        await expect(older.locator(".elsewhere")).to_contain_text("open in another tab")
        await expect(newer.locator(".phone-state")).to_have_text("Phone ready")
        await older.get_by_role("button", name="Use it here instead").click()
        await expect(older.locator("#talk-title")).to_contain_text("Ada Moreno")
        await expect(newer.locator(".elsewhere")).to_contain_text("open in another tab")
        await asyncio.sleep(3)  # longer than the grace
        assert served.floor.line.noted_of("sign_out") == [] and len(served.floor.bridges) == 1


async def test_a_message_is_read_played_and_answered(browser: Browser) -> None:
    async with at_work(browser) as (served, opened, _):
        page = await seated(opened, served)
        message = asyncio.create_task(served.floor.message("Please call me about the discs.", served.left))
        await expect(page.get_by_role("alertdialog")).to_contain_text("A message was left")
        await page.keyboard.press("Enter")
        await message
        await expect(page.locator(".talk-card")).to_contain_text("“Please call me about the discs.”")
        recording = page.locator("audio[controls]")
        async with aiohttp.ClientSession() as session:
            answer = await session.get(f"{served.base}{await recording.get_attribute('src')}")
            assert answer.status == 200 and (await answer.read()).startswith(b"RIFF")
            assert (await session.get(f"{served.base}/desk/recordings/nobody")).status == 404
        await page.keyboard.press("b")
        await expect(page.locator("#call-back-number")).to_have_value("5035550101")
        await page.keyboard.press("Enter")
        await expect(page.locator(".heard")).to_contain_text("A call back is noted")
        ((arrival, number, due),) = served.floor.line.noted_of("ask_call_back")
        assert (number, due) == ("+15035550101", None) and arrival.named == "local"  # type: ignore[attr-defined]
        await page.keyboard.press("w")
        await page.keyboard.press("Space")
        await page.keyboard.press("Enter")
        await expect(page.locator(".calm .big")).to_have_text("You are available.")


async def test_what_is_refused_is_said_why(browser: Browser) -> None:
    async with at_work(browser) as (served, opened, _):
        page = await seated(opened, served)
        await talking(page, served)
        served.floor.line.away = True
        served.floor.touch()
        await expect(page.get_by_role("status").filter(has_text="The database is away")).to_be_visible()
        await page.keyboard.press("b")
        await page.keyboard.press("Enter")
        await expect(page.locator(".heard .error")).to_contain_text("The database is away.")
        served.floor.line.away = False


async def test_live_lines_are_read_to_who_wants_it(browser: Browser) -> None:
    async with at_work(browser) as (served, opened, _):
        page = await seated(opened, served)
        await talking(page, served)
        log = page.get_by_role("log")
        await expect(log).to_have_attribute("aria-live", "polite")
        await page.get_by_label("Screen readers read new lines").uncheck()
        await expect(log).to_have_attribute("aria-live", "off")


async def test_no_microphone_no_calls_and_it_is_said_why(browser: Browser) -> None:
    async with desk() as served, window(browser) as opened:
        page = opened.page
        await page.add_init_script(
            "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'))"
        )
        await page.goto(f"{served.base}/desk")
        await page.get_by_role("button", name="Available").click()
        await expect(page.get_by_role("alert")).to_contain_text("allow it for this page")
        assert served.floor.line.agents["local"].state == "away"


async def test_a_microphone_that_is_unplugged_is_noticed_before_a_caller_comes(browser: Browser) -> None:
    async with at_work(browser) as (served, opened, _):
        page = opened.page
        await page.add_init_script(
            """const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
            navigator.mediaDevices.getUserMedia = async (wanted) => {
              if (window.unplugged) throw new DOMException("none", "NotFoundError");
              const stream = await open(wanted);
              window.plug = stream.getAudioTracks()[0];
              return stream;
            };"""
        )
        await seated(opened, served)
        await page.evaluate("window.unplugged = true; window.plug.dispatchEvent(new Event('ended'))")
        await expect(page.locator(".me .state")).to_contain_text("no microphone")
        assert served.floor.line.noted_of("set_state")[-1] == ("local", "away", "no microphone")
        await page.evaluate("window.unplugged = false")
        await page.keyboard.press("a")
        await expect(page.locator(".phone-state")).to_have_text("Phone ready")


async def test_another_microphone_takes_over_without_a_new_connection(browser: Browser) -> None:
    async with at_work(browser) as (served, opened, media):
        page = await seated(opened, served)
        choice = page.get_by_label("Microphone")
        await expect(choice.locator("option").nth(1)).to_be_attached()
        names = await choice.locator("option").all_text_contents()
        await choice.select_option(label=names[-1])
        await until_heard(media, loud=True)
        assert len(served.floor.phones["local"].offers) == 1


async def test_an_agent_with_a_telephone_of_their_own_needs_no_microphone(browser: Browser) -> None:
    async with desk() as served, window(browser) as opened:
        await served.floor.line.sign_in("local", skills=SKILLS, phone="sip:3001@192.0.2.1")
        page = opened.page
        await page.goto(f"{served.base}/desk")
        await page.get_by_role("button", name="Available").click()
        await expect(page.locator(".phone-state")).to_have_text("Your telephone rings")
        await talking(page, served)
        await page.get_by_label("When I hang up").select_option("returns")
        await served.floor.until(lambda: ("on_hang_up", "returns") in served.floor.bridges[-1].told)
        assert not opened.complaints


States = list[tuple[str, Callable[[Page, Desk], Awaitable[None]]]]


def states() -> States:
    """Every state of the page, each from the one before."""

    async def away(page: Page, served: Desk) -> None:
        await expect(page.locator(".calm .big")).to_have_text("You are away.")

    async def idle(page: Page, served: Desk) -> None:
        await page.keyboard.press("a")
        await expect(page.locator(".phone-state")).to_have_text("Phone ready")

    async def found(page: Page, served: Desk) -> None:
        await page.locator("#find").fill("5035")
        await page.keyboard.press("Enter")
        await expect(page.locator(".found li")).to_have_count(1)
        await page.keyboard.press("Escape")

    async def offered(page: Page, served: Desk) -> None:
        served.floor.call(waited_s=221)
        await expect(page.get_by_role("alertdialog")).to_be_visible()

    async def talks(page: Page, served: Desk) -> None:
        await page.keyboard.press("Enter")
        await expect(page.locator(".buttons")).to_be_visible()
        seat = served.floor.seats.of("local")
        assert seat is not None
        for by, unsure in (("agent", False), ("caller", True)):
            seat.transcribed(TranscriptLine(by, "The discs are scratched.", datetime.now(UTC), unsure, late=unsure))
        await expect(page.locator(".live-lines li")).to_have_count(2)
        await page.get_by_role("button", name="Give", exact=False).first.click()
        await expect(page.locator(".given li")).to_have_count(1)

    async def held(page: Page, served: Desk) -> None:
        await page.keyboard.press("h")
        await page.keyboard.press("m")
        await expect(page.locator("#talk-title")).to_contain_text("on hold")
        await page.keyboard.press("t")
        await expect(page.locator("#transfer-to")).to_be_visible()

    async def consulting(page: Page, served: Desk) -> None:
        await page.keyboard.press("Escape")
        await served.floor.bridges[-1].consult("agent:Ben")
        await expect(page.locator(".others-in")).to_be_visible()
        await page.keyboard.press("k")
        await expect(page.locator(".dial")).to_be_visible()

    async def listed(page: Page, served: Desk) -> None:
        await page.keyboard.press("?")
        await expect(page.locator(".keys")).to_be_visible()

    async def calling_back(page: Page, served: Desk) -> None:
        await page.locator("#talk-title").focus()
        await page.keyboard.press("b")
        await expect(page.locator("#call-back-at")).to_be_visible()

    async def wrapping(page: Page, served: Desk) -> None:
        await served.floor.bridges[-1].hang_up()
        await expect(page.locator("#wrap")).to_be_visible()

    async def reading(page: Page, served: Desk) -> None:
        await page.keyboard.press("w")
        await page.keyboard.press("Space")
        await page.keyboard.press("Enter")
        await expect(page.locator(".me .state")).to_contain_text("Available")
        left = asyncio.create_task(served.floor.message("Please call me.", served.left))
        await expect(page.get_by_role("alertdialog")).to_be_visible()
        await page.keyboard.press("Enter")
        await expect(page.locator("audio[controls]")).to_be_visible()
        await left

    async def elsewhere(page: Page, served: Desk) -> None:
        other = await page.context.new_page()
        await other.goto(f"{served.base}/desk")
        await expect(page.get_by_role("button", name="Use it here instead")).to_be_visible()

    told = (away, idle, found, offered, talks, held, consulting, listed, calling_back, wrapping, reading, elsewhere)
    return [(state.__name__, state) for state in told]


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
async def test_axe_finds_nothing_in_any_state(browser: Browser, width: int, height: int) -> None:
    async with at_work(browser, width=width, height=height) as (served, opened, _):
        page = opened.page
        served.waits("Rosa Diaz", "asked", 222.0)
        served.waits("Yuki Tanaka", "comparing with a competitor", 12.0, priority=8, skill="retention")
        await page.goto(f"{served.base}/desk")
        found: dict[str, list[str]] = {}
        for name, reach in states():
            await reach(page, served)
            if wrong := await violations(page, *SERIOUS):
                found[name] = wrong
            wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, f"{name} scrolls sideways by {wide} px"
            small = await page.evaluate(SMALL)
            assert not small, f"{name}: targets below 24 px: {small}"
        assert not found, json.dumps(found, indent=1)


SMALL = """[...document.querySelectorAll('#desk :is(button, input, select, label.check)')].filter((each) => {
  const box = (each.closest('label.check') ?? each).getBoundingClientRect();
  return box.width && (box.width < 24 || box.height < 24);
}).map((each) => each.outerHTML.slice(0, 80))"""


# -- who may --------------------------------------------------------------------------------------------------


async def test_agents_have_the_desk_others_have_not_and_each_has_their_own_seat() -> None:
    people: Roles = {"rosa": ("supervisor", "agent"), "agnes": ("agent",), "dan": ("designer",)}
    async with desk(people=people) as served, logged_in() as rosa, logged_in() as agnes, logged_in() as dan:
        for session, name in ((rosa, "rosa"), (agnes, "agnes"), (dan, "dan")):
            assert (await log_in(session, served.base, name)).status == 303
        assert (await dan.get(f"{served.base}/desk")).status == 403
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await dan.ws_connect(f"{served.base}/desk/socket")
        assert refused.value.status == 403
        socket = f"{served.base}/desk/socket"
        async with rosa.ws_connect(socket) as hers, agnes.ws_connect(socket) as others:
            mine, theirs = (await told(hers, "state"))["me"], (await told(others, "state"))["me"]
        assert (mine["name"], mine["display"], mine["opens_calls"]) == ("rosa", "Rosa", True)
        assert (theirs["name"], theirs["opens_calls"]) == ("agnes", False)
        heard = [(await who.get(f"{served.base}/desk/recordings/{served.left}")).status for who in (rosa, agnes, dan)]
        assert heard == [200, 403, 403], "a message is for whom it is before, and for supervisors"


async def test_no_desk_without_a_log_in_nor_for_pages_of_others() -> None:
    async with desk(token="hunter2") as served, aiohttp.ClientSession() as session:
        assert (await session.get(f"{served.base}/desk", allow_redirects=False)).status == 401
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(f"{served.base}/desk/socket")
        assert refused.value.status == 401
    async with desk() as served, aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(f"{served.base}/desk/socket", headers={"Origin": "https://elsewhere.example"})
        assert refused.value.status == 403
        assert (await session.get(f"{served.base}/desk/socket")).status == 400


@asynccontextmanager
async def wired(*, autoping: bool = True) -> AsyncIterator[tuple[Desk, aiohttp.ClientWebSocketResponse]]:
    """A desk's WebSocket, without a browser."""
    async with (
        desk() as served,
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{served.base}/desk/socket", autoping=autoping) as ws,
    ):
        yield served, ws


async def told(ws: aiohttp.ClientWebSocketResponse, kind: str) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            message = await ws.receive_json()
            if message["kind"] == kind:
                return dict(message)


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        ({"id": 1, "do": "hold", "on": True}, "You talk with nobody"),
        ({"id": 1, "do": "accept", "place": 3}, "this offer is gone"),
        ({"id": 1, "do": "accept", "place": "x"}, "place is a number"),
        ({"id": 1, "do": "accept", "place": True}, "place is a number"),
        ({"id": 1, "do": "away", "reason": 7}, "reason is a text"),
        ({"id": 1, "do": "away", "reason": "x" * 61}, "reason is a text"),
        ({"id": 1, "do": "call_back", "number": "1", "due": "tomorrow"}, "not understood"),
        ({"id": 1, "do": "finish", "disposition": "saved"}, "nothing to wrap up"),
        ({"id": 1, "do": "find", "text": None}, "text is a text"),
        ([], "not understood"),
    ],
)
async def test_commands_that_cannot_be_are_refused_with_why(sent: Any, why: str) -> None:
    async with wired() as (_, ws):
        await ws.send_json(sent)
        assert why.lower() in (await told(ws, "refused"))["why"].lower()
        await ws.send_json({"id": 2, "do": "away", "reason": "lunch"})
        assert (await told(ws, "done"))["id"] == 2, "the console goes on"


async def test_a_phone_that_the_line_has_not_is_said() -> None:
    async with wired() as (served, ws):
        await told(ws, "state")
        seat = served.floor.seats.of("local")
        assert seat is not None and isinstance(seat.phone, FakePhone)
        await ws.send_json({"id": 1, "do": "phone.offer", "sdp": "v=0"})
        assert (await told(ws, "done"))["sdp"] == "v=0"
        seat.phone = None
        await ws.send_json({"id": 2, "do": "phone.offer", "sdp": "v=0"})
        assert "no phones in browsers" in (await told(ws, "refused"))["why"]


async def test_what_goodwill_gave_is_told_to_the_command_that_gave_it() -> None:
    async with wired() as (served, ws):
        await told(ws, "state")
        await ws.send_json({"id": 1, "do": "phone.offer", "sdp": "v=0"})
        await told(ws, "done")
        await ws.send_json({"id": 2, "do": "available"})
        await told(ws, "done")
        served.floor.call()
        while (offer := (await told(ws, "state"))["offer"]) is None:
            pass
        await ws.send_json({"id": 3, "do": "accept", "place": offer["place"]})
        while (await told(ws, "state"))["talk"] is None:
            pass
        await ws.send_json({"id": 4, "do": "grant", "goodwill": "bonus_title", "choice": "", "key": "click-1"})
        while (given := await told(ws, "done"))["id"] != 4:
            pass
        assert given["label"] == "Bonus title" and given["undo_until"]
        await ws.send_json({"id": 5, "do": "undo", "grant": given["grant"], "key": "click-2"})
        assert (await told(ws, "done"))["id"] == 5


async def lived(event: Awaitable[object]) -> float:
    """Seconds until ``event``, of those that this process had: on a busy machine it gets fewer than the wall shows."""
    awaited, steps = asyncio.ensure_future(event), 0
    async with asyncio.timeout(PATIENCE_S):
        while not awaited.done():
            await asyncio.wait({awaited}, timeout=0.05)
            steps += 1
    await awaited
    return steps * 0.05


async def test_a_page_that_answers_no_ping_is_gone_within_two_and_a_half_seconds() -> None:
    async with wired(autoping=False) as (served, ws):
        await told(ws, "state")
        await ws.send_json({"id": 1, "do": "available"})
        await told(ws, "done")
        gone = served.floor.until(lambda: served.floor.line.agents["local"].state == "away", within_s=PATIENCE_S)
        assert await lived(gone) < 2.6, "from the last sign of life, which is a moment ago"


async def test_the_page_says_why_nothing_is_recorded_and_the_agent_may_pause_or_end_it(browser: Browser) -> None:
    async with at_work(browser) as (served, opened, _):
        page = await seated(opened, served)
        await talking(page, served)
        await expect(page.locator(".recording")).to_contain_text("Not recorded. The caller did not agree.")
        await expect(page.locator(".untranscribed")).to_contain_text("The caller did not agree")
        bridge = served.floor.bridges[-1]
        bridge.recording = {**bridge.recording, "on": True, "why_not": "", "untranscribed": "", "transcribing": True}
        await bridge.hold(False)
        await expect(page.locator(".recording")).not_to_contain_text("press it")
        bridge.recording = {**bridge.recording, "unheard": "no recogniser serves es-ES"}
        await bridge.hold(False)
        await expect(page.locator(".recording")).to_contain_text("press it: nobody else hears it (no recogniser serves")
        await page.get_by_role("button", name="Pause, something private").click()
        await expect(page.locator(".recording")).to_contain_text("recording paused")
        await page.get_by_role("button", name="Go on recording").click()
        await page.get_by_role("button", name="The caller wants none").click()
        await expect(page.locator(".recording")).to_contain_text("Not recorded")
        assert [told for told in bridge.told if told[0].startswith(("record", "withdraw"))] == [
            ("record", "False"), ("record", "True"), ("withdraw_recording",),
        ]  # fmt: skip
