"""The line as calls, consoles and boards see it: offers that reach who waits, what is remembered, outages."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from ivr.config import Agent, DeskConfig, LineConfig
from ivr.errors import StoreUnavailable, TooManyCallBacks
from ivr.ports import LineView, Offer, Place, Standing
from ivr.ports.line_store import RETURN_S
from tests.postgres import PostgresServer

from .conftest import arrival
from .running import Process, process, until

PHONE = Agent(name="front", target="sip:front@test", skills=("general",), calls=2)


@pytest.fixture
async def here(url: str) -> AsyncIterator[Process]:
    async with process(url, "here") as made:
        yield made


async def test_a_caller_and_an_agent_find_each_other(here: Process) -> None:
    place = await here.line.enter(arrival())
    waiting = asyncio.create_task(here.line.offered(place.id))
    await here.line.sign_in("ann", skills=("general",))
    await here.line.set_state("ann", "idle")
    began = time.monotonic()
    offer = await asyncio.wait_for(waiting, 5)
    assert (offer.place.id, offer.agent) == (place.id, "ann")
    assert time.monotonic() - began < 0.9, "told at once, not at the next look"
    assert await here.line.answered(offer)
    view = await until(here.line, lambda view: view.places[0].state == "talking")
    assert view.agents[0].state == "busy"
    await here.line.finished(place.id, "ann")
    await until(here.line, lambda view: not view.places)
    assert here.line.standing(place.id) is None


async def test_an_offer_waits_for_its_caller(here: Process) -> None:
    """Who asks late, or again after it came to nothing, gets the next one and never the same."""
    for name in ("ann", "bob"):
        await here.line.sign_in(name, skills=("general",))
        await here.line.set_state(name, "idle")
    place = await here.line.enter(arrival())
    await until(here.line, lambda view: any(each.state == "offered" for each in view.places))
    first = await asyncio.wait_for(here.line.offered(place.id), 5)
    await here.line.released(first, "no_answer")
    second = await asyncio.wait_for(here.line.offered(place.id), 5)
    assert {first.agent, second.agent} == {"ann", "bob"}


async def test_whose_page_broke_is_waited_for_and_who_said_that_they_go_is_not(here: Process) -> None:
    """Until they can be back no caller hears that nobody is there, also while they have no console."""
    for name, says in (("ann", False), ("bob", True)):
        await here.line.sign_in(name, skills=("general",))
        await here.line.set_state(name, "idle")
        await until(here.line, lambda view: view.agents != ())
        if says:
            await here.line.set_state(name, "away", "home")
        await here.line.sign_out(name)
        await until(here.line, lambda view: view.agents == ())
        assert here.line.staffed("general") is not says
        await here.desk.age(RETURN_S)
        await until(here.line, lambda view: not here.line.staffed("general"))


async def test_where_callers_stand(here: Process) -> None:
    await here.line.sign_in("ann", skills=("general", "discs"))
    await here.line.sign_in("rita", skills=("retention",))
    for name in ("ann", "rita"):
        await here.line.set_state(name, "wrap_up")
    await until(here.line, lambda view: [agent.state for agent in view.agents] == ["wrap_up", "wrap_up"])
    urgent = await here.line.enter(arrival("member:1", "general", 8))
    other = await here.line.enter(arrival("member:2", "retention"))
    mine = await here.line.enter(arrival("member:3", "general"))
    positions = [(here.line.standing(place.id) or pytest.fail("gone")).position for place in (urgent, other, mine)]
    assert positions == [1, 1, 2], "at once, without another look at the database"
    await here.line.move(mine.id, priority=9)
    assert (here.line.standing(mine.id) or pytest.fail("gone")).position == 1, "who says why they are urgent hears it"
    await here.line.move(mine.id, priority=5)
    await here.line.leave(urgent.id, "abandoned")
    await until(here.line, lambda view: len(view.places) == 2)
    standing = here.line.standing(mine.id)
    assert standing is not None and (standing.position, standing.agents, standing.within_s) == (1, 1, None)
    assert here.line.staffed("general")
    for name in ("ann", "rita"):
        await here.line.set_state(name, "away")
    await until(here.line, lambda view: all(agent.state == "away" for agent in view.agents))
    assert not here.line.staffed("general")


async def test_a_phone_whose_process_was_taken_for_dead_is_soon_back(url: str) -> None:
    """Nobody hears that nobody is there meanwhile: whose configuration has it looks after it within a second."""
    async with process(url, "here", DeskConfig(agents=(PHONE,))) as here, process(url, "there") as there:
        await until(there.line, lambda view: any(each.state == "idle" for each in view.agents))
        here.kill()
        await there.desk.silence("here", 12.0)
        assert await there.desk.line.reap(silent=True) == 0
        await until(there.line, lambda view: bool(view.agents) and all(each.state == "away" for each in view.agents))
        assert there.line.staffed("general")


class Estimate:
    """Implements ``ivr.ports.Estimator``."""

    def __init__(self) -> None:
        self.views: list[LineView] = []
        self.said: list[tuple[int, Standing]] = []

    def follow(self, view: LineView) -> None:
        self.views.append(view)

    def within_s(self, view: LineView, place: Place) -> float | None:
        return 90.0

    def position(self, view: LineView, place: Place) -> int:
        return 7

    def told(self, view: LineView, place: Place, standing: Standing) -> None:
        self.said.append((place.id, standing))


async def test_the_estimator_is_asked_and_shown(url: str) -> None:
    estimate, changes = Estimate(), list[int]()
    async with process(url, "here", estimator=estimate, on_change=lambda: changes.append(1)) as here:
        changes.clear()
        place = await here.line.enter(arrival())
        standing = here.line.standing(place.id)
        assert standing is not None and (standing.position, standing.within_minutes) == (7, 2)
        here.line.told(place.id, standing)
        assert estimate.said == [(place.id, standing)]
        assert [each.id for each in estimate.views[-1].places] == [place.id]
        assert changes


async def next_of(offers: AsyncIterator[Offer]) -> Offer:
    async with asyncio.timeout(5):
        return await anext(offers)


async def test_call_backs_and_messages_reach_who_makes_them(here: Process) -> None:
    offers = here.line.callbacks()
    place = await here.line.enter(arrival("member:1"))
    await here.line.call_back(place.id, "+15035550101")
    await here.line.leave_message(arrival("member:2"), "2.wav", "two")
    await here.line.sign_in("ann", skills=("general",))
    await here.line.set_state("ann", "idle")
    offer = await next_of(offers)
    assert (offer.place.callback_number, offer.agent) == ("+15035550101", "ann")
    assert await here.line.dialling(offer)
    assert await here.line.answered(offer)
    await here.line.finished(place.id, "ann")
    await here.line.set_state("ann", "idle")
    assert (await next_of(offers)).place.transcript == "two"


async def test_a_phone_of_the_configuration(url: str) -> None:
    config = DeskConfig(agents=(PHONE,))
    async with process(url, "here", config) as here:
        assert [agent.state for agent in here.line.view().agents] == ["idle", "idle"]
        places = [await here.line.enter(arrival(f"member:{n}")) for n in range(2)]
        offers = [await asyncio.wait_for(here.line.offered(place.id), 5) for place in places]
        assert [offer.slot for offer in offers] == [1, 2]
        here.waiting.apply(DeskConfig(agents=(PHONE.model_copy(update={"skills": ("discs",)}),)))
        await until(here.line, lambda view: view.agents[0].skills == ("discs",))


async def test_hours_open_and_close(url: str) -> None:
    from ivr.clock import SystemClock
    from ivr.desk import WaitingLine

    from .conftest import opened

    is_open = False
    desk = await opened(url, "here")
    config = DeskConfig(agents=(PHONE, PHONE.model_copy(update={"name": "night", "on_call": True, "calls": 1})))
    line = WaitingLine(desk.line, config, SystemClock(), open_at=lambda moment: is_open)
    await line.begin()
    assert {agent.name: agent.state for agent in line.view().agents} == {"front": "away", "night": "idle"}
    is_open = True
    beside = asyncio.create_task(line.run())
    await until(line, lambda view: {agent.state for agent in view.agents} == {"idle"})
    is_open = False
    await until(line, lambda view: {agent.state for agent in view.agents if agent.name == "front"} == {"away"})
    beside.cancel()
    await asyncio.gather(beside, return_exceptions=True)
    await desk.store.close()


async def test_a_call_that_forgot_its_place(url: str) -> None:
    """Something of ours broke: no agent is rung for somebody who is gone."""
    calls = {"call of member:1"}
    async with process(url, "here", live=lambda: calls) as here:
        place = await here.line.enter(arrival("member:1"))
        await until(here.line, lambda view: len(view.places) == 1)
        calls.clear()
        await until(here.line, lambda view: view.places[0].state == "away", 8)
        assert here.line.standing(place.id) is not None


async def test_taken_for_dead_and_back(url: str) -> None:
    """A process stood still for a while: its callers are where they were, and are offered to agents."""
    async with process(url, "here") as here, process(url, "there") as there:
        place = await here.line.enter(arrival("member:1"))
        waiting = asyncio.create_task(here.line.offered(place.id))
        await there.line.enter(arrival("member:2"))
        await until(here.line, lambda view: len(view.places) == 2)
        await here.desk.silence("here", 60)
        assert await there.desk.line.reap(silent=True) == 1
        await until(here.line, lambda view: any(each.state == "away" for each in view.places))
        await until(here.line, lambda view: view.places[0].state == "waiting" and view.places[0].line == "here")
        await there.line.sign_in("ann", skills=("general",))
        await there.line.set_state("ann", "idle")
        offer = await asyncio.wait_for(waiting, 5)
        assert (offer.place.id, offer.place.entered_at) == (place.id, place.entered_at)


@pytest.mark.parametrize("trouble", ["the database is away again", "no call back is promised"])
async def test_taken_for_dead_and_back_after_trouble(url: str, trouble: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be done leaves the caller who waits with all that brings them back to their place."""
    async with process(url, "here") as here, process(url, "there") as there:
        place = await here.line.enter(arrival("member:1"))
        waiting = asyncio.create_task(here.line.offered(place.id))
        await until(here.line, lambda view: len(view.places) == 1)
        if trouble == "no call back is promised":
            monkeypatch.setattr(here.desk.line, "call_back", failing(TooManyCallBacks("enough for a day")))
            with pytest.raises(TooManyCallBacks):
                await here.line.call_back(place.id, "+15035550101")
        else:
            enters = here.desk.line.enter
            monkeypatch.setattr(here.desk.line, "enter", failing(StoreUnavailable("away"), enters))
        await here.desk.silence("here", 60)
        assert await there.desk.line.reap(silent=True) == 1
        await until(here.line, lambda view: view.places[0].state == "waiting" and view.places[0].line == "here")
        await there.line.sign_in("ann", skills=("general",))
        await there.line.set_state("ann", "idle")
        offer = await asyncio.wait_for(waiting, 5)
        assert (offer.place.id, offer.place.entered_at) == (place.id, place.entered_at)


