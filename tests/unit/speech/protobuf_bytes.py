"""Protobuf messages as bytes, for files that a test wants to be read."""

from __future__ import annotations

from collections.abc import Mapping
from struct import pack


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))


def field(number: int, value: bytes | str | int | float) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, float):
        return varint(number << 3 | 5) + pack("<f", value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def onnx_bytes(metadata: Mapping[str, str], graph: bytes = b"\x0a\x00" * 200) -> bytes:
    """An ONNX file with a graph of no use."""
    entries = (field(14, field(1, key) + field(2, value)) for key, value in metadata.items())
    return field(1, 8) + field(7, graph) + b"".join(entries)


def sentencepiece_bytes(pieces: Mapping[str, float]) -> bytes:
    return b"".join(field(1, field(1, piece) + field(2, score) + field(3, 1)) for piece, score in pieces.items())
