"""A caller at one line and an agent's console at another: what the agent does, and what becomes of the caller."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from ivr.demo.line import RunningLine
from ivr.softphone.phone import Softphone
from ivr.softphone.script import Caller
from tests.wire.line.watching import call_of, logged, mark, until
from tests.wire.nodes.conftest import House
from tests.wire.nodes.console import HERTZ, Console, pitch, tone

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

NUMBERS = iter(f"50355501{number:02d}" for number in range(40, 99))  # a second call would pick up the first
CALLER_HERTZ = 425.0


@asynccontextmanager
async def asking(house: House) -> AsyncIterator[tuple[Softphone, str]]:
    """Who called the near line, and has pressed zero; with the call's id."""
    number = next(NUMBERS)
    async with Softphone.open() as phone, Caller.calling(phone, house.near.uri, None, from_number=number) as caller:
        await caller.prompt_begin()
        call = (await call_of(house.near, number))["call_id"]
        await caller.press("0")
        yield phone, call


@asynccontextmanager
async def available(house: House) -> AsyncIterator[Console]:
    async with Console.open(house.far.http) as console:
        await console.done("available")
        yield console


@asynccontextmanager
async def talking(house: House) -> AsyncIterator[tuple[Softphone, Console, int, str]]:
    """The two; with the place and the call's id."""
    async with available(house) as console, asking(house) as (phone, call):
        offer = await console.until("offer")
        await console.done("accept", place=offer["place"])
        await console.joined()
        await logged(house.near, "handoff.connected", call_id=call)
        yield phone, console, offer["place"], call


@asynccontextmanager
async def speaking(phone: Softphone) -> AsyncIterator[None]:
    """The caller says one tone, over and over."""

    async def speak() -> None:
        while True:
            await phone.say(tone(CALLER_HERTZ, 1.0))

    task = asyncio.create_task(speak())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def caller_hears(phone: Softphone, hertz: float, *, within_s: float = 30.0) -> None:
    heard: deque[bytes] = deque(maxlen=15)
    last = 0.0
    try:
        async with asyncio.timeout(within_s):
            async for sound in phone.listen():
                heard.append(sound.pcm)
                last = pitch(b"".join(heard))
                if len(heard) == 15 and abs(last - hertz) < 40:
                    return
    except TimeoutError:
        pass
    raise AssertionError(f"the caller heard {last:.0f} Hz instead of {hertz:.0f}")


async def caller_hears_music(phone: Softphone) -> None:
    heard: list[bytes] = []
    async with asyncio.timeout(30):
        async for sound in phone.listen():
            heard.append(sound.pcm)
            if len(heard) == 50:
                break
    assert pitch(b"".join(heard)) > 0 and abs(pitch(b"".join(heard)) - HERTZ) > 40


def is_(house: House, place: int, state: str) -> Callable[[], Awaitable[bool]]:
    async def met() -> bool:
        return bool((await house.place(place))["state"] == state)

    return met


async def test_both_hear_each_other_hold_and_the_agent_hangs_up(house: House) -> None:
    async with talking(house) as (phone, console, place, call):
        matter = console.state["talk"]
        assert matter["place"] == place and matter["story"]["call_id"] == call
        row = await house.place(place)
        assert row["state"] == "talking" and row["agent"] == "local" and row["tie"] == ""
        async with speaking(phone):
            await console.hears(CALLER_HERTZ)
            await caller_hears(phone, HERTZ)
            await console.done("hold", on=True)
            await console.hears_nobody()
            await caller_hears_music(phone)
            await console.done("hold", on=False)
            await console.hears(CALLER_HERTZ)
            await caller_hears(phone, HERTZ)
            await console.done("mute", on=True)
            await caller_hears(phone, 0.0)
            await console.done("mute", on=False)
            await caller_hears(phone, HERTZ)
        await console.done("hang_up")
        over = await phone.wait_ended(30)
        assert over.by == "remote"
        await until(is_(house, place, "done"))
        await console.until("wrap")
        await console.done("finish", disposition="resolved", then="away", reason="lunch")
    end = await logged(house.near, "call.end", call_id=call)
    assert end["outcome"] == "handed over"


async def test_the_caller_hangs_up(house: House) -> None:
    async with available(house) as console:
        async with asking(house) as (phone, call):
            offer = await console.until("offer")
            await console.done("accept", place=offer["place"])
            await console.joined()
            await logged(house.near, "handoff.connected", call_id=call)  # who hangs up before gave up waiting
            await phone.hangup()
            await console.until("wrap")
        await until(is_(house, offer["place"], "done"))
        await console.is_("wrap_up")


async def test_an_agent_declines_and_the_caller_keeps_the_place(house: House) -> None:
    async with available(house) as console, asking(house):
        since = mark(house.near)
        offer = await console.until("offer")
        await console.done("decline", place=offer["place"])
        released = await logged(house.near, "line.released", since=since, place=offer["place"])
        assert released["why"] == "declined"

        async def with_others() -> bool:
            row = await house.place(offer["place"])
            return row["state"] in ("waiting", "offered", "talking") and row["agent"] != "local"

        await until(with_others)  # it is said before it is written down


