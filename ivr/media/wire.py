"""The protocol between the line and its media process: the kinds of ``workers.frames`` frames, and their bodies.

The frequent ones have fixed layouts; descriptions and statistics, seldom sent, are JSON. SETUP is JSON of the
engine's settings, READY of the codecs that this machine can run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from enum import IntEnum
from struct import Struct
from typing import Any

from ivr.events import DigitSource
from ivr.media.description import Codec, Direction, MediaDescription
from ivr.workers.frames import FIRST

_PLAY = Struct("!IBHH")  # token, flags, gap in ms, number of clips
_DONE = Struct("!IBd")  # token, completed, seconds played
_DIGIT = Struct("!BBd")  # key, source, time
_FRAME = Struct("!IdH")  # leg, time, length of the PCM
NUMBER = Struct("!I")  # of a leg or a clip
SECONDS = Struct("!d")

KEYS = "0123456789*#ABCD"  # of a keypad, in the order of RFC 4733's event codes
_SOURCES: tuple[DigitSource, ...] = ("rtp", "tone")
_STOP_ON_KEY = 1


class Kind(IntEnum):
    """Every message of the protocol beside ``workers.frames.Life``, with its body. A frame's number is the leg's."""

    # line to media; the first four are requests
    OPEN = FIRST  # JSON: the far end's description or null; the answer: ours
    UPDATE = 17  # the same for a leg that is open
    STATS = 18  # nothing; the answer: JSON of LegStats
    CLOSE = 19  # nothing; the answer: JSON of LegStats
    CLIP = 20  # PCM; the frame's number is the clip's
    FORGET = 21  # nothing; the frame's number is the clip's
    PLAY = 22  # see ``play``
    STOP = 23  # nothing
    LISTEN = 24  # one byte, 1 for yes
    BRIDGE = 25  # NUMBER of the other leg, 0 for none
    PRESS = 26  # keys in ASCII
    # media to line
    DIGIT = 48  # see ``digit``
    DONE = 49  # see ``done``
    AUDIO = 50  # see ``audio``; of all legs, the frame's number is 0
    TIMEOUT = 51  # SECONDS of silence
    BROKEN = 52  # what went wrong, in UTF-8: the leg is gone


def play(token: int, clips: Sequence[int], *, stop_on_key: bool, gap_ms: int) -> bytes:
    """The body of PLAY."""
    numbers = b"".join(map(NUMBER.pack, clips))
    return _PLAY.pack(token, _STOP_ON_KEY if stop_on_key else 0, min(gap_ms, 0xFFFF), len(clips)) + numbers


def played(body: bytes) -> tuple[int, bool, int, list[int]]:
    """(token, stop_on_key, gap in ms, clip numbers)."""
    token, flags, gap_ms, count = _PLAY.unpack_from(body)
    numbers = [NUMBER.unpack_from(body, _PLAY.size + NUMBER.size * i)[0] for i in range(count)]
    return token, bool(flags & _STOP_ON_KEY), gap_ms, numbers


def done(token: int, completed: bool, played_s: float) -> bytes:
    """The body of DONE."""
    return _DONE.pack(token, completed, played_s)


def parse_done(body: bytes) -> tuple[int, bool, float]:
    """(token, completed, seconds played)."""
    token, completed, played_s = _DONE.unpack(body)
    return token, bool(completed), played_s


def digit(key: str, source: DigitSource, at: float) -> bytes:
    """The body of DIGIT; ``at``: monotonic seconds."""
    return _DIGIT.pack(ord(key), _SOURCES.index(source), at)


def parse_digit(body: bytes) -> tuple[str, DigitSource, float]:
    """(key, "rtp" or "tone", time)."""
    key, source, at = _DIGIT.unpack(body)
    return chr(key), _SOURCES[source], at


def audio(leg: int, at: float, pcm: bytes) -> bytes:
    """One entry of an AUDIO frame, which carries those of all legs of one tick."""
    return _FRAME.pack(leg, at, len(pcm)) + pcm


def parse_audio(body: bytes) -> Iterator[tuple[int, float, bytes]]:
    """(leg, time of the first sample, PCM) of each entry."""
    at = 0
    while at < len(body):
        leg, when, size = _FRAME.unpack_from(body, at)
        at += _FRAME.size
        yield leg, when, body[at : at + size]
        at += size


def pack(value: Any) -> bytes:
    """JSON values as a body."""
    return json.dumps(value, separators=(",", ":")).encode()


def unpack(body: bytes) -> Any:
    """A JSON body's values."""
    return json.loads(body)


def described(description: MediaDescription | None) -> Any:
    """A description as JSON values."""
    return None if description is None else asdict(description)


def description(value: Any) -> MediaDescription | None:
    """The opposite of ``described``."""
    if value is None:
        return None
    codecs = tuple(Codec(**codec) for codec in value["codecs"])
    return MediaDescription(**value | {"codecs": codecs, "direction": Direction(value["direction"])})
