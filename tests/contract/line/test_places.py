"""Places: who comes, comes back, asks to be called back; nobody loses the place that they had."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from ivr.config import Relaxation
from ivr.errors import IvrError, TooManyCallBacks
from ivr.store.tables import place_events, places

from .conftest import OneLine, arrival, phone


async def test_a_places_life(desk: OneLine) -> None:
    await desk.agent()
    place = await desk.enter("member:7", "general", 5, reason="asked", said="agent", number="+15035550101", name="Ada")
    assert (place.state, place.again, place.line) == ("waiting", False, "here")
    offer = await desk.pair()
    assert (offer.place.id, offer.agent, offer.line, offer.place.state) == (place.id, "ann", "here", "offered")
    assert offer.place.arrival.name == "Ada"
    assert await desk.line.answered(offer)
    assert not await desk.line.answered(offer), "an offer is answered once"
    await desk.line.finished(place.id, "ann", "solved")
    await desk.line.finished(place.id, "ann", "solved")
    assert (await desk.place(place.id))["state"] == "done"
    assert await desk.states() == {"ann": "wrap_up"}
    assert await desk.events(place.id) == ["entered", "offered", "answered", "finished"]
    assert [state for state, _ in await desk.history("ann")] == ["away", "idle", "offered", "busy", "wrap_up"]
    assert (await desk.line.snapshot()).places == ()


async def test_how_it_came_out_is_kept_whatever_became_of_the_place(desk: OneLine) -> None:
    await desk.agent()
    place = await desk.enter("member:7", "general", 5)
    assert await desk.line.answered(await desk.pair())
    await desk.line.finished(place.id, "ann")
    await desk.line.wrapped_up(place.id, "ann", "saved")
    assert (await desk.place(place.id))["state"] == "done"
    assert (await desk.events(place.id))[-1] == "wrapped_up"
    assert await desk.states() == {"ann": "wrap_up"}
    await desk.line.wrapped_up(4711, "ann", "saved")


async def test_priority_then_arrival(desk: OneLine) -> None:
    order = [await desk.enter(f"member:{n}", priority=priority) for n, priority in enumerate((5, 8, 5, 8, 0))]
    served = []
    for n in range(5):
        await desk.agent(f"agent{n}")
        served.append((await desk.pair()).place.id)
    assert served == [order[n].id for n in (1, 3, 0, 2, 4)]


async def test_nobody_starves(desk: OneLine) -> None:
    """Who has waited longer than the bound goes before any priority."""
    desk.configure(bound_s=600.0)
    patient = await desk.enter("member:1", priority=0)
    await desk.age(601)
    await desk.enter("member:2", priority=10)
    await desk.agent()
    assert (await desk.pair()).place.id == patient.id


async def test_agents_take_turns(desk: OneLine) -> None:
    for name in ("ann", "bob", "cat"):
        await desk.agent(name)
    for n in range(3):
        await desk.enter(f"member:{n}")
    first = [await desk.serve() for _ in range(3)]
    assert [offer.agent for offer in first] == ["ann", "bob", "cat"]
    for offer in (first[1], first[0]):
        await desk.line.finished(offer.place.id, offer.agent)
        await desk.line.set_state(offer.agent, "idle")
    await desk.enter("member:9")
    assert (await desk.pair()).agent == "bob", "who has been idle longest"


async def test_skills_relax_by_time(desk: OneLine) -> None:
    desk.configure(relax=(Relaxation(skill="discs", to="general", after_s=180.0),))
    await desk.agent("ann", "general")
    await desk.agent("dora", "discs", state="wrap_up")
    place = await desk.enter("member:1", "discs")
    await desk.nobody()
    await desk.age(181)
    assert (await desk.pair()).place.id == place.id


async def test_a_skill_that_nobody_on_duty_has(desk: OneLine) -> None:
    """Generalists take it rather than nobody, and anybody where there are none; who has it on duty is waited for."""
    await desk.agent("ann", "general")
    await desk.agent("dora", "discs")
    await desk.enter("member:1", "retention")
    offer = await desk.pair()
    assert offer.agent == "ann"
    await desk.agent("rita", "retention", state="wrap_up")
    waits = await desk.enter("member:2", "retention")
    await desk.line.answered(offer)
    await desk.line.finished(offer.place.id, "ann")
    await desk.line.set_state("ann", "idle")
    await desk.nobody()
    for gone in ("rita", "ann"):
        await desk.line.set_state(gone, "away")
    assert (await desk.pair()).agent == "dora"
    assert (await desk.place(waits.id))["agent"] == "dora"


async def test_the_agent_they_know_is_preferred_for_a_while(desk: OneLine) -> None:
    desk.configure(named_s=20.0)
    await desk.agent("ann")
    await desk.agent("bob")
    known = await desk.enter("member:1", named="bob")
    offer = await desk.pair()
    assert offer.agent == "bob", "though ann has been idle longer"
    await desk.line.answered(offer)
    again = await desk.enter("member:2", named="bob")
    await desk.nobody()
    await desk.age(21)
    assert (await desk.pair()).place.id == again.id
    assert known.id != again.id
    await desk.line.set_state("ann", "idle")
    await desk.enter("member:3", named="nobody who is here")
    await desk.agent("cat")
    assert (await desk.pair()).agent == "cat"


async def test_a_dropped_call_keeps_its_place(desk: OneLine) -> None:
    first = await desk.enter("member:1", priority=8, context="old", reason="cancellation-risk")
    second = await desk.enter("member:2")
    await desk.line.leave(first.id, "away")
    await desk.age(60)
    again = await desk.enter("member:1", priority=5, call_id="another call", reason="asked")
    assert again.again
    assert (again.id, again.arrival.priority, again.arrival.context) == (first.id, 8, "old")
    assert (await desk.place(first.id))["entered_at"] < (await desk.place(second.id))["entered_at"]
    await desk.line.leave(again.id, "abandoned")
    assert (await desk.place(first.id))["state"] == "abandoned"
    there = await desk.line.place_of("member:1")
    assert there is not None and there.id == first.id, "hanging up and dropping look the same"
    assert (await desk.enter("member:1", call_id="third")).id == first.id
    await desk.line.leave(again.id, "abandoned")
    await desk.age(901)
    assert await desk.line.place_of("member:1") is None
    assert not (await desk.enter("member:1", call_id="fourth")).again


async def test_a_place_is_kept_for_a_while_only(desk: OneLine) -> None:
    desk.configure(grace_s=900.0)
    place = await desk.enter("member:1")
    await desk.line.leave(place.id, "away")
    await desk.age(890)
    await desk.line.reap()
    assert (await desk.place(place.id))["state"] == "away"
    await desk.age(20)
    await desk.line.reap()
    assert (await desk.place(place.id))["state"] == "expired"
    new = await desk.enter("member:1")
    assert (new.again, new.id) == (False, place.id + 1)


async def test_what_they_want_may_have_changed(desk: OneLine) -> None:
    """One person waits once: the old place counts for the new wish, and whatever else they had is done."""
    old = await desk.enter("member:1", "discs")
    await desk.line.leave(old.id, "away")
    back = await desk.line.ask_call_back(arrival("member:1", "general"), "+15035550101")
    again = await desk.enter("member:1", "retention", call_id="another")
    assert (again.id, again.arrival.skill) == (old.id, "retention")
    assert (await desk.place(back.id))["state"] == "done"
    assert (await desk.events(back.id))[-1] == "merged"


async def test_two_phones_behind_one_number(desk: OneLine) -> None:
    """Both are served: neither has the other's place taken, and both are as old."""
    first = await desk.enter("tel:+15035550101", call_id="kitchen")
    between = await desk.enter("member:2")
    second = await desk.enter("tel:+15035550101", call_id="bedroom")
    assert second.id != first.id
    assert second.entered_at == first.entered_at < between.entered_at
    assert (await desk.enter("tel:+15035550101", call_id="kitchen")).id == first.id
    assert (await desk.enter("tel:+15035550101", call_id="bedroom")).id == second.id
    await desk.line.leave(first.id, "abandoned")
    assert (await desk.place(first.id))["state"] == "done", "it may have been the call that dropped"
    assert (await desk.place(second.id))["person"] == "tel:+15035550101"


