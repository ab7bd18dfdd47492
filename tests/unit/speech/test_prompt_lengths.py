"""Prompt lengths: the recording's, what a synthesiser made, else an estimate; and recordings of other words."""

from __future__ import annotations

import wave
from pathlib import Path

from ivr.config import SpeechConfig
from ivr.ports import Clip
from ivr.speech import vendors
from ivr.speech.prompt_cache import PromptCache, clip_key, slug
from ivr.speech.prompt_lengths import PromptLengths, estimated

TEXT = "Which title, please?"


def record(path: Path, seconds: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(bytes(int(seconds * 32000)))


def test_a_recording_a_rendering_or_an_estimate(tmp_path: Path) -> None:
    config = SpeechConfig(recordings=tmp_path / "audio", cache=tmp_path / "cache")
    lengths = PromptLengths(config)
    guess = lengths.of(TEXT, "en-US")
    assert (guess.how, guess.seconds) == ("estimated", estimated(TEXT, "en-US")) and 1.0 < guess.seconds < 2.0
    offer = vendors.synthesisers_for(vendors.synthesiser_offers(config), "en-US", "")[0]
    key = clip_key(TEXT, "en-US", offer.name, offer.version, "")
    PromptCache(config.cache).store(Clip(key, bytes(16000 * 3)))
    assert (lengths.of(TEXT, "en-US").how, lengths.of(TEXT, "en-US").seconds) == ("rendered", 3.0)
    record(config.recordings / "en-US" / f"{slug(TEXT)}.wav", 2.5)
    made = lengths.of(TEXT, "en-US")
    assert (made.how, made.seconds, made.of) == ("recorded", 2.5, "")
    assert made.file == "en-US/which-title-please.wav"
    assert lengths.of(TEXT, "es-ES").how == "estimated"


def test_recordings_of_other_words(tmp_path: Path) -> None:
    config = SpeechConfig(recordings=tmp_path / "audio", cache=tmp_path / "cache")
    lengths, folder = PromptLengths(config), tmp_path / "audio" / "en-US"
    record(folder / "take-3.wav", 1.5)
    assert lengths.of(TEXT, "en-US", recording="take 3").of == "", "nobody says of what it is"
    (folder / "prompts.toml").write_text('"Which film?" = "take-3.wav"\n', encoding="utf-8")
    assert lengths.of(TEXT, "en-US", recording="take 3").of == "Which film?"
    (folder / "prompts.toml").write_text(f'"{TEXT}" = "take-3.wav"\n', encoding="utf-8")
    assert lengths.of(TEXT, "en-US", recording="take 3").of == ""
    record(folder / "what-now.wav", 1.0)
    left = lengths.of("And now?", "en-US", earlier=("What now?",))
    assert (left.how, left.file, left.of) == ("estimated", "en-US/what-now.wav", "What now?")


def test_a_damaged_recording_is_as_if_it_were_not_there(tmp_path: Path) -> None:
    config = SpeechConfig(recordings=tmp_path / "audio", cache=tmp_path / "cache")
    path = config.recordings / "en-US" / f"{slug(TEXT)}.wav"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"RIFF")
    assert PromptLengths(config).of(TEXT, "en-US").how == "estimated"
