"""Recording containers: WAV data in blocks of one second, as they grow; sealed (AES-256-GCM) where there is a key.

File: ``IVRREC2\\n``, a line of JSON that stays (``wav``: [format tag, channels, rate, bits]; ``id``), a line that a
rotation of keys replaces (``key``: the id of the key that wrapped the ``data_key``, RFC 3394; "" and no data key for a
recording in the clear), then blocks: 4 bytes of length, 12 of nonce (the block's number, its highest bit for the last
one), and the block, sealed with what stays as associated data: blocks can neither be changed, nor reordered, nor moved
to another recording, and one that was cut off shows. Files that begin with ``IVRREC1`` have both in one line, which is
their associated data: they are read, and sealed anew when keys rotate.

A ``Player`` gives bytes of the WAV file that this would be, and opens only the blocks that they lie in.

Who writes a recording holds a lock on it (flock), which ends with their process: see ``unwritten``.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ivr.errors import RecordingUnreadable, SealBroken
from ivr.sealing import TAG_BYTES, Keys

MAGIC, FORMER_MAGIC = b"IVRREC2\n", b"IVRREC1\n"
_BEFORE = struct.Struct("!I12s")
_NONCE = struct.Struct("!IQ")
_LAST = 1 << 63
LONGEST_HEADER = 4096


@dataclass(frozen=True, slots=True)
class WavFormat:
    """``tag``: 1 PCM, 7 PCMU (RFC 2361)."""

    tag: int
    channels: int
    rate: int
    bits: int

    @property
    def second(self) -> int:
        """Bytes."""
        return self.channels * self.rate * self.bits // 8

    def header(self, data: int) -> bytes:
        frame = self.channels * self.bits // 8
        form = struct.pack("<HHIIHH", self.tag, self.channels, self.rate, self.second, frame, self.bits)
        return struct.pack("<4sI4s4sI16s4sI", b"RIFF", 36 + data, b"WAVE", b"fmt ", 16, form, b"data", data)


STEREO_PCMU = WavFormat(7, 2, 8000, 8)


class Writer:
    """One recording, appended to. Files are readable by this user only. Raises OSError."""

    def __init__(self, path: Path, wav: WavFormat, keys: Keys) -> None:
        self._seal: AESGCM | None = None
        data_key = b""
        if keys.current:
            data_key = AESGCM.generate_key(256)
            self._seal = AESGCM(data_key)
        form, name = [wav.tag, wav.channels, wav.rate, wav.bits], path.name.partition(".")[0]
        self._header = MAGIC + _line(wav=form, id=secrets.token_hex(8), of=name)
        self._second = wav.second
        self._number = 0
        self.bytes = 0  # of sound
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file: BinaryIO = os.fdopen(opened, "wb", buffering=0)
        with suppress(OSError):  # a file system without locks: who looks gets none either
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._file.write(self._header + wrapping(keys, data_key))

    def write(self, second: bytes, *, last: bool = False) -> None:
        """A second; less only for the last."""
        nonce = _NONCE.pack(0, self._number | (_LAST if last else 0))
        block = second if self._seal is None else self._seal.encrypt(nonce, second, self._header)
        self._file.write(_BEFORE.pack(len(block), nonce) + block)
        self._number += 1
        self.bytes += len(second)

    def close(self) -> None:
        self._file.close()


def wrapping(keys: Keys, data_key: bytes) -> bytes:
    """The line that a rotation replaces: the data key, wrapped by the current key."""
    if not data_key:
        return _line(key="")
    return _line(key=keys.current, data_key=keys.wrap(data_key))


def _line(**values: object) -> bytes:
    return json.dumps(values, separators=(",", ":")).encode() + b"\n"


@dataclass(frozen=True, slots=True)
class Extent:
    """``seconds`` of sound in whole blocks; ``complete``: the last of them is the last of the recording."""

    seconds: float
    complete: bool


def unwritten(path: Path) -> Extent | None:
    """How much there is of a recording that nobody writes any more; no key is needed. None: it is being written, or is
    not here. Raises RecordingUnreadable."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            head = Head.read(file)
            blocks, complete = _scan(file, sealed=bool(head.key))
    except OSError:
        return None
    return Extent(sum(length for _, length in blocks) / head.wav.second, complete)


