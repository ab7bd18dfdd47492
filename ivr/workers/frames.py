"""The frames between the line and its worker processes: length, kind, number and body over a local stream socket.

A head is ``size:u32 kind:u8 number:u32`` in network order; ``size`` counts the body, ``number`` is the session or leg
that the frame is about, 0 for the worker itself. Kinds below ``FIRST`` are the same for every worker (``Life``); each
protocol numbers its own from ``FIRST`` on. The body of a request, and of its answer, begins with the request's number.
Both ends are of one release and trust each other: what makes no sense is a bug and raises.
"""

from __future__ import annotations

import json
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from enum import IntEnum
from struct import Struct
from typing import BinaryIO, TypeVar

from ivr.errors import IvrError

_HEAD = Struct("!IBI")  # length of the body, kind, number
REQUEST = Struct("!I")  # the number that an answer repeats
FIRST = 16
LARGEST = 64 << 20  # bytes of a body
E = TypeVar("E", bound=IvrError)


class Life(IntEnum):
    """What every worker understands and says, whatever it is for."""

    # to the worker
    SETUP = 1  # the first frame; what the worker is to know, in its protocol's form
    PING = 2
    # to the line
    PONG = 3
    READY = 4  # the worker serves, or serves more than before; what it says of itself, in its protocol's form
    REPLY = 5  # request number, answer
    REFUSED = 6  # request number, ``refusal``
    LOG = 7  # a line for the log: JSON of its level and its event


class BrokenFrame(Exception):
    """The other side writes something else than frames."""


def frame(kind: int, number: int = 0, body: bytes = b"") -> bytes:
    """One frame as it goes over the socket."""
    return _HEAD.pack(len(body), kind, number) + body


class Splitter:
    """Cuts a byte stream into frames again."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes | memoryview) -> Iterator[tuple[int, int, bytes]]:
        """(kind, number, body) of every frame that ``data`` completes. Raises BrokenFrame."""
        buffer = self._buffer
        buffer += data
        at = 0
        try:
            while len(buffer) - at >= _HEAD.size:
                size, kind, number = _HEAD.unpack_from(buffer, at)
                if size > LARGEST:
                    raise BrokenFrame(f"a frame of {size} bytes")
                end = at + _HEAD.size + size
                if end > len(buffer):
                    break
                body = bytes(buffer[at + _HEAD.size : end])
                at = end
                yield kind, number, body
        finally:
            del buffer[:at]


def read(stream: BinaryIO) -> tuple[int, bytes] | None:
    """Kind and body of the next frame of a stream that waits, None at its end. Raises OSError, BrokenFrame."""
    head = stream.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    size, kind, _ = _HEAD.unpack(head)
    if size > LARGEST:
        raise BrokenFrame(f"a frame of {size} bytes")
    body = stream.read(size)
    return (kind, body) if len(body) == size else None


def asked(body: bytes) -> tuple[int, bytes]:
    """The number of a request (or of its answer), and what it says."""
    return REQUEST.unpack_from(body)[0], body[REQUEST.size :]


def refusal(error: BaseException) -> bytes:
    """``error`` as it crosses the socket: JSON of its class, message and remedy."""
    message = str(error.args[0]) if error.args else repr(error)
    return json.dumps([type(error).__name__, message, getattr(error, "remedy", "")]).encode()


def refused(body: bytes, errors: Sequence[type[E]]) -> E:
    """The error that was raised over there: the one of ``errors`` that is called so, else the first."""
    name, message, remedy = json.loads(body)
    return {error.__name__: error for error in errors}.get(name, errors[0])(message, remedy=remedy)


def inherited() -> socket.socket:
    """The worker's own end, the last argument. Ctrl-C, a terminal that closes, and the SIGTERM that a service manager
    sends to the whole group are the line's business: it goes on, or drains and closes the socket."""
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    return socket.socket(fileno=int(sys.argv[-1]))
