from pathlib import Path

import numpy as np
import pytest

from ivr.errors import ConfigError, SpeechUnavailable
from ivr.softphone.sound import voiced_rms
from ivr.softphone.timing import Frame, spans
from ivr.softphone.trace import level_db
from ivr.softphone.voices import CallerVoice, available_voices

SENTENCE = "Put Casablanca at the top of my list."


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("voices")


@pytest.mark.parametrize("name", ["joe", "espeak:en-us", "espeak:en-gb-scotland+f3@140", "hibari"])
def test_a_voice_speaks_a_sentence_at_telephone_level(name: str, cache: Path) -> None:
    pcm = CallerVoice(name, cache).speak(SENTENCE)
    assert 1.2 < len(pcm) / 16000 < 5
    assert 20 * np.log10(voiced_rms(pcm) / 32768) == pytest.approx(-20, abs=4)
    samples = np.frombuffer(pcm, dtype="<i2")
    frames = [Frame(n / 8000, level_db(samples[n : n + 160])) for n in range(0, len(samples), 160)]
    (first, *_, last) = [*spans(frames), *spans(frames)]
    assert first.start < 0.15
    assert last.end > len(pcm) / 16000 - 0.4


def test_voices_differ(cache: Path) -> None:
    said = {CallerVoice(name, cache).speak(SENTENCE) for name in available_voices()}
    assert len(said) == len(available_voices()) >= 3


def test_speed_is_heard(cache: Path) -> None:
    slow, fast = (len(CallerVoice(f"espeak:en-us@{wpm}", cache).speak(SENTENCE)) for wpm in (120, 200))
    assert slow > fast * 1.3


def test_what_was_said_once_is_not_synthesised_again(tmp_path: Path) -> None:
    first = CallerVoice("espeak:en-us", tmp_path).speak("hello")
    (file,) = tmp_path.iterdir()
    file.write_bytes(b"\1\0" * 100)
    assert CallerVoice("espeak:en-us", tmp_path).speak("hello") == b"\1\0" * 100 != first
    CallerVoice("espeak:en-us", tmp_path).speak("goodbye")
    CallerVoice("espeak:en-us@150", tmp_path).speak("hello")
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("name", ["nobody", "joe@fast", "joe@9", "espeak:en-us@quick"])
def test_a_voice_that_cannot_be_is_the_operators_mistake(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        CallerVoice(name, tmp_path).speak("hello")


def test_an_unknown_espeak_voice_says_so(tmp_path: Path) -> None:
    with pytest.raises(SpeechUnavailable, match="xx-nowhere"):
        CallerVoice("espeak:xx-nowhere", tmp_path).speak("hello")
    assert not list(tmp_path.iterdir())
