"""Sealing: bytes that only who has the operator's keys can read (AES-256-GCM, each by a data key of its own, which that
key wraps, RFC 3394), and what is so confidential that it is kept sealed or not at all."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from ivr.errors import ConfigError, SealBroken

KEY_BYTES = 32
TAG_BYTES = 16  # of AES-GCM
_NONCE_BYTES = 12
_SEALED = "sealed"
_PLAIN = frozenset({str, int, float, bool, type(None)})  # most of what is looked through, at every state of every call


@dataclass(frozen=True, slots=True)
class Keys:
    """``current`` seals what is written, "" for nothing; all of ``known`` open what was. By their ids. ``section``: of
    config.toml, where they are configured."""

    current: str = ""
    known: Mapping[str, bytes] | None = field(default=None, repr=False)
    section: str = "recording"

    @classmethod
    def of(cls, texts: tuple[str, ...], section: str = "recording") -> Keys:
        """Base64 of 32 bytes each, the current one first; none: nothing is sealed. Raises ConfigError."""
        known = {}
        for text in texts:
            try:
                key = base64.b64decode(text, validate=True)
            except ValueError:  # binascii.Error is one
                key = b""
            if len(key) != KEY_BYTES:
                raise ConfigError(
                    f"[{section}] key: it is not 32 bytes in base64", remedy="make one: openssl rand -base64 32"
                )
            known[hashlib.sha256(f"ivr {section} ".encode() + key).hexdigest()[:12]] = key
        return cls(next(iter(known), ""), known, section)

    def wrap(self, data_key: bytes) -> str:
        """By the current key; base64."""
        return base64.b64encode(aes_key_wrap((self.known or {})[self.current], data_key)).decode()

    def unwrap(self, key: str, wrapped: str) -> bytes:
        """``key``: the id of the one that wrapped it. Raises SealBroken."""
        wrapping = (self.known or {}).get(key)
        if wrapping is None:
            raise SealBroken(
                f"its key {key[:12]} is not configured", remedy=f"put it into [{self.section}] key or former_keys"
            )
        try:
            return aes_key_unwrap(wrapping, base64.b64decode(wrapped))
        except (InvalidUnwrap, ValueError) as error:
            raise SealBroken("its data key was changed") from error

    def seal(self, clear: bytes, to: bytes) -> dict[str, str]:
        """As JSON; it opens where ``to`` is the same (associated data)."""
        data_key, nonce = AESGCM.generate_key(256), os.urandom(_NONCE_BYTES)
        block = nonce + AESGCM(data_key).encrypt(nonce, clear, to)
        return {"key": self.current, "data_key": self.wrap(data_key), _SEALED: base64.b64encode(block).decode()}

    def open(self, sealed: Mapping[str, Any], to: bytes) -> bytes:
        """What ``seal`` made. Raises SealBroken."""
        try:
            data_key = self.unwrap(str(sealed["key"]), str(sealed["data_key"]))
            block = base64.b64decode(sealed[_SEALED])
            return AESGCM(data_key).decrypt(block[:_NONCE_BYTES], block[_NONCE_BYTES:], to)
        except (InvalidTag, KeyError, TypeError, ValueError) as error:
            raise SealBroken("it was changed, or belongs to something else") from error


@dataclass(frozen=True, slots=True)
class Confidential:
    """A JSON object inside others that is kept sealed, or not at all; neither repr nor JSON shows it."""

    value: Mapping[str, Any] = field(repr=False)


def sealed(part: Any, keys: Keys, to: bytes) -> Any:
    """JSON, with all that is confidential in it sealed; None in its place where there is no key."""
    match part:
        case Confidential(value):
            return keys.seal(json.dumps(value, separators=(",", ":")).encode(), to) if keys.current else None
        case dict() | Mapping():  # dict first: to ask an abstract class costs several times as much
            return {n: v if type(v) in _PLAIN else sealed(v, keys, to) for n, v in part.items()}
        case list() | tuple():
            return [v if type(v) in _PLAIN else sealed(v, keys, to) for v in part]
    return part


def opened(part: Any, keys: Keys, to: bytes, broken: Callable[[SealBroken], None]) -> Any:
    """The opposite; None in the place of what does not open, and ``broken`` is told."""
    match part:
        case {"key": str(), "data_key": str(), "sealed": str()} if len(part) == 3:
            try:
                return Confidential(json.loads(keys.open(part, to)))
            except SealBroken as error:
                broken(error)
                return None
        case Mapping():
            return {name: opened(value, keys, to, broken) for name, value in part.items()}
        case list():
            return [opened(value, keys, to, broken) for value in part]
    return part
