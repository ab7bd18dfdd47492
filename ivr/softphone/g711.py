"""G.711 codec (ITU-T) by table, independent of the service's own codecs so that each checks the other.

PCM is 16-bit little-endian mono at 8 kHz; the compressed form is one byte a sample.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

Law = Literal["PCMU", "PCMA"]
Samples = npt.NDArray[np.int16]

SILENCE: dict[Law, bytes] = {"PCMU": b"\xff", "PCMA": b"\xd5"}


def _ulaw_decoding() -> Samples:
    code = ~np.arange(256, dtype=np.int32) & 0xFF
    exponent, mantissa = (code >> 4) & 7, code & 15
    magnitude = (((mantissa << 3) + 0x84) << exponent) - 0x84
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _alaw_decoding() -> Samples:
    code = np.arange(256, dtype=np.int32) ^ 0x55
    exponent, mantissa = (code >> 4) & 7, code & 15
    base = (mantissa << 4) + 8
    magnitude = np.where(exponent > 0, (base + 0x100) << np.maximum(exponent - 1, 0), base)
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


_DECODING: dict[Law, Samples] = {"PCMU": _ulaw_decoding(), "PCMA": _alaw_decoding()}


def _encoding(law: Law) -> npt.NDArray[np.uint8]:
    """Return, for each of the 65,536 samples, the code whose value is nearest."""
    values = _DECODING[law].astype(np.int32)
    order = np.argsort(values, kind="stable")
    edges = (values[order][1:] + values[order][:-1]) / 2.0
    table: npt.NDArray[np.uint8] = order[np.searchsorted(edges, np.arange(-32768, 32768))].astype(np.uint8)
    table[32768] = SILENCE[law][0]  # both laws have two codes next to zero; phones send this one
    return table


_ENCODING: dict[Law, npt.NDArray[np.uint8]] = {"PCMU": _encoding("PCMU"), "PCMA": _encoding("PCMA")}


def decode(payload: bytes, law: Law = "PCMU") -> Samples:
    return _DECODING[law][np.frombuffer(payload, dtype=np.uint8)]


def encode(pcm: bytes, law: Law = "PCMU") -> bytes:
    samples = np.frombuffer(pcm, dtype="<i2").astype(np.int32)
    return _ENCODING[law][samples + 32768].tobytes()
