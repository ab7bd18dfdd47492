"""Recordings, the cache of rendered prompts, and their names."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from ivr.errors import ConfigError
from ivr.ports import Clip
from ivr.speech.prompt_cache import PromptCache, Recordings, clip_key, read_wav, slug

KEY = clip_key("Hello", "en-US", "hibari", "1", "")


def write(path: Path, samples: list[float], rate: int = 8000, width: int = 2, channels: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    scaled = np.repeat(np.array(samples) * (2 ** (8 * width - 1) - 1), channels).astype("<i4")
    raw = scaled.view(np.uint8).reshape(-1, 4)[:, :width] if width > 1 else (scaled + 128).astype(np.uint8)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(raw.tobytes())


TONE = [0.4 * np.sin(i / 3) for i in range(4000)]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Welcome to Title Queue!", "welcome-to-title-queue"),
        ("What's next?", "whats-next"),
        ("¿Qué película quiere?", "qué-película-quiere"),
        ("  Press 0, any time…  ", "press-0-any-time"),
        ("…", ""),
    ],
)
def test_slugs(text: str, name: str) -> None:
    assert slug(text) == name


def test_long_slugs_stay_short_and_apart() -> None:
    one, two = slug("word " * 40 + "one"), slug("word " * 40 + "two")
    assert len(one) <= 60 and one[:45] == two[:45] and one != two


def test_keys_tell_apart_everything_that_sounds_different() -> None:
    keys = {
        clip_key(*parts)
        for parts in (
            ("Hello", "en-US", "hibari", "1", ""),
            ("Hello!", "en-US", "hibari", "1", ""),
            ("Hello", "en-GB", "hibari", "1", ""),
            ("Hello", "en-US", "pyttsx3", "1", ""),
            ("Hello", "en-US", "hibari", "2", ""),
            ("Hello", "en-US", "hibari", "1", "emma"),
        )
    }
    assert len(keys) == 6
    assert clip_key("Hello", "en-US", "hibari", "1", "") == KEY


def test_what_is_stored_comes_back_after_a_restart(tmp_path: Path) -> None:
    clip = Clip(KEY, b"\x01\x00" * 800)
    PromptCache(tmp_path).store(clip)
    assert PromptCache(tmp_path).recall(KEY) is None
    assert PromptCache(tmp_path).fetch(KEY) == clip


@pytest.mark.parametrize("damage", [b"", b"RIFF", b"not a wav at all" * 9, None])
def test_a_damaged_entry_is_dropped(tmp_path: Path, damage: bytes | None) -> None:
    PromptCache(tmp_path).store(Clip(KEY, b"\x01\x00" * 800))
    (path,) = tmp_path.rglob("*.wav")
    path.write_bytes(path.read_bytes()[:-100] if damage is None else damage)
    assert PromptCache(tmp_path).fetch(KEY) is None
    assert not path.exists()


def test_memory_keeps_the_newest(tmp_path: Path) -> None:
    cache = PromptCache(tmp_path, memory_bytes=2000)
    clips = [Clip(clip_key(str(i), "", "", "", ""), bytes(800)) for i in range(3)]
    for clip in clips:
        cache.store(clip)
    assert [cache.recall(c.key) is not None for c in clips] == [False, True, True]
    assert cache.fetch(clips[0].key) == clips[0]  # from disk


def test_a_disk_that_cannot_be_written_costs_no_call(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    clip = Clip(KEY, bytes(800))
    assert PromptCache(blocked).store(clip) == clip


def test_a_recording_is_found_by_its_slug_and_by_language(tmp_path: Path) -> None:
    write(tmp_path / "en" / "hello-there.wav", TONE)
    clip = Recordings(tmp_path).clip("Hello there!", "en-US")
    assert clip is not None and clip.key.startswith("rec-") and 0.4 < clip.seconds < 0.6
    assert Recordings(tmp_path).clip("Hello there!", "es-ES") is None
    assert Recordings(tmp_path).clip("Hello you!", "en-US") is None


def test_a_new_take_has_a_new_key(tmp_path: Path) -> None:
    write(tmp_path / "en-US" / "hello.wav", TONE)
    first = Recordings(tmp_path).clip("Hello", "en-US")
    write(tmp_path / "en-US" / "hello.wav", TONE[:3000])
    second = Recordings(tmp_path).clip("Hello", "en-US")
    assert first is not None and second is not None and first.key != second.key


def test_the_manifest_wins(tmp_path: Path) -> None:
    write(tmp_path / "en-US" / "hello.wav", TONE)
    write(tmp_path / "en-US" / "take-3.wav", TONE[:2000])
    (tmp_path / "en-US" / "prompts.toml").write_text('"Hello" = "take-3.wav"\n', encoding="utf-8")
    clip = Recordings(tmp_path).clip("Hello", "en-US")
    assert clip is not None and clip.seconds < 0.3
    (tmp_path / "en-US" / "prompts.toml").write_text("nonsense", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"prompts\.toml"):
        Recordings(tmp_path).clip("Hello", "en-US")


def test_an_unreadable_recording_is_as_good_as_none(tmp_path: Path) -> None:
    (tmp_path / "en-US").mkdir()
    (tmp_path / "en-US" / "hello.wav").write_bytes(b"RIFFnothing")
    assert Recordings(tmp_path).clip("Hello", "en-US") is None


@pytest.mark.parametrize(("width", "channels", "rate"), [(1, 1, 8000), (2, 2, 44100), (3, 1, 48000), (4, 2, 16000)])
def test_every_usual_format_is_read(tmp_path: Path, width: int, channels: int, rate: int) -> None:
    write(tmp_path / "a.wav", TONE, rate, width, channels)
    samples, got = read_wav(tmp_path / "a.wav")
    assert got == rate and len(samples) == len(TONE)
    assert np.abs(samples - np.array(TONE)).max() < 0.02


def test_a_recording_named_by_the_flow_wins_over_the_texts_own(tmp_path: Path) -> None:
    folder = tmp_path / "en-US"
    folder.mkdir()
    for name, seconds in (("hello", 0.5), ("welcome-by-sam", 1.0)):
        write(folder / f"{name}.wav", [0.1] * int(8000 * seconds))
    recordings = Recordings(tmp_path)
    assert recordings.find("Hello!", "en-US") == folder / "hello.wav"
    assert recordings.find("Hello!", "en-US", "welcome by Sam") == folder / "welcome-by-sam.wav"
    assert recordings.find("Hello!", "en-US", "never recorded") == folder / "hello.wav"
