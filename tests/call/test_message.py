"""A message's last words, in virtual time: nobody waits for a pause who hangs up, or presses pound at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal

import pytest

from ivr.call.message import LAST_WORDS_S
from ivr.dialogue.flows.library import FlowLibrary, load_library
from ivr.dialogue.flows.source import read_directory
from ivr.events import Audio, Cause, Heard, Recognition
from ivr.ports import Ears
from ivr.reference import COMPANY
from tests.call.fakes import FakeEars, FakeSpeech
from tests.call.test_session import FLOWS, library
from tests.call.test_waiting import WaitingRig
from tests.call.virtual import run

__all__ = ["library"]

FIRST, LAST = "my disc skips", "please send me another one"
FRAME = b"\x10\x00" * 160
FRAME_S, PAUSE_S = 0.02, 0.7

End = Literal["hangs up", "pound"]


class Endpointing(FakeEars):
    """Understands ``words`` once a pause follows them, as a recogniser does."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self.words = words
        self.voiced_s = self.quiet_s = 0.0

    def feed(self, pcm: bytes, at: float) -> None:
        if any(pcm):
            self.voiced_s, self.quiet_s = self.voiced_s + FRAME_S, 0.0
            return
        before, self.quiet_s = self.quiet_s, self.quiet_s + FRAME_S
        if self.words and self.voiced_s and before < PAUSE_S <= self.quiet_s:
            ended_at = at - before
            self._queue.put_nowait(Heard(Recognition(Cause.NO_MATCH, transcript=self.words), ended_at))


class Recogniser(FakeSpeech):
    """``last``: for the ears that are opened from now on; None: there are none."""

    def __init__(self) -> None:
        super().__init__()
        self.ending = False
        self.last: str | None = LAST

    async def open(self, call_id: str, language: str, *, background: bool = False) -> Ears:
        self.deaf = self.ending and self.last is None
        ears = await super().open(call_id, language, background=background)
        if self.ending and self.last is not None:
            ears = self.ears[-1] = Endpointing(self.last)
        return ears


def left(
    library: FlowLibrary, end: End, tell: Callable[[Recogniser], None], last_s: float = 2.0
) -> tuple[WaitingRig, FakeEars]:
    """A message of two sentences, of which the first was recognised when the caller ended it in the middle of the
    second, said for ``last_s``; and the ears that were opened last."""

    async def scenario() -> WaitingRig:
        rig = WaitingRig(library)
        speech = rig.speech = Recogniser()
        async with rig.call():
            await rig.say("agent", 12)
            await rig.press("2", 8)
            for number in range(50):
                rig.caller.post(Audio(FRAME, number * FRAME_S))
            await asyncio.sleep(1.0)
            speech.ears[-1]._queue.put_nowait(Heard(Recognition(Cause.NO_MATCH, transcript=FIRST), 1.0))
            for number in range(round(last_s / FRAME_S)):
                rig.caller.post(Audio(FRAME, 1.5 + number * FRAME_S))
            await asyncio.sleep(0.1)
            speech.ending = True
            tell(speech)
            if end == "pound":
                await rig.press("#", 8)
                assert "Your message is sent" in rig.said
        return rig

    rig = run(scenario())
    return rig, rig.speech.ears[-1]


def message(rig: WaitingRig) -> tuple[str, float]:
    """The transcript, and how many seconds are kept."""
    place = rig.waiting.places[2]
    assert place.arrival.channel == "message" and place.state == "waiting"
    return place.transcript, (len(rig.kept.kept[place.recording]) - 44) / 16_000


@pytest.mark.parametrize("end", ["hangs up", "pound"])
def test_what_was_said_last_is_written_down_and_nothing_twice(library: FlowLibrary, end: End) -> None:
    rig, ears = left(library, end, lambda speech: None)
    transcript, seconds = message(rig)
    assert transcript == f"{FIRST} {LAST}" and seconds == pytest.approx(3.5)
    assert isinstance(ears, Endpointing) and ears.voiced_s == pytest.approx(2.0), "only what was not recognised yet"
    assert ears.closed