async def test_who_leaves_while_it_rings_is_taken_off_the_console(house: House) -> None:
    async with available(house) as console:
        async with asking(house):
            await console.until("offer")
        await console.until_free()
        await console.is_("idle")


async def test_a_closed_tab_brings_the_caller_back_in_line_first(house: House) -> None:
    async with talking(house) as (phone, console, place, _):
        entered = (await house.place(place))["entered_at"]
        since = mark(house.near)
        loop = asyncio.get_running_loop()
        began = loop.time()
        await console.close()
        await logged(house.near, "handoff.dropped", since=since, timeout_s=10)
        took = loop.time() - began
        row = await house.place(place)
        assert row["entered_at"] == entered and row["state"] in ("waiting", "offered", "talking")
        assert row["first"] or row["state"] == "talking"
        assert phone.ended is None
        print(f"noticed after {took:.1f} s")
        assert took < 5.0  # 2.5 s on a machine of its own


async def test_a_transfer_to_a_skill_waits_at_the_old_place(house: House) -> None:
    async with talking(house) as (phone, console, place, call):
        entered = (await house.place(place))["entered_at"]
        since = mark(house.near)
        await console.done("transfer", to="skill:discs")
        await logged(house.near, "line.passed", since=since, place=place, skill="discs")
        await console.until_free()
        # not by what the phone says of its last call, which may be one that was withdrawn before
        await logged(house.near, "handoff.connected", since=since, destination="front")
        await until(is_(house, place, "talking"))
        row = await house.place(place)
        assert (row["skill"], row["agent"], row["entered_at"]) == ("discs", "front", entered)
        assert phone.ended is None
    await logged(house.near, "call.end", call_id=call)


async def test_back_to_the_machine(house: House) -> None:
    async with talking(house) as (phone, console, place, call):
        since = mark(house.near)
        await console.done("machine")
        await logged(house.near, "handoff.returned", since=since, how="machine", call_id=call)
        await console.until_free()
        assert phone.ended is None
        await until(is_(house, place, "done"))


async def test_what_the_other_process_cannot_do_is_refused_in_words(house: House) -> None:
    async with talking(house) as (phone, console, _, _):
        assert "not here" in (await console.do("consult", to="agent:nobody"))["why"]
        assert "outside" in (await console.do("transfer", to="tel:+15035550199"))["why"]
        assert phone.ended is None


async def test_who_guesses_a_token_or_uses_it_again_reaches_no_agent(house: House) -> None:
    """Also from an address where a line of the house is."""
    async with talking(house) as (_, console, place, _), Softphone.open() as stranger:
        since = mark(house.far)
        await stranger.call(f"sip:desk-{'x' * 43}@{house.far.sip}")
        assert (await stranger.wait_ended(10)).status == 403
        await logged(house.far, "tie.refused", since=since)
        assert console.state["talk"]["place"] == place and not console.state["offer"]
    logs = house.far.log.read_text(encoding="utf-8") + house.near.log.read_text(encoding="utf-8")
    assert not re.search(r"desk-[A-Za-z0-9_-]{43}", logs.replace("x" * 43, "")), "no token is in a log"


async def test_a_process_killed_in_a_conversation_brings_the_caller_back_in_line_first(
    house: House, tmp_path: Path
) -> None:
    async with (
        RunningLine.running(replace(house.far.setup, folder=tmp_path)) as far,
        talking(replace(house, far=far)) as (phone, _, place, call),
    ):
        entered = (await house.place(place))["entered_at"]
        house.front.forget()
        since = mark(house.near)
        began = asyncio.get_running_loop().time()
        far.process.kill()
        await logged(house.near, "handoff.dropped", since=since, call_id=call)
        print(f"noticed after {asyncio.get_running_loop().time() - began:.1f} s")
        await logged(house.near, "handoff.connected", since=since, call_id=call, destination="front")
        row = await house.place(place)
        assert (row["state"], row["agent"], row["entered_at"]) == ("talking", "front", entered)
        assert phone.ended is None


async def test_a_process_killed_while_it_rings_costs_no_place(house: House) -> None:
    """The last one here: it kills the far line."""
    async with available(house) as console, asking(house) as (phone, call):
        offer = await console.until("offer")
        place = offer["place"]
        entered = (await house.place(place))["entered_at"]
        house.front.forget()
        since = mark(house.near)
        house.far.process.kill()
        await logged(house.near, "handoff.connected", since=since, call_id=call, destination="front", timeout_s=30)
        row = await house.place(place)
        assert (row["state"], row["agent"], row["entered_at"]) == ("talking", "front", entered)
        assert phone.ended is None
