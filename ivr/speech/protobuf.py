"""Protobuf messages, field by field, as far as models need it: ONNX metadata, pieces of sentencepiece.

What isn't asked for is skipped, so that a file of a gigabyte costs a few reads. Raises ValueError for what is none.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from typing import BinaryIO

_FLOAT = Struct("<f")
_FIXED = {1: 8, 5: 4}  # wire types of a fixed size, in bytes
_VARINT, _SIZED = 0, 2
_MOST_OF_A_VARINT = 10  # bytes
_METADATA, _KEY, _VALUE = 14, 1, 2  # onnx.proto: ModelProto.metadata_props, StringStringEntryProto
_PIECES, _PIECE, _SCORE = 1, 1, 2  # sentencepiece_model.proto: ModelProto.pieces


def onnx_metadata(path: Path) -> dict[str, str]:
    """What the exporter wrote into the file beside the graph."""
    found: dict[str, str] = {}
    with path.open("rb") as file:
        for number, size in _fields(file, path.stat().st_size):
            if number == _METADATA:
                entry = {n: file.read(s).decode() for n, s in _fields(file, file.tell() + size)}
                found[entry.get(_KEY, "")] = entry.get(_VALUE, "")
    return found


def sentence_pieces(path: Path) -> list[tuple[str, float]]:
    """Each piece and its score."""
    pieces: list[tuple[str, float]] = []
    with path.open("rb") as file:
        for number, size in _fields(file, path.stat().st_size):
            if number == _PIECES:
                piece = {n: file.read(s) for n, s in _fields(file, file.tell() + size)}
                score = _FLOAT.unpack(piece[_SCORE])[0] if len(piece.get(_SCORE, b"")) == _FLOAT.size else 0.0
                pieces.append((piece.get(_PIECE, b"").decode(), score))
    return pieces


def _fields(file: BinaryIO, end: int) -> Iterator[tuple[int, int]]:
    """Number and size of every field up to ``end`` that is more than an integer; the file stands at its first byte, and
    may be read from there."""
    while file.tell() < end:
        key = _varint(file)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            _varint(file)
            continue
        size = _varint(file) if kind == _SIZED else _FIXED.get(kind, -1)
        begin = file.tell()
        if not number or size < 0 or begin + size > end:
            raise ValueError(f"no protobuf message at byte {begin}")
        yield number, size
        file.seek(begin + size)


def _varint(file: BinaryIO) -> int:
    value = 0
    for shift in range(0, 7 * _MOST_OF_A_VARINT, 7):
        byte = file.read(1)
        if not byte:
            break
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise ValueError(f"no protobuf message at byte {file.tell()}")
