"""Tokens of tie lines, on both databases: once, in time, for the process with the console; and consoles that move."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from ivr.clock import SystemClock
from ivr.ports import Offer
from tests.contract.line.conftest import OneLine
from tests.wire.line.watching import until

SIP = "127.0.0.9:5099"


def token_of(uri: str) -> str:
    user, _, host = uri.removeprefix("sip:").partition("@")
    assert host == SIP
    return user.removeprefix("desk-")


@pytest.fixture
async def offer(desk: OneLine, other: OneLine) -> Offer:
    """A caller of this process, offered to an agent whose console is in the other one."""
    await other.store.ties.reachable_at(SIP)
    await other.agent("ann")
    await desk.enter("member:1", context="story")
    made = await desk.pair()
    assert made.line == "there"
    return made


async def test_a_token_tells_the_other_process_of_the_offer_once(desk: OneLine, other: OneLine, offer: Offer) -> None:
    token = token_of(await desk.store.ties.uri_of(offer))
    kept = await desk.place(offer.place.id)
    assert len(token) == 43 and token not in str(kept), "a copy of the database rings nobody"
    found = await other.store.ties.redeem(token)
    assert found is not None
    assert (found.agent, found.place.id, found.place.arrival.context) == ("ann", offer.place.id, "story")
    assert found.until == offer.until
    assert await other.store.ties.redeem(token) is None, "a second time"
    assert await desk.line.answered(offer)


async def test_what_is_guessed_late_or_for_another_process_rings_nobody(
    desk: OneLine, other: OneLine, offer: Offer
) -> None:
    ties = desk.store.ties
    token = token_of(await ties.uri_of(offer))
    assert await other.store.ties.redeem("") is None
    assert await other.store.ties.redeem(token[:-1] + ("A" if token[-1] != "A" else "B")) is None
    assert await ties.redeem(token) is None, "the console is not here"
    assert await other.store.ties.redeem(token) is None, "and that spent it"
    token = token_of(await ties.uri_of(offer))
    await desk.age(21.0)
    assert await other.store.ties.redeem(token) is None, "the lease is over"


async def test_a_token_of_an_offer_that_is_over_says_nothing_of_the_next(
    desk: OneLine, other: OneLine, offer: Offer
) -> None:
    token = token_of(await desk.store.ties.uri_of(offer))
    await desk.line.released(offer, "declined")
    assert await other.store.ties.redeem(token) is None
    await other.line.set_state("ann", "idle")
    again = await desk.pair()
    assert again.place.id == offer.place.id and again.place.offers == offer.place.offers + 1
    assert await other.store.ties.redeem(token) is None
    assert await desk.store.ties.uri_of(offer) == "", "the first offer stands no more"
    assert await other.store.ties.redeem(token_of(await desk.store.ties.uri_of(again))) is not None


async def test_a_process_without_an_address_is_not_dialled(desk: OneLine, other: OneLine, offer: Offer) -> None:
    await other.store.ties.reachable_at("")
    assert await desk.store.ties.uri_of(offer) == ""
    assert await desk.store.ties.uri_of(replace(offer, line="nowhere")) == ""


async def test_an_agent_follows_their_console_to_another_process(desk: OneLine, other: OneLine) -> None:
    """As behind a load balancer: the old process hears last that the page is gone."""
    await desk.agent("ann")
    status = await other.line.sign_in("ann", skills=("general",))
    assert (status.line, status.state) == ("there", "idle"), "as after a reload"
    await desk.line.sign_out("ann")
    await desk.enter("member:1")
    offer = await desk.pair()
    assert (offer.agent, offer.line) == ("ann", "there")
    await other.line.sign_out("ann")
    assert (await other.states())["ann"] == "offered", "who has a call has it still"


async def test_who_is_near_is_known_by_their_beats(desk: OneLine, other: OneLine) -> None:
    await other.store.ties.reachable_at("[2001:db8::7]:5060")
    assert not desk.store.ties.near("2001:db8::7"), "not seen yet"
    running = asyncio.create_task(desk.store.run(SystemClock(), lambda: ()))

    async def seen() -> bool:
        return desk.store.ties.near("2001:db8::7")

    await until(seen)
    assert not desk.store.ties.near("2001:db8::8") and not desk.store.ties.near("")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_an_agent_who_talked_at_a_dead_line_is_rung_where_their_page_comes_back(
    desk: OneLine, other: OneLine, offer: Offer
) -> None:
    assert await desk.line.answered(offer)
    began = (await desk.place(offer.place.id))["changed_at"]
    await desk.silence("there", 6.0)
    await desk.line.reap(silent=True)
    assert (await desk.states())["ann"] == "busy", "nobody else is offered to them"
    assert (await desk.place(offer.place.id))["state"] == "talking", "the caller's line lives, and keeps them for ann"
    await other.line.sign_in("ann")
    token = token_of(await desk.store.ties.uri_of(offer))
    found = await other.store.ties.redeem(token)
    assert found is not None and (found.agent, found.place.state) == ("ann", "talking")
    assert found.place.changed_at == began
    assert await other.store.ties.redeem(token) is None, "a second time"
    late = token_of(await desk.store.ties.uri_of(offer))
    await desk.age(21.0)
    assert await other.store.ties.redeem(late) is None, "in time, or not at all"
    assert not await desk.line.rejoined(offer.place.id, "ben")
    assert await desk.line.rejoined(offer.place.id, "ann")
    assert (await desk.states())["ann"] == "busy"
    assert (await desk.place(offer.place.id))["until"] is None
    await desk.line.broken(offer.place.id, "ann")
    assert not await desk.line.rejoined(offer.place.id, "ann"), "they wait for anybody"
