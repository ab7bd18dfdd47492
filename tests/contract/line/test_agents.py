"""Agents: consoles that sign in and out, phones of the configuration, what becomes of offers that come to nothing."""

from __future__ import annotations

import pytest

from ivr.errors import IvrError

from .conftest import OneLine, phone


async def test_a_console_signs_in(desk: OneLine) -> None:
    status = await desk.line.sign_in("ann", display="Ann", skills=("general", "discs"))
    assert (status.state, status.skills, status.line, status.display) == ("away", ("discs", "general"), "here", "Ann")
    assert (await desk.line.set_state("ann", "idle")).state == "idle"
    await desk.line.set_skills("ann", ("retention",))
    again = await desk.line.sign_in("ann", display="Ann", skills=("general",))
    assert (again.state, again.skills) == ("idle", ("retention",)), "a page that was loaded again loses nothing"
    await desk.line.sign_out("ann")
    assert (await desk.line.snapshot()).agents == ()
    with pytest.raises(IvrError, match="no console open"):
        await desk.line.set_state("ann", "idle")
    with pytest.raises(IvrError, match="no agent"):
        await desk.line.set_state("zoe", "idle")
    with pytest.raises(IvrError, match="nobody can say"):
        await desk.line.set_state("ann", "busy")
    assert (await desk.line.sign_in("ann")).state == "away"


async def test_a_console_moves_to_another_process(desk: OneLine, other: OneLine) -> None:
    await desk.agent("ann")
    assert (await other.line.sign_in("ann")).line == "there"
    await desk.enter()
    offer = await desk.pair()
    assert (offer.line, offer.place.line) == ("there", "here")


@pytest.mark.parametrize("why", ["declined", "no_answer", "unreachable", "lost"])
async def test_an_offer_that_comes_to_nothing(desk: OneLine, why: str) -> None:
    """The caller is where they were, and the agent is not offered the next one."""
    await desk.agent("ann")
    first = await desk.enter("member:1")
    await desk.enter("member:2")
    offer = await desk.pair()
    await desk.line.released(offer, why)  # type: ignore[arg-type]
    await desk.line.released(offer, why)  # type: ignore[arg-type]
    assert not await desk.line.answered(offer)
    assert (await desk.history("ann"))[-1] == ("away", why)
    await desk.nobody()
    await desk.agent("bob")
    again = await desk.pair()
    assert (again.place.id, again.place.entered_at, again.place.offers) == (first.id, first.entered_at, 2)


async def test_an_old_offer_does_nothing_to_a_new_one(desk: OneLine) -> None:
    await desk.agent("ann")
    place = await desk.enter()
    old = await desk.pair()
    await desk.line.released(old, "no_answer")
    await desk.line.set_state("ann", "idle")
    new = await desk.pair()
    assert (new.agent, new.place.id) == (old.agent, place.id)
    await desk.line.released(old, "no_answer")
    assert not await desk.line.answered(old)
    assert await desk.line.answered(new)


async def test_nobody_answers(desk: OneLine) -> None:
    """The lease is over: whoever looks gives the caller back."""
    desk.configure(offer_s=20.0)
    await desk.agent("ann")
    place = await desk.enter()
    offer = await desk.pair()
    await desk.line.reap()
    assert await desk.states() == {"ann": "offered"}
    await desk.age(21)
    await desk.line.reap()
    assert await desk.states() == {"ann": "away"}
    assert (await desk.place(place.id))["state"] == "waiting"
    assert not await desk.line.answered(offer)


async def test_the_callers_hang_up_withdraws_the_offer(desk: OneLine) -> None:
    await desk.agent("ann")
    await desk.agent("bob")
    place = await desk.enter("member:1")
    offer = await desk.pair()
    await desk.line.leave(place.id, "abandoned")
    assert await desk.states() == {"ann": "idle", "bob": "idle"}
    assert not await desk.line.answered(offer)
    await desk.enter("member:2")
    assert (await desk.pair()).agent == "ann", "it cost them their turn"


async def test_wrap_up_ends_by_itself(desk: OneLine) -> None:
    desk.configure(wrap_up_s=60.0)
    await desk.agent("ann")
    place = await desk.enter()
    await desk.serve()
    await desk.line.finished(place.id, "ann")
    await desk.age(59)
    await desk.line.reap()
    assert await desk.states() == {"ann": "wrap_up"}
    await desk.age(2)
    await desk.line.reap()
    assert await desk.states() == {"ann": "idle"}


async def test_wrap_up_may_wait_for_them(desk: OneLine) -> None:
    desk.configure(wrap_up_s=0.0)
    await desk.agent("ann")
    place = await desk.enter()
    await desk.serve()
    await desk.line.finished(place.id, "ann")
    await desk.age(100_000)
    await desk.line.reap()
    assert await desk.states() == {"ann": "wrap_up"}
    await desk.line.set_state("ann", "idle")
    assert await desk.states() == {"ann": "idle"}


async def test_lunch_after_this_call(desk: OneLine) -> None:
    await desk.agent("ann")
    place = await desk.enter()
    await desk.serve()
    assert (await desk.line.set_state("ann", "away", "lunch")).state == "busy"
    await desk.line.finished(place.id, "ann")
    assert (await desk.history("ann"))[-1] == ("away", "lunch")


