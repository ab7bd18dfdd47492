"""Rotation of recording keys: headers only, safe to interrupt, and forgotten with what is deleted."""

from __future__ import annotations

import base64
import errno
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import aes_key_wrap

from ivr.errors import RecordingUnreadable
from ivr.recording import rotation
from ivr.recording.container import STEREO_PCMU, Head, Player, Writer
from ivr.recording.rotation import destroy, rewrap, sealed_by
from ivr.sealing import Keys
from tests.recordings import KEY, OTHER_KEY

OLD, NEW, BOTH = Keys.of((KEY,)), Keys.of((OTHER_KEY,)), Keys.of((OTHER_KEY, KEY))
SECONDS = [bytes([number]) * STEREO_PCMU.second for number in range(5)]


def written(path: Path, keys: Keys = OLD, *, last: bool = True) -> Path:
    writer = Writer(path, STEREO_PCMU, keys)
    for number, second in enumerate(SECONDS, 1):
        writer.write(second, last=last and number == len(SECONDS))
    writer.close()
    return path


def former(path: Path) -> Path:
    """As releases before wrote them: one line, all of it associated data."""
    (key,), data_key = (OLD.known or {}).values(), AESGCM.generate_key(256)
    wrapped = base64.b64encode(aes_key_wrap(key, data_key)).decode()
    head = b"IVRREC1\n" + json.dumps({"wav": [7, 2, 8000, 8], "key": OLD.current, "data_key": wrapped}).encode() + b"\n"
    blocks = b""
    for number, second in enumerate(SECONDS):
        mark = number | (1 << 63 if second is SECONDS[-1] else 0)
        nonce = bytes(4) + mark.to_bytes(8, "big")
        sealed = AESGCM(data_key).encrypt(nonce, second, head)
        blocks += len(sealed).to_bytes(4, "big") + nonce + sealed
    path.write_bytes(head + blocks)
    return path


def sound(path: Path, keys: Keys) -> bytes:
    player = Player(path, keys)
    try:
        return b"".join(player.read(0, player.size))[44:]
    finally:
        player.close()


def blocks(path: Path) -> bytes:
    with path.open("rb") as file:
        Head.read(file)
        return file.read()


def test_only_the_header_changes_and_the_former_key_opens_nothing(tmp_path: Path) -> None:
    path = written(tmp_path / "r.ivrrec")
    os.utime(path, (1_700_000_000, 1_700_000_000))
    before = blocks(path)
    assert rewrap(path, BOTH) == "rewrapped" and rewrap(path, BOTH) == "current"
    assert blocks(path) == before and sealed_by(path) == NEW.current
    assert sound(path, NEW) == b"".join(SECONDS)
    with pytest.raises(RecordingUnreadable, match="is not configured"):
        Player(path, OLD)
    kept = path.stat()
    assert kept.st_mode & 0o777 == 0o600 and kept.st_mtime == 1_700_000_000, "its age is the recording's"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("make", [former, lambda path: written(path, Keys.of(()))], ids=["former", "clear"])
def test_what_has_no_such_header_is_sealed_anew(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    path = make(tmp_path / "r.ivrrec")
    assert sound(path, OLD) == b"".join(SECONDS)
    assert rewrap(path, BOTH) == "rewrapped"
    assert sound(path, NEW) == b"".join(SECONDS) and SECONDS[1][:100] not in path.read_bytes()
    assert rewrap(path, BOTH) == "current"


def test_one_that_broke_off_stays_so(tmp_path: Path) -> None:
    for path in (written(tmp_path / "a", last=False), written(tmp_path / "b", Keys.of(()), last=False)):
        rewrap(path, BOTH)
        player = Player(path, NEW)
        assert not player.complete and player.seconds == 5.0


def test_one_that_is_being_recorded_waits(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "r", STEREO_PCMU, OLD)
    writer.write(SECONDS[0])
    assert rewrap(tmp_path / "r", BOTH) == "busy"
    writer.write(SECONDS[1], last=True)
    writer.close()
    assert rewrap(tmp_path / "r", BOTH) == "rewrapped"
    assert sound(tmp_path / "r", NEW) == b"".join(SECONDS[:2])


@pytest.mark.parametrize("step", ["_replaced", "_proved", "shutil.copystat"])
def test_who_is_interrupted_leaves_it_whole(tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "r")
    raw = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    with monkeypatch.context() as patched:
        patched.setattr(f"{rotation.__name__}.{step}", full)
        with pytest.raises(OSError, match="no space"):
            rewrap(path, BOTH)
    assert path.read_bytes() == raw and list(tmp_path.iterdir()) == [path]
    (tmp_path / "r.part").write_bytes(b"of a process that was killed")
    assert rewrap(path, BOTH) == "rewrapped" and list(tmp_path.iterdir()) == [path]


def test_a_wrong_key_is_clear_and_changes_nothing(tmp_path: Path) -> None:
    path = written(tmp_path / "r")
    raw = path.read_bytes()
    with pytest.raises(RecordingUnreadable, match=r"its key [0-9a-f]{12} is not configured .*former_keys"):
        rewrap(path, NEW)
    bent = raw.replace(b'"data_key":"', b'"data_key":"AAAA', 1)
    path.write_bytes(bent)
    with pytest.raises(RecordingUnreadable, match="key was changed"):
        rewrap(path, BOTH)
    assert path.read_bytes() == bent


def test_changed_bits_are_noticed_anywhere(tmp_path: Path) -> None:
    path = written(tmp_path / "r")
    raw = path.read_bytes()
    for at in (0, 10, 60, 120, 150, 300, 20_000, len(raw) - 1):
        bent = bytearray(raw)
        bent[at] ^= 1
        path.write_bytes(bent)
        with pytest.raises(RecordingUnreadable):
            sound(path, OLD)


def test_what_is_deleted_loses_its_key_first(tmp_path: Path) -> None:
    for path in (written(tmp_path / "a"), former(tmp_path / "b")):
        kept = tmp_path / "what the disk still has"
        kept.hardlink_to(path)
        wrapped = json.loads(path.read_bytes().splitlines()[2 if path.name == "a" else 1])["data_key"].encode()
        destroy(path)
        assert not path.exists() and wrapped not in kept.read_bytes()
        with pytest.raises(RecordingUnreadable):
            Player(kept, OLD)
        kept.unlink()
    destroy(tmp_path / "never was")
    (tmp_path / "x").write_bytes(b"no recording")
    destroy(tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_an_hour_is_wrapped_anew_without_being_opened(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "r", STEREO_PCMU, OLD)
    for _ in range(600):
        writer.write(SECONDS[1])
    writer.close()
    began = time.process_time()
    assert rewrap(tmp_path / "r", BOTH) == "rewrapped"
    assert time.process_time() - began < 0.5, "ten minutes; a copy of 10 MB"
