"""Whole calls that wait in the line, in virtual time: told the truth, never cut off, and never without their place."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

import pytest

from ivr.actions import ActionRegistry, messages
from ivr.actions.history import HistoryActions
from ivr.actions.waiting import WaitingActions
from ivr.call.handoff import AWAY_S
from ivr.call.session import CallSession
from ivr.call.waiting import FIRST_TOLD_S
from ivr.dialogue.flows.library import FlowLibrary
from ivr.events import RECORDED, ActionResult, Audio, LegEnded
from ivr.ports import ActionCall, Arrival, Destination
from ivr.record import Decided
from ivr.store.memory import MemoryCallbacks, MemoryLedger
from tests.call.fakes import EPOCH, FakeActions, FakeDesk, FakeLeg, FakeMessages, VirtualClock
from tests.call.line import FakeLine
from tests.call.test_session import Rig, library
from tests.call.virtual import run

__all__ = ["library"]

VOICE = bytes(320)


class WaitingCallers(FakeActions):
    """The member's actions, and the real ones of waiting on a line in memory."""

    def __init__(self, line: FakeLine) -> None:
        super().__init__()
        self.callbacks = MemoryCallbacks(lambda: EPOCH, MemoryLedger())
        sets = (
            WaitingActions(self.callbacks, line).actions,
            HistoryActions(None, lambda: EPOCH).actions,
            messages.ACTIONS,
        )
        self._real = ActionRegistry(*sets)

    async def perform(self, call: ActionCall) -> ActionResult:
        if call.name in ("callback.request", *RECORDED):
            self.calls.append(call)
            return await self._real.perform(call)
        return await super().perform(call)


class TwoPhones(FakeDesk):
    """The two agents that the line knows. ``phones``: those of them whom the desk reaches without it."""

    phones: Sequence[str] = ("ann", "bob")

    def destinations(self, skill: str, now: object) -> Sequence[Destination]:
        return [Destination(name, f"sip:{name}@test", self.mode) for name in self.phones if self.open]


class WaitingRig(Rig):
    """Ann is on duty, and busy."""

    def __init__(self, library: FlowLibrary) -> None:
        super().__init__(library)
        self.desk = self.reached = TwoPhones()
        self.line = self.waiting = FakeLine(VirtualClock().now)
        self.waiting.within_s = 170.0
        self.waiting.staff("ann", "general", "retention", "discs", state="busy", console=False)
        self.actions = self.company = WaitingCallers(self.waiting)
        self.messages = self.kept = FakeMessages()

    async def somebody_before(self, person: str = "tel:1", priority: int = 5) -> None:
        await self.waiting.enter(Arrival(person, person, "general", priority))
        await asyncio.sleep(1)  # a later arrival is later

    async def free(self, agent: str = "ann") -> None:
        await self.waiting.set_state(agent, "idle")
        await asyncio.sleep(0.1)

    @property
    def place(self) -> object:
        return self.waiting.places[max(self.waiting.places)]

    @property
    def state(self) -> str:
        return str(self.waiting.places[max(self.waiting.places)].state)

    @property
    def told(self) -> list[object]:
        return [e.what.value for e in self.records.entries if isinstance(e.what, Decided) and e.what.what == "place"]

    def again(self) -> AbstractAsyncContextManager[CallSession]:
        """The same person calls again."""
        self.leg = FakeLeg("leg-2")
        self.media.legs.clear()
        return self.call()


