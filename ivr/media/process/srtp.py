"""SRTP (RFC 3711, RFC 7714) of one leg, by libsrtp: its packets sealed and opened. No socket, no clock."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Iterator
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
    def rollovers(self, ssrc: int, first: int, latest: int, /) -> int: ...


class Srtp:
    """``suite`` is one of SUITES; ``ours`` and ``theirs`` are master key and salt. ``by`` is told before the suite: how
    they were agreed on. ``stream``: of the far end, as its ``Resumption`` says. Raises ValueError for others."""

    up = True

    def __init__(
        self, suite: str, ours: bytes, theirs: bytes, by: str = "", stream: tuple[int, int] | None = None
    ) -> None:
        self._suite, self._by = suite, by
        self.refused = 0
        self._ours, self._theirs = ours, theirs
        self._out = _session(suite, ours, Policy.SSRC_ANY_OUTBOUND)
        self._in = _session(suite, theirs, Policy.SSRC_ANY_INBOUND)
        self._former: Session | None = None
        self._opened = 0  # under this key
        self._searches = _SEARCHES
        self._awaited = None if stream is None else (stream[0].to_bytes(4, "big"), stream[1])
        self._joined: tuple[int, int] | None = None  # a stream whose beginning we missed: SSRC, index of its first here
        self._followed = (0, -1)  # SSRC, index
        self._rekeyed = False

    @classmethod
    def of(cls, keys: Sdes, by: str = "", stream: tuple[int, int] | None = None) -> Srtp:
        """What both ends have agreed on. Raises ValueError."""
        return cls(keys.ours.suite, b64decode(keys.ours.key), b64decode(keys.theirs.key), by, stream)

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
            self._awaited = self._joined = None
            self._followed, self._rekeyed = (0, -1), True
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
        if self._awaited is not None and packet[8:12] == self._awaited[0]:
            return self._rejoined(packet, self._awaited[1])
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
        if clear is None and not self._opened and self._searches:
            self._searches -= 1
            clear = self._found(packet, range(1, _ROLLOVERS))
        if clear is None:
            self.refused += 1
        return clear

    def _rejoined(self, packet: bytes, rollovers: int) -> bytes | None:
        """The first packet here of a stream that another process had heard: never of a time before that, so that what
        was recorded then cannot be played back now. Its numbers may have begun anew once since that was noted."""
        clear = self._found(packet, range(rollovers, rollovers + 2))
        if clear is None and self._searches:
            self._searches -= 1
            clear = self._found(packet, range(rollovers + 2, _ROLLOVERS))
        if clear is None:
            self.refused += 1
        return clear

    def _found(self, packet: bytes, rollovers: range) -> bytes | None:
        """The packet of a stream whose sequence numbers have begun anew before we came (a media process that follows
        one that died): how often, no packet says, and libsrtp takes it for never. So a copy of its context is led
        through the numbers with packets of our own making until this one opens."""
        if len(packet) < HEADER.size:
            return None
        first, _, sequence, _, ssrc = HEADER.unpack_from(packet)
        if first & 0xC0 != VERSION:
            return None
        far = _session(self._suite, self._theirs, Policy.SSRC_ANY_OUTBOUND)
        near = _session(self._suite, self._theirs, Policy.SSRC_ANY_INBOUND)
        at = 0
        try:
            for turns in rollovers:
                index = turns << 16 | sequence
                for number in _steps(at, index - 1):
                    near.unprotect(far.protect(HEADER.pack(VERSION, 0, number & 0xFFFF, 0, ssrc)))
                clear = _tried(near.unprotect, packet)
                if clear is not None:
                    self._in, self._opened, self._awaited = near, 1, None
                    self._joined = ssrc, index
                    return clear
                at = index
        except SrtpError:
            return None
        return None

    def rollovers(self, ssrc: int, first: int, latest: int) -> int:
        """How often the sequence numbers of the far end's stream have begun anew, of which ``latest`` has come now and
        ``first`` was the first here. To be asked more often than they do."""
        followed, index = self._followed
        if followed != ssrc or index < 0:
            index = latest if self._rekeyed else first
            if self._joined is not None and self._joined[0] == ssrc:
                index = self._joined[1]
        index += (latest - index + 0x8000) % 0x10000 - 0x8000
        self._followed = ssrc, max(0, index)
        return self._followed[1] >> 16


def _steps(after: int, last: int) -> Iterator[int]:
    """From ``after``, an index that is behind, to ``last``; none so long that it could be one backwards."""
    if last >= after:
        yield from range(after + (last - after) % _THIRD, last + 1, _THIRD)


def _session(suite: str, key: bytes, direction: int) -> Session:
    if suite not in SUITES or len(key) != sum(SUITES[suite]):
        raise ValueError(f"no key of {suite[:40]}: {len(key)} bytes")
    return Session(Policy(key, direction, srtp_profile=_PROFILES[suite]))


def _tried(opening: Callable[[bytes], bytes], packet: bytes) -> bytes | None:
    try:
        return opening(packet)
    except (SrtpError, ValueError):
        return None
