"""Engines that are too slow, or die while they hear: the caller is never left in silence, and never loses a key."""

from __future__ import annotations

import asyncio

import pytest

from ivr.dialogue.flows.library import FlowLibrary
from ivr.events import Audio
from tests.call.test_session import Rig, library
from tests.call.virtual import run

__all__ = ["library"]
WORD, KEYS = "One moment.", "You can use the keys instead."
ASKED = "What can I do for you?"


async def silence_after(rig: Rig, seconds: float) -> list[float]:
    """How long each silence was that a caller heard meanwhile, sampled every 50 ms."""
    silences, silent = [0.0], 0.0
    for _ in range(int(seconds / 0.05)):
        await asyncio.sleep(0.05)
        silent = 0.0 if rig.caller.sounding else silent + 0.05
        silences.append(silent)
    return silences


def test_a_slow_reading_brings_a_word_at_once_then_keys_then_a_human(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = Rig(library)
        async with rig.call():
            before = len(rig.caller.heard)
            rig.speech.ears[-1].speak()
            assert max(await silence_after(rig, 12.0)) <= 1.5
            said = rig.caller.heard[before:]
            assert said[:3] == [WORD, KEYS, "For a person, press zero."], said
            assert not rig.with_agent(), "the menu is still being said"
            await asyncio.sleep(60)
            assert rig.with_agent()
        assert rig.canonical["handoff_reason"] == "recogniser too slow"

    run(scenario())


def test_who_is_still_unanswered_when_they_speak_again_hears_no_second_word(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = Rig(library)
        async with rig.call():
            rig.speech.ears[-1].speak()
            await asyncio.sleep(1.0)
            rig.speech.ears[-1].speak()
            await asyncio.sleep(0.7)
            assert rig.caller.heard.count(WORD) == 1
            for _ in range(2):
                rig.speech.ears[-1].read("put Vertigo first")
            await asyncio.sleep(8)
            rig.speech.ears[-1].speak()
            await asyncio.sleep(1.0)
            assert rig.caller.heard.count(WORD) == 2, "something else was said in between"

    run(scenario())


def test_a_call_that_comes_while_the_recognisers_are_crowded_is_led_by_keys(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = Rig(library)
        rig.speech.talkers = 0
        async with rig.call():
            assert rig.speech.ears == [], "nothing is asked of them"
            await rig.press("5", settle_s=4)
            assert (
                "Key its place in your queue, or the first letters of its name, then press pound." in rig.caller.heard
            )
            assert not rig.with_agent()
            await rig.press("0", settle_s=6)
            assert rig.with_agent()

    run(scenario())


def test_a_reading_that_is_nearly_in_time_costs_nothing(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = Rig(library)
        async with rig.call():
            rig.speech.ears[-1].speak()
            await asyncio.sleep(0.3)
            rig.speech.ears[-1].read("put Vertigo first")
            await asyncio.sleep(8)
            assert WORD not in rig.caller.heard and rig.actions.queue[0] == "Vertigo"

    run(scenario())


@pytest.mark.parametrize("late_s", [1.0, 3.0, 5.0, 9.0])
def test_a_late_reading_is_taken_while_nobody_pressed_anything(library: FlowLibrary, late_s: float) -> None:
    async def scenario() -> None:
        rig = Rig(library)
        async with rig.call():
            rig.speech.ears[-1].speak()
            await asyncio.sleep(late_s)
            assert WORD in rig.caller.heard and (KEYS in rig.caller.heard) == (late_s > 2.7)
            rig.speech.ears[-1].read("put Vertigo first")
            await asyncio.sleep(30)
            assert rig.actions.queue[0] == "Vertigo" and not rig.with_agent()
            await rig.say("put Metropolis first")
            assert rig.actions.queue[0] == "Metropolis"

    run(scenario())


def test_whoever_pressed_a_key_is_past_what_they_said(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = Rig(library)
        async with rig.call():
            rig.speech.ears[-1].speak()
            await asyncio.sleep(4)
            await rig.press("5", settle_s=4)  # removing a title
            assert "Which title?" in rig.caller.heard
            rig.speech.ears[-1].read("put Vertigo first")
            await asyncio.sleep(2)
            assert rig.actions.queue[0] == "Casablanca" and not rig.with_agent()
            await rig.say("Vertigo", settle_s=4)
            assert "Take Vertigo out of your queue?" in rig.caller.heard

    run(scenario())


def test_zero_is_taken_at_once_meanwhile(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = Rig(library)
        async with rig.call():
            rig.speech.ears[-1].speak()
            await rig.press("0", settle_s=6)
            assert rig.with_agent() and rig.endpoint.dialled
        assert rig.canonical["handoff_reason"] == "asked"

    run(scenario())


def test_fifty_talkers_at_once(library: FlowLibrary) -> None:
    """A recogniser that reads five utterances a second: the last one's is ten seconds late."""

    async def scenario() -> None:
        rigs = [Rig(library) for _ in range(50)]

        async def talk(rig: Rig, read_s: float) -> float:
            async with rig.call():
                rig.speech.ears[-1].speak()
                asyncio.get_running_loop().call_later(read_s, rig.speech.ears[-1].read, "put Vertigo first")
                worst = max(await silence_after(rig, read_s + 1.0))
                await asyncio.sleep(12)
                assert rig.actions.queue[0] == "Vertigo" and not rig.with_agent()
                return worst

        worst = await asyncio.gather(*(talk(rig, 0.2 * place) for place, rig in enumerate(rigs, 1)))
        assert max(worst) <= 1.5, worst

    run(scenario())


def test_a_worker_killed_while_hearing_asks_again_once(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = Rig(library)
        async with rig.call():
            rig.speech.ears[-1].speak()
            rig.speech.ears[-1].crash()
            await asyncio.sleep(4)
            assert rig.caller.heard[-1].startswith("Sorry, I lost that") and len(rig.speech.ears) == 2
            await rig.say("put Vertigo first")
            assert rig.actions.queue[0] == "Vertigo" and not rig.with_agent()
            rig.speech.ears[-1].crash()  # a second time is one too many
            await asyncio.sleep(20)
            assert rig.with_agent()
        assert rig.canonical["handoff_reason"] == "recogniser failed"

    run(scenario())


def test_a_worker_that_dies_while_nobody_speaks_is_replaced_without_a_word(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = Rig(library)
        async with rig.call():
            said = list(rig.caller.heard)
            rig.speech.ears[-1].crash()
            await asyncio.sleep(2)
            assert rig.caller.heard == said
            await rig.say("put Vertigo first")
            assert rig.actions.queue[0] == "Vertigo"

    run(scenario())


@pytest.mark.parametrize(("slow_s", "human"), [(3.0, False), (60.0, True)])
def test_slow_synthesis_brings_a_word_from_the_cache_then_a_human(
    library: FlowLibrary, slow_s: float, human: bool
) -> None:
    async def scenario() -> None:
        rig = Rig(library)
        rig.speech.rendered.extend([("en-US", text) for text in (WORD, *CACHED)])
        async with rig.call():
            rig.speech.slow_s = slow_s
            rig.speech.ears[-1].hear("put Vertigo first")
            await asyncio.sleep(0.1)
            assert max(await silence_after(rig, 6.0)) <= 1.5
            assert WORD in rig.caller.heard
            await asyncio.sleep(30)
            assert bool(rig.endpoint.dialled) == human
            assert human or "Done. Vertigo is at the top now." in rig.caller.heard

    run(scenario())


CACHED = (
    "Sorry, something on our side isn't working. Let me get you a person.",
    "I'm getting you a person now.",
    "Anything else?",
)


LOUD, FAINT = b"\x00\x20" * 160, b"\x10\x00" * 160


async def voice(rig: Rig, seconds: float) -> None:
    """The caller's voice through the media's gate, which stays open for 1.2 s after it."""
    for pcm, frames in ((LOUD, int(seconds * 50)), (FAINT, 60)):
        for _ in range(frames):
            rig.caller.post(Audio(pcm))
            await asyncio.sleep(0.02)


def test_saturated_ears_that_tell_nothing_do_not_leave_the_caller_in_silence(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = Rig(library)
        async with rig.call():
            ears, before = rig.speech.ears[-1], len(rig.caller.heard)
            ears.saturated = True
            await voice(rig, 1.5)
            assert rig.caller.heard[before:] == [WORD], "said before the gate has closed"
            await asyncio.sleep(2.0)
            assert KEYS in rig.caller.heard[before:]
            ears.hear("put Vertigo first")  # six seconds late: told all at once
            await asyncio.sleep(10)
            assert rig.actions.queue[0] == "Vertigo" and not rig.with_agent()
            assert rig.caller.heard[before:].count(WORD) == 1

    run(scenario())


def test_a_key_comes_before_what_saturated_ears_have_not_come_to(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = Rig(library)
        async with rig.call():
            rig.speech.ears[-1].saturated = True
            await voice(rig, 1.5)
            await rig.press("5", settle_s=4)
            rig.speech.ears[-1].hear("put Vertigo first")
            await asyncio.sleep(2)
            assert rig.actions.queue[0] == "Casablanca"
            await rig.say("Vertigo", settle_s=4)
            assert "Take Vertigo out of your queue?" in rig.caller.heard

    run(scenario())


@pytest.mark.parametrize(("saturated", "seconds"), [(False, 1.5), (True, 0.1)])
def test_ears_in_time_and_clicks_bring_no_word(library: FlowLibrary, saturated: bool, seconds: float) -> None:
    async def scenario() -> None:
        rig = Rig(library)
        async with rig.call():
            rig.speech.ears[-1].saturated = saturated
            await voice(rig, seconds)
            assert WORD not in rig.caller.heard

    run(scenario())
