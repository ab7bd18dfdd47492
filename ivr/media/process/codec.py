"""Audio codecs (G.711, G.722): samples to payload bytes and back. A payload byte is an RTP clock tick for all three."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Protocol

import numpy as np

from ivr.media.process import pcm
from ivr.media.process.pcm import Samples


class Coder(Protocol):
    """Encodes and decodes one direction each of one stream. ``stateless`` ones may share payloads between legs."""

    name: str
    stateless: bool
    silence: bytes

    def encode(self, signal: Samples) -> bytes: ...
    def decode(self, payload: bytes) -> Samples: ...


class G711:
    """PCMU or PCMA: a byte a sample, no memory between frames."""

    stateless = True

    def __init__(
        self, name: str, encode: Callable[[Samples], bytes], decode: Callable[[bytes], Samples], zero: int
    ) -> None:
        self.name = name
        self._encode = encode
        self._decode = decode
        self.silence = bytes([zero]) * pcm.FRAME

    def encode(self, signal: Samples) -> bytes:
        return self._encode(signal)

    def decode(self, payload: bytes) -> Samples:
        return self._decode(payload)


PCMU = G711("PCMU", pcm.ulaw_encode, pcm.ulaw_decode, 0xFF)
PCMA = G711("PCMA", pcm.alaw_encode, pcm.alaw_decode, 0xD5)


class G722:
    """ITU-T G.722 at 64 kbit/s, its lower band only: 8 kHz in and out, which any wideband end understands.

    Adaptive: encoder and decoder remember, so each leg needs its own and every frame must pass through.
    """

    name = "G722"
    stateless = False
    silence = b""  # depends on what was encoded before

    def __init__(self) -> None:
        from G722 import G722 as Lower  # the wheel's C code; absent on machines without one

        self._encoder = Lower(pcm.RATE, 64000)
        self._decoder = Lower(pcm.RATE, 64000)

    def encode(self, signal: Samples) -> bytes:
        return bytes(self._encoder.encode(signal))

    def decode(self, payload: bytes) -> Samples:
        return np.array(self._decoder.decode(payload), dtype=np.int16)


def coder(name: str) -> Coder:
    """The codec called ``name``; KeyError for one we don't have."""
    if name == "G722":
        return G722()
    return {"PCMU": PCMU, "PCMA": PCMA}[name]


def available(name: str) -> bool:
    """Whether this machine can run ``name`` (G.722 needs a compiled extension)."""
    return name in ("PCMU", "PCMA") or (name == "G722" and find_spec("G722") is not None)
