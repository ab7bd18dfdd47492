"""Whole calls that have waited long enough for the house, or for whom nobody of it is there, in virtual time: the
outside number takes them."""

from __future__ import annotations

import asyncio

import pytest

from ivr.call.waiting import WaitingRules
from ivr.dialogue.flows.library import FlowLibrary
from ivr.ports import Offer
from tests.call.test_session import library
from tests.call.test_waiting import WaitingRig
from tests.call.virtual import run

__all__ = ["library"]

OUTSIDE = "sip:+15035550142@trunk.test"
AFTER_S = 120.0


class OverflowRig(WaitingRig):
    """Ann is on duty, and busy; who waited two minutes goes to the outside number."""

    def __init__(self, library: FlowLibrary) -> None:
        super().__init__(library)
        self.rules = WaitingRules(overflow=OUTSIDE, overflow_after_s=AFTER_S)

    @property
    def rung(self) -> list[str]:
        return [target for target, _ in self.endpoint.dialled]


def test_who_waited_long_enough_goes_to_the_outside_number_with_their_story(library: FlowLibrary) -> None:
    async def scenario() -> OverflowRig:
        rig = OverflowRig(library)
        async with rig.call():
            await rig.say("agent", AFTER_S - 20)
            assert (rig.rung, rig.state) == ([], "waiting"), "not sooner"
            await asyncio.sleep(30)
            assert rig.rung == [OUTSIDE]
            assert rig.with_agent()
            assert rig.state == "done", "nobody here is offered somebody who is served"
            _, headers = rig.endpoint.dialled[0]
            assert headers == {"X-IVR-Reason": "asked", "X-IVR-Context": "http://test/handoff/t"}
            assert any(line.text == "agent" for line in rig.desk.contexts[-1].transcript), "nobody repeats anything"
            await rig.free()
            await asyncio.sleep(30)
            assert rig.rung == [OUTSIDE], "no ghost call to whoever is free now"
        return rig

    rig = run(scenario())
    assert rig.endpoint.legs[0].hung_up
    assert rig.canonical["outcome"] == "handed over"
    assert rig.canonical["seconds_to_human"] >= AFTER_S


@pytest.mark.parametrize("status", [486, 503, 408])
def test_an_outside_number_that_does_not_take_them_leaves_them_waiting(library: FlowLibrary, status: int) -> None:
    """At their old place; it is tried again after as long, and an agent who is free is rung before that."""

    async def scenario() -> OverflowRig:
        rig = OverflowRig(library)
        rig.endpoint.answers = [status, None]
        async with rig.call():
            await rig.say("agent", AFTER_S + 10)
            place, entered_at = max(rig.waiting.places), rig.waiting.places[max(rig.waiting.places)].entered_at
            assert (rig.rung, rig.state) == ([OUTSIDE], "waiting")
            assert not rig.with_agent()
            rig.caller.heard.clear()
            await rig.say("how long will it take", 5)
            assert "You're number one." in rig.said, "and are listened to as before"
            await asyncio.sleep(AFTER_S / 2)
            assert rig.rung == [OUTSIDE], "not at once again"
            await rig.free()
            await asyncio.sleep(6)
            assert rig.rung == [OUTSIDE, "sip:ann@test"]
            assert rig.with_agent()
            now = rig.waiting.places[place]
            assert (now.state, now.entered_at, now.agent) == ("talking", entered_at, "ann")
        return rig

    rig = run(scenario())
    assert len(rig.waiting.places) == 1


def test_an_agent_who_is_free_while_the_outside_number_rings_gets_them_at_once(library: FlowLibrary) -> None:
    """And is not left reserved, nor sent away for not answering what never rang."""

    async def scenario() -> OverflowRig:
        rig = OverflowRig(library)
        rig.endpoint.ring_s = 15.0
        async with rig.call():
            await rig.say("agent", AFTER_S + 3)
            assert (rig.rung, rig.with_agent()) == ([OUTSIDE], False), "it rings"
            rig.endpoint.ring_s = 1.0
            await rig.free()
            assert rig.state == "offered"
            await asyncio.sleep(3)
            assert rig.rung == [OUTSIDE, "sip:ann@test"]
            assert rig.with_agent()
            assert (rig.state, len(rig.endpoint.legs)) == ("talking", 1), "nobody answers outside any more"
        return rig

    assert run(scenario()).canonical["outcome"] == "handed over"


def test_when_the_last_agent_goes_home_the_outside_number_takes_them_at_once(library: FlowLibrary) -> None:
    async def scenario() -> OverflowRig:
        rig = OverflowRig(library)
        async with rig.call():
            await rig.say("agent", 12)
            await rig.waiting.set_state("ann", "away", "home")
            await asyncio.sleep(5)
            assert rig.rung == [OUTSIDE], "nobody waits two minutes for who is gone"
            assert rig.with_agent() and rig.state == "done"
            assert "Nobody is at the desk" not in rig.said
            await rig.free()
            await asyncio.sleep(5)
            assert rig.rung == [OUTSIDE], "no ghost call to who is back"
        return rig

    assert run(scenario()).canonical["outcome"] == "handed over"