def test_where_they_stand_is_told_truly_and_music_plays_between(library: FlowLibrary) -> None:
    async def scenario() -> WaitingRig:
        rig = WaitingRig(library)
        await rig.somebody_before()
        async with rig.call():
            await rig.say("agent", 12)
            rig.caller.cut.clear()
            assert "You're number two. It takes less than three minutes." in rig.said
            await asyncio.sleep(20)
            assert rig.caller.heard[-1].startswith("music:"), "music, once all is said"
            assert rig.said.count("number two") == 1, "and nobody talks into it"
            await rig.waiting.leave(1, "abandoned")
            await asyncio.sleep(6)
            assert "You're number one." in rig.said, "better news is told soon"
            assert all(clip.startswith("music:") for clip in rig.caller.cut), "only music is cut short"
            await asyncio.sleep(600)
            assert rig.session.view()["state"] == "human.connect", "no clock on people"
            assert rig.said.count("number one") >= 9, "and told each minute"
        return rig

    rig = run(scenario())
    assert rig.told[0] == 2 and set(rig.told[1:]) == {1}
    assert [standing.position for _, standing in rig.waiting.announced][:2] == [2, 1]
    assert rig.state == "away", "they may call again"
    assert rig.canonical["waited_s"] > 600 and rig.canonical["place_told"] == 1


def test_a_place_that_rises_is_not_told(library: FlowLibrary) -> None:
    async def scenario() -> WaitingRig:
        rig = WaitingRig(library)
        rig.waiting.within_s = None
        async with rig.call():
            await rig.say("agent", 12)
            assert "You're number one." in rig.said
            await rig.somebody_before("tel:urgent", 9)
            await rig.say("how long will it take", 5)
            assert "number two" not in rig.said and "I can't tell yet" in rig.said
        return rig

    assert run(scenario()).told == [1, 0]


def test_who_is_free_is_rung_at_once_and_nobody_hears_of_a_place(library: FlowLibrary) -> None:
    async def scenario() -> WaitingRig:
        rig = WaitingRig(library)
        await rig.free()
        async with rig.call():
            await rig.say("agent", FIRST_TOLD_S)
            assert [target for target, _ in rig.endpoint.dialled] == ["sip:ann@test"]
            await asyncio.sleep(3)
            assert rig.with_agent() and rig.state == "talking"
            assert "number" not in rig.said
            await asyncio.sleep(60)
            rig.endpoint.legs[0].post(LegEnded("agent-1", "agent", "BYE"))
            await asyncio.sleep(1)
        return rig

    rig = run(scenario())
    assert rig.state == "done"
    assert rig.canonical["outcome"] == "handed over" and rig.canonical["seconds_to_human"] < 5


