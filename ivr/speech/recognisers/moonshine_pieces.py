"""The pieces of Moonshine's tokenizer, as ``tokenizer.bin`` has them."""

from __future__ import annotations


def pieces(data: bytes) -> list[bytes]:
    """For each id its bytes, which come after their number (two bytes from 128 on). Raises ValueError for what ends in
    the middle of one."""
    found: list[bytes] = []
    at = 0
    while at < len(data):
        size = data[at]
        at += 1
        if size >= 128 and at < len(data):
            size = data[at] * 128 + size - 128
            at += 1
        found.append(data[at : at + size])
        at += size
    if at != len(data):
        raise ValueError("it ends in the middle of a piece")
    return found
