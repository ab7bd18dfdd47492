"""Callers who are passed on: to an agent who talks with them at once, or back into the line, at their old place."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ivr.errors import IvrError
from tests.contract.line.conftest import OneLine


async def test_back_in_the_line_they_wait_at_the_old_place_for_the_new_skill(desk: OneLine) -> None:
    await desk.agent("ann")
    first = await desk.enter("member:1")
    await desk.serve()
    second = await desk.enter("member:2", skill="discs")
    passed = await desk.line.passed(first.id, "ann", skill="discs")
    assert (passed.state, passed.arrival.skill, passed.again) == ("waiting", "discs", True)
    assert passed.entered_at == first.entered_at < second.entered_at
    assert (await desk.states())["ann"] == "wrap_up"
    await desk.agent("ben", "discs")
    assert (await desk.pair()).place.id == first.id, "before who came later"


async def test_the_named_agent_is_waited_for_from_now_on(desk: OneLine) -> None:
    await desk.agent("ann")
    first = await desk.enter("member:1")
    await desk.serve()
    await desk.agent("ben")
    await desk.enter("member:2")
    await desk.serve()  # ben talks
    await desk.agent("cleo")
    await desk.age(120)
    await desk.line.passed(first.id, "ann", named="ben")
    await desk.nobody()  # cleo is idle, and ben soon is
    await desk.age(30)
    assert (await desk.pair()).agent == "cleo", "but not for ever"


async def test_with_another_agent_the_place_is_theirs_and_they_are_busy(desk: OneLine) -> None:
    await desk.agent("ann")
    first = await desk.enter("member:1")
    await desk.serve()
    await desk.agent("ben", state="away")
    passed = await desk.line.passed(first.id, "ann", to="ben")
    assert (passed.state, passed.agent) == ("talking", "ben")
    assert [state for state, _ in await desk.history("ben")][-1] == "busy"
    await desk.line.finished(first.id, "ann")
    assert (await desk.place(first.id))["state"] == "talking", "ann has them no more"
    await desk.line.finished(first.id, "ben")
    assert (await desk.place(first.id))["state"] == "done"


async def test_nobody_gets_a_second_caller(desk: OneLine) -> None:
    await desk.agent("ann")
    first = await desk.enter("member:1")
    await desk.serve()
    await desk.agent("ben")
    await desk.enter("member:2")
    await desk.serve()
    with pytest.raises(IvrError, match="ben has somebody else"):
        await desk.line.passed(first.id, "ann", to="ben")
    assert (await desk.place(first.id))["agent"] == "ann", "nothing is different then"


async def test_who_was_called_back_and_waits_again_is_on_the_line_and_not_called_twice(desk: OneLine) -> None:
    for broken in (True, False):
        await desk.agent("ann" if broken else "ben")
        agent = "ann" if broken else "ben"
        place = await desk.enter(f"member:{agent}")
        await desk.line.call_back(place.id, "+15035550101")
        offer = await desk.pair()
        assert await desk.line.dialling(offer)
        assert await desk.line.answered(offer)
        again = await (desk.line.broken(place.id, agent) if broken else desk.line.passed(place.id, agent))
        assert (again.state, again.callback_number) == ("waiting", "")
        await desk.line.leave(place.id, "away")


@pytest.mark.parametrize("how", ["broken", "passed"])
async def test_a_member_who_was_called_back_waits_again_at_their_place_with_the_call_that_was_made(
    desk: OneLine, how: str
) -> None:
    """Not at one beside it, while agents are offered the old one, where nobody is."""
    place = await desk.enter("member:7", call_id="the first")
    await desk.line.call_back(place.id, "+15035550101")
    await desk.agent()
    offer = await desk.pair()
    made = replace(offer.place, arrival=replace(offer.place.arrival, call_id="the second"))
    assert await desk.line.dialling(offer)
    assert await desk.line.answered(replace(offer, place=made))
    await desk.enter("member:8")
    if how == "broken":
        now = await desk.line.broken(place.id, "ann")
        assert now.first
    else:
        now = await desk.line.passed(place.id, "ann", skill="retention", named="ben")
    assert now.arrival.call_id == "the second"
    again = await desk.line.enter(now.arrival)
    assert (again.id, again.first, again.due_at) == (place.id, now.first, now.due_at)
    await desk.agent("ben", "general" if how == "broken" else "retention")
    assert (await desk.pair()).place.id == place.id