async def test_who_talks_may_be_waited_for_by_somebody_else(desk: OneLine) -> None:
    await desk.agent()
    first = await desk.enter("tel:+15035550101", call_id="kitchen")
    await desk.serve()
    second = await desk.enter("tel:+15035550101", call_id="bedroom")
    assert second.id != first.id and second.entered_at > first.entered_at
    assert (await desk.line.broken(first.id, "ann")).state == "waiting"
    assert (await desk.enter("tel:+15035550101", call_id="kitchen")).id == first.id


async def test_the_database_keeps_twins_out(desk: OneLine) -> None:
    """Whatever the code does."""
    place = await desk.enter("member:1")
    copy = {**await desk.place(place.id), "id": 900}
    with pytest.raises(IntegrityError):
        await desk.store.database.write(lambda connection: connection.execute(insert(places).values(copy)))
    talking = {**copy, "person": "member:2", "seat": "ann", "state": "talking"}
    await desk.store.database.write(lambda connection: connection.execute(insert(places).values(talking)))
    offered = {**talking, "id": 901, "person": "member:3", "state": "offered"}
    with pytest.raises(IntegrityError):
        await desk.store.database.write(lambda connection: connection.execute(insert(places).values(offered)))


async def test_many_at_once_are_each_somebody(desk: OneLine, other: OneLine) -> None:
    arrived = await asyncio.gather(
        *((desk, other)[n % 2].enter(f"member:{n % 20}", call_id=str(n % 20)) for n in range(60))
    )
    assert len({place.id for place in arrived}) == 20
    query = select(places.c.id).order_by(places.c.entered_at, places.c.id)
    rows = await desk.store.database.read(lambda connection: connection.execute(query))
    ids = list(rows.scalars())
    assert ids == sorted(ids), "who was written first arrived first"


