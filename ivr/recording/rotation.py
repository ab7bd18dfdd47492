"""Rotation of recording keys: data keys are wrapped anew by the current key, and forgotten with what is deleted.

A recording keeps its data key and its blocks; only the line that has the wrapped key is replaced, in a copy that takes
the file's place at once: whoever is interrupted leaves the one or the other, whole. A former file, and one in the
clear, is sealed anew.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Literal

from ivr.errors import RecordingUnreadable
from ivr.recording.container import Head, Player, Writer, wrapping
from ivr.sealing import Keys

PART = ".part"
Rewrapped = Literal["rewrapped", "current", "busy"]


def rewrap(path: Path, keys: Keys) -> Rewrapped:
    """ "busy": it is being recorded. Raises RecordingUnreadable: a key that is not there, or somebody changed it;
    OSError."""
    part = path.with_name(path.name + PART)
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return "busy"
        part.unlink(missing_ok=True)
        head = Head.read(file)
        if head.key == keys.current and head.replaced is not None:
            return "current"
        try:
            if head.key and head.replaced is not None:
                _replaced(path, part, head, keys)
            else:
                _sealed_anew(path, part, keys)
            _proved(path, part, keys)
            shutil.copystat(path, part)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    return "rewrapped"


def destroy(path: Path) -> None:
    """Delete the file; before that its wrapped key is overwritten, so that what a disk still has of the blocks opens by
    no key. Raises OSError."""
    with suppress(FileNotFoundError):
        with path.open("r+b") as file, suppress(RecordingUnreadable):
            head = Head.read(file)
            at = len(head.raw) if head.replaced is not None else 0
            file.seek(at)
            file.write(bytes(head.end - at))
            file.flush()
            os.fsync(file.fileno())
        path.unlink()


def sealed_by(path: Path) -> str:
    """The id of its key, "" for a recording in the clear. Raises RecordingUnreadable, OSError."""
    with path.open("rb") as file:
        return Head.read(file).key


def _replaced(path: Path, part: Path, head: Head, keys: Keys) -> None:
    line = wrapping(keys, head.data_key(keys))
    with path.open("rb") as old, os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as new:
        new.write(head.raw + line)
        old.seek(head.end)
        shutil.copyfileobj(old, new, 1 << 20)
        new.flush()
        os.fsync(new.fileno())


def _sealed_anew(path: Path, part: Path, keys: Keys) -> None:
    player = Player(path, keys)
    writer = Writer(part, player.wav, keys)
    try:
        blocks = player.blocks()
        block = next(blocks, None)
        while block is not None:
            following = next(blocks, None)
            writer.write(block, last=player.complete and following is None)
            block = following
    finally:
        player.close()
        writer.close()


def _proved(path: Path, part: Path, keys: Keys) -> None:
    """What takes the place says the same, as far as its ends tell."""
    old, new = Player(path, keys), Player(part, keys)
    try:
        for start, stop in ((0, 16_100), (max(0, old.size - 16_100), old.size)):
            if old.size != new.size or b"".join(old.read(start, stop)) != b"".join(new.read(start, stop)):
                raise RecordingUnreadable("it could not be wrapped anew")
    finally:
        old.close()
        new.close()
