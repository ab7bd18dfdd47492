"""How somebody uses the line, and how they sound: it only brings a human sooner, and never on weak evidence alone."""

from __future__ import annotations

import asyncio

import pytest

from ivr.call.agitation import BARGED_TIMES, MASHED_KEYS, Agitation
from ivr.dialogue.flows.library import FlowLibrary
from ivr.events import Cause, Manner, Recognition
from tests.call.test_session import Rig, library
from tests.call.virtual import run

__all__ = ["library"]

CALM = Manner(loudness_db=0, words_per_second=2.5, pitch_hz=120, snr_db=25)
LOUD = Manner(loudness_db=9, words_per_second=2.5, pitch_hz=120, snr_db=25)
LOUD_IN_NOISE = Manner(loudness_db=9, words_per_second=5, pitch_hz=300, snr_db=4)
FAST_AND_HIGH = Manner(loudness_db=8, words_per_second=5, pitch_hz=220, snr_db=25)


class Caller(Rig):
    async def says(self, text: str, manner: Manner, settle_s: float = 8.0) -> None:
        self.speech.ears[-1].hear(text, manner)
        await asyncio.sleep(settle_s)

    async def barges_in(self, text: str, manner: Manner) -> None:
        """Over whatever is being said."""
        assert self.caller._playing, "nothing is being said"
        await self.says(text, manner, settle_s=1.0)


def test_shouting_while_not_being_understood_brings_a_human_sooner(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = Caller(library)
        async with rig.call():
            for _ in range(3):
                await rig.says("what's next", CALM, 12)
            await rig.says("purple monkey dishwasher", FAST_AND_HIGH, 4)
            assert not rig.with_agent()
            await rig.says("wobbly custard umbrella", FAST_AND_HIGH, 4)
            assert rig.with_agent(), "sooner than the third time"
            assert rig.desk.contexts[0].reason == "upset (louder, faster, higher voice)"
            assert rig.desk.contexts[0].skill == "retention"

    run(scenario())


def test_shouting_over_a_noisy_line_is_no_evidence(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = Caller(library)
        async with rig.call():
            for _ in range(12):
                await rig.says("what's next", LOUD_IN_NOISE, 6)
            await rig.says("purple monkey dishwasher", LOUD_IN_NOISE, 4)
            await rig.says("wobbly custard umbrella", LOUD_IN_NOISE, 4)
            assert not rig.desk.contexts

    run(scenario())


def test_who_is_understood_and_calm_again_keeps_the_line(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = Caller(library)
        async with rig.call():
            for manner in (LOUD, CALM, CALM, CALM) * 4:
                await rig.says("what's next", manner, 12)
            assert not rig.desk.contexts

    run(scenario())


def test_mashed_keys_twice_bring_a_human(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = Caller(library)
        async with rig.call():
            await rig.press("##########", settle_s=0.5)
            await rig.press("##########", settle_s=4)
            assert rig.with_agent()
            assert rig.desk.contexts[0].reason == "upset (mashed keys)"

    run(scenario())


def test_keys_mashed_once_with_a_raised_voice_bring_a_human(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = Caller(library)
        async with rig.call():
            await rig.press("#" * MASHED_KEYS, settle_s=2)
            await rig.says("purple monkey dishwasher", LOUD, 4)
            assert not rig.with_agent(), "one sign is none"
            await rig.says("wobbly custard umbrella", LOUD, 4)
            assert rig.with_agent()
            assert rig.desk.contexts[0].reason == "upset (mashed keys, louder)"

    run(scenario())


def test_dialling_ahead_and_talking_over_every_prompt_is_skill(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = Caller(library)
        async with rig.call(settle_s=4):
            await rig.press("313#", settle_s=1)
            assert rig.actions.queue[0] == "Metropolis"
            for _ in range(12):
                await rig.barges_in("what's next", CALM)
            assert not rig.desk.contexts, "who knows the line by heart is served, not sent away"

    run(scenario())


def test_talking_over_prompts_and_not_being_understood_brings_a_human(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = Caller(library)
        async with rig.call(settle_s=4):
            for text in ("what's next", "what's next", "wobbly custard umbrella"):
                assert not rig.desk.contexts
                await rig.barges_in(text, LOUD)
            await asyncio.sleep(6)
            assert rig.with_agent()
            assert rig.desk.contexts[0].reason == "upset (louder, talks over the prompts)"

    run(scenario())


def test_asking_for_a_person_again_comes_before_others(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = Caller(library)
        rig.endpoint.answers = [486, 486]
        async with rig.call():
            await rig.says("agent", CALM, 20)
            assert not rig.with_agent()
            await rig.says("agent", CALM, 20)
            assert rig.with_agent()
            assert [c.priority for c in rig.desk.contexts] == [5, 5, 7]

    run(scenario())


@pytest.mark.parametrize("entering", [True, False])
def test_keys_of_a_stored_number_are_no_mashing(entering: bool) -> None:
    agitation = Agitation()
    found = [agitation.key(0.1 * n, entering=entering) for n in range(MASHED_KEYS)]
    assert any(found) is not entering


def test_slow_keys_are_no_mashing() -> None:
    agitation = Agitation()
    assert not any(agitation.key(1.0 * n, entering=False) for n in range(50))


@pytest.mark.parametrize(("snr_db", "counts"), [(25.0, True), (5.0, False), (0.0, False)])
def test_what_stops_a_prompt_in_noise_may_be_a_lorry(snr_db: float, counts: bool) -> None:
    agitation = Agitation()
    said = Recognition(Cause.NO_MATCH, manner=Manner(snr_db=snr_db))
    found = []
    for n in range(BARGED_TIMES):
        agitation.talked_over()
        found.append(agitation.heard(said, 2.0 * n))
    assert (found[-1] is not None) is counts
    assert not any(found[:-1])
