from pathlib import Path

import numpy as np
import pytest

from ivr.errors import ConfigError, SpeechUnavailable
from ivr.softphone.timing import PacketLevel, spans
from ivr.softphone.trace import level_db
from ivr.softphone.voices import CallerVoice, available_voices, level, voiced_rms

SENTENCE = "Put Casablanca at the top of my list."


def speech(amplitude: float = 3000) -> bytes:
    """A second of tone, a second of pause."""
    wave = amplitude * np.sin(2 * np.pi * 300 * np.arange(8000) / 8000)
    return np.concatenate([wave, np.zeros(8000)]).astype("<i2").tobytes()


def samples(pcm: bytes) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.frombuffer(pcm, dtype="<i2").astype(np.float64)


def test_pauses_do_not_count_for_the_level() -> None:
    assert voiced_rms(speech()) == pytest.approx(3000 / np.sqrt(2), rel=0.01)
    assert voiced_rms(b"") == 0


def test_levelling_reaches_the_target_without_clipping() -> None:
    assert voiced_rms(level(speech(300), -20)) == pytest.approx(3276.8, rel=0.01)
    assert np.abs(samples(level(speech(), 0.0))).max() <= 32000
    assert level(b"\0\0" * 500) == b"\0\0" * 500


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("voices")


@pytest.mark.parametrize("name", ["joe", "espeak:en-us", "espeak:en-gb-scotland+f3@140", "hibari"])
def test_a_voice_speaks_a_sentence_at_telephone_level(name: str, cache: Path) -> None:
    pcm = CallerVoice(name, cache).speak(SENTENCE)
    assert 1.2 < len(pcm) / 16000 < 5
    assert 20 * np.log10(voiced_rms(pcm) / 32768) == pytest.approx(-20, abs=4)
    samples = np.frombuffer(pcm, dtype="<i2")
    frames = [PacketLevel(n / 8000, level_db(samples[n : n + 160])) for n in range(0, len(samples), 160)]
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
