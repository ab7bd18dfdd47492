"""Whole calls whose agents pass the caller on, lose them or give them back: the place is kept, the dialogue goes on."""

from __future__ import annotations

import asyncio

import pytest

from ivr.dialogue.flows.library import FlowLibrary
from ivr.phones.bridge_phones import CONVERSATION_S
from tests.call.test_session import library
from tests.call.test_waiting import WaitingRig
from tests.call.virtual import run

__all__ = ["library"]


async def with_ann(rig: WaitingRig) -> None:
    """Ann, who was free, has the caller."""
    await rig.say("agent", 6)
    assert rig.with_agent()
    assert rig.state == "talking"
    await asyncio.sleep(CONVERSATION_S)


def test_a_caller_passed_on_to_a_skill_waits_for_it_at_the_old_place(library: FlowLibrary) -> None:
    async def scenario() -> WaitingRig:
        rig = WaitingRig(library)
        await rig.free()
        async with rig.call():
            await with_ann(rig)
            rig.waiting.staff("bob", "retention", state="busy", console=False)
            await rig.waiting.set_skills("ann", ["general"])
            place, entered_at = max(rig.waiting.places), rig.waiting.places[max(rig.waiting.places)].entered_at
            bridge = rig.floor.bridge_of("ann")
            assert bridge is not None
            rig.caller.heard.clear()
            await bridge.transfer("skill:retention")
            await asyncio.sleep(20)
            assert "You're number one." in rig.said, "they hear where they stand"
            assert not rig.with_agent()
            assert rig.endpoint.legs[0].hung_up, "ann is free"
            assert rig.caller.heard[-1].startswith("music:")
            await rig.say("how long will it take", 5)
            assert rig.said.count("number one") == 2, "and are listened to"
            await rig.free("bob")
            await asyncio.sleep(6)
            assert rig.with_agent()
            assert [target for target, _ in rig.endpoint.dialled] == ["sip:ann@test", "sip:bob@test"]
            now = rig.waiting.places[place]
            assert (now.entered_at, now.arrival.skill, now.agent) == (entered_at, "retention", "bob")
        return rig

    rig = run(scenario())
    assert len(rig.waiting.places) == 1, "there never was another"
    assert rig.canonical["outcome"] == "handed over"


def test_an_agents_line_that_breaks_leaves_the_caller_first_in_the_line(library: FlowLibrary) -> None:
    async def scenario() -> WaitingRig:
        rig = WaitingRig(library)
        await rig.free()
        async with rig.call():
            await with_ann(rig)
            rig.endpoint.legs[0].end("network", "no audio")
            await asyncio.sleep(2)
            assert not rig.with_agent()
            assert not rig.leg.hung_up
            place = rig.waiting.places[max(rig.waiting.places)]
            assert (place.first, place.state) == (True, "waiting")
        return rig

    run(scenario())


@pytest.mark.parametrize("by", ["console", "phone"])
def test_an_agent_who_gives_the_caller_back_leaves_them_with_the_dialogue(library: FlowLibrary, by: str) -> None:
    async def scenario() -> WaitingRig:
        rig = WaitingRig(library)
        await rig.free()
        async with rig.call():
            await with_ann(rig)
            bridge = rig.floor.bridge_of("ann")
            assert bridge is not None
            rig.caller.heard.clear()
            if by == "console":
                await bridge.back_to_machine()
            else:
                await bridge.on_hang_up("returns")
                rig.endpoint.legs[0].end("agent", "BYE")
            await asyncio.sleep(6)
            assert not rig.leg.hung_up
            assert rig.said, "the dialogue goes on"
        return rig

    assert run(scenario()).state == "done"
