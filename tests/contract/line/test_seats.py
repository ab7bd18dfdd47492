"""Agents' seats on the real line, on both databases: what consoles do is what the line knows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ivr.clock import SystemClock
from ivr.desk.page import TranscriptLine
from ivr.desk.seat import Seat
from ivr.desk.seats import Seats
from ivr.desk.story import Stories
from ivr.ports import Account, EarlierCall, Ring
from tests.seats import CONTEXT, OFFER_S, FakeBridge, FakePanel, arrival_of

from .running import Process, process, until

ANA = Account("ana", frozenset({"agent"}), "Ana Ruiz")


class Page:
    """desk.seat.Page."""

    def replaced(self) -> None:
        """There is no other."""

    def transcribed(self, line: TranscriptLine) -> None:
        """Nobody talks."""


async def no_calls(number: str, but: str) -> Sequence[EarlierCall]:
    return ()


def seats_on(here: Process) -> Seats:
    clock = SystemClock()
    stories = Stories(FakePanel(clock), no_calls)
    return Seats(here.line, clock, stories, lambda: None, skills=lambda name: ("retention",))


async def state_of(here: Process, state: str) -> None:
    await until(here.line, lambda view: {agent.state for agent in view.agents} == {state})


async def offered(here: Process, seats: Seats, seat: Seat) -> Ring:
    """A caller enters and is offered; the seat shows it."""
    place = await here.line.enter(arrival_of(CONTEXT))
    offer = await here.line.offered(place.id)
    assert offer.agent == "ana"
    ring = Ring(offer, CONTEXT, "", {}, OFFER_S)
    taking = asyncio.create_task(seat.offer(ring))
    await asyncio.sleep(0)
    shown = seats.view(seat)
    assert shown["offer"]["place"] == offer.place.id and shown["line"]["waiting"] == 0
    seat.accept(offer.place.id)
    assert await taking
    assert await here.line.answered(offer)
    return ring


async def test_an_agents_day_is_what_the_line_knows_of_them(url: str) -> None:
    async with process(url, "here") as here:
        seats = seats_on(here)
        seat = await seats.enter(ANA, Page())
        await state_of(here, "away")
        await seat.available()
        await state_of(here, "idle")
        ring = await offered(here, seats, seat)
        seats.joined(ring, FakeBridge(lambda: None))
        await state_of(here, "busy")
        await here.line.finished(ring.offer.place.id, "ana")
        seats.parted("ana")
        await state_of(here, "wrap_up")
        await seat.finish("saved", "away", "lunch")
        view = await until(here.line, lambda view: view.agents[0].state == "away")
        assert view.agents[0].reason == "lunch"
        assert "wrapped_up" in await here.desk.events(ring.offer.place.id)
        me = seats.view(seat)["me"]
        assert (me["state"], me["reason"], me["skills"], me["phone"]) == ("away", "lunch", ["retention"], "browser")
        await seats.stop()


async def test_a_page_that_is_loaded_again_is_as_it_was_and_one_that_is_gone_is_away(url: str) -> None:
    async with process(url, "here") as here:
        seats = seats_on(here)
        first = Page()
        seat = await seats.enter(ANA, first)
        await seat.available()
        seats.leave(seat, first)
        again = Page()
        assert await seats.enter(ANA, again) is seat
        await state_of(here, "idle")
        seats.leave(seat, again, silent_s=10.0)
        await until(here.line, lambda view: all(agent.state == "away" for agent in view.agents))
        assert seats.view(seat)["me"]["state"] == "away"
        third = Page()
        assert await seats.enter(ANA, third) is seat
        await state_of(here, "away")
        await seats.stop()


async def test_a_message_comes_to_the_seat_with_its_words_and_is_done_with(url: str) -> None:
    async with process(url, "here") as here:
        seats = seats_on(here)
        seat = await seats.enter(ANA, Page())
        await seat.available()
        await state_of(here, "idle")
        await here.line.leave_message(arrival_of(CONTEXT), "name-of-it", "call me about the discs")
        offer = await anext(aiter(here.line.callbacks()))
        delivering = asyncio.create_task(seats.deliver(offer))
        await asyncio.sleep(0)
        shown = seats.view(seat)["offer"]
        assert shown["kind"] == "message"
        told = {"transcript": "call me about the discs", "recording": "/desk/recordings/name-of-it"}
        assert shown["message"] == told
        seat.accept(offer.place.id)
        await delivering
        await state_of(here, "busy")
        await seat.finish("resolved", "available")
        await state_of(here, "idle")
        assert (await here.desk.place(offer.place.id))["state"] == "done"
        await seats.stop()