def failing(error: Exception, then: Callable[..., Awaitable[Any]] | None = None) -> Callable[..., Awaitable[Any]]:
    """Once; afterwards it is ``then``."""
    failures = [error]

    async def work(*args: Any, **options: Any) -> Any:
        if failures:
            raise failures.pop()
        assert then is not None
        return await then(*args, **options)

    return work


@pytest.mark.postgres
async def test_two_processes_hear_of_each_other(seeded_postgres_url: str) -> None:
    url = seeded_postgres_url
    async with process(url, "here") as here, process(url, "there") as there:
        place = await here.line.enter(arrival())
        waiting = asyncio.create_task(here.line.offered(place.id))
        await until(there.line, lambda view: len(view.places) == 1)
        await there.line.sign_in("ann", skills=("general",))
        began = time.monotonic()
        await there.line.set_state("ann", "idle")
        offer = await asyncio.wait_for(waiting, 5)
        assert (offer.agent, offer.line) == ("ann", "there")
        assert time.monotonic() - began < 0.9, "by notification, not by the look every second"
        back = await there.line.ask_call_back(arrival("member:2"), "+15035550102")
        made = asyncio.create_task(next_of(there.line.callbacks()))
        await here.line.released(offer, "withdrawn")
        await here.line.leave(place.id, "abandoned")
        assert (await asyncio.wait_for(made, 5)).place.id == back.id