async def test_nobody_is_moved_to_where_they_wait_with_another_call(desk: OneLine) -> None:
    """They are served sooner all the same."""
    one = await desk.enter("member:1", "general", call_id="one")
    another = await desk.enter("member:1", "retention", call_id="another")
    assert another.id != one.id
    with pytest.raises(IvrError, match="they wait for retention already"):
        await desk.line.move(one.id, skill="retention", priority=9)
    await desk.line.move(one.id, priority=9)
    moved = await desk.place(one.id)
    assert (moved["skill"], moved["priority"], moved["state"]) == ("general", 9, "waiting")


async def test_a_supervisor_moves_a_caller(desk: OneLine) -> None:
    place = await desk.enter("member:1")
    await desk.line.move(place.id, skill="retention", priority=10)
    moved = await desk.place(place.id)
    assert (moved["skill"], moved["priority"], moved["entered_at"]) == ("retention", 10, place.entered_at)
    await desk.line.leave(place.id, "done")
    with pytest.raises(IvrError, match="nobody to move"):
        await desk.line.move(place.id, priority=1)
    with pytest.raises(IvrError, match="no place"):
        await desk.line.move(999, priority=1)


async def test_messages_are_places_like_any_other(desk: OneLine) -> None:
    await desk.enter("member:1", priority=5)
    said = [await desk.line.leave_message(arrival("member:1"), f"{n}.wav", f"message {n}") for n in range(2)]
    assert (await desk.line.place_of("member:1")) is not None
    for name in ("ann", "bob", "cat"):
        await desk.agent(name)
    assert (await desk.pair()).place.arrival.channel == "voice"
    offers = [await desk.pair(), await desk.pair()]
    assert [offer.place.transcript for offer in offers] == ["message 0", "message 1"]
    assert [offer.place.line for offer in offers] == ["here", "here"], "whoever has the console brings it"
    assert await desk.line.answered(offers[0])
    await desk.line.finished(said[0].id, offers[0].agent)
    await desk.line.released(offers[1], "declined")
    assert (await desk.place(said[0].id))["state"] == "done"
    assert (await desk.place(said[1].id))["state"] == "waiting"