@pytest.mark.parametrize("end", ["hangs up", "pound"])
@pytest.mark.parametrize("last", [None, ""], ids=["no recogniser", "one that never answers"])
def test_a_message_is_sent_though_nobody_understands_the_end_of_it(
    library: FlowLibrary, end: End, last: str | None
) -> None:
    def tell(speech: Recogniser) -> None:
        speech.last = last

    assert LAST_WORDS_S < 5.0, "which a call's end waits for"
    rig, ears = left(library, end, tell)
    transcript, seconds = message(rig)
    assert transcript == FIRST and seconds == pytest.approx(3.5)
    assert last is None or ears.closed


def test_a_cough_at_the_end_is_no_word_and_no_recogniser_is_asked(library: FlowLibrary) -> None:
    rig, ears = left(library, "hangs up", lambda speech: None, last_s=0.4)
    assert message(rig)[0] == FIRST and not isinstance(ears, Endpointing)


@pytest.fixture(scope="module")
def taking() -> FlowLibrary:
    """The reference flows, but what is said after the tone is the company's own to deliver."""
    sources = dict(read_directory(FLOWS))
    told = {"note": ("text", "words"), "sound": ("text", "recording")}
    told |= {"length": ("number", "seconds"), "sure": ("number", "sureness")}
    returns = ", ".join(f"{mine}: {theirs}" for mine, (_, theirs) in told.items())
    variables = "".join(f"  {mine}: {{type: {kind}}}\n" for mine, (kind, _) in told.items())
    flow = sources["human.yaml"].replace("variables:\n", f"variables:\n{variables}", 1)
    flow = flow.replace("    action: message.leave\n", f"    action: message.take\n    returns: {{{returns}}}\n")
    sources["human.yaml"] = flow.replace("Your message is sent.", "{sound}, {length} seconds, {sure} percent: {note}.")
    loaded = load_library(sources, COMPANY.all_signatures)
    assert loaded.library is not None, [f.render() for f in loaded.findings]
    return loaded.library


def said_after_the_tone(taking: FlowLibrary, clarity: float | None, broken: bool = False) -> WaitingRig:
    async def scenario() -> WaitingRig:
        rig = WaitingRig(taking)
        rig.kept.broken = broken
        async with rig.call():
            await rig.say("agent", 12)
            await rig.press("2", 8)
            for number in range(150):
                rig.caller.post(Audio(FRAME, number * FRAME_S))
            await asyncio.sleep(1.0)
            for words, sure in ((FIRST, clarity), (LAST, 0.5)):
                read = Recognition(Cause.NO_MATCH, transcript=words, clarity=sure)
                rig.speech.ears[-1]._queue.put_nowait(Heard(read, 3.0))
            await asyncio.sleep(0.1)
            await rig.press("#", 8)
        return rig

    return run(scenario())


@pytest.mark.parametrize(("clarity", "sure"), [(0.9, "seventy"), (None, "fifty")], ids=["of both", "of one"])
def test_what_a_caller_says_is_the_flows_to_use(taking: FlowLibrary, clarity: float | None, sure: str) -> None:
    rig = said_after_the_tone(taking, clarity)
    (name,) = rig.kept.kept
    assert f"{name}, three seconds, {sure} percent: {FIRST} {LAST}." in rig.said
    assert not any(place.arrival.channel == "message" for place in rig.waiting.places.values()), "nothing for an agent"


def test_what_can_not_be_kept_is_not_taken(taking: FlowLibrary) -> None:
    rig = said_after_the_tone(taking, 0.9, broken=True)
    assert "couldn't keep your message" in rig.said and "percent" not in rig.said


def test_who_says_nothing_left_nothing(taking: FlowLibrary) -> None:
    async def scenario() -> WaitingRig:
        rig = WaitingRig(taking)
        async with rig.call():
            await rig.say("agent", 12)
            await rig.press("2", 8)
            await rig.press("#", 8)
        return rig

    rig = run(scenario())
    assert "didn't hear anything" in rig.said and not rig.kept.kept


def test_zero_before_the_tone_is_a_person_and_no_tone_follows(library: FlowLibrary) -> None:
    async def scenario() -> WaitingRig:
        rig = WaitingRig(library)
        async with rig.call():
            await rig.say("agent", 12)
            await rig.press("2", 0.1)
            assert rig.session.view()["state"] == "human.message"
            await rig.press("0", 12)
            assert rig.session.view()["state"] != "human.message"
        return rig

    rig = run(scenario())
    assert "tone:message" not in rig.said and not rig.kept.kept
