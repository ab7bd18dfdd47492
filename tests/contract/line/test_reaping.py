"""Processes that die, databases that restart: what they had is where it was, once."""

from __future__ import annotations

import asyncio
import math
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import update

from ivr.store.lease import BEAT_S, SILENT_S
from ivr.store.tables import places as places_table

from .conftest import OneLine, arrival, opened, phone


async def test_a_process_that_is_silent_for_long(desk: OneLine, other: OneLine) -> None:
    waiting = await other.enter("member:1")
    await other.agent("ann")
    await desk.agent("bob")
    await desk.silence("there", 4.0)
    assert await desk.line.reap(silent=True) == 0
    await desk.silence("there", 2.0)
    assert await desk.line.reap(silent=False) == 0, "nobody judges who has not listened long enough"
    assert await desk.line.reap(silent=True) == 1
    assert (await desk.place(waiting.id))["state"] == "away"
    assert await desk.states() == {"ann": "away", "bob": "idle"}
    again = await desk.enter("member:1", call_id="another")
    assert (again.id, again.entered_at, again.again) == (waiting.id, waiting.entered_at, True)


async def test_where_nothing_is_over_nothing_is_written(desk: OneLine, other: OneLine) -> None:
    """It is asked every second, by every process: nobody else's turn at the line waits for it."""
    await desk.enter("member:1")
    await desk.agent("bob")
    await other.agent("ann")
    ways: list[str] = []
    desk.store.database.on_transaction = lambda way, took_s, done: ways.append(way)
    assert await desk.line.reap(silent=True) == 0
    assert ways == ["read"]
    await other.store.line.enter(arrival("member:2"))
    await desk.silence("there", 6.0)
    ways.clear()
    assert await desk.line.reap(silent=True) == 1
    assert ways == ["read", "write"]


class Beats:
    """A clock under which a process beats so often, and then stands still."""

    def __init__(self, beats: int) -> None:
        self._left, self.passed, self.still = beats, 0.0, asyncio.Event()

    def monotonic(self) -> float:
        return self.passed

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        if not self._left:
            self.still.set()
            await asyncio.get_running_loop().create_future()
        self._left -= 1
        self.passed += seconds


async def test_who_stood_still_buries_nobody(desk: OneLine, other: OneLine) -> None:
    """Neither itself nor those who stood still with it: it has not beaten, and could not hear them either."""
    await desk.phones(phone("front"))
    theirs, ours = await other.enter("member:1"), await desk.enter("member:2")
    clock = Beats(math.ceil(SILENT_S / BEAT_S) + 1)
    assert desk.store._lease is not None
    running = asyncio.create_task(desk.store._lease.run(clock, tuple))
    await clock.still.wait()
    for process in ("here", "there"):
        await desk.silence(process, 12.0)
    clock.passed += 12.0
    assert await desk.line.reap() == 0
    assert await desk.states() == {"front": "idle"}
    assert {(await desk.place(place.id))["state"] for place in (theirs, ours)} == {"waiting"}
    clock.passed -= 12.0  # had it gone on listening, it would have known of them
    assert await desk.line.reap() == 2
    running.cancel()


async def test_who_dials_again_before_anybody_noticed(desk: OneLine, other: OneLine) -> None:
    """The old call is believed for a moment, and no longer."""
    waiting = await other.enter("member:1", number="+15035550101")
    beside = await desk.enter("member:1", call_id="another", number="+15035550101")
    assert (beside.id != waiting.id, beside.entered_at) == (True, waiting.entered_at)
    await desk.silence("there", 6.0)
    await desk.line.reap(silent=True)
    assert (await desk.place(waiting.id))["state"] == "done"
    assert (await desk.place(beside.id))["person"] == "member:1"
    late = await other.enter("member:2")
    await desk.silence("there", 3.0)
    assert (await desk.enter("member:2", call_id="another")).id == late.id


async def test_who_was_cut_off_and_dials_again_at_once(desk: OneLine, other: OneLine) -> None:
    """Before anybody noticed that the conversation is over: afterwards they wait at their old place."""
    await desk.agent("ann")
    place = await other.enter("member:1")
    await desk.serve()
    between = await desk.enter("member:2")
    beside = await desk.enter("member:1", call_id="another")
    assert beside.entered_at > between.entered_at
    await desk.silence("there", 6.0)
    await desk.line.reap(silent=True)
    waiting = (await desk.line.snapshot()).places
    assert [(p.id, p.arrival.call_id) for p in waiting] == [(place.id, "another"), (between.id, "call of member:2")]
    assert (await desk.enter("member:1", call_id="another")).id == place.id