def test_who_comes_when_nobody_is_there_gets_the_outside_number(library: FlowLibrary) -> None:
    async def scenario() -> OverflowRig:
        rig = OverflowRig(library)
        await rig.waiting.set_state("ann", "away", "home")
        async with rig.call():
            await rig.say("agent", 6)
            assert rig.rung == [OUTSIDE] and rig.with_agent()
            assert not rig.told, "there is no place in a line that nobody serves"
        return rig

    run(scenario())


@pytest.mark.parametrize("status", [486, 503, 408])
def test_with_nobody_there_and_nobody_outside_they_hear_so_and_may_be_called_back(
    library: FlowLibrary, status: int
) -> None:
    """The truth, and a call back: never a line that nobody serves."""

    async def scenario() -> OverflowRig:
        rig = OverflowRig(library)
        rig.endpoint.answers = [status]
        async with rig.call():
            await rig.say("agent", 12)
            entered_at = rig.waiting.places[1].entered_at
            await rig.waiting.set_state("ann", "away", "home")
            await asyncio.sleep(20)
            assert rig.rung == [OUTSIDE], "once"
            assert "Nobody is at the desk right now." in rig.said and "Shall we call you back?" in rig.said
            assert "Let me try once more" not in rig.said, "nobody is promised what nobody does"
            assert rig.state == "away"
            await rig.say("yes", 8)
            await rig.say("yes", 10)
            now = rig.waiting.places[1]
            assert (now.state, now.entered_at) == ("callback", entered_at), "at the old place"
        return rig

    assert run(scenario()).canonical["outcome"] == "callback"


def test_an_agent_who_is_back_while_the_outside_number_rings_has_them(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = OverflowRig(library)
        rig.endpoint.ring_s = 15.0
        async with rig.call():
            await rig.say("agent", 12)
            await rig.waiting.set_state("ann", "away", "home")
            await asyncio.sleep(3)
            assert (rig.rung, rig.with_agent()) == ([OUTSIDE], False)
            rig.endpoint.ring_s = 1.0
            await rig.free()
            await asyncio.sleep(3)
            assert rig.rung == [OUTSIDE, "sip:ann@test"] and rig.with_agent()

    run(scenario())


def test_without_the_database_the_outside_number_comes_after_the_configured_phones(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = OverflowRig(library)
        rig.waiting.down = True
        rig.endpoint.answers = [486, 486]
        async with rig.call():
            await rig.say("agent", 10)
            assert rig.rung == ["sip:ann@test", "sip:bob@test", OUTSIDE]
            assert rig.with_agent()

    run(scenario())


def test_an_outside_number_that_breaks_leaves_them_with_the_dialogue(library: FlowLibrary) -> None:
    async def scenario() -> OverflowRig:
        rig = OverflowRig(library)
        async with rig.call():
            await rig.say("agent", AFTER_S + 10)
            assert rig.with_agent()
            rig.endpoint.legs[0].end("network", "no audio")
            await asyncio.sleep(10)
            assert not rig.with_agent()
            assert not rig.leg.hung_up, "never a dead call"
        return rig

    run(scenario())


@pytest.mark.parametrize("hundredths", range(0, 200, 4))
@pytest.mark.parametrize("who", ["ann", "outside", "without the database"])
def test_whenever_the_caller_leaves_nobody_is_left_on_the_phone(
    library: FlowLibrary, who: str, hundredths: int
) -> None:
    """While it rings, while the line is told who answered, and after that."""

    async def scenario() -> OverflowRig:
        rig = OverflowRig(library)
        if who == "outside":
            del rig.waiting.agents["ann"]
        answered, leave = rig.waiting.answered, rig.waiting.leave

        async def slowly_answered(offer: Offer) -> bool:
            await asyncio.sleep(0.2)
            return await answered(offer)

        async def slowly_left(place: int, how: str) -> None:
            await asyncio.sleep(0.2)
            await leave(place, how)

        async with rig.call():
            rig.waiting.answered, rig.waiting.leave = slowly_answered, slowly_left  # type: ignore[method-assign, assignment]
            rig.waiting.down = who == "without the database"
            await rig.say("agent", 0.1)
            if who == "ann":
                await rig.waiting.set_state("ann", "idle")
            await asyncio.sleep(hundredths / 100)
        return rig

    rig = run(scenario())
    assert all(leg.hung_up for leg in rig.endpoint.legs)
    assert all(leg.closed for leg in rig.media.legs)