async def test_a_message_keeps_the_place_of_who_leaves_it(desk: OneLine) -> None:
    waited = await desk.enter("member:1")
    behind = await desk.enter("member:2")
    message = await desk.line.leave_message(arrival("member:1"), "m.wav", "my disc skips")
    await desk.line.leave(waited.id, "done")
    assert message.entered_at == waited.entered_at < behind.entered_at
    await desk.agent("ann")
    assert (await desk.pair()).place.id == message.id


async def test_a_message_that_no_console_can_play_is_in_nobodys_way(desk: OneLine) -> None:
    """It is first in the line, and a telephone is free: who waits behind it is served."""
    message = await desk.line.leave_message(arrival("member:1"), "m.wav", "my disc skips")
    behind = await desk.enter("member:2")
    await desk.phones(phone("front"))
    assert (await desk.pair()).place.id == behind.id
    await desk.phones(phone("front"), phone("back"))
    await desk.nobody()
    assert (await desk.states())["back"] == "idle", "not rung for what it can not take, nor sent away"
    await desk.agent("ann")
    offer = await desk.pair()
    assert (offer.place.id, offer.agent) == (message.id, "ann")


# -- call backs --------------------------------------------------------------------------------------------------------


async def test_a_call_back_keeps_the_place(desk: OneLine) -> None:
    place = await desk.enter("member:1")
    await desk.enter("member:2")
    back = await desk.line.call_back(place.id, "+15035550101")
    assert (back.state, back.callback_number, back.entered_at) == ("callback", "+15035550101", place.entered_at)
    await desk.line.leave(place.id, "abandoned")  # they hung up, as told
    await desk.agent()
    offer = await desk.pair()
    assert (offer.place.id, offer.place.line) == (place.id, "here")
    assert await desk.line.dialling(offer)
    assert not await desk.line.dialling(offer)
    assert await desk.line.answered(offer)
    await desk.line.finished(place.id, "ann")
    assert await desk.events(place.id) == ["entered", "callback", "offered", "dialling", "answered", "finished"]


async def test_a_call_back_that_does_not_reach_them(desk: OneLine) -> None:
    desk.configure(attempts_min=(2.0, 10.0, 30.0))
    await desk.agent()
    place = await desk.line.ask_call_back(arrival("member:1"), "+15035550101")
    for minutes in (2, 10):
        offer = await desk.pair()
        assert await desk.line.dialling(offer)
        assert await desk.line.undialled(offer) == "callback"
        assert await desk.states() == {"ann": "idle"}
        await desk.nobody()
        await desk.age(60 * minutes + 1)
    offer = await desk.pair()
    assert await desk.line.dialling(offer)
    assert await desk.line.undialled(offer) == "given_up"
    await desk.nobody()
    assert (await desk.place(place.id))["attempts"] == 3


async def test_one_that_is_due_later(desk: OneLine) -> None:
    await desk.agent()
    at = (await desk.line.snapshot()).at + timedelta(hours=3)
    await desk.line.ask_call_back(arrival("member:1"), "+15035550101", at)
    await desk.nobody()
    await desk.age(3 * 3600)
    await desk.pair()