@dataclass(frozen=True, slots=True)
class Head:
    """What a file begins with. ``raw``: what its blocks are sealed with; ``wrapped``: its data key; ``end``: where the
    blocks begin, ``replaced``: where that begins which a rotation replaces, None in a former file; ``of``: the
    recording's name, "" where earlier releases did not write it."""

    raw: bytes
    wav: WavFormat
    key: str
    wrapped: str
    end: int
    replaced: int | None
    of: str = ""

    @classmethod
    def read(cls, file: BinaryIO) -> Head:
        """Raises RecordingUnreadable."""
        magic = file.read(len(MAGIC))
        if magic not in (MAGIC, FORMER_MAGIC):
            raise RecordingUnreadable("this is no recording")
        line = file.readline(LONGEST_HEADER)
        replaced = file.tell() if magic == MAGIC else None
        try:
            head = json.loads(line)
            wrap = json.loads(file.readline(LONGEST_HEADER)) if magic == MAGIC else head
            wav = WavFormat(*map(int, head["wav"]))
            key, wrapped = str(wrap["key"]), str(wrap.get("data_key", ""))
            return cls(magic + line, wav, key, wrapped, file.tell(), replaced, str(head.get("of", "")))
        except (ValueError, KeyError, TypeError) as error:
            raise RecordingUnreadable("the recording's header was changed") from error

    def data_key(self, keys: Keys) -> bytes:
        """b"" for a recording in the clear. Raises RecordingUnreadable."""
        if not self.key:
            return b""
        try:
            return keys.unwrap(self.key, self.wrapped)
        except SealBroken as error:
            raise RecordingUnreadable(error.args[0], remedy=error.remedy) from error


def _scan(file: BinaryIO, *, sealed: bool) -> tuple[list[tuple[int, int]], bool]:
    """From the header's end on: where each block's nonce is, and how many bytes of sound are in it; whether the last
    one is the last. Half a block at the end is none."""
    found: list[tuple[int, int]] = []
    tag = TAG_BYTES if sealed else 0
    at, end, last = file.tell(), os.fstat(file.fileno()).st_size, False
    while at + _BEFORE.size <= end and not last:
        file.seek(at)
        length, nonce = _BEFORE.unpack(file.read(_BEFORE.size))
        number = _NONCE.unpack(nonce)[1]
        if at + _BEFORE.size + length > end:
            break
        if number & ~_LAST != len(found) or length < tag:
            raise RecordingUnreadable("blocks of the recording were changed")
        found.append((at, length - tag))
        last = bool(number & _LAST)
        at += _BEFORE.size + length
    return found, last


class Player:
    """``size`` bytes of WAV, any range of them; ``complete``: it was not cut off; ``of``: see ``Head``.

    Raises RecordingUnreadable: no recording, a key that is not there, or somebody changed it."""

    def __init__(self, path: Path, keys: Keys) -> None:
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise RecordingUnreadable(f"there is no such recording: {error.strerror}") from error
        try:
            self._begin(keys)
        except BaseException:
            self.close()
            raise

    def _begin(self, keys: Keys) -> None:
        head = Head.read(self._file)
        self.wav, self.key, self.of, self._header = head.wav, head.key, head.of, head.raw
        self._open = AESGCM(data_key) if (data_key := head.data_key(keys)) else None
        self._blocks, self.complete = _scan(self._file, sealed=self._open is not None)
        sound = sum(length for _, length in self._blocks)
        self._wav_header = self.wav.header(sound)
        self.seconds = sound / self.wav.second
        self.size = len(self._wav_header) + sound

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """Bytes ``start`` to before ``stop``."""
        if start < len(self._wav_header):
            yield self._wav_header[start:stop]
        at = len(self._wav_header)
        for place, length in self._blocks:
            if at >= stop:
                return
            if at + length > start:
                yield self._block(place)[max(0, start - at) : stop - at]
            at += length

    def blocks(self) -> Iterator[bytes]:
        """The sound, block by block."""
        return (self._block(place) for place, _ in self._blocks)

    def _block(self, place: int) -> bytes:
        self._file.seek(place)
        length, nonce = _BEFORE.unpack(self._file.read(_BEFORE.size))
        block = self._file.read(length)
        if self._open is None:
            return block
        try:
            return self._open.decrypt(nonce, block, self._header)
        except InvalidTag as error:
            raise RecordingUnreadable("a block of the recording was changed") from error

    def close(self) -> None:
        self._file.close()
