"""Calls in the caller's language, in virtual time: by called number, by choice, by the member's file; led by keys where
nothing recognises it."""

from __future__ import annotations

import asyncio

from ivr.config import FlowsConfig
from ivr.dialogue.engine.contract import Installed
from ivr.dialogue.engine.dialogue import Dialogue
from ivr.dialogue.flows.library import FlowLibrary
from ivr.ports import Leg, Party
from ivr.release.entry import CallEntry
from ivr.release.serving import ServingVersions
from tests.call.fakes import FakeActions
from tests.call.test_session import Rig, library
from tests.call.virtual import run

__all__ = ["library"]

SPANISH_NUMBER = "5035550199"


class NumberedRig(Rig):
    """Opens its calls as the service does: by the called number."""

    def __init__(self, library: FlowLibrary) -> None:
        super().__init__(library)
        config = FlowsConfig.model_validate({"numbers": [{"called": SPANISH_NUMBER, "language": "es-ES"}]})
        shelf = ServingVersions()
        shelf.publish(library)
        self._openings = CallEntry(config, shelf, lambda name: self.desk.open if name == "hours.open" else None)

    def _opening(self, call_id: str, leg: Leg, installed: Installed) -> Dialogue:
        return self._openings.open(call_id, leg, installed)


class HispanicMember(FakeActions):
    """Her file says that she is served in Spanish."""

    def _state(self) -> dict[str, object]:
        state = super()._state()
        state["facts"]["member.language"] = "es-ES"
        return state


def test_the_called_number_chooses_spanish_and_a_title_is_moved_by_keys_alone(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = NumberedRig(library)
        rig.leg.called = Party(SPANISH_NUMBER)
        async with rig.call(settle_s=60):
            assert rig.speech.ears == [], "no recogniser speaks Spanish here"
            assert "Hola" in rig.said
            assert "oprima uno" in rig.said, "so the keys are told at once"
            assert ("en-US", "For English, press star four.") in rig.speech.rendered
            await rig.press("3", settle_s=30)
            await rig.press("1", settle_s=30)
            await rig.press("4#", settle_s=30)
            assert rig.actions.queue[0] == "Nosferatu"
            assert "Nosferatu está al principio" in rig.said
            assert {language for language, text in rig.speech.rendered if "Nosferatu" in text} == {"es-ES"}

    run(scenario())


def test_spanish_by_key_and_english_again_with_ears_for_each(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = NumberedRig(library)
        rig.speech.recognised = ("en-US", "es-ES")
        async with rig.call():
            assert ("es-ES", "Para español, oprima estrella tres.") in rig.speech.rendered
            await rig.press("*3")
            assert "Bien, en español. ¿Qué puedo hacer por usted?" in rig.said
            assert [ears.language for ears in rig.speech.ears] == ["en-US", "es-ES"]
            assert rig.speech.ears[0].closed
            await rig.say("ponga Metropolis primero")
            assert rig.actions.queue[0] == "Metropolis"
            assert rig.actions.calls[-1].language == "es-ES"
            await rig.say("english please")
            assert "All right, in English. Anything else?" in rig.said
            await rig.say("put Vertigo first")
            assert rig.actions.queue[0] == "Vertigo"

    run(scenario())


def test_without_a_recogniser_for_it_the_call_goes_on_by_keys_and_comes_back_by_key(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = NumberedRig(library)
        async with rig.call():
            await rig.say("en español", settle_s=60)
            assert "oprima uno" in rig.said
            assert rig.speech.ears[0].closed
            assert not rig.caller.listening, "nothing is listened for that nobody understands"
            assert not rig.desk.contexts, "keys lead on: no reason for a human"
            await rig.press("*4", settle_s=20)
            await rig.say("put Vertigo first")
            assert rig.actions.queue[0] == "Vertigo"

    run(scenario())


def test_the_agent_is_told_the_language_chosen(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = NumberedRig(library)
        async with rig.call():
            await rig.press("*3", settle_s=20)
            assert rig.session.view()["language"] == "es-ES"
            await rig.press("0")
            assert rig.with_agent()
            assert rig.desk.contexts[0].language == "es-ES"
            assert rig.desk.contexts[0].facts["call.language"] == "es-ES"

    run(scenario())


def test_a_member_whose_file_says_so_is_served_in_spanish(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = NumberedRig(library)
        rig.actions = HispanicMember()
        async with rig.call(settle_s=40):
            assert "Hello, this is Marquee" in rig.said
            assert "Hola, Rosa. ¿Qué puedo hacer por usted?" in rig.said

    run(scenario())


def test_a_language_that_nothing_speaks_is_not_offered_and_brings_a_human(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = NumberedRig(library)
        rig.speech.voices = ("en-US",)
        async with rig.call():
            assert "Para español" not in rig.said
            await rig.say("español")
            assert rig.with_agent()
            assert rig.desk.contexts[0].reason == "asked for es-ES"

    run(scenario())


def test_ears_that_break_after_the_change_bring_a_human(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = NumberedRig(library)
        rig.speech.recognised = ("en-US", "es-ES")
        async with rig.call():
            rig.speech.recognised = ("en-US",)
            await rig.press("*3")
            assert rig.desk.contexts[0].reason == "recogniser failed"
            assert rig.desk.contexts[0].language == "es-ES"

    run(scenario())


def test_what_was_said_while_the_line_looked_something_up_is_done_next(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = NumberedRig(library)
        rig.actions.slow_s = 2.5
        async with rig.call(settle_s=1.0):
            assert rig.session.view()["listening_for"] == "running"
            await rig.say("move Nosferatu to the top", settle_s=0.1)
            await asyncio.sleep(20)
            assert "What can I do" not in rig.said, "it is known already"
            assert "Move Nosferatu to the top?" in rig.said, "heard without the question's grammar: asked about"
            await rig.say("yes")
            assert rig.actions.queue[0] == "Nosferatu"

    run(scenario())


def test_gibberish_said_while_the_line_looked_something_up_is_forgotten(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = NumberedRig(library)
        rig.actions.slow_s = 2.5
        async with rig.call(settle_s=1.0):
            await rig.say("purple monkey dishwasher", settle_s=15)
            assert "What can I do for you" in rig.said

    run(scenario())


def test_a_reload_changes_what_a_called_number_gets_for_calls_that_begin_later(library: FlowLibrary) -> None:
    async def scenario() -> None:
        for reloaded, greeting in ((False, "Hola"), (True, "Hi")):
            rig = NumberedRig(library)
            rig.leg.called = Party(SPANISH_NUMBER)
            if reloaded:
                rig._openings.apply(FlowsConfig(), ())
            async with rig.call(settle_s=60):
                assert greeting in rig.said

    run(scenario())
