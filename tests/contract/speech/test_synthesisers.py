"""What every synthesiser must do: Hibari and pyttsx3 with espeak-ng, both real."""

from __future__ import annotations

import os
import signal
import socket
from typing import Any

import numpy as np
import pytest

from ivr.config import SpeechConfig
from ivr.dialogue.spoken.language import served
from ivr.errors import SpeechUnavailable
from ivr.events import Cause
from ivr.speech.synthesisers.hibari import HibariSynthesiser
from ivr.speech.synthesisers.pyttsx3 import Pyttsx3Synthesiser
from ivr.speech.vendors import espeak_voice, synthesiser_offers
from ivr.speech.worker.engines import Synthesiser
from ivr.speech.worker.loudness import active_level_db, prompt_pcm
from tests.contract.speech.conftest import Subject

LINES = ("Move Casablanca to the top.", "What's next?", "Cancel my membership.")


def pcm_of(synthesiser: Synthesiser, text: str) -> np.ndarray:
    return np.frombuffer(prompt_pcm(*synthesiser.speak(text, "en-US", "")), "<i2").astype(np.float32) / 32768


def test_says_something_of_the_right_length(synthesiser: Synthesiser) -> None:
    short, long = pcm_of(synthesiser, "Yes."), pcm_of(synthesiser, "Your queue has twelve titles, and Vertigo is next.")
    assert 0.2 < len(short) / 8000 < 1.2
    assert 2.0 < len(long) / 8000 < 6.0


def test_is_loud_enough_and_never_clips(synthesiser: Synthesiser) -> None:
    for line in LINES:
        pcm = pcm_of(synthesiser, line)
        assert active_level_db(pcm) == pytest.approx(-20.0, abs=2.5)
        assert np.abs(pcm).max() < 0.95


def test_the_same_text_is_the_same_clip(synthesiser: Synthesiser) -> None:
    first, second = (synthesiser.speak("Hello there.", "en-US", "") for _ in range(2))
    assert first[1] == second[1]
    if synthesiser.name == "hibari":
        assert np.array_equal(first[0], second[0])
    else:  # espeak-ng's voices flutter on purpose: the cache is what makes a prompt the same every time
        assert len(first[0]) == pytest.approx(len(second[0]), rel=0.02)


def test_is_understood_over_the_telephone(synthesiser: Synthesiser, english: Subject) -> None:
    for line in LINES:
        recognition = english.recogniser.recognise(np.pad(pcm_of(synthesiser, line), 1600), english.grammar)
        assert recognition.cause is Cause.SUCCESS
        assert recognition.nbest[0].text == line.lower().strip(".?")


def test_is_offered_for_english_under_its_version(synthesiser: Synthesiser) -> None:
    (offer,) = (offer for offer in synthesiser_offers(SpeechConfig()) if offer.name == synthesiser.name)
    assert served("en-US", offer.languages) and offer.version[0].isdigit()


def test_refuses_a_language_that_it_lacks(synthesiser: Synthesiser) -> None:
    with pytest.raises(SpeechUnavailable):
        synthesiser.speak("nuqneH", "tlh-KL", "")


@pytest.mark.parametrize("text", ["…", "?!", "a" * 3000, "naïve café — “quoted” <tag> & {brace}", "日本語"])
def test_odd_texts_either_speak_or_say_why_not(synthesiser: Synthesiser, text: str) -> None:
    try:
        samples, rate = synthesiser.speak(text, "en-US", "")
    except SpeechUnavailable as error:
        assert synthesiser.name in str(error) or "espeak" in str(error)
    else:
        assert rate > 0 and samples.dtype == np.float32
    assert len(pcm_of(synthesiser, "Yes.")) > 1600  # and goes on working


# --- one vendor each ---------------------------------------------------------------------------------------


def test_hibari_touches_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    fresh = HibariSynthesiser()
    default, _ = fresh.speak("Hello there.", "en-US", "")
    absent, _ = fresh.speak("Hello there.", "en-US", "emma")  # known, but not in the wheel: the default speaks
    assert np.array_equal(default, absent)


def test_pyttsx3_survives_a_killed_process(espeak: Pyttsx3Synthesiser) -> None:
    espeak.load()
    before = espeak.pid
    assert before is not None
    os.kill(before, signal.SIGKILL)
    assert len(espeak.speak("Hello there.", "en-US", "")[0]) > 4000
    assert espeak.pid != before


def test_pyttsx3_kills_a_process_that_hangs() -> None:
    impatient = Pyttsx3Synthesiser(timeout_s=1.0)
    impatient.load()
    hung = impatient.pid
    assert hung is not None
    os.kill(hung, signal.SIGSTOP)
    try:
        assert len(impatient.speak("Hello there.", "en-US", "")[0]) > 4000
        assert impatient.pid != hung
        with pytest.raises(ProcessLookupError):
            os.kill(hung, 0)
    finally:
        impatient.close()


def test_pyttsx3_never_writes_an_empty_clip(espeak: Pyttsx3Synthesiser) -> None:
    assert min(len(espeak.speak(f"Number {n}.", "en-US", "")[0]) for n in range(60)) > 4000


def test_pyttsx3_speaks_other_languages_and_voices(espeak: Pyttsx3Synthesiser) -> None:
    clips = [
        espeak.speak("Buenos días, ¿qué película quiere?", "es-US", "")[0],
        espeak.speak("Buenos días, ¿qué película quiere?", "es-ES", "")[0],
        espeak.speak("Buenos días, ¿qué película quiere?", "es-ES", "es+f3")[0],
    ]
    assert len({c.tobytes() for c in clips}) == 3
    with pytest.raises(SpeechUnavailable, match="no-such-voice"):
        espeak.speak("Hello", "en-US", "no-such-voice")


@pytest.mark.parametrize(
    ("language", "voice"),
    [("en-US", "en-us"), ("es-US", "es-419"), ("es-ES", "es"), ("ko-KR", "ko"), ("en-NZ", "en"), ("pt-BR", "pt-br")],
)
def test_espeak_voices_of_language_tags(language: str, voice: str) -> None:
    known = ("en", "en-US", "es", "es-419", "ko", "pt", "pt-BR")
    if voice in ("en-us", "pt-br"):
        voice = next(k for k in known if k.lower() == voice)
    assert espeak_voice(language, known) == voice