@pytest.mark.postgres
async def test_notifications_come_back_after_the_server_ends_them(
    seeded_postgres_url: str, postgres_server: PostgresServer
) -> None:
    url = seeded_postgres_url
    async with process(url, "here") as here, process(url, "there") as there:
        await until(here.line, lambda view: view.fresh)
        await asyncio.sleep(0.2)
        await postgres_server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
        )
        await asyncio.sleep(2.0)
        place = await here.line.enter(arrival())
        began = time.monotonic()
        await until(there.line, lambda view: [each.id for each in view.places] == [place.id])
        assert time.monotonic() - began < 0.5


@pytest.mark.postgres
async def test_the_database_is_gone_for_a_while(seeded_postgres_url: str, postgres_server: PostgresServer) -> None:
    """Callers are told at once that there is no line; what ended meanwhile has ended, and the rest goes on."""
    config = DeskConfig(line=LineConfig(offer_s=30.0))
    async with process(seeded_postgres_url, "here", config) as here:
        here.desk.store.database.timeout_s = 0.5
        gone = await here.line.enter(arrival("member:1"))
        stays = await here.line.enter(arrival("member:2"))
        waiting = asyncio.create_task(here.line.offered(stays.id))
        await until(here.line, lambda view: len(view.places) == 2)
        postgres_server.freeze()
        try:
            await until(here.line, lambda view: not view.fresh, 8)
            began = time.monotonic()
            with pytest.raises(StoreUnavailable):
                await here.line.enter(arrival("member:3"))
            assert time.monotonic() - began < 0.1
            await here.line.leave(gone.id, "abandoned")
            standing = here.line.standing(stays.id)
            assert standing is not None and standing.waited_s >= 0
            assert not waiting.done()
        finally:
            postgres_server.freeze(False)
        await until(here.line, lambda view: view.fresh and [each.id for each in view.places] == [stays.id], 10)
        await here.line.sign_in("ann", skills=("general",))
        await here.line.set_state("ann", "idle")
        assert (await asyncio.wait_for(waiting, 5)).place.id == stays.id


async def test_the_clock_is_the_databases(here: Process) -> None:
    place = await here.line.enter(arrival())
    await here.desk.age(100)
    await until(here.line, lambda view: place.entered_at - view.places[0].entered_at > timedelta(seconds=99))
    standing = here.line.standing(place.id)
    assert standing is not None and 99.0 <= standing.waited_s < 103.0