async def test_what_a_dead_process_did_with_others(desk: OneLine, other: OneLine) -> None:
    """Its callers at our phones and consoles, our callers at its consoles: nobody stays reserved, nobody is lost."""
    await desk.agent("ann")
    await desk.phones(phone("front"))
    for n in (1, 2):
        await other.enter(f"member:{n}")
    talks, offered = await desk.serve(), await desk.pair()
    await other.agent("zoe")
    ours = await desk.enter("member:3")
    theirs = await desk.pair()
    assert (theirs.agent, theirs.place.id) == ("zoe", ours.id)
    await desk.silence("there", 6.0)
    await desk.line.reap(silent=True)
    assert {(await desk.place(each.place.id))["state"] for each in (talks, offered)} == {"away"}
    assert await desk.states() == {"ann": "wrap_up", "front": "idle", "zoe": "away"}
    assert not await desk.line.answered(offered)
    assert (await desk.pair()).place.id == ours.id


async def test_call_backs_of_a_dead_process(desk: OneLine, other: OneLine) -> None:
    """None is lost, none is made twice: who was reached already has been called back."""
    kept = {}
    for n, state in enumerate(("offered", "dialling", "talking")):
        await other.agent(f"agent{n}")
        place = await other.line.ask_call_back(arrival(f"member:{n}"), f"+1503555010{n}")
        offer = await other.pair()
        if state != "offered":
            await other.line.dialling(offer)
        if state == "talking":
            await other.line.answered(offer)
        kept[state] = (place.id, (await desk.place(place.id))["attempts"])
    message = await other.line.leave_message(arrival("member:9"), "9.wav", "nine")
    await other.agent("zoe")
    await other.serve()
    await desk.silence("there", 6.0)
    await desk.line.reap(silent=True)
    states = {was: (await desk.place(place_id))["state"] for was, (place_id, _) in kept.items()}
    assert states == {"offered": "callback", "dialling": "callback", "talking": "away"}
    assert (await desk.place(message.id))["state"] == "waiting"
    await desk.agent("bob")
    assert (await desk.pair()).place.id == kept["offered"][0]


async def test_a_call_back_that_nobody_ends(desk: OneLine) -> None:
    await desk.agent("ann")
    place = await desk.line.ask_call_back(arrival("member:1"), "+15035550101")
    await desk.line.dialling(await desk.pair())
    await desk.age(130)
    await desk.line.reap()
    assert (await desk.place(place.id))["state"] == "callback"
    assert (await desk.place(place.id))["attempts"] == 1
    assert await desk.states() == {"ann": "idle"}


async def test_a_restart(url: str, tmp_path: Path) -> None:
    """The process was killed: its lock is free, and everything is away at once, at its old place."""
    dead = await opened(url, "dead", spool=tmp_path)
    await dead.agent("ann")
    await dead.phones(phone("front"))
    people = [await dead.enter(f"member:{n}") for n in range(5)]
    await dead.serve()
    await dead.pair()
    await dead.line.ask_call_back(arrival("member:8"), "+15035550108")
    assert dead.store._spool is not None and dead.store._spool._lock_fd is not None
    os.close(dead.store._spool._lock_fd)  # as the kernel does
    heir = await opened(url, "heir", spool=tmp_path)
    places = {place.id: place for place in (await heir.line.snapshot()).places}
    assert [places[place.id].state for place in people] == ["away"] * 5
    assert [place.state for place in places.values()].count("callback") == 1
    assert await heir.states() == {"ann": "away", "front": "away"}
    await heir.phones(phone("front"))
    assert (await heir.states())["front"] == "idle"
    assert (await heir.pair()).place.arrival.person == "member:8", "the only one who is reachable"
    again = [await heir.enter(place.arrival.person, call_id="new") for place in reversed(people)]
    assert [(p.id, p.entered_at) for p in reversed(again)] == [(p.id, p.entered_at) for p in people]
    await heir.store.close()
    await dead.store.database.close()


async def test_a_process_that_stops_leaves_nothing_live(url: str, other: OneLine) -> None:
    stops = await opened(url, "stops")
    await stops.agent("ann")
    place = await stops.enter("member:1")
    await stops.serve()
    await stops.store.close()
    assert (await other.place(place.id))["state"] == "away"
    assert await other.states() == {"ann": "away"}


@pytest.mark.parametrize("state", ["offered", "busy"])
async def test_no_agent_is_reserved_for_nobody(desk: OneLine, state: str) -> None:
    """Should a place ever be changed by hand, its agent is not stuck."""
    await desk.agent("ann")
    place = await desk.enter()
    await (desk.pair() if state == "offered" else desk.serve())
    done = update(places_table).where(places_table.c.id == place.id).values(state="done")
    await desk.store.database.write(lambda connection: connection.execute(done))
    await desk.line.reap()
    assert (await desk.states())["ann"] == "wrap_up"
