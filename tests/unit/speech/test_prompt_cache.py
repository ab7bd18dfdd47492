"""Recordings, the cache of rendered prompts, and their names."""

from __future__ import annotations

import errno
import os
import wave
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ivr.errors import ConfigError
from ivr.ports import Clip
from ivr.speech.prompt_cache import PromptCache, Recordings, Said, Saying, clip_key, prompts_said, recording_key, slug

KEY = clip_key("Hello", "en-US", "hibari", "1", "")


def write(path: Path, content: bytes = b"RIFF") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


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


def test_an_entry_that_cannot_be_read_now_is_good_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No descriptor is left: that is no fault of the file."""
    clip = Clip(KEY, b"\x01\x00" * 800)
    PromptCache(tmp_path).store(clip)
    with monkeypatch.context() as short:
        short.setattr(wave, "open", exhausted)
        assert PromptCache(tmp_path).fetch(KEY) is None
    assert PromptCache(tmp_path).fetch(KEY) == clip


def exhausted(*_: object) -> None:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


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
    hello = write(tmp_path / "en" / "hello-there.wav")
    recordings = Recordings(tmp_path)
    assert recordings.find("Hello there!", "en-US") == hello
    assert recordings.find("Hello there!", "es-ES") is None
    assert recordings.find("Hello you!", "en-US") is None


def test_music_is_in_no_language_and_found_by_its_name_alone(tmp_path: Path) -> None:
    music, found = write(tmp_path / "waiting.wav"), Recordings(tmp_path).find
    assert found("", "en-US", "waiting") == music == found("", "es-ES", "waiting")
    assert found("Waiting", "en-US") is None, "no prompt is taken for it"
    own = write(tmp_path / "es-ES" / "quiet.wav")
    assert found("", "es-ES", "quiet") == own and found("", "en-US", "quiet") is None


def test_a_new_take_has_a_new_key() -> None:
    assert recording_key(b"RIFF one").startswith("rec-")
    assert recording_key(b"RIFF one") == recording_key(b"RIFF one") != recording_key(b"RIFF two")


def test_the_manifest_wins(tmp_path: Path) -> None:
    write(tmp_path / "en-US" / "hello.wav")
    take = write(tmp_path / "en-US" / "take-3.wav")
    (tmp_path / "en-US" / "prompts.toml").write_text('"Hello" = "take-3.wav"\n', encoding="utf-8")
    assert Recordings(tmp_path).find("Hello", "en-US") == take
    (tmp_path / "en-US" / "prompts.toml").write_text("nonsense", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"prompts\.toml"):
        Recordings(tmp_path).find("Hello", "en-US")


def test_a_recording_named_by_the_flow_wins_over_the_texts_own(tmp_path: Path) -> None:
    hello, sam = (write(tmp_path / "en-US" / f"{name}.wav") for name in ("hello", "welcome-by-sam"))
    recordings = Recordings(tmp_path)
    assert recordings.find("Hello!", "en-US") == hello
    assert recordings.find("Hello!", "en-US", "welcome by Sam") == sam
    assert recordings.find("Hello!", "en-US", "never recorded") == hello


def test_a_change_of_the_recordings_is_another_edition(tmp_path: Path) -> None:
    recordings = Recordings(tmp_path)
    assert recordings.stale
    empty = recordings.look()
    assert not recordings.stale and recordings.look() == empty
    take = write(tmp_path / "en-US" / "hello.wav")
    added = recordings.look()
    os.utime(write(take, b"RIFX"), ns=(0, 1))
    changed = recordings.look()
    write(tmp_path / ".cache" / "00" / "x.wav")
    assert recordings.look() == changed, "the cache is no recording"
    take.unlink()
    assert len({empty, added, changed, recordings.look()}) == 4


def test_what_was_said_counts_for_its_edition_only() -> None:
    said, hello = Said(), Saying("Hello", "en-US", "", "")
    assert said.key(hello, 1) == ""
    said.remember(hello, 1, KEY)
    assert said.key(hello, 1) == KEY and said.key(hello, 2) == ""
    assert said.key(Saying("Hello", "en-US", "emma", ""), 1) == ""


async def test_what_is_said_to_one_caller_is_apart_and_goes_once_it_was_not_said_for_long(tmp_path: Path) -> None:
    cache, now = PromptCache(tmp_path), datetime.now(UTC)
    fixed, said, again = (Clip(f"tts-{n}{'0' * 23}", b"\x01\x00" * 800) for n in range(3))
    cache.store(fixed)
    for clip in (said, again):
        cache.store(clip, said=True)
    for path in tmp_path.rglob("*.wav"):
        os.utime(path, (0, 0))
    assert PromptCache(tmp_path).fetch(again.key) == again, "from now on it is young"
    assert await prompts_said(tmp_path)(now - timedelta(days=1)) == 1
    assert [PromptCache(tmp_path).fetch(each.key) for each in (fixed, said, again)] == [fixed, None, again]
    assert await prompts_said(tmp_path / "nowhere")(now) == 0
