"""The media process's outbox: frames for the line, written without ever waiting for it."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from ivr.media import wire
from ivr.media.process.codec import FRAME
from ivr.media.wire import Kind
from ivr.workers.frames import Life, frame

_BACKLOG = 256 * 1024  # bytes; beyond it audio is dropped, beyond four of it what is tapped


class Outbox:
    """Writes without blocking. Speech is collected and goes out as one frame a tick."""

    def __init__(self, sock: socket.socket) -> None:
        self.broken = False
        self._socket = sock
        self._pending = bytearray()
        self._speech: list[bytes] = []

    @property
    def pending(self) -> bool:
        """Whether the line has not taken everything yet."""
        return bool(self._pending)

    def put(self, kind: Kind | Life, leg: int, body: bytes = b"") -> None:
        """Queue one control frame; never dropped."""
        self._pending += frame(kind, leg, body)

    def speech(self, leg: int, frames: Sequence[tuple[float, bytes]]) -> int:
        """Queue 20 ms frames of one leg; how many were dropped because the line is behind."""
        if len(self._pending) > _BACKLOG:
            return len(frames)
        self._speech.extend(wire.audio(leg, at, pcm) for at, pcm in frames)
        return 0

    def tapped(self, leg: int, codec: str, payload: bytes, at: float) -> int:
        """Queue what was tapped of one leg; how many frames were dropped because the line is behind."""
        if len(self._pending) > 4 * _BACKLOG:
            return len(payload) // FRAME
        self.put(Kind.TAPPED, leg, wire.tapped(codec, payload, at))
        return 0

    def flush(self) -> None:
        """Write what the socket takes now."""
        if self._speech:
            self._pending += frame(Kind.AUDIO, 0, b"".join(self._speech))
            self._speech.clear()
        while self._pending and not self.broken:
            try:
                sent = self._socket.send(self._pending)
            except BlockingIOError:
                return
            except OSError:
                self.broken = True
                return
            del self._pending[:sent]