def test_who_asks_while_a_phone_rings_hears_where_they_stand_at_once(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = WaitingRig(library)
        rig.endpoint.ring_s = 15.0
        async with rig.call():
            await rig.say("agent", 12)
            await rig.free()
            await asyncio.sleep(2)
            before = rig.said.count("You're number one.")
            assert rig.endpoint.dialled and not rig.with_agent()
            await rig.press("4", 3)
            assert rig.said.count("You're number one.") == before + 1
            assert not rig.with_agent(), "it rings still"

    run(scenario())


def test_an_agent_who_takes_it_hushes_whatever_is_being_said(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = WaitingRig(library)
        async with rig.call():
            await rig.say("agent", 3)
            assert rig.caller._playing, "it is still being said where they stand"
            await rig.free()
            await asyncio.sleep(4)
            assert rig.with_agent() and not rig.caller._playing
            heard = len(rig.caller.heard)
            await asyncio.sleep(120)
            assert len(rig.caller.heard) == heard, "no music into a conversation"

    run(scenario())


def test_a_phone_that_declines_gives_the_caller_back_to_the_line(library: FlowLibrary) -> None:
    async def scenario() -> WaitingRig:
        rig = WaitingRig(library)
        rig.endpoint.answers = [603]
        rig.waiting.staff("bob", state="busy", console=False)
        async with rig.call():
            await rig.say("agent", 12)
            entered = rig.waiting.places[1].entered_at
            await rig.free()
            await asyncio.sleep(3)
            assert rig.state == "waiting" and not rig.with_agent()
            assert rig.waiting.agents["ann"].reason == "declined"
            await rig.free("bob")
            await asyncio.sleep(4)
            assert rig.with_agent() and rig.waiting.places[1].entered_at == entered
            assert [target for target, _ in rig.endpoint.dialled] == ["sip:ann@test", "sip:bob@test"]
        return rig

    assert run(scenario()).state == "done"


def test_an_agent_whose_line_breaks_leaves_the_caller_first_in_line(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = WaitingRig(library)
        rig.waiting.staff("bob", state="busy", console=False)
        async with rig.call():
            await rig.say("agent", 12)
            await rig.free()
            await asyncio.sleep(4)
            assert rig.with_agent()
            await rig.somebody_before("tel:later")
            rig.endpoint.legs[0].post(LegEnded("agent-1", "network", "gone"))
            await asyncio.sleep(14)
            assert "the line to that person broke" in rig.said
            assert "back at your old place" in rig.said and "You're number one" in rig.said
            assert rig.waiting.places[1].state == "waiting" and rig.waiting.places[1].first

    run(scenario())


def test_on_with_the_machine_and_back_at_the_old_place(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = WaitingRig(library)
        async with rig.call():
            await rig.say("agent", 12)
            entered = rig.waiting.places[1].entered_at
            await rig.press("3", 12)
            assert rig.state == "away" and rig.session.view()["state"] == "main.ask"
            assert not rig.caller.heard[-1].startswith("music:")
            await rig.free()
            await asyncio.sleep(5)
            assert not rig.endpoint.dialled, "nobody is rung for who is not there"
            await rig.waiting.set_state("ann", "busy")
            await rig.say("agent", 14)
            assert "You are back at your old place." in rig.said
            assert rig.state == "waiting" and rig.waiting.places[1].entered_at == entered

    run(scenario())


def test_agent_and_zero_say_the_place_and_a_worried_word_makes_it_urgent(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = WaitingRig(library)
        await rig.somebody_before()
        async with rig.call():
            await rig.say("agent", 12)
            await rig.press("0", 5)
            await rig.say("agent", 5)
            assert rig.said.count("You're number two.") == 3
            assert len(rig.waiting.places) == 2
            await rig.say("i'm thinking of cancelling", 8)
            arrival = rig.waiting.places[2].arrival
            assert (arrival.priority, arrival.skill) == (9, "retention")
            assert "You're number one." in rig.said

    run(scenario())


def test_a_worried_word_of_who_waits_for_that_with_another_call_is_urgent_all_the_same(library: FlowLibrary) -> None:
    """Two of one household phone at once: nobody waits twice for one skill, and the call goes on."""

    async def scenario() -> None:
        rig = WaitingRig(library)
        await rig.somebody_before()
        async with rig.call():
            await rig.say("agent", 12)
            person = rig.waiting.places[2].arrival.person
            later = EPOCH + timedelta(hours=2)
            await rig.waiting.ask_call_back(Arrival(person, "another", "retention", 5), "+15035550101", later)
            await rig.say("i'm thinking of cancelling", 8)
            arrival = rig.waiting.places[2].arrival
            assert (arrival.priority, arrival.skill) == (9, "general")
            assert rig.session.view()["state"] == "human.connect" and "You're number one." in rig.said

    run(scenario())


def test_quiet_is_quiet_for_the_whole_call(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = WaitingRig(library)
        async with rig.call():
            await rig.say("agent", 20)
            assert rig.caller.heard[-1].startswith("music:")
            await rig.say("no music", 10)
            heard = len(rig.caller.heard)
            await asyncio.sleep(30)
            assert len(rig.caller.heard) == heard
            await rig.press("6", 10)
            assert rig.caller.heard[-1].startswith("music:")

    run(scenario())


def test_a_call_back_is_the_same_place_and_the_number_is_confirmed(library: FlowLibrary) -> None:
    async def scenario() -> WaitingRig:
        rig = WaitingRig(library)
        async with rig.call():
            await rig.say("agent", 12)
            await rig.say("call me back", 8)
            assert "At the number you're calling from?" in rig.said
            await rig.say("yes", 10)
        return rig

    rig = run(scenario())
    place = rig.waiting.places[1]
    assert (place.state, place.callback_number) == ("callback", "5035550101")
    assert rig.canonical["outcome"] == "callback"
    assert len(rig.waiting.places) == 1


def test_a_call_back_without_the_line_is_promised_all_the_same(library: FlowLibrary) -> None:
    async def scenario() -> WaitingRig:
        rig = WaitingRig(library)
        async with rig.call():
            await rig.say("agent", 12)
            await rig.say("call me back", 8)
            rig.waiting.down = True
            await rig.say("yes", 10)
        return rig

    rig = run(scenario())
    assert rig.canonical["outcome"] == "callback"
    assert [each.number for each in run(rig.company.callbacks.waiting())] == ["5035550101"]


def test_a_message_is_recorded_and_waits_in_the_line_instead(library: FlowLibrary) -> None:
    async def scenario() -> WaitingRig:
        rig = WaitingRig(library)
        async with rig.call():
            await rig.say("agent", 12)
            await rig.say("leave a message", 8)
            assert "tone:message" in rig.said
            for number in range(100):
                rig.caller.post(Audio(VOICE, number * 0.02))
                await asyncio.sleep(0.02)
            rig.speech.ears[-1].read("my disc skips and the agent knows about it")
            await asyncio.sleep(1)
            assert rig.session.view()["state"] == "human.message", "no word of a message is an answer"
            await rig.press("#", 8)
            assert "Your message is sent" in rig.said
        return rig

    rig = run(scenario())
    call, message = rig.waiting.places[1], rig.waiting.places[2]
    assert call.state == "done" and message.arrival.channel == "message" and message.state == "waiting"
    assert message.transcript == "my disc skips and the agent knows about it"
    assert len(rig.kept.kept[message.recording]) > 16_000 * 1.9
    assert message.arrival.context == "t" and message.arrival.reason == "asked", "whoever hears it has the story"
    assert rig.canonical["outcome"] == "message"


@pytest.mark.parametrize("broken", ["messages", "line"])
def test_a_message_that_can_not_be_kept_is_not_called_sent(library: FlowLibrary, broken: str) -> None:
    async def scenario() -> None:
        rig = WaitingRig(library)
        async with rig.call():
            await rig.say("agent", 12)
            await rig.press("2", 8)
            rig.kept.broken = broken == "messages"
            for number in range(100):
                rig.caller.post(Audio(VOICE, number * 0.02))
            if broken == "line":
                rig.waiting.down = True
                rig.desk.open = False
            await rig.press("#", 6)
            assert "couldn't keep your message" in rig.said and "sent" not in rig.said
            rig.waiting.down = False
            assert rig.session.view()["state"] in ("human.connect", "human.offer_callback")

    run(scenario())


def test_who_says_nothing_after_the_tone_is_back_in_the_line(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = WaitingRig(library)
        async with rig.call():
            await rig.say("agent", 12)
            await rig.press("2", 30)
            assert "nothing was sent" in rig.said and rig.state == "waiting"

    run(scenario())


def test_a_message_of_who_hangs_up_is_sent(library: FlowLibrary) -> None:
    async def scenario() -> WaitingRig:
        rig = WaitingRig(library)
        async with rig.call():
            await rig.say("agent", 12)
            await rig.press("2", 8)
            for number in range(100):
                rig.caller.post(Audio(VOICE, number * 0.02))
            await asyncio.sleep(1)
        return rig

    rig = run(scenario())
    assert rig.waiting.places[2].arrival.channel == "message"


def test_zero_after_the_tone_is_a_person_and_no_message(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = WaitingRig(library)
        async with rig.call():
            await rig.say("agent", 12)
            await rig.press("2", 8)
            for number in range(100):
                rig.caller.post(Audio(VOICE, number * 0.02))
            await rig.press("0", 14)
            assert rig.session.view()["state"] == "human.connect" and not rig.kept.kept
            assert "back at your old place" in rig.said

    run(scenario())


@pytest.mark.parametrize(("number", "state"), [("5035550101", "away"), ("", "abandoned")])
def test_who_hangs_up_keeps_the_place_where_they_can_come_back(library: FlowLibrary, number: str, state: str) -> None:
    async def scenario() -> WaitingRig:
        rig = WaitingRig(library)
        rig.leg = FakeLeg(number=number)
        async with rig.call():
            await rig.say("agent", 12)
            assert rig.state == "waiting"
        return rig

    rig = run(scenario())
    assert rig.state == state
    assert rig.canonical["outcome"] == "abandoned"


def test_who_calls_again_hears_of_their_place_and_has_it(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = WaitingRig(library)
        async with rig.call():
            await rig.say("agent", 12)
        await asyncio.sleep(100)
        async with rig.again():
            assert "You still have your place in line: number one." in rig.said
            await rig.say("yes", 12)
            assert "back at your old place" in rig.said
            assert len(rig.waiting.places) == 1 and rig.state == "waiting"
            assert rig.session.view()["state"] == "human.connect"

    run(scenario())


def test_an_offer_is_taken_back_from_whom_the_caller_hangs_up_on(library: FlowLibrary) -> None:
    async def scenario() -> WaitingRig:
        rig = WaitingRig(library)
        rig.endpoint.ring_s = 15.0
        async with rig.call():
            await rig.say("agent", 12)
            await rig.free()
            await asyncio.sleep(2)
            assert rig.state == "offered"
        return rig

    rig = run(scenario())
    assert rig.state == "away" and rig.waiting.agents["ann"].state == "idle"
    assert not rig.endpoint.legs, "no ghost call"


def test_without_the_database_the_configured_phones_are_rung_in_turn(library: FlowLibrary) -> None:
    async def scenario() -> WaitingRig:
        rig = WaitingRig(library)
        rig.waiting.down = True
        rig.endpoint.answers = [486]
        async with rig.call():
            await rig.say("agent", 8)
            assert [target for target, _ in rig.endpoint.dialled] == ["sip:ann@test", "sip:bob@test"]
            assert rig.with_agent()
        return rig

    assert not run(scenario()).waiting.places


def test_a_database_that_goes_while_they_wait_rings_the_phones_in_turn(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = WaitingRig(library)
        async with rig.call():
            await rig.say("agent", 12)
            rig.waiting.down = True
            await asyncio.sleep(12)
            assert rig.with_agent()

    run(scenario())


def test_who_wants_a_person_while_the_line_is_away_waits_for_it_not_for_nobody(library: FlowLibrary) -> None:
    """Ann has a console: only the line reaches her."""

    async def scenario() -> WaitingRig:
        rig = WaitingRig(library)
        rig.reached.phones = ()
        rig.waiting.staff("ann", state="busy")
        rig.waiting.down = True
        async with rig.call():
            await rig.say("agent", 30)
            assert rig.session.view()["state"] == "human.connect" and not rig.waiting.places
            assert rig.caller.heard[-1].startswith("music:")
            rig.waiting.down = False
            await asyncio.sleep(3)
            assert rig.state == "waiting"
            await rig.free()
            await asyncio.sleep(5)
            assert rig.with_agent()
        return rig

    run(scenario())


@pytest.mark.parametrize("staffed", [True, False])
def test_a_line_that_stays_away_is_told_in_the_end(library: FlowLibrary, staffed: bool) -> None:
    async def scenario() -> None:
        rig = WaitingRig(library)
        rig.reached.phones = ()
        rig.waiting.staff("ann", state="busy" if staffed else "away")
        rig.waiting.down = True
        async with rig.call():
            await rig.say("agent", 20)
            assert (rig.session.view()["state"] == "human.connect") is staffed
            assert "That didn't work" not in rig.said
            await asyncio.sleep(AWAY_S)
            assert ("That didn't work" in rig.said) is staffed

    run(scenario())


def test_when_the_last_agent_goes_home_a_call_back_is_offered(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = WaitingRig(library)
        async with rig.call():
            await rig.say("agent", 12)
            await rig.waiting.set_state("ann", "away", "home")
            await asyncio.sleep(20)
            assert "Nobody is at the desk right now." in rig.said and "Shall we call you back" in rig.said
            assert "Let me try once more" not in rig.said and rig.state == "away"

    run(scenario())