async def test_an_agents_line_breaks(desk: OneLine) -> None:
    """The caller is first of their priority, whoever came before them."""
    await desk.agent("gus", "general", state="wrap_up")
    await desk.agent("ann", "discs")
    earlier = await desk.enter("member:1", "general")
    urgent = await desk.enter("member:2", "general", 8)
    place = await desk.enter("member:3", "discs")
    await desk.serve()
    back = await desk.line.broken(place.id, "ann")
    assert (back.state, back.entered_at) == ("waiting", place.entered_at)
    assert (await desk.history("ann"))[-1] == ("away", "lost")
    served = []
    for name in ("bob", "cat", "dan"):
        await desk.agent(name, "general", "discs")
        served.append((await desk.pair()).place.id)
    assert served == [urgent.id, place.id, earlier.id]


# -- phones without a console ------------------------------------------------------------------------------------------


async def test_a_phone_is_an_agent_by_itself(desk: OneLine) -> None:
    desk.configure(rest_s=60.0)
    await desk.phones(phone())
    place = await desk.enter()
    offer = await desk.serve()
    assert (offer.agent, offer.line) == ("front", "")
    await desk.line.finished(place.id, "front")
    assert await desk.states() == {"front": "idle"}, "nobody wraps up at a bare phone"
    await desk.enter("member:2")
    await desk.line.released(await desk.pair(), "no_answer")
    await desk.nobody()
    await desk.age(61)
    await desk.line.reap()
    await desk.phones(phone())
    assert (await desk.pair()).agent == "front"


async def test_a_phone_keeps_the_offices_hours(desk: OneLine) -> None:
    await desk.phones(phone(on_duty=False))
    assert (await desk.history("front"))[-1] == ("away", "closed")
    await desk.phones(phone())
    assert await desk.states() == {"front": "idle"}
    await desk.phones(phone(on_duty=False))
    assert await desk.states() == {"front": "away"}
    await desk.phones(phone())
    await desk.line.set_state("front", "away", "fire drill")
    await desk.phones(phone())
    assert await desk.states() == {"front": "away"}, "somebody said so, and the hours don't know better"


async def test_a_hunt_group_takes_several_at_once(desk: OneLine) -> None:
    await desk.phones(phone(calls=3))
    for n in range(4):
        await desk.enter(f"member:{n}")
    offers = [await desk.serve() for _ in range(3)]
    assert [(offer.agent, offer.slot) for offer in offers] == [("front", 1), ("front", 2), ("front", 3)]
    await desk.nobody()
    await desk.line.finished(offers[1].place.id, "front")
    again = await desk.pair()
    assert again.slot == 2
    await desk.line.released(again, "no_answer")
    assert await desk.states() == {"front": "busy", "front#2": "away", "front#3": "busy"}
    assert [agent.slot for agent in (await desk.line.snapshot()).agents] == [1, 2, 3]


async def test_a_hunt_group_rests_as_a_whole(desk: OneLine) -> None:
    await desk.phones(phone(calls=2))
    await desk.enter()
    await desk.line.released(await desk.pair(), "no_answer")
    await desk.nobody()


async def test_the_configuration_changes(desk: OneLine) -> None:
    await desk.phones(phone("front", calls=2), phone("back"))
    await desk.line.set_skills("front", ("discs",))
    await desk.phones(phone("front", calls=2), phone("back"))
    first = (await desk.line.snapshot()).agents[-1]
    assert (first.name, first.skills) == ("front", ("discs",)), "a supervisor said so"
    await desk.enter("member:1", "discs")
    await desk.serve()
    await desk.phones(phone("front", "general", "films"))
    assert await desk.states() == {"front": "busy"}
    assert (await desk.line.snapshot()).agents[0].skills == ("films", "general"), "the configuration says otherwise now"
    await desk.phones()
    assert await desk.states() == {"front": "busy"}, "it is talking"
    await desk.line.finished(1, "front")
    await desk.phones()
    assert await desk.states() == {}


async def test_two_processes_have_the_same_phones(desk: OneLine, other: OneLine) -> None:
    await desk.phones(phone("front"), phone("mine"))
    await other.phones(phone("front"), phone("theirs"))
    for each in (desk, other, desk):
        await each.phones(*(phone(name) for name in (("front", "mine") if each is desk else ("front", "theirs"))))
    assert set(await desk.states()) == {"front", "mine", "theirs"}
    await desk.store.close()
    await other.line.reap()
    await other.phones(phone("front"), phone("theirs"))
    assert await other.states() == {"front": "idle", "mine": "away", "theirs": "idle"}


async def test_somebody_sits_down_at_a_configured_phone(desk: OneLine) -> None:
    """Their phone is that one, and their console says what they are."""
    await desk.phones(phone("ann", calls=2))
    status = await desk.line.sign_in("ann", display="Ann", skills=("films",), phone="browser")
    assert (status.phone, status.state, status.skills) == ("sip:ann@test", "away", ("general",))
    await desk.phones(phone("ann", calls=2))
    assert await desk.states() == {"ann": "away", "ann#2": "away"}
    await desk.line.set_state("ann", "idle")
    assert await desk.states() == {"ann": "idle", "ann#2": "away"}, "a person has one pair of ears"
    place = await desk.enter()
    offer = await desk.serve()
    assert offer.line == "here"
    await desk.line.finished(place.id, "ann")
    assert (await desk.states())["ann"] == "wrap_up"
    await desk.line.sign_out("ann")
    await desk.phones(phone("ann", calls=2))
    assert await desk.states() == {"ann": "idle", "ann#2": "idle"}
