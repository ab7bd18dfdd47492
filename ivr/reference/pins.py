"""Members' PINs: kept as salted scrypt hashes (RFC 7914), compared away from the event loop."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from functools import cache

_COST, _BLOCK, _LANES = 1 << 14, 8, 1  # 16 MiB and some 50 ms a try
_SALT_BYTES = 16


def hashed(pin: str, cost: int = _COST) -> str:
    """ "scrypt$N$r$p$salt$hash", numbers and hexadecimal digits. ``cost``: N, a power of two."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return f"scrypt${cost}${_BLOCK}${_LANES}${salt.hex()}${_derived(pin, salt, cost, _BLOCK, _LANES).hex()}"


async def fits(pin: str, kept: str | None) -> bool:
    """Whether ``pin`` is the one kept. None, where there is none, takes as long and never fits."""
    return await asyncio.to_thread(_fits, pin, kept or _nobodys()) and kept is not None


def _fits(pin: str, kept: str) -> bool:
    _, cost, block, lanes, salt, expected = kept.split("$")
    found = _derived(pin, bytes.fromhex(salt), int(cost), int(block), int(lanes))
    return hmac.compare_digest(found, bytes.fromhex(expected))


def _derived(pin: str, salt: bytes, cost: int, block: int, lanes: int) -> bytes:
    return hashlib.scrypt(pin.encode("utf-8", "replace"), salt=salt, n=cost, r=block, p=lanes, dklen=32)


@cache
def _nobodys() -> str:
    return hashed(secrets.token_hex(8))
