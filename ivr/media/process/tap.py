"""A tap of a leg's receiver, for recordings: what comes in as G.711, 20 ms a tick and no gaps, a second at a time."""

from __future__ import annotations

from typing import NamedTuple

from ivr.media.process.codec import FRAME_S, PCMU, Coder
from ivr.media.process.receiver import Receiver

CHUNK = 50  # frames


class Chunk(NamedTuple):
    """Frames in a row in ``codec``, from ``at`` (monotonic seconds) on."""

    codec: str
    payload: bytes
    at: float


class Tap:
    """``phase`` spreads the legs' seconds over the ticks, so that not all of them are handed on in the same one."""

    def __init__(self, phase: int) -> None:
        self._left = CHUNK - phase % CHUNK
        self._codec = ""
        self._at = 0.0
        self._frames: list[bytes] = []

    def tick(self, receiver: Receiver, negotiated: Coder | None, at: float) -> list[Chunk]:
        """After the receiver's tick, which was due at ``at``: what is complete now.

        G.711 is taken as it came, what was missing as it was concealed, G.722 as PCMU: nobody need decode it twice."""
        coder = receiver.coder or negotiated
        if coder is None or not coder.stateless:
            coder, payload = PCMU, None
        else:
            payload = receiver.payload
        if payload is None:
            payload = coder.silence if receiver.signal is None else coder.encode(receiver.signal)
        done = self.flush() if coder.name != self._codec else []
        if not self._frames:
            self._codec, self._at = coder.name, at - FRAME_S
        self._frames.append(payload)
        self._left -= 1
        if self._left == 0:
            self._left = CHUNK
            done += self.flush()
        return done

    def flush(self) -> list[Chunk]:
        """What there is."""
        if not self._frames:
            return []
        chunk = Chunk(self._codec, b"".join(self._frames), self._at)
        self._frames.clear()
        return [chunk]
