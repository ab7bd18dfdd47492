"""Security descriptions (RFC 4568, RFC 7714): the keys that a=crypto lines of SDP carry: read, chosen, made."""

from __future__ import annotations

import binascii
import re
import secrets
from base64 import b64decode, b64encode
from collections.abc import Iterable

from ivr.media.description import SUITES, Crypto

OFFERED = ("AEAD_AES_256_GCM", "AES_CM_128_HMAC_SHA1_80")  # the cheapest first, then what everybody has
_MOST = 24  # lines of one stream
_KEY = r"inline:([^\s;|]{1,128})((?:\|[^\s;|]{1,32}){0,2})"  # and a lifetime, an MKI
_LINE = re.compile(rf"(\d{{1,9}})\s+([\w-]{{1,64}})\s+{_KEY}((?:\s+\S{{1,128}}){{0,8}})")
_LIFETIME = re.compile(r"2\^(\d{1,2})|(\d{1,15})")
_SHORTEST = 1 << 20  # packets, almost six hours: we never change keys by ourselves
_HARMLESS = re.compile(r"WSH=\d{1,5}|-\S+")  # a hint of the replay window, and what may be passed over (section 6.3.7)


def read(lines: Iterable[str]) -> tuple[Crypto, ...]:
    """What ``lines`` describe and we can use, in their order. What calls for more than a suite and one key (MKI,
    FEC_ORDER, KDR, UNENCRYPTED_*) is passed over, as is what makes no sense."""
    found = (_read(line) for _, line in zip(range(_MOST), lines, strict=False))
    return tuple(crypto for crypto in found if crypto is not None)


def _read(line: str) -> Crypto | None:
    match = _LINE.fullmatch(line.strip())
    if match is None:
        return None
    tag, suite, key, limits, parameters = match.groups()
    suite = suite.upper()
    if suite not in SUITES or not all(_HARMLESS.fullmatch(each) for each in parameters.split()):
        return None
    if limits and not _lasts(limits[1:]):
        return None
    try:
        raw = b64decode(key + "=" * (-len(key) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(raw) != sum(SUITES[suite]):
        return None
    return Crypto(int(tag), suite, b64encode(raw).decode())


def _lasts(lifetime: str) -> bool:
    """Whether a key is for as long as any call; an MKI is no lifetime."""
    match = _LIFETIME.fullmatch(lifetime)
    return match is not None and (int(match[2]) if match[2] else 1 << int(match[1])) >= _SHORTEST


def best(offered: Iterable[Crypto]) -> Crypto | None:
    """The first, as its owner wishes (section 5.1.2); a 32-bit tag, which one in four thousand million forged packets
    passes, only without any other."""
    return min(offered, key=lambda crypto: crypto.suite.endswith("_32"), default=None)


def fresh(suite: str, tag: int) -> Crypto:
    """A key of our own."""
    return Crypto(tag, suite, b64encode(secrets.token_bytes(sum(SUITES[suite]))).decode())


def offer() -> tuple[Crypto, ...]:
    """Keys of our own, one for each suite that we offer."""
    return tuple(fresh(suite, tag) for tag, suite in enumerate(OFFERED, 1))


def written(crypto: Crypto) -> str:
    """The value of its a=crypto line."""
    return f"{crypto.tag} {crypto.suite} inline:{crypto.key}"
