"""ICE, the lite half (RFC 8445 section 2.5): answers to STUN connectivity checks (RFC 8489). No socket, no clock.

A check that is not signed with our password costs a comparison and is never answered, so that nobody's address can be
borrowed to have others flooded; an answer is no longer than what asked for it."""

from __future__ import annotations

import hmac
import secrets
import zlib
from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import ip_address
from struct import Struct

from ivr.media.process.latch import Address

COOKIE = 0x2112A442
REQUEST, SUCCESS = 0x0001, 0x0101
USERNAME, INTEGRITY, MAPPED, USE_CANDIDATE, FINGERPRINT = 0x0006, 0x0008, 0x0020, 0x0025, 0x8028

_HEAD = Struct("!HHI12s")
_ATTRIBUTE = Struct("!HH")
_INTEGRITY_SIZE, _FINGERPRINT_SIZE = 24, 8  # with their headers
_FINGERPRINT_XOR = 0x5354554E
_REMEMBERED = 64  # transactions; a check is repeated within seconds, a browser makes a few a second


@dataclass(frozen=True, slots=True)
class Message:
    """A STUN message. ``attributes`` are those that MESSAGE-INTEGRITY covers, and itself."""

    kind: int
    transaction: bytes
    attributes: dict[int, bytes]
    signed: bytes  # what MESSAGE-INTEGRITY is made of

    def signed_with(self, password: bytes) -> bool:
        """Whether its MESSAGE-INTEGRITY is there and right (RFC 8489 section 14.5, short-term credentials)."""
        return bool(self.signed) and hmac.compare_digest(
            self.attributes[INTEGRITY], hmac.digest(password, self.signed, "sha1")
        )


def parse(data: bytes) -> Message | None:
    """A well-formed message whose FINGERPRINT, if any, is right; None for anything else. Never raises."""
    if len(data) < _HEAD.size:
        return None
    kind, length, cookie, transaction = _HEAD.unpack_from(data)
    if kind & 0xC000 or cookie != COOKIE or length % 4 or _HEAD.size + length != len(data):
        return None
    attributes: dict[int, bytes] = {}
    signed = b""
    at = _HEAD.size
    while at < len(data):
        name, size = _ATTRIBUTE.unpack_from(data, at)
        start, at_next = at + _ATTRIBUTE.size, at + _ATTRIBUTE.size + (size + 3 & ~3)
        if at_next > len(data):
            return None
        if name == FINGERPRINT:
            if size != 4 or at_next != len(data) or int.from_bytes(data[start:], "big") != fingerprint(data[:at]):
                return None
        elif not signed:  # what follows MESSAGE-INTEGRITY is to be ignored
            attributes.setdefault(name, data[start : start + size])
            if name == INTEGRITY:
                covered = at + _INTEGRITY_SIZE - _HEAD.size
                signed = data[:2] + covered.to_bytes(2, "big") + data[4:at]
        at = at_next
    return Message(kind, transaction, attributes, signed)


def fingerprint(before: bytes) -> int:
    """FINGERPRINT's value after ``before``, whose length field counts it already (RFC 8489 section 14.7)."""
    return zlib.crc32(before) ^ _FINGERPRINT_XOR


def xor_mapped(address: Address, transaction: bytes) -> bytes:
    """XOR-MAPPED-ADDRESS (RFC 8489 section 14.2)."""
    host = ip_address(address[0])
    mask = COOKIE.to_bytes(4, "big") + transaction
    family = b"\0\x01" if host.version == 4 else b"\0\x02"
    port = (address[1] ^ COOKIE >> 16).to_bytes(2, "big")
    return family + port + bytes(a ^ b for a, b in zip(host.packed, mask, strict=False))


def build(kind: int, transaction: bytes, attributes: list[tuple[int, bytes]], password: bytes) -> bytes:
    """A message with MESSAGE-INTEGRITY and FINGERPRINT behind ``attributes``."""
    body = b"".join(_attribute(name, value) for name, value in attributes)
    head = _HEAD.pack(kind, len(body) + _INTEGRITY_SIZE, COOKIE, transaction)
    body += _attribute(INTEGRITY, hmac.digest(password, head + body, "sha1"))
    message = _HEAD.pack(kind, len(body) + _FINGERPRINT_SIZE, COOKIE, transaction) + body
    return message + _attribute(FINGERPRINT, fingerprint(message).to_bytes(4, "big"))


def _attribute(name: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(name, len(value)) + value + bytes(-len(value) % 4)


@dataclass(frozen=True, slots=True)
class Check:
    """A check that was passed: what to answer, and whether the browser means to use this pair."""

    answer: bytes
    nominates: bool


class IceLite:
    """Our end of one ICE session; ``ufrag`` and ``password`` are ours, of 48 and 192 random bits, or those of the
    session that another process had."""

    def __init__(self, their_ufrag: str, ufrag: str = "", password: str = "") -> None:
        self.ufrag = ufrag or secrets.token_urlsafe(6).replace("-", "+").replace("_", "/")
        self.password = password or secrets.token_urlsafe(24).replace("-", "+").replace("_", "/")
        self._username = f"{self.ufrag}:{their_ufrag}".encode()
        self._key = self.password.encode()
        self._seen: OrderedDict[bytes, Address] = OrderedDict()  # where each transaction came from

    def check(self, data: bytes, address: Address) -> Check | None:
        """What to make of a STUN message from ``address``; None: forged, replayed from elsewhere, or nothing to us."""
        message = parse(data)
        if (
            message is None
            or message.kind != REQUEST
            or message.attributes.get(USERNAME) != self._username
            or not message.signed_with(self._key)
        ):
            return None
        # Integrity does not cover where a check comes from: who overheard one could lead the audio astray with it.
        if self._seen.setdefault(message.transaction, address) != address:
            return None
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        mapped = xor_mapped(address, message.transaction)
        return Check(
            build(SUCCESS, message.transaction, [(MAPPED, mapped)], self._key), USE_CANDIDATE in message.attributes
        )
