"""The simulated call: the same dialogue, actions and store as on the phone."""

from __future__ import annotations

import pytest

from ivr.errors import FlowError
from ivr.record import Entered, Entry, HandedOver, Performed, ResumeAsked, Understood
from ivr.workshop.simulate.driver import CallOver
from ivr.workshop.simulate.sandbox import Sandbox
from ivr.workshop.simulate.simulation import Simulation
from tests.flows.reference import library
from tests.unit.workshop.conftest import MORNING


def kinds(entries: list[Entry] | tuple[Entry, ...] | object) -> list[str]:
    assert isinstance(entries, (list, tuple))
    return [entry.kind for entry in entries]


async def test_a_call_begins_with_all_that_happens_before_the_caller_speaks(sandbox: Sandbox) -> None:
    call = Simulation(library(), sandbox, MORNING)
    entries = await call.begin()
    assert kinds(entries)[0] == "state"
    assert [e.what.state for e in entries if isinstance(e.what, Entered)][-1] == call.state == "main.ask"
    identified = next(e.what for e in entries if isinstance(e.what, Performed))
    assert (identified.action, identified.outcome) == ("member.identify_by_caller", "found")
    assert call.said[-1] == "What can I do for you?"
    assert call.facts["member.first_name"] == "Ada"


async def test_speech_shows_what_was_understood_and_what_it_did(simulation: Simulation, sandbox: Sandbox) -> None:
    entries = await simulation.say("move Casablanca to the top")
    heard = next(e.what for e in entries if isinstance(e.what, Understood))
    assert heard.intent == "move_to_top"
    assert heard.slots == {"title": "Casablanca"}
    assert heard.confidence == 1.0
    action = next(e.what for e in entries if isinstance(e.what, Performed))
    assert action.outcome == "ok"
    held = await sandbox.records("10001")
    assert held is not None
    assert held["queue"][0] == "Casablanca"
    assert len(held["queue"]) == 8


async def test_doubt_makes_the_line_ask_back(simulation: Simulation) -> None:
    await simulation.say("move Casablanca to the top", doubt=True)
    assert simulation.performed == ["member.identify_by_caller"]
    assert "Casablanca to the top?" in simulation.said[-1]
    assert simulation.heard.doubt is True


async def test_keys_are_keyed_one_by_one_and_the_pause_ends_them(simulation: Simulation) -> None:
    await simulation.press("7")
    assert simulation.state == "hold.until"
    await simulation.press("704")  # no # after it: the pause ends it
    assert simulation.state == "hold.hold"
    assert simulation.slots["day"] == "2026-07-04"


async def test_silence_three_times_brings_a_human(simulation: Simulation) -> None:
    for _ in range(3):
        assert simulation.connected is None
        await simulation.silence()
    assert simulation.connected is not None
    assert simulation.connected.reason == "silent"
    assert simulation.result == "connected"


async def test_a_dropped_call_is_taken_up_again_from_the_database(simulation: Simulation) -> None:
    await simulation.say("remove Vertigo")
    ended = await simulation.hangup()
    assert kinds(ended) == ["caller", "end"]
    assert simulation.over
    entries = await simulation.begin()
    assert next(e.what for e in entries if isinstance(e.what, ResumeAsked)).found is True
    assert simulation.state == "main.pick_up"
    await simulation.say("yes")
    assert simulation.state == "queue.remove"
    await simulation.hangup()
    simulation.set_time("11:30")
    entries = await simulation.begin()
    assert next(e.what for e in entries if isinstance(e.what, ResumeAsked)).found is False, "too long ago"


async def test_after_the_end_nothing_can_be_said(simulation: Simulation) -> None:
    await simulation.say("goodbye")
    assert simulation.over and simulation.outcome == "goodbye"
    with pytest.raises(CallOver):
        await simulation.say("hello?")


async def test_before_the_beginning_neither(sandbox: Sandbox) -> None:
    with pytest.raises(CallOver):
        await Simulation(library(), sandbox, MORNING).press("0")


async def test_a_broken_store_fails_the_actions_themselves(simulation: Simulation, sandbox: Sandbox) -> None:
    await simulation.fail("store")
    entries = await simulation.say("what's next")
    action = next(e.what for e in entries if isinstance(e.what, Performed))
    assert action.outcome == "failed"
    assert "store is not available" in action.error
    assert simulation.connected is not None
    await simulation.mend("store")
    assert (await sandbox.records("10001")) is not None


async def test_a_broken_recogniser_is_told_to_the_dialogue(simulation: Simulation) -> None:
    entries = await simulation.fail("recogniser")
    assert {"error", "handoff"} <= set(kinds(entries))


async def test_agents_answer_or_not(simulation: Simulation) -> None:
    await simulation.fail("agent")
    entries = await simulation.press("0")
    outcomes = [e.what.outcome for e in entries if isinstance(e.what, HandedOver)]
    assert outcomes == ["failed", "failed"]
    assert simulation.state == "human.offer_callback"


async def test_the_desk_may_answer_otherwise(simulation: Simulation) -> None:
    simulation.answer("desk", "closed")
    await simulation.press("0")
    assert simulation.connected is None


async def test_answers_stand_in_for_what_the_data_cannot_bring_about(simulation: Simulation) -> None:
    simulation.answer("queue.undo", "changed_since")
    await simulation.say("undo that")
    assert "left it alone" in " ".join(simulation.said)
    await simulation.mend("action:queue.undo")
    entries = await simulation.say("undo that")
    assert next(e.what for e in entries if isinstance(e.what, Performed)).outcome == "nothing_to_undo"


async def test_a_slow_action_says_wait_before_it_times_out(simulation: Simulation) -> None:
    simulation.answer("http.call", "timeout")
    await simulation.say("hold my deliveries until July fourth")
    await simulation.say("yes")
    assert simulation.said[0] == "One moment."
    assert simulation.connected is not None


@pytest.mark.parametrize("part", ["toaster", "action:queue.fly", ""])
async def test_only_what_there_is_can_break(simulation: Simulation, part: str) -> None:
    with pytest.raises(FlowError):
        await simulation.fail(part)


async def test_an_action_only_ends_as_its_signature_says(simulation: Simulation) -> None:
    with pytest.raises(FlowError, match="never ends in purple"):
        simulation.answer("queue.undo", "purple")


async def test_time_goes_forward(simulation: Simulation) -> None:
    simulation.set_time("03:00")
    assert simulation.now.isoformat() == "2026-03-04T03:00:00-08:00"
    assert simulation.now > MORNING
    simulation.set_time("2026-12-25T09:00")
    assert simulation.now.month == 12
    with pytest.raises(FlowError, match="no time"):
        simulation.set_time("tea time")


async def test_the_same_call_twice_is_the_same_to_the_letter(sandbox: Sandbox) -> None:
    transcripts = []
    for _ in range(2):
        await sandbox.reset(MORNING)
        call = Simulation(library(), sandbox, MORNING)
        await call.begin()
        for text in ("remove Vertigo", "yes", "wobbly custard", "what's next", "agent"):
            await call.say(text)
        transcripts.append(call.entries)
    assert transcripts[0] == transcripts[1]
    assert len(transcripts[0]) > 30
