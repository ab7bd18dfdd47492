"""Every way to ask for a human by voice and by key; and when the humans, or the database, let callers down."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from ivr.cli.db import opened
from ivr.config import load_config
from ivr.demo.line import AgentPhone, LineSetup, RunningLine
from ivr.softphone.phone import Softphone
from ivr.softphone.script import Caller
from ivr.softphone.voices import CallerVoice
from tests.wire.line.watching import call_of, logged, mark, processes, reached_state, stored, until_idle, with_human

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

WORDS = ("agent", "operator", "representative", "a real person", "human")
AT_THE_QUESTION = WORDS[:3]  # the others interrupt the greeting
KEYS = ("0", "*0", "#0")
NUMBERS = ("5035550101", "5035550102", "5035550103")  # nobody calls twice in a test: a second call picks up the first
HENRY = "5035550105"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk() -> AsyncIterator[Sequence[Softphone]]:
    """As many agents as callers at once."""
    async with Softphone.open() as one, Softphone.open() as two, Softphone.open() as three:
        yield one, two, three


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stand_in() -> AsyncIterator[Softphone]:
    """The last to be tried, and busy until a test says otherwise."""
    async with Softphone.open() as phone:
        await phone.set_incoming("busy")
        yield phone


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(
    desk: Sequence[Softphone], stand_in: Softphone, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RunningLine]:
    """Its agents are given up after a second of ringing, and are gone after three of silence."""
    folder = Path(tmp_path_factory.mktemp("house"))
    phones = [*desk, stand_in]
    agents = [AgentPhone(p.uri, name=f"desk-{n}", ring_timeout_s=1.0) for n, p in enumerate(phones)]
    async with RunningLine.running(LineSetup(folder, agents=agents, media_timeout_s=3.0)) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def at_their_desks(house: RunningLine, desk: Sequence[Softphone]) -> AsyncIterator[None]:
    for phone in desk:
        phone.forget()
        await phone.set_incoming("answer", after_s=0.2)
    yield
    await until_idle(house)


@asynccontextmanager
async def deafness(line: RunningLine) -> AsyncIterator[None]:
    """No recogniser lives long enough to hear anything, however often it is started again."""
    over = asyncio.Event()

    async def hunt() -> None:
        while not over.is_set():
            for pid in processes(line, "ivr.speech.worker", "listen"):
                os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(0.05)  # the fault's own period; nothing is waited for

    since = mark(line)
    hunting = asyncio.create_task(hunt())
    await logged(line, "worker.died", since=since)
    try:
        yield
    finally:
        over.set()
        await hunting


async def wants_human(
    line: RunningLine,
    desk: Sequence[Softphone],
    number: str,
    voice: CallerVoice | None,
    *,
    word: str = "",
    keys: str = "",
) -> None:
    async with Softphone.open() as phone, Caller.calling(phone, line.uri, voice, from_number=number) as caller:
        await (caller.prompt_end() if word in AT_THE_QUESTION else caller.prompt_begin())
        call = await call_of(line, number)
        since = mark(line)
        if word:
            await caller.say(word)
        else:
            await caller.press(keys)
        agent = await with_human(line, desk, call["call_id"], since=since)
        assert agent.incoming is not None and agent.incoming.headers["x-ivr-reason"] == "asked"
        assert phone.ended is None
    assert (await agent.wait_ended(10)).by == "remote"


async def test_five_words_for_a_human(house: RunningLine, desk: Sequence[Softphone], joe: CallerVoice) -> None:
    for word in WORDS:
        await joe.speak_soon(word)
    for batch in (WORDS[:3], WORDS[3:]):
        async with asyncio.TaskGroup() as calls:
            for word, number in zip(batch, NUMBERS, strict=False):
                calls.create_task(wants_human(house, desk, number, joe, word=word))


async def test_three_ways_to_press_zero_without_a_recogniser(house: RunningLine, desk: Sequence[Softphone]) -> None:
    since = mark(house)
    async with deafness(house), asyncio.TaskGroup() as calls:
        for keys, number in zip(KEYS, NUMBERS, strict=True):
            calls.create_task(wants_human(house, desk, number, None, keys=keys))
    assert await logged(house, "recogniser.unavailable", since=since), "the calls were led by keys"


async def test_an_agent_who_never_answers(house: RunningLine, desk: Sequence[Softphone]) -> None:
    for phone in desk:
        await phone.set_incoming("ring")
    async with Softphone.open() as phone, Caller.calling(phone, house.uri, None, from_number=HENRY) as caller:
        await caller.prompt_begin()
        call = (await call_of(house, HENRY))["call_id"]
        since = mark(house)
        await caller.press("0")
        for number_of_desk in range(len(desk)):
            await logged(house, "handoff.unanswered", since=since, call_id=call, destination=f"desk-{number_of_desk}")
        assert phone.ended is None, "the caller is kept"
        assert all(p.incoming is not None and p.answered is None for p in desk), "everybody was rung"
        await caller.press("1")  # a call back, instead of waiting on
        await reached_state(house, "human.this_number", call, since=since)
        await caller.press("1")  # at this number
        assert (await phone.wait_ended(20)).by == "remote"
    assert (await logged(house, "call.end", since=since, call_id=call))["outcome"] == "callback"
    assert kept_callbacks(house) == [f"+1{HENRY}"]
    await forget_callbacks(house)


async def test_an_agent_whose_phone_dies_in_mid_conversation(
    house: RunningLine, desk: Sequence[Softphone], stand_in: Softphone
) -> None:
    number = NUMBERS[1]
    for phone in desk:
        await phone.set_incoming("busy")
    await stand_in.set_incoming("answer", after_s=0.1)
    async with Softphone.open() as phone, Caller.calling(phone, house.uri, None, from_number=number) as caller:
        await caller.prompt_begin()
        call = (await call_of(house, number))["call_id"]
        since = mark(house)
        await caller.press("0")
        await with_human(house, [stand_in], call, since=since)
        os.kill(stand_in.pid, signal.SIGKILL)
        dropped = await logged(house, "handoff.dropped", since=since, call_id=call)
        assert dropped["by"] == "network"
        await logged(house, "line.entered", since=since, call_id=call, again=True)
        assert phone.ended is None, "the caller is kept, and waits at their old place"
        await caller.press("*9")
        assert (await phone.wait_ended(20)).by == "remote"


async def test_a_locked_database_brings_a_human(house: RunningLine, desk: Sequence[Softphone]) -> None:
    number = NUMBERS[0]
    async with Softphone.open() as phone, Caller.calling(phone, house.uri, None, from_number=number) as caller:
        await caller.prompt_begin()
        call = (await call_of(house, number))["call_id"]
        before = await house.queue("10001")
        with locked(house):
            since = mark(house)
            await to_the_top(house, caller, call, "8#", since)
            agent = await with_human(house, desk, call, since=since)
            assert agent.incoming is not None
            assert agent.incoming.headers["x-ivr-reason"] == "the line could not reach the queue"
            context = await house.get(agent.incoming.headers["x-ivr-context"])
            assert any("queue.move_to_position" in tried for tried in context["tried"])
            assert phone.ended is None
    assert await house.queue("10001") == before


async def test_a_deleted_database_leaves_the_human(house: RunningLine, desk: Sequence[Softphone]) -> None:
    """Last of this module: nothing works without data, but asking for a person does, for this caller and the next."""
    first, second = NUMBERS[:2]
    async with Softphone.open() as phone, Caller.calling(phone, house.uri, None, from_number=first) as caller:
        await caller.prompt_begin()
        call = (await call_of(house, first))["call_id"]
        for file in filter(Path.is_file, house.setup.folder.glob("ivr.sqlite3*")):
            file.unlink()
        since = mark(house)
        await caller.press("0")
        await with_human(house, desk, call, since=since)
        async with Softphone.open() as other, Caller.calling(other, house.uri, None, from_number=second) as next_one:
            await next_one.prompt_begin()
            call = (await call_of(house, second))["call_id"]
            since = mark(house)
            await next_one.press("0")
            await with_human(house, desk, call, since=since)
            assert phone.ended is None and other.ended is None


async def to_the_top(line: RunningLine, caller: Caller, call: str, place: str, since: int) -> None:
    """Change the order, to the top, the title at this place: by keys."""
    await caller.press("3")
    await reached_state(line, "queue.menu", call, since=since)
    await caller.press("1")
    await reached_state(line, "queue.which_title", call, since=since)
    await caller.press(place)


@contextmanager
def locked(line: RunningLine) -> Iterator[None]:
    """Somebody else holds the database's write lock."""
    database = sqlite3.connect(line.setup.folder / "ivr.sqlite3", isolation_level=None, timeout=10)
    try:
        database.execute("BEGIN EXCLUSIVE")
        yield
        database.execute("ROLLBACK")
    finally:
        database.close()


def kept_callbacks(line: RunningLine) -> list[str]:
    return [number for (number,) in stored(line, "SELECT callback_number FROM places WHERE callback_number <> ''")]


async def forget_callbacks(line: RunningLine) -> None:
    """Whoever waits for one is served: no agent of the tests that follow is rung for them."""
    async with opened(load_config(line.setup.folder / "config.toml")) as database:
        places = database.store.line
        for place in (await places.snapshot()).places:
            if place.callback_number:
                await places.leave(place.id, "done")
