"""What a version says, rendered ahead: first what the first words of a call need, the rest behind the calls."""

from __future__ import annotations

from collections import deque
from pathlib import Path

from ivr.config import FlowsConfig
from ivr.dialogue.flows.library import FlowLibrary
from ivr.errors import SpeechUnavailable
from ivr.ports import Clip
from ivr.release.entry import CallEntry, PromptPreparation, choosable, prompts_of, voices
from ivr.release.serving import ServingVersions
from tests.call.fakes import FakeMedia, FakeSpeech
from tests.unit.dialogue.talk import reference

FLOWS = Path(__file__).parents[2] / "flows"


def voice(speech: FakeSpeech) -> FakeSpeech:
    """One that remembers all it said."""
    speech.rendered = deque()
    return speech


def preparation(speech: FakeSpeech) -> PromptPreparation:
    entry = CallEntry(FlowsConfig(directory=FLOWS), ServingVersions(), lambda _: None)
    return PromptPreparation(entry, speech, FakeMedia())


def all_of(library: FlowLibrary, speech: FakeSpeech) -> set[tuple[str, str]]:
    plans = voices(FlowsConfig(directory=FLOWS), choosable(library, speech))
    return {(language, text) for text, language, _ in prompts_of(library, plans)}


async def test_a_call_can_begin_with_the_prompts_of_its_first_flow() -> None:
    library, speech = reference(), voice(FakeSpeech())
    prompts = preparation(speech)
    await prompts.begin(library, lambda *_: None)
    begun, every = set(speech.rendered), all_of(library, speech)
    assert begun < every
    first = {text for text, _, _ in prompts_of(library, [("en-US", "neutral")], ["main"])}
    assert first and first <= {text for _, text in begun}
    await prompts.go_on(library)
    assert set(speech.rendered) == every


async def test_one_that_cannot_be_rendered_keeps_no_other() -> None:
    class Choking(FakeSpeech):
        async def render(
            self, text: str, language: str, voice: str = "", recording: str = "", *, keep: bool = True
        ) -> Clip:
            if text == choked:
                raise SpeechUnavailable("it chokes on it")
            return await super().render(text, language, voice, recording, keep=keep)

    library, speech = reference(), voice(Choking())
    every = all_of(library, speech)
    choked = sorted(text for _, text in every)[0]
    await preparation(speech).go_on(library)
    assert set(speech.rendered) == {(language, text) for language, text in every if text != choked}
