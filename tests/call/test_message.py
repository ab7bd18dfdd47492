"""A message's last words, in virtual time: nobody waits for a pause who hangs up, or presses pound at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal

import pytest

from ivr.call.message import LAST_WORDS_S
from ivr.dialogue.flows.library import FlowLibrary
from ivr.events import Audio, Cause, Heard, Recognition
from ivr.ports import Ears
from tests.call.fakes import FakeEars, FakeSpeech
from tests.call.test_session import library
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
