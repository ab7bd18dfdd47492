"""Whole calls through the reference flows with a fake line, in virtual time: promises, failures, transfers."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

import pytest
from structlog.testing import capture_logs

from ivr.call.handoff import CRASHED
from ivr.call.registry import CallRegistry
from ivr.call.session import CallSession
from ivr.call.waiting import USUAL
from ivr.desk.kept_place import kept_place
from ivr.dialogue.engine.contract import Installed, Start
from ivr.dialogue.engine.dialogue import Dialogue
from ivr.dialogue.flows.library import FlowLibrary, load_library
from ivr.dialogue.flows.source import read_directory
from ivr.events import Digit, KeyReleased, MediaTimeout
from ivr.media.description import MediaDescription
from ivr.phones.bridge_phones import CONVERSATION_S
from ivr.phones.restoration import WITHIN_S
from ivr.ports import Leg
from ivr.record import Keyed
from ivr.reference import COMPANY
from tests.call.fakes import (
    FakeActions,
    FakeDesk,
    FakeEndpoint,
    FakeLeg,
    FakeMedia,
    FakeMediaLeg,
    FakeMessages,
    FakeRecords,
    FakeSpeech,
    services,
)
from tests.call.line import FakeLine
from tests.call.virtual import run

FLOWS = Path(__file__).parents[2] / "flows"


@pytest.fixture(scope="module")
def library() -> FlowLibrary:
    loaded = load_library(read_directory(FLOWS), COMPANY.all_signatures)
    assert loaded.library is not None, [f.render() for f in loaded.findings]
    return loaded.library


class Rig:
    """One line with fakes all round, and one caller on it."""

    def __init__(self, library: FlowLibrary) -> None:
        self.library = library
        self.media = FakeMedia()
        self.speech = FakeSpeech()
        self.actions = FakeActions()
        self.endpoint = FakeEndpoint()
        self.desk = FakeDesk()
        self.records = FakeRecords()
        self.registry = CallRegistry()
        self.leg = FakeLeg()
        self.line: FakeLine | None = None
        self.messages: FakeMessages | None = None
        self.rules = USUAL
        self.language = "en-US"
        self._started = asyncio.Event()

    def _opening(self, call_id: str, leg: Leg, installed: Installed) -> Dialogue:
        start = Start(
            call_id,
            language=self.language,
            caller=leg.caller.number,
            called="ivr",
            fact_source=lambda name: self.desk.open if name == "hours.open" else None,
            place_source=kept_place(self.line, str) if self.line is not None else None,
            installed=installed,
        )
        return Dialogue(self.library, start)

    @asynccontextmanager
    async def call(self, settle_s: float = 9.0) -> AsyncIterator[CallSession]:
        shared = services(
            endpoint=self.endpoint,
            media=self.media,
            speech=self.speech,
            actions=self.actions,
            desk=self.desk,
            records=self.records,
            registry=self.registry,
            line=self.line,
            messages=self.messages,
            waiting=self.rules,
        )
        self.floor = shared.floor
        self.session = CallSession("c0ffee", self.leg, shared, self._opening)
        task = asyncio.create_task(self.session.run())
        await asyncio.sleep(settle_s)
        try:
            yield self.session
        finally:
            self.leg.end()
            await asyncio.sleep(5)
            assert task.done(), "the session outlived its caller"
            await task
            assert len(self.registry) == 0

    @property
    def caller(self) -> FakeMediaLeg:
        return self.media.legs[0]

    @property
    def said(self) -> str:
        return " ".join(self.caller.heard)

    async def say(self, text: str, settle_s: float = 8.0) -> None:
        self.speech.ears[-1].hear(text)
        await asyncio.sleep(settle_s)

    async def press(self, keys: str, settle_s: float = 8.0) -> None:
        self.caller.key(keys)
        await asyncio.sleep(settle_s)

    def with_agent(self) -> bool:
        return self.caller.bridged_to is not None

    @property
    def canonical(self) -> Any:
        return self.records.finished["c0ffee"]


def test_a_request_is_done_and_the_call_is_accounted_for(library: FlowLibrary) -> None:
    async def scenario() -> Rig:
        rig = Rig(library)
        async with rig.call():
            assert "Hi, Rosa" in rig.said
            await rig.say("move Nosferatu to the top")
            assert rig.actions.queue[0] == "Nosferatu"
            assert "Nosferatu is at the top" in rig.said
            assert rig.session.view()["state"] == "main.ask"
        return rig

    rig = run(scenario())
    assert rig.canonical["outcome"] == "resolved"
    assert rig.canonical["resolved"] == 1
    kinds = {entry.kind for entry in rig.records.entries}
    assert {"state", "prompt", "heard", "action"} <= kinds
    assert rig.leg.hung_up


def test_a_caller_who_only_presses_keys_has_turns_and_the_last_line_says_whose_call_it_was(
    library: FlowLibrary,
) -> None:
    async def scenario() -> Rig:
        rig = Rig(library)
        async with rig.call():
            await rig.press("3")
            await rig.press("1")
            await rig.press("2#")
        return rig

    with capture_logs() as logs:
        rig = run(scenario())
    assert rig.canonical["turns"] == 3, "keys in a row are one"
    (first,) = [entry for entry in logs if entry["event"] == "call.start"]
    (last,) = [entry for entry in logs if entry["event"] == "call.end"]
    for key in ("caller", "called", "trunk", "transport", "sip_call_id"):
        assert first[key] == last[key]
    assert last["caller"] == rig.leg.caller.number and last["sip_call_id"] == rig.leg.sip_call_id
    assert datetime.fromisoformat(last["started_at"]).tzinfo is not None
    assert "caller" not in rig.canonical, "the store has columns for it"


@pytest.mark.parametrize("keys", ["0", "*0", "#0"])
@pytest.mark.parametrize("settle_s", [0.3, 9.0], ids=["during the greeting", "at the question"])
def test_zero_brings_a_human(library: FlowLibrary, keys: str, settle_s: float) -> None:
    async def scenario() -> Rig:
        rig = Rig(library)
        async with rig.call(settle_s):
            await rig.press(keys)
            assert rig.with_agent()
            assert rig.desk.contexts[-1].reason == "asked"
            await rig.press("000")
            assert rig.with_agent() and not rig.leg.hung_up, "mashing zero never hangs up"
        return rig

    rig = run(scenario())
    assert rig.canonical["outcome"] == "handed over"
    assert rig.endpoint.legs[0].hung_up, "the agent's leg ends with the caller's"
    assert all(leg.closed for leg in rig.media.legs)


@pytest.mark.parametrize("words", ["agent", "operator", "representative", "a real person", "human"])
def test_a_word_brings_a_human(library: FlowLibrary, words: str) -> None:
    async def scenario() -> None:
        rig = Rig(library)
        async with rig.call(1.0):
            await rig.say(words)
            assert rig.with_agent()

    run(scenario())


def test_the_agent_hears_the_whisper_and_gets_the_context(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = Rig(library)
        async with rig.call():
            await rig.say("I'm thinking of cancelling my membership")
            context = rig.desk.contexts[-1]
            assert context.skill == "retention" and context.priority >= 8
            assert "cancelling" in str(context.transcript)
            assert rig.media.legs[1].heard == [f"whisper {context.reason}"]
            assert rig.endpoint.dialled[0][1]["X-IVR-Context"] == "http://test/handoff/t"

    run(scenario())


def test_a_crashed_recogniser_brings_a_human_and_keys_still_work(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = Rig(library)
        async with rig.call():
            rig.speech.deaf = True
            rig.speech.ears[-1].crash()
            await asyncio.sleep(20)
            assert rig.with_agent()

    run(scenario())


def test_no_recogniser_at_the_start_brings_a_human(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = Rig(library)
        rig.speech.deaf = True
        async with rig.call():
            assert rig.with_agent()

    run(scenario())


def test_a_silent_synthesiser_brings_a_human(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = Rig(library)
        rig.speech.mute = True
        async with rig.call():
            assert rig.with_agent()

    run(scenario())


@pytest.mark.parametrize("closed", [False, True])
def test_neither_voice_nor_human_is_no_circle(library: FlowLibrary, closed: bool) -> None:
    """What cannot be spoken is not tried again and again, and the call comes to an end."""

    async def scenario() -> None:
        rig = Rig(library)
        rig.speech.mute, rig.endpoint.ring_s, rig.desk.open = True, 0.0, not closed
        rig.endpoint.answers = [486] * 100
        with capture_logs() as lines:
            async with rig.call(settle_s=120):
                assert rig.leg.hung_up
        assert len([line for line in lines if line["event"] == "prompt.unspoken"]) < 20
        assert len(rig.endpoint.dialled) < 10

    run(scenario())


def test_whatever_rendering_raises_brings_a_human(library: FlowLibrary) -> None:
    """No descriptor is left, say."""

    async def scenario() -> None:
        rig = Rig(library)
        async with rig.call():
            rig.speech.raises = OSError(24, "Too many open files")
            await rig.press("3")
            assert rig.with_agent()

    run(scenario())


@pytest.mark.parametrize("who", ["agent", "caller", "nobody"])
def test_a_fault_of_ours_brings_a_human(library: FlowLibrary, who: str) -> None:
    """Whatever the dialogue raises; ``who`` ends the call then."""

    async def scenario() -> None:
        rig = Rig(library)
        async with rig.call() as session:
            if who == "nobody":
                rig.endpoint.answers = [486, 486]

            def broken(*_: object) -> NoReturn:
                raise LookupError("a fault of the dialogue itself")

            assert session._answered is not None
            session._answered.dialogue.handle = broken  # type: ignore[assignment, method-assign]
            await rig.press("3")
            if who == "nobody":
                assert rig.leg.hung_up and rig.endpoint.dialled
                return
            assert rig.with_agent() and rig.desk.contexts[-1].reason == CRASHED
            if who == "agent":
                await asyncio.sleep(10)
                rig.endpoint.legs[0].end("agent", "BYE")
                await asyncio.sleep(2)
                assert rig.leg.hung_up
        assert rig.canonical["outcome"] == "handed over"
        assert rig.canonical["handoff_reason"] == CRASHED

    run(scenario())


def test_a_stopped_database_brings_a_human(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = Rig(library)
        rig.actions.broken = rig.records.broken = rig.desk.store_down = True
        async with rig.call():
            assert rig.with_agent()

    run(scenario())


def test_a_stuck_action_times_out_to_a_human(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = Rig(library)
        async with rig.call():
            rig.actions.slow_s = 3600
            await rig.say("what's in my queue", 30)
            assert rig.with_agent()

    run(scenario())


def test_silence_three_times_brings_a_human_and_never_a_hang_up(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = Rig(library)
        async with rig.call(120):
            assert rig.with_agent()
            assert not rig.leg.hung_up

    run(scenario())


def test_not_understood_three_times_brings_a_human(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = Rig(library)
        async with rig.call():
            for _ in range(3):
                await rig.say("xyzzy plugh frotz", 15)
            assert rig.with_agent()

    run(scenario())


def test_speech_stops_the_prompt(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = Rig(library)
        async with rig.call(1.0):
            rig.speech.ears[-1].begin()
            await asyncio.sleep(0.01)
            assert rig.caller.cut and rig.caller.cut[0].startswith("Hello")

    run(scenario())


def test_a_noise_is_no_turn_and_the_question_that_it_cut_short_is_asked_again(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = Rig(library)
        async with rig.call(1.0):
            ears = rig.speech.ears[-1]
            ears.speak()
            await asyncio.sleep(0.01)
            assert rig.caller.cut and rig.caller.cut[0].startswith("Hello")
            asked = len(rig.caller.heard)
            ears.noise()
            await asyncio.sleep(4)
            assert len(rig.caller.heard) > asked and "Sorry" not in rig.said and "What can I do" in rig.said
            before = list(rig.caller.heard)
            ears.speak()
            ears.noise()
            await asyncio.sleep(2)
            assert rig.caller.heard == before  # nothing was cut short, and nothing was said

    run(scenario())


def test_our_own_words_are_not_the_caller(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = Rig(library)
        async with rig.call(1.0):
            rig.speech.ears[-1].hear(" ".join(rig.caller.heard[0].split()[:7]))
            await asyncio.sleep(9)
            assert "Sorry" not in rig.said

    run(scenario())


def test_a_key_by_info_counts_as_one_by_rtp(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = Rig(library)
        async with rig.call():
            rig.leg.post(Digit("0", "info"))
            rig.caller.key("0")
            await asyncio.sleep(20)
            assert rig.with_agent()
            assert len(rig.endpoint.dialled) == 1

    run(scenario())


def test_a_long_press_and_the_info_at_its_end_are_one_key_and_the_next_is_another(library: FlowLibrary) -> None:
    async def scenario() -> Rig:
        rig = Rig(library)
        async with rig.call():
            rig.caller.post(Digit("9", "rtp", held=True))
            await asyncio.sleep(2.5)
            rig.caller.post(KeyReleased("9"))
            rig.leg.post(Digit("9", "info"))
            await asyncio.sleep(0.1)
            rig.caller.post(Digit("9", "rtp", held=True))
            await asyncio.sleep(0.1)
            rig.caller.post(KeyReleased("9"))
            rig.leg.post(Digit("9", "info"))
            await asyncio.sleep(5)
        return rig

    rig = run(scenario())
    keyed = [entry.what for entry in rig.records.entries if isinstance(entry.what, Keyed)]
    assert keyed == [Keyed("9"), Keyed("9")]


def test_an_agent_who_does_not_answer_leaves_the_caller_with_us(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = Rig(library)
        rig.endpoint.answers = [486, 480]
        async with rig.call():
            await rig.press("0", 40)
            assert len(rig.endpoint.dialled) >= 2
            assert not rig.leg.hung_up
            assert "call you back" in rig.said

    run(scenario())


def test_nobody_on_duty_offers_a_call_back(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = Rig(library)
        rig.desk.open = False
        async with rig.call():
            await rig.press("0", 15)
            assert not rig.endpoint.dialled
            assert "call you back" in rig.said
            await rig.say("yes")
            await rig.say("yes")
        assert "callback.request" in [call.name for call in rig.actions.calls]

    run(scenario())


def test_a_dropped_agent_does_not_drop_the_caller(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = Rig(library)
        async with rig.call():
            await rig.press("0")
            assert rig.with_agent()
            rig.endpoint.legs[0].alive = False
            rig.media.legs[1].post(MediaTimeout("agent", 30.0))
            await asyncio.sleep(0.5)
            assert not rig.leg.hung_up
            await asyncio.sleep(30)
            assert len(rig.endpoint.dialled) == 2, "the line gets somebody again"

    run(scenario())


def test_while_a_human_has_the_call_the_line_is_deaf_and_hears_again_afterwards(library: FlowLibrary) -> None:
    async def scenario() -> Rig:
        rig = Rig(library)
        async with rig.call():
            await rig.press("0")
            ears = rig.speech.ears[-1]
            assert rig.with_agent()
            assert ears.requests[-1] is None and not rig.caller.listening
            before = rig.session.view()["transcript"]
            await rig.press("12#")
            await rig.say("what's in my queue")
            assert rig.session.view()["transcript"] == before, "it is not the line that is talked to"
            rig.endpoint.answers = [486, 486]
            rig.endpoint.legs[0].alive = False
            rig.media.legs[1].post(MediaTimeout("agent", 30.0))
            await asyncio.sleep(20)
            assert ears.requests[-1] is not None and rig.caller.listening
            assert rig.session.view()["state"] == "human.offer_callback"
            await rig.press("1")
            assert rig.session.view()["state"] == "human.this_number"
            await rig.say("yes")
        assert ears.closed
        return rig

    rig = run(scenario())
    keyed = [entry.what for entry in rig.records.entries if isinstance(entry.what, Keyed)]
    assert keyed == [Keyed("0"), Keyed("1")], "what the agent's caller keys is nobody's business"


def test_an_agent_who_is_done_ends_the_call(library: FlowLibrary) -> None:
    async def scenario() -> Rig:
        rig = Rig(library)
        async with rig.call():
            await rig.press("0", CONVERSATION_S + 20)
            rig.endpoint.legs[0].end("agent", "BYE")
            await asyncio.sleep(1)
            assert rig.leg.hung_up
        return rig

    assert run(scenario()).canonical["ended_by"] == "agent"


def test_refer_hands_the_call_over_or_gives_it_back(library: FlowLibrary) -> None:
    async def scenario(status: int) -> Rig:
        rig = Rig(library)
        rig.desk.mode = "refer"
        async with rig.call():
            await rig.press("0", 10)
            assert rig.leg.refers[0][0] == "sip:agent@test"
            assert rig.leg.refers[0][1]["X-IVR-Reason"] == "asked"
            rig.leg.progress(100)
            rig.leg.progress(status)
            await asyncio.sleep(20)
            if status < 300:
                assert rig.leg.hung_up
            else:
                assert not rig.leg.hung_up
        return rig

    assert run(scenario(200)).canonical["outcome"] == "handed over"
    run(scenario(503))


def test_lost_media_ends_the_call_with_a_reason(library: FlowLibrary) -> None:
    async def scenario() -> Rig:
        rig = Rig(library)
        async with rig.call():
            rig.caller.gone_s = 99.0
            rig.caller.lose()
            await asyncio.sleep(WITHIN_S + 1)
        return rig

    assert "killed" in run(scenario()).canonical["end_reason"]


def test_a_dropped_call_is_taken_up_again(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = Rig(library)
        async with rig.call():
            await rig.say("remove Vertigo")
        assert "10001" in rig.records.resume_points
        again = Rig(library)
        again.records = rig.records
        async with again.call():
            assert "cut off" in again.said
            await again.say("yes")
            assert "Vertigo" in again.said

    run(scenario())


def test_where_a_call_is_is_kept_as_it_goes(library: FlowLibrary) -> None:
    """A line that dies writes nothing any more."""

    async def scenario() -> FakeRecords:
        rig = Rig(library)
        async with rig.call():
            assert not rig.records.resume_points, "nothing was said yet"
            await rig.say("remove Vertigo")
            place = dict(rig.records.resume_points["10001"])
            assert place["state"] == "queue.remove" and rig.records.places == {"c0ffee": "10001"}
            await rig.say("yes")
            assert rig.records.resume_points["10001"]["state"] == "main.ask"
            await rig.press("0", 2.0)
            assert not rig.records.resume_points, "a human has the call"
        return rig.records

    assert not run(scenario()).resume_points


def test_an_offer_that_drops_too_is_made_again(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = Rig(library)
        async with rig.call():
            await rig.say("remove Vertigo")
        for _ in range(2):
            again = Rig(library)
            again.records = rig.records
            async with again.call():
                assert again.said.count("cut off") == 1
            assert rig.records.resume_points["10001"]["state"] == "queue.remove"
        last = Rig(library)
        last.records = rig.records
        async with last.call():
            await last.say("no")
            assert rig.records.resume_points["10001"]["state"] == "main.ask", "they don't want to go on there"

    run(scenario())


def test_a_call_that_came_to_an_end_leaves_no_place(library: FlowLibrary) -> None:
    async def scenario() -> Rig:
        rig = Rig(library)
        async with rig.call():
            await rig.say("move Nosferatu to the top")
            assert rig.records.resume_points
        return rig

    rig = run(scenario())
    assert (rig.canonical["outcome"], rig.records.resume_points) == ("resolved", {})


class SlowRecords(FakeRecords):
    """The store looks for a dropped call for as long as anybody lets it."""

    async def take_resume_point(self, caller_id: str, not_before: datetime) -> Mapping[str, Any] | None:
        await asyncio.Event().wait()
        return None


@pytest.mark.parametrize(
    ("keys", "state"), [("3", "queue.menu"), ("31", "queue.which_title"), ("9", "main.ask"), ("0", "human.connect")]
)
def test_keys_pressed_while_a_dropped_call_is_looked_for_count(library: FlowLibrary, keys: str, state: str) -> None:
    async def scenario() -> tuple[str, list[str]]:
        rig = Rig(library)
        rig.records = SlowRecords()
        async with rig.call(0.1) as session:
            assert session.view()["state"] == "main.pick_up"
            await rig.press(keys, 3.0)
            return str(session.view()["state"]), [e.what.key for e in rig.records.entries if isinstance(e.what, Keyed)]

    assert run(scenario()) == (state, list(keys))


def test_a_caller_who_left_without_a_word_was_not_cut_off(library: FlowLibrary) -> None:
    async def scenario() -> FakeRecords:
        rig = Rig(library)
        async with rig.call(1.0):
            pass
        return rig.records

    assert not run(scenario()).resume_points


def test_the_operator_can_end_a_call(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = Rig(library)
        async with rig.call() as session:
            await session.end("draining")
            await asyncio.sleep(1)
            assert rig.leg.hung_up

    run(scenario())


class Unconfirmed(FakeLeg):
    """Its ACK never comes."""

    async def answer(self, local: MediaDescription) -> MediaDescription:
        await asyncio.Event().wait()
        return await super().answer(local)


def test_a_call_that_is_still_being_answered_can_be_ended_too(library: FlowLibrary) -> None:
    async def scenario() -> Rig:
        rig = Rig(library)
        rig.leg = Unconfirmed()
        async with rig.call() as session:
            assert session.view()["transcript"] == []
            await session.end("draining")
            await session.end("again")
            await asyncio.sleep(1)
            assert rig.leg.hung_up
            assert rig.caller.closed
        return rig

    canonical = run(scenario()).canonical
    assert (canonical["outcome"], canonical["end_reason"], canonical["answered"]) == ("failed", "draining", False)


def test_a_call_that_is_over_waits_for_no_garbage_collector(library: FlowLibrary) -> None:
    """A line collects rarely, and nobody is served meanwhile; calls come and go."""

    async def scenario() -> list[object]:
        rig = Rig(library)
        async with rig.call() as session:
            await rig.say("move Casablanca to the top")
            assert session._answered is not None
            known = session, session._dialog, session._answered.handoff, session._answered.dialogue
            gone = [weakref.ref(each) for each in known]
            del session, known
        del rig.session
        return [each() for each in gone]

    gc.collect()
    gc.disable()
    try:
        assert run(scenario()) == [None] * 4
    finally:
        gc.enable()
