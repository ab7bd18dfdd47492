"""A call back that is made, in virtual time: the agent first, then the member; and every way it comes to nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ivr.call.call_backs import CallBacks
from ivr.phones.bridge_phones import CONVERSATION_S
from ivr.phones.destinations import Destinations
from ivr.phones.floor import AgentFloor
from ivr.ports import HandoffContext, Offer, Party
from ivr.record import HandedOver, Utterance
from tests.call.fakes import FakeDesk, FakeEndpoint, FakeLeg, FakeMedia, FakeMediaLeg, FakeRecords, services
from tests.call.test_bridge import CONFIG
from tests.call.told_line import ToldLine
from tests.call.virtual import run

NUMBER = "+15035550101"
AGENT, MEMBER = "sip:ben@192.0.2.20", f"sip:{NUMBER}@192.0.2.10"
STORY = HandoffContext(
    "c1", "cancellation-risk", "general", 9, Party(NUMBER, "Ada"), "en-US", {"caller.name": "Ada"},
    (Utterance("heard", "I want to cancel"),), said="I want to cancel",
)  # fmt: skip


class Office:
    """Ben has a SIP phone, and the line has a call back for him."""

    def __init__(self) -> None:
        self.endpoint, self.media, self.desk = FakeEndpoint(ring_s=1.0), FakeMedia(), FakeDesk(contexts=[STORY])
        self.records, self.line = FakeRecords(), ToldLine()
        made = services(endpoint=self.endpoint, media=self.media, desk=self.desk, records=self.records)
        switchboard = replace(made.switchboard, destinations=Destinations(CONFIG))
        floor = AgentFloor(CONFIG.desk.agents, switchboard, self.media)
        self.services = replace(made, switchboard=switchboard, floor=floor)
        self.messages: list[Offer] = []
        self.drains = False
        callbacks = CallBacks(self.services, self.line, self.deliver, lambda: self.drains)
        self.working = asyncio.create_task(callbacks.run())

    async def deliver(self, offer: Offer) -> None:
        self.messages.append(offer)

    def offer(self, agent: str = "ben", number: str = NUMBER) -> None:
        self.line.made_good.put_nowait(self.line.offer(agent, number))

    @property
    def targets(self) -> list[str]:
        return [target for target, _ in self.endpoint.dialled]

    def leg(self, number: int) -> FakeLeg:
        return self.endpoint.legs[number]

    def audio(self, name: str) -> FakeMediaLeg:
        return next(leg for leg in reversed(self.media.legs) if leg.name.startswith(name))

    @property
    def outcomes(self) -> list[Any]:
        return [canonical["outcome"] for canonical in self.records.finished.values()]


def calling(scenario: Any) -> Office:
    async def whole() -> Office:
        office = Office()
        work: Coroutine[Any, Any, None] = scenario(office)
        await work
        await asyncio.sleep(5)
        office.working.cancel()
        await asyncio.gather(office.working, return_exceptions=True)
        assert all(leg.closed for leg in office.media.legs), "nothing is left open"
        assert len(office.services.registry) == 0
        return office

    return run(whole())


def test_the_agent_hears_the_story_first_and_then_the_member_is_dialled_and_joined_at_once() -> None:
    async def scenario(office: Office) -> None:
        office.offer()
        await asyncio.sleep(1.5)
        assert office.targets == [AGENT], "the agent first"
        assert office.endpoint.dialled[0][1]["X-IVR-Reason"] == "cancellation-risk"
        assert office.audio("ben").heard == ["whisper cancellation-risk"]
        await asyncio.sleep(0.7)
        assert office.targets == [AGENT, MEMBER]
        assert office.audio("ben").heard[-1] == "tone:ringback"
        (live,) = office.services.registry
        assert (live.view()["caller"], live.view()["direction"], live.view()["outcome"]) == (
            NUMBER, "outbound", "dialling",
        )  # fmt: skip
        await asyncio.sleep(1)
        member = office.audio("callback")
        assert member.heard == [], "they hear a person and nothing else"
        assert member.bridged_to is office.audio("ben")
        assert live.view()["outcome"] == "with agent"
        await asyncio.sleep(CONVERSATION_S)
        office.leg(1).end("agent", "BYE")
        await asyncio.sleep(1)
        assert office.leg(0).hung_up

    office = calling(scenario)
    assert office.line.log == [("dialling", "ben"), ("answered", "ben"), ("finished", 7, "ben")]
    (canonical,) = office.records.finished.values()
    assert (canonical["outcome"], canonical["direction"], canonical["answered"]) == ("handed over", "outbound", True)
    assert canonical["ended_by"] == "caller", "whom we called is the caller all the same"
    assert [entry.what for entry in office.records.entries] == [HandedOver("ben", "cancellation-risk")]


def test_a_member_who_does_not_answer_is_tried_again_later_and_the_agent_hears_that() -> None:
    async def scenario(office: Office) -> None:
        office.endpoint.answers = [None, 486]
        office.offer()
        await asyncio.sleep(4)
        assert office.audio("ben").heard[-1] == "tone:busy"
        await asyncio.sleep(5)
        assert office.leg(0).hung_up

    office = calling(scenario)
    assert office.line.log == [("dialling", "ben"), ("undialled", "ben")]
    assert office.outcomes == ["unanswered"]


@pytest.mark.parametrize("at", [0.5, 2.2], ids=["the agent's phone rings", "the member's phone rings"])
def test_a_member_who_phones_in_meanwhile_is_not_called(at: float) -> None:
    async def scenario(office: Office) -> None:
        office.offer()
        await asyncio.sleep(at)
        office.line.taken_back.set()
        await asyncio.sleep(3)
        assert all(leg.hung_up for leg in office.endpoint.legs)
        assert not any(leg.name.startswith("callback") and leg.hears for leg in office.media.legs)

    office = calling(scenario)
    assert ("answered", "ben") not in office.line.log
    assert ("undialled", "ben") not in office.line.log


def test_a_call_back_that_is_not_wanted_any_more_once_its_agent_accepts_is_not_made() -> None:
    async def scenario(office: Office) -> None:
        office.line.stale = True
        office.offer()
        await asyncio.sleep(5)
        assert office.targets == [AGENT]
        assert office.leg(0).hung_up

    office = calling(scenario)
    assert office.line.log == [("dialling", "ben")]
    assert office.outcomes == []


def test_an_agent_who_does_not_take_it_gives_it_back() -> None:
    for status, why in ((603, "declined"), (486, "declined"), (408, "no_answer"), (404, "unreachable")):

        async def scenario(office: Office, status: int = status) -> None:
            office.endpoint.answers = [status]
            office.offer()
            await asyncio.sleep(3)
            assert office.targets == [AGENT]

        assert calling(scenario).line.log == [("released", "ben", why)]


@pytest.mark.parametrize("ahead_s", [-3600, 3600])
def test_an_agents_phone_rings_as_long_as_it_was_offered_whatever_this_machines_clock_says(ahead_s: int) -> None:
    async def scenario(office: Office) -> None:
        office.line.ahead = timedelta(seconds=ahead_s)
        office.endpoint.ring_s = 15.0
        office.offer()
        await asyncio.sleep(16)
        assert len(office.endpoint.legs) == 1, "they answered in time"
        office.endpoint.ring_s = 25.0
        office.offer()
        await asyncio.sleep(22)

    assert ("released", "ben", "no_answer") in calling(scenario).line.log


def test_an_agent_without_a_phone_here_is_unreachable() -> None:
    async def scenario(office: Office) -> None:
        office.offer("nobody")
        await asyncio.sleep(1)
        assert office.targets == []

    assert calling(scenario).line.log == [("released", "nobody", "unreachable")]


def test_an_agent_who_hangs_up_while_it_rings_is_not_joined() -> None:
    async def scenario(office: Office) -> None:
        office.offer()
        await asyncio.sleep(2.2)
        office.leg(0).end("agent", "BYE")
        await asyncio.sleep(3)

    office = calling(scenario)
    assert office.line.log == [("dialling", "ben"), ("released", "ben", "lost")]
    assert office.outcomes == ["withdrawn"]


def test_an_agents_line_that_breaks_brings_the_member_to_the_next_one() -> None:
    async def scenario(office: Office) -> None:
        office.offer()
        await asyncio.sleep(5)
        member = office.audio("callback")
        office.leg(0).end("network", "no audio")
        await asyncio.sleep(0.5)
        assert member._timer is not None, "music"
        office.line.offers.put_nowait(office.line.offer("cleo"))
        await asyncio.sleep(3)
        assert member.bridged_to is office.audio("cleo")
        await asyncio.sleep(CONVERSATION_S)
        office.leg(2).end("agent", "BYE")
        await asyncio.sleep(1)
        assert office.leg(1).hung_up

    office = calling(scenario)
    told = [("broken", 7, "ben"), ("enter", "member:10001"), ("answered", "cleo"), ("finished", 7, "cleo")]
    assert set(office.line.calls) == set(office.records.finished), "the place is the call's that was made"
    assert office.line.log == [("dialling", "ben"), ("answered", "ben"), *told]


def test_a_member_who_gives_up_waiting_for_the_next_agent_leaves_the_line() -> None:
    async def scenario(office: Office) -> None:
        office.offer()
        await asyncio.sleep(5)
        office.leg(0).end("network", "no audio")
        await asyncio.sleep(1)
        office.leg(1).end("agent", "BYE")
        await asyncio.sleep(1)

    assert calling(scenario).line.log[-1] == ("leave", 7, "away")


@pytest.mark.parametrize("tenths", range(0, 90))
def test_whenever_the_service_stops_nobody_is_left_on_the_phone(tenths: int) -> None:
    """While the agent is rung, the member dialled, the two talk, and the next agent takes over."""

    async def scenario(office: Office) -> None:
        office.line.takes_s = 0.3
        office.offer()
        asyncio.get_running_loop().call_later(tenths / 10 + 0.05, office.working.cancel)
        await asyncio.sleep(5)
        for leg in office.endpoint.legs[:1]:
            leg.end("network", "no audio")
        office.line.offers.put_nowait(office.line.offer("cleo"))
        await asyncio.sleep(5)

    office = calling(scenario)
    ended = {leg.id for leg in office.endpoint.legs if not leg._queue.empty()}
    assert all(leg.hung_up or leg.id in ended or leg is office.endpoint.legs[0] for leg in office.endpoint.legs)


def test_nothing_is_dialled_that_is_no_members_number() -> None:
    for number in ("+19005550101", "112", "+15035550101;phone-context=evil", "+882123456789", ""):

        async def scenario(office: Office, number: str = number) -> None:
            office.offer(number=number)
            await asyncio.sleep(8)
            assert office.targets in ([AGENT], [AGENT, MEMBER])
            assert (MEMBER in office.targets) == (number.startswith(NUMBER))

        office = calling(scenario)
        if not number.startswith(NUMBER):
            assert office.line.log == [("dialling", "ben"), ("undialled", "ben")]


def test_a_story_that_is_gone_is_told_as_far_as_the_place_knows_it() -> None:
    async def scenario(office: Office) -> None:
        office.desk.contexts.clear()
        office.offer()
        await asyncio.sleep(1.2)
        assert office.audio("ben").heard == ["whisper asked"]
        await asyncio.sleep(2)
        await next(iter(office.services.registry)).end("the service stops")
        await asyncio.sleep(1)
        assert all(leg.hung_up for leg in office.endpoint.legs)

    calling(scenario)


def test_messages_go_to_who_delivers_them() -> None:
    async def scenario(office: Office) -> None:
        offer = office.line.offer("ben")
        message = replace(offer, place=replace(offer.place, arrival=replace(offer.place.arrival, channel="message")))
        office.line.made_good.put_nowait(message)
        await asyncio.sleep(1)
        assert office.messages == [message]
        assert office.targets == []

    calling(scenario)


def test_a_line_that_drains_leaves_it_to_others() -> None:
    async def scenario(office: Office) -> None:
        office.drains = True
        office.offer()
        await asyncio.sleep(5)

    office = calling(scenario)
    assert office.targets == [] and not office.outcomes
    assert ("released", "ben", "withdrawn") in office.line.log