@pytest.mark.parametrize("when", ["due", "offered", "dialling"])
async def test_who_phones_in_meanwhile_is_not_called_back(desk: OneLine, when: str) -> None:
    await desk.agent()
    place = await desk.enter("member:1")
    await desk.line.call_back(place.id, "+15035550101")
    offer = await desk.pair() if when != "due" else None
    if when == "dialling":
        assert offer is not None and await desk.line.dialling(offer)
    again = await desk.enter("member:1", call_id="another")
    assert (again.id, again.state, again.entered_at) == (place.id, "waiting", place.entered_at)
    if offer is not None:
        assert not await desk.line.dialling(offer)
        assert not await desk.line.answered(offer)
        assert await desk.line.undialled(offer) == "waiting"
    assert await desk.states() == {"ann": "idle"}
    assert (await desk.pair()).place.arrival.call_id == "another"


async def test_a_follow_up_of_a_conversation(desk: OneLine) -> None:
    """Scheduled by the agent while they still talk."""
    await desk.agent()
    place = await desk.enter("member:1")
    await desk.serve()
    back = await desk.line.ask_call_back(arrival("member:1", named="ann"), "+15035550101")
    assert back.id != place.id
    await desk.line.finished(place.id, "ann")
    await desk.line.set_state("ann", "idle")
    assert (await desk.pair()).place.id == back.id


async def test_nobody_is_called_back_who_talks(desk: OneLine) -> None:
    await desk.agent()
    place = await desk.enter("member:1")
    await desk.serve()
    with pytest.raises(IvrError, match="talking"):
        await desk.line.call_back(place.id, "+15035550101")


# -- how many call backs a day has ------------------------------------------------------------------------------------

THEIRS, STRANGER = "+15035550101", "+15035550199"


async def test_a_caller_is_promised_so_many_call_backs_a_day_and_no_more(desk: OneLine) -> None:
    desk.configure(callbacks_day=2)
    for stranger in (STRANGER, "+15035550198"):
        place = await desk.enter(number=THEIRS)
        await desk.line.call_back(place.id, stranger)
    place = await desk.enter(number=THEIRS)
    with pytest.raises(TooManyCallBacks):
        await desk.line.call_back(place.id, "+15035550197")
    assert (await desk.place(place.id))["state"] == "waiting", "and they have their place still"
    with pytest.raises(TooManyCallBacks):
        await desk.line.ask_call_back(arrival("tel:again", number=THEIRS), THEIRS)
    await desk.line.ask_call_back(arrival("member:2", number="+15035550102"), "+15035550102")


async def test_nobody_has_a_stranger_rung_over_and_over_from_several_numbers(desk: OneLine) -> None:
    desk.configure(callbacks_day=2)
    for caller in ("+15035550102", ""):
        await desk.line.ask_call_back(arrival(f"tel:{caller}", number=caller), STRANGER)
    with pytest.raises(TooManyCallBacks):
        await desk.line.ask_call_back(arrival("member:9", number="+15035550109"), STRANGER)


async def test_one_promise_told_twice_is_one_and_what_agents_ask_for_is_not_counted(desk: OneLine) -> None:
    desk.configure(callbacks_day=1)
    for _ in range(3):
        asked = await desk.line.ask_call_back(arrival(number=THEIRS), THEIRS)
    for person in ("member:2", "member:3"):
        await desk.line.ask_call_back(arrival(person, number=THEIRS, named="ann"), THEIRS)
    assert (await desk.events(asked.id)).count("callback") == 1


async def test_another_day_has_call_backs_of_its_own(desk: OneLine) -> None:
    desk.configure(callbacks_day=1)
    await desk.line.ask_call_back(arrival(number=THEIRS), THEIRS)

    async def yesterday(connection: Any) -> None:
        await connection.execute(update(place_events).values(at=desk.store.now() - timedelta(hours=25)))

    await desk.store.database.write(yesterday)
    await desk.line.ask_call_back(arrival("member:2", number=THEIRS), THEIRS)
