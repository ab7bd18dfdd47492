"""Recording containers: sealed, played in any range, and honest about what was done to them."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import pytest

from ivr.errors import ConfigError, RecordingUnreadable
from ivr.recording.container import STEREO_PCMU, Extent, Player, WavFormat, Writer, unwritten
from ivr.sealing import Keys
from tests.recordings import KEY, OTHER_KEY

SECONDS = [bytes([number]) * STEREO_PCMU.second for number in range(4)]
SEALED, CLEAR = Keys.of((KEY,)), Keys.of(())


def written(path: Path, keys: Keys, *, last: bool = True) -> Path:
    writer = Writer(path, STEREO_PCMU, keys)
    for second in SECONDS:
        writer.write(second)
    if last:
        writer.write(b"end", last=True)
    writer.close()
    return path


def start(raw: bytes) -> int:
    """Where the blocks begin: after two lines of JSON."""
    return raw.index(b"\n", raw.index(b"\n", 8) + 1) + 1


def whole(player: Player) -> bytes:
    return b"".join(player.read(0, player.size))


@pytest.mark.parametrize("keys", [SEALED, CLEAR], ids=["sealed", "clear"])
def test_what_was_written_is_played_as_a_wav_file(tmp_path: Path, keys: Keys) -> None:
    player = Player(written(tmp_path / "r", keys), keys)
    sound = whole(player)
    assert len(sound) == player.size and player.complete
    assert sound[:4] == b"RIFF" and sound[8:12] == b"WAVE" and sound[44:] == b"".join(SECONDS) + b"end"
    assert int.from_bytes(sound[20:22], "little") == 7 and int.from_bytes(sound[22:24], "little") == 2
    assert player.seconds == pytest.approx(4.0, abs=0.001)


@pytest.mark.parametrize(("start", "stop"), [(0, 1), (10, 60), (43, 45), (44, 16044), (16000, 50000), (64044, 64047)])
def test_any_range_is_the_same_as_of_the_whole(tmp_path: Path, start: int, stop: int) -> None:
    player = Player(written(tmp_path / "r", SEALED), SEALED)
    assert b"".join(player.read(start, stop)) == whole(player)[start:stop]


def test_a_sealed_file_says_nothing_without_its_key(tmp_path: Path) -> None:
    path = written(tmp_path / "r", SEALED)
    raw = path.read_bytes()
    assert all(second[:200] not in raw for second in SECONDS)
    assert oct(path.stat().st_mode)[-3:] == "600"
    for keys in (CLEAR, Keys.of((OTHER_KEY,))):
        with pytest.raises(RecordingUnreadable, match="is not configured"):
            Player(path, keys)


def test_a_former_key_still_opens(tmp_path: Path) -> None:
    path = written(tmp_path / "r", SEALED)
    assert whole(Player(path, Keys.of((OTHER_KEY, KEY))))[44:48] == SECONDS[0][:4]


def test_what_was_changed_is_not_played(tmp_path: Path) -> None:
    path = written(tmp_path / "r", SEALED)
    raw = bytearray(path.read_bytes())
    raw[-40] ^= 1
    path.write_bytes(raw)
    with pytest.raises(RecordingUnreadable, match="changed"):
        whole(Player(path, SEALED))


def test_blocks_can_not_change_places_or_recordings(tmp_path: Path) -> None:
    path, other = written(tmp_path / "r", SEALED), written(tmp_path / "s", SEALED)
    raw, strange = path.read_bytes(), other.read_bytes()
    head, its = start(raw), start(strange)
    block = 16 + STEREO_PCMU.second + 16
    swapped = raw[:head] + raw[head + block : head + 2 * block] + raw[head : head + block] + raw[head + 2 * block :]
    path.write_bytes(swapped)
    with pytest.raises(RecordingUnreadable):
        Player(path, SEALED)
    path.write_bytes(raw[:head] + strange[its:])
    with pytest.raises(RecordingUnreadable):
        whole(Player(path, SEALED))


def test_one_that_was_cut_off_is_played_so_far_and_says_so(tmp_path: Path) -> None:
    path = written(tmp_path / "r", SEALED, last=False)
    path.write_bytes(path.read_bytes()[:-100])
    player = Player(path, SEALED)
    assert not player.complete and whole(player)[44:] == b"".join(SECONDS[:3])


def test_pcm_of_a_message_is_a_wav_file_that_others_read(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "m", WavFormat(1, 1, 8000, 16), SEALED)
    writer.write(b"\x01\x00" * 100, last=True)
    writer.close()
    with wave.open(io.BytesIO(whole(Player(tmp_path / "m", SEALED)))) as read:
        assert (read.getframerate(), read.getnchannels(), read.getnframes()) == (8000, 1, 100)


@pytest.mark.parametrize("text", ["short", "bm90IDMyIGJ5dGVz", "äöü"])
def test_a_key_that_is_none_says_how_to_make_one(text: str) -> None:
    with pytest.raises(ConfigError, match="32 bytes"):
        Keys.of((text,))


def test_what_is_no_recording_is_not_played(tmp_path: Path) -> None:
    (tmp_path / "r").write_bytes(b"RIFF something")
    for path in (tmp_path / "r", tmp_path / "none"):
        with pytest.raises(RecordingUnreadable):
            Player(path, SEALED)


@pytest.mark.parametrize("keys", [SEALED, CLEAR], ids=["sealed", "clear"])
def test_one_that_nobody_writes_any_more_is_as_long_as_its_whole_blocks_whoever_has_the_key(
    tmp_path: Path, keys: Keys
) -> None:
    path = written(tmp_path / "r", keys, last=False)
    path.write_bytes(path.read_bytes()[:-1])
    assert unwritten(path) == Extent(3.0, complete=False)
    assert unwritten(written(tmp_path / "s", keys)) == Extent(4.0 + 3 / STEREO_PCMU.second, complete=True)


def test_one_that_is_being_written_is_its_writers(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "r", STEREO_PCMU, CLEAR)
    writer.write(SECONDS[0])
    assert unwritten(tmp_path / "r") is None and unwritten(tmp_path / "elsewhere") is None
    writer.close()
    assert unwritten(tmp_path / "r") == Extent(1.0, complete=False)
    (tmp_path / "empty").touch()
    with pytest.raises(RecordingUnreadable):
        unwritten(tmp_path / "empty")
