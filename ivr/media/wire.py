"""What the line and its media process say to each other: frames of ``length, kind, leg, body`` over a stream socket.

The frequent ones have fixed layouts; descriptions and statistics, seldom sent, are JSON. Both ends are of one
release and trust each other, so a malformed frame is a bug and raises.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from enum import IntEnum
from struct import Struct
from typing import Any

from ivr.media.clip import LegStats
from ivr.media.description import Codec, Direction, MediaDescription

_HEAD = Struct("!IBI")  # length of the body, kind, leg
_PLAY = Struct("!IBHH")  # token, flags, gap in ms, number of clips
_DONE = Struct("!IBd")  # token, completed, seconds played
_DIGIT = Struct("!BBd")  # key, source, time
_FRAME = Struct("!IdH")  # leg, time, length of the PCM
REQUEST = Struct("!I")
SECONDS = Struct("!d")

_SOURCES = ("rtp", "tone")
_STOP_ON_KEY = 1


class Kind(IntEnum):
    """Requests of the line carry a number that the reply repeats; everything else is told once."""

    # line to media
    SETUP = 1
    OPEN = 2
    UPDATE = 3
    STATS = 4
    CLOSE = 5
    CLIP = 6
    FORGET = 7
    PLAY = 8
    STOP = 9
    LISTEN = 10
    BRIDGE = 11
    PRESS = 12
    PING = 13
    # media to line
    READY = 32
    REPLY = 33
    REFUSED = 34
    DIGIT = 35
    DONE = 36
    AUDIO = 37
    TIMEOUT = 38
    BROKEN = 39
    PONG = 40


def frame(kind: Kind, leg: int, body: bytes = b"") -> bytes:
    return _HEAD.pack(len(body), kind, leg) + body


class Splitter:
    """Cuts a byte stream into frames again."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[int, int, bytes]]:
        """(kind, leg, body) of every frame that ``data`` completes."""
        buffer = self._buffer
        buffer += data
        at = 0
        try:
            while len(buffer) - at >= _HEAD.size:
                size, kind, leg = _HEAD.unpack_from(buffer, at)
                end = at + _HEAD.size + size
                if end > len(buffer):
                    break
                body = bytes(buffer[at + _HEAD.size : end])
                at = end
                yield kind, leg, body
        finally:
            del buffer[:at]


def play(token: int, clips: Sequence[int], *, stop_on_key: bool, gap_ms: int) -> bytes:
    numbers = b"".join(map(REQUEST.pack, clips))
    return _PLAY.pack(token, _STOP_ON_KEY if stop_on_key else 0, min(gap_ms, 0xFFFF), len(clips)) + numbers


def played(body: bytes) -> tuple[int, bool, int, list[int]]:
    """(token, stop_on_key, gap in ms, clip numbers)."""
    token, flags, gap_ms, count = _PLAY.unpack_from(body)
    numbers = [REQUEST.unpack_from(body, _PLAY.size + REQUEST.size * i)[0] for i in range(count)]
    return token, bool(flags & _STOP_ON_KEY), gap_ms, numbers


def done(token: int, completed: bool, played_s: float) -> bytes:
    return _DONE.pack(token, completed, played_s)


def parse_done(body: bytes) -> tuple[int, bool, float]:
    token, completed, played_s = _DONE.unpack(body)
    return token, bool(completed), played_s


def digit(key: str, source: str, at: float) -> bytes:
    return _DIGIT.pack(ord(key), _SOURCES.index(source), at)


def parse_digit(body: bytes) -> tuple[str, str, float]:
    key, source, at = _DIGIT.unpack(body)
    return chr(key), _SOURCES[source], at


def audio(leg: int, at: float, pcm: bytes) -> bytes:
    """One entry of an AUDIO frame, which carries those of all legs of one tick."""
    return _FRAME.pack(leg, at, len(pcm)) + pcm


def parse_audio(body: bytes) -> Iterator[tuple[int, float, bytes]]:
    at = 0
    while at < len(body):
        leg, when, size = _FRAME.unpack_from(body, at)
        at += _FRAME.size
        yield leg, when, body[at : at + size]
        at += size


def pack(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def unpack(body: bytes) -> Any:
    return json.loads(body)


def described(description: MediaDescription | None) -> Any:
    """A description as JSON values."""
    if description is None:
        return None
    return asdict(description)


def description(value: Any) -> MediaDescription | None:
    if value is None:
        return None
    codecs = tuple(Codec(codec["name"], codec["payload_type"]) for codec in value["codecs"])
    return MediaDescription(
        value["host"],
        value["port"],
        codecs,
        value["dtmf_payload_type"],
        Direction(value["direction"]),
        value["ptime_ms"],
    )


def statistics(value: Any) -> LegStats:
    return LegStats(**value)
