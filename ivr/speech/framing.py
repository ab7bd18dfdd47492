"""Length-prefixed messages between the line and its speech workers, over a local stream socket.

A frame is size:u32 kind:u8 session:u32 body, in network order; ``size`` counts the body. An AUDIO body is at:f64
and PCM; a CALL body is size:u32, JSON of that size, and a blob.
"""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_HEAD = struct.Struct("!IBI")
_AT = struct.Struct("!d")
_SIZE = struct.Struct("!I")
AUDIO = 1
CALL = 2
LARGEST = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Sound:
    """Audio for ``session``; ``at`` is its first sample's time."""

    session: int
    at: float
    pcm: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """Anything but audio: ``head["op"]`` names it. ``session`` 0 is the worker itself."""

    session: int
    head: Mapping[str, Any]
    blob: bytes = b""


class BrokenFrame(Exception):
    """The other side writes something else than frames."""


def encode_audio(session: int, at: float, pcm: bytes) -> bytes:
    return _HEAD.pack(_AT.size + len(pcm), AUDIO, session) + _AT.pack(at) + pcm


def encode_message(session: int, head: Mapping[str, Any], blob: bytes = b"") -> bytes:
    text = json.dumps(head, separators=(",", ":"), ensure_ascii=False).encode()
    return _HEAD.pack(_SIZE.size + len(text) + len(blob), CALL, session) + _SIZE.pack(len(text)) + text + blob


async def read_frame(reader: asyncio.StreamReader) -> Sound | Message:
    """The next frame. Raises asyncio.IncompleteReadError at the end of the stream, BrokenFrame on nonsense."""
    size, kind, session = _HEAD.unpack(await reader.readexactly(_HEAD.size))
    if size > LARGEST:
        raise BrokenFrame(f"a frame of {size} bytes")
    body = await reader.readexactly(size)
    try:
        if kind == AUDIO:
            return Sound(session, _AT.unpack_from(body)[0], body[_AT.size :])
        if kind == CALL:
            (length,) = _SIZE.unpack_from(body)
            end = _SIZE.size + length
            return Message(session, json.loads(body[_SIZE.size : end]), body[end:])
    except (struct.error, ValueError) as error:
        raise BrokenFrame(str(error)) from error
    raise BrokenFrame(f"kind {kind}")
