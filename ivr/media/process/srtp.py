"""SRTP (RFC 3711, RFC 7714) of one leg, by libsrtp: its packets sealed and opened. No socket, no clock."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from typing import Protocol

from pylibsrtp import Error as SrtpError
from pylibsrtp import Policy, Session

from ivr.media.description import SUITES, Sdes
from ivr.media.process.rtp import HEADER, VERSION

_PROFILES = {
    "AEAD_AES_256_GCM": Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
    "AEAD_AES_128_GCM": Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    "AES_CM_128_HMAC_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
}
_FORMER = 50  # packets under a new key, after which what was sent under the one before has arrived
_SEARCHES = 4  # for the rollover counter of a stream that was not there from its beginning
_ROLLOVERS = 256  # at most: some 90 hours at 50 packets a second
_THIRD = 0x5555  # of the sequence numbers: a step that leaves no doubt of its direction


class Protection(Protocol):
    """What seals and opens a leg's packets. ``refused`` counts what was not opened; ``suite`` names it, "" while there
    are no keys.

    ``seal`` and ``seal_rtcp`` raise OSError: there are no keys, or the packet was sent already. ``open`` and
    ``open_rtcp`` give None for what is forged, replayed, or not for us."""

    @property
    def refused(self) -> int: ...
    @property
    def up(self) -> bool: ...
    @property
    def suite(self) -> str: ...
    def seal(self, packet: bytes, /) -> bytes: ...
    def seal_rtcp(self, packet: bytes, /) -> bytes: ...
    def open(self, packet: bytes, /) -> bytes | None: ...
    def open_rtcp(self, packet: bytes, /) -> bytes | None: ...


class Srtp:
    """``suite`` is one of SUITES; ``ours`` and ``theirs`` are master key and salt. ``by`` is told before the suite: how
    they were agreed on. Raises ValueError for others."""

    up = True

    def __init__(self, suite: str, ours: bytes, theirs: bytes, by: str = "") -> None:
        self._suite, self._by = suite, by
        self.refused = 0
        self._ours, self._theirs = ours, theirs
        self._out = _session(suite, ours, Policy.SSRC_ANY_OUTBOUND)
        self._in = _session(suite, theirs, Policy.SSRC_ANY_INBOUND)
        self._former: Session | None = None
        self._opened = 0  # under this key
        self._searches = _SEARCHES

    @classmethod
    def of(cls, keys: Sdes, by: str = "") -> Srtp:
        """What both ends have agreed on. Raises ValueError."""
        return cls(keys.ours.suite, b64decode(keys.ours.key), b64decode(keys.theirs.key), by)

    @property
    def suite(self) -> str:
        """Its name, after how its keys were agreed on."""
        return self._by + self._suite

    def rekey(self, keys: Sdes) -> None:
        """Other keys from now on. One that is the same goes on with its packet counter; what still comes under the far
        end's former one is opened for a moment (RFC 4568 section 7.1.4). Raises ValueError, and nothing has changed."""
        new = Srtp.of(keys)
        same_suite = new._suite == self._suite
        if not (same_suite and new._ours == self._ours):
            self._out, self._ours = new._out, new._ours
        if not (same_suite and new._theirs == self._theirs):
            self._former, self._in, self._theirs = self._in, new._in, new._theirs
            self._opened, self._searches = 0, _SEARCHES
        self._suite, self._by = new._suite, new._by

    def seal(self, packet: bytes) -> bytes:
        try:
            return self._out.protect(packet)
        except (SrtpError, ValueError) as error:
            raise OSError(str(error)) from error

    def seal_rtcp(self, packet: bytes) -> bytes:
        try:
            return self._out.protect_rtcp(packet)
        except (SrtpError, ValueError) as error:
            raise OSError(str(error)) from error

    def open(self, packet: bytes) -> bytes | None:
        try:
            clear = self._in.unprotect(packet)
        except (SrtpError, ValueError):  # the latter: longer than any packet
            return self._else(packet)
        self._opened += 1
        return clear

    def open_rtcp(self, packet: bytes) -> bytes | None:
        clear = _tried(self._in.unprotect_rtcp, packet)
        if clear is None and self._former is not None:
            clear = _tried(self._former.unprotect_rtcp, packet)
        if clear is None:
            self.refused += 1
        return clear

    def _else(self, packet: bytes) -> bytes | None:
        clear = None
        if self._opened >= _FORMER:
            self._former = None
        if self._former is not None:
            clear = _tried(self._former.unprotect, packet)
        if clear is None and not self._opened and self._searches and len(packet) >= HEADER.size:
            self._searches -= 1
            clear = self._found(packet)
        if clear is None:
            self.refused += 1
        return clear

    def _found(self, packet: bytes) -> bytes | None:
        """The packet of a stream whose sequence numbers have begun anew before we came (a media process that follows
        one that died): how often, no packet says, and libsrtp takes it for never. So a copy of its context is led
        through the numbers with packets of our own making until this one opens."""
        first, _, sequence, _, ssrc = HEADER.unpack_from(packet)
        if first & 0xC0 != VERSION:
            return None
        far = _session(self._suite, self._theirs, Policy.SSRC_ANY_OUTBOUND)
        near = _session(self._suite, self._theirs, Policy.SSRC_ANY_INBOUND)
        try:
            for _ in range(_ROLLOVERS):
                for step in (_THIRD, 2 * _THIRD, -1):
                    made = HEADER.pack(VERSION, 0, (sequence + step) & 0xFFFF, 0, ssrc)
                    near.unprotect(far.protect(made))
                clear = _tried(near.unprotect, packet)
                if clear is not None:
                    self._in, self._opened = near, 1
                    return clear
        except SrtpError:
            return None
        return None


def _session(suite: str, key: bytes, direction: int) -> Session:
    if suite not in SUITES or len(key) != sum(SUITES[suite]):
        raise ValueError(f"no key of {suite[:40]}: {len(key)} bytes")
    return Session(Policy(key, direction, srtp_profile=_PROFILES[suite]))


def _tried(opening: Callable[[bytes], bytes], packet: bytes) -> bytes | None:
    try:
        return opening(packet)
    except (SrtpError, ValueError):
        return None
