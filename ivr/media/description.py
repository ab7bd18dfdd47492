"""Media descriptions (the part of SDP, RFC 4566, that media cares about) and their negotiation (RFC 3264). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from itertools import pairwise
from socket import if_nametoindex
from typing import Literal, TypeAlias

from ivr.errors import MediaUnavailable


class Direction(StrEnum):
    """SDP direction attributes (RFC 3264), seen from the end that wrote the description."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @property
    def answer(self) -> Direction:
        """The direction an answer to this offer carries (RFC 3264 section 6.1)."""
        return {Direction.SENDONLY: Direction.RECVONLY, Direction.RECVONLY: Direction.SENDONLY}.get(self, self)


@dataclass(frozen=True, slots=True)
class Codec:
    """An RTP audio format. ``name`` is "PCMU", "PCMA" or "G722"; the RTP clock of all three is 8 kHz (RFC 3551)."""

    name: str
    payload_type: int


PCMU = Codec("PCMU", 0)
PCMA = Codec("PCMA", 8)
G722 = Codec("G722", 9)
STATIC = {codec.name: codec for codec in (PCMU, PCMA, G722)}
_LABEL = r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)"
_HOST_NAME = re.compile(rf"(?=.{{1,253}}$)(?:{_LABEL}\.)*(?=[0-9_-]*[A-Za-z]){_LABEL}\.?")
EVENTS = 101  # payload type of telephone-event in our own offers

SrtpPolicy: TypeAlias = Literal["off", "prefer", "require"]  # in the clear; SRTP where the far end has it; nothing else
# What SRTP is spoken in (RFC 4568, RFC 7714), in our order: bytes of the master key, and of the salt.
SUITES = {
    "AEAD_AES_256_GCM": (32, 12),
    "AEAD_AES_128_GCM": (16, 12),
    "AES_CM_128_HMAC_SHA1_80": (16, 14),
    "AES_CM_128_HMAC_SHA1_32": (16, 14),
}
DIGESTS = {"sha-256": ("sha256", 32), "sha-384": ("sha384", 48), "sha-512": ("sha512", 64)}  # OpenSSL's name, bytes
Setup: TypeAlias = Literal["active", "passive", "actpass"]  # who begins the handshake (RFC 4145, RFC 5763)


@dataclass(frozen=True, slots=True)
class Crypto:
    """What one end seals its packets with, as its SDP says (RFC 4568): master key and salt in base64."""

    tag: int
    suite: str
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sdes:
    """SRTP by security descriptions, agreed on: the far end's key and ours, of one suite."""

    theirs: Crypto
    ours: Crypto


@dataclass(frozen=True, slots=True)
class Dtls:
    """What one end's SDP says of DTLS-SRTP without ICE (RFC 5763): the digest of its certificate by ``algorithm``
    (RFC 8122), upper case with colons; ``mux``: RTCP goes with RTP (RFC 5761); ``tls_id``: of the association, where it
    names one (RFC 8842)."""

    fingerprint: str
    setup: Setup
    mux: bool = False
    algorithm: str = "sha-256"
    tls_id: str = ""


@dataclass(frozen=True, slots=True)
class Secrets:
    """What one end of a browser's leg tells the other: ICE user name fragment and password (RFC 8839), and the SHA-256
    fingerprint of its DTLS certificate (RFC 8122), upper case with colons."""

    ufrag: str
    password: str = field(repr=False)
    fingerprint: str


Keying: TypeAlias = Secrets | Sdes | Dtls


@dataclass(frozen=True, slots=True)
class DtlsAgreement:
    """What was agreed on with the far end that has this certificate and ``tls_id``: ``keys``, RTP's first, then RTCP's
    where that has an association of its own. ``identity``: our certificate and its private key, in PEM."""

    fingerprint: str
    tls_id: str
    keys: tuple[Sdes, ...] = field(repr=False)
    identity: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class BrowserAgreement:
    """What was agreed on with the page that has this certificate: the keys of RTP and RTCP. ``ufrag``, ``password`` and
    ``fingerprint``: what we told it."""

    their_fingerprint: str
    ufrag: str
    password: str = field(repr=False)
    fingerprint: str
    keys: Sdes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Resumption:
    """How a media process goes on with a leg of one that has it no more. ``processes``: how many sealed by the same key
    before it, as none may use an SSRC again; ``dtls``: None where the keys are in the SDP; ``stream``: the far end's
    SSRC, and how often its sequence numbers had begun anew (RFC 3711's ROC), as far as it is known; ``address``: where
    the far end was heard from, at these same ports."""

    processes: int = 0
    dtls: DtlsAgreement | BrowserAgreement | None = None
    stream: tuple[int, int] | None = None
    address: tuple[str, int] | None = None


NEW = Resumption()


@dataclass(frozen=True, slots=True)
class MediaDescription:
    """One end's audio: where it listens (IP literal, UDP port), what it takes in order of preference.

    ``host`` may also be a name, until it is resolved. ``dtmf_payload_type`` is that of telephone-event/8000 (RFC 4733),
    None where not offered. ``sip_host``: where the SIP that carried it came from, the address that NAT shows.
    ``secure``: how its packets are protected, None: not at all. An end with ``Secrets`` is found by ICE, wherever
    ``host`` is."""

    host: str
    port: int
    codecs: tuple[Codec, ...]
    dtmf_payload_type: int | None = EVENTS
    direction: Direction = Direction.SENDRECV
    ptime_ms: int = 20
    sip_host: str = ""
    secure: Keying | None = None


class NoCommonCodec(MediaUnavailable):
    """Nothing the far end takes is something we take: 488 Not Acceptable Here."""


def negotiate(offer: MediaDescription | None, preferences: Sequence[str], host: str, port: int) -> MediaDescription:
    """Our description at ``host``:``port``: an answer to ``offer``, or (None) an offer of everything we take.

    The codec is the first of ``preferences`` (names) that the offer has, under the offer's payload type; the
    telephone-event payload type is mirrored. The same offer always gives the same answer. Raises NoCommonCodec."""
    if offer is None:
        return MediaDescription(host, port, tuple(STATIC[name] for name in preferences), EVENTS)
    for name in preferences:
        for codec in offer.codecs:
            if codec.name == name:
                direction = Direction.RECVONLY if held(offer) and offer.direction is Direction.SENDRECV else None
                return MediaDescription(
                    host, port, (codec,), offer.dtmf_payload_type, direction or offer.direction.answer
                )
    theirs = ", ".join(codec.name for codec in offer.codecs) or "nothing"
    raise NoCommonCodec(
        f"the far end takes {theirs}; we take {', '.join(preferences)}",
        remedy="answer 488, or allow another of PCMU, PCMA, G722 in media.codecs",
    )


def receivable(remote: MediaDescription, preferences: Sequence[str]) -> dict[int, str]:
    """Codec name by payload type of everything ``remote`` may send us."""
    return {codec.payload_type: codec.name for codec in remote.codecs if codec.name in preferences}


def preferred(remote: MediaDescription, preferences: Sequence[str]) -> Codec:
    """What we send: the first of ``preferences`` that ``remote`` takes. Raises NoCommonCodec."""
    return negotiate(remote, preferences, remote.host, remote.port).codecs[0]


def port_pairs(low: int, high: int) -> tuple[int, int]:
    """The first port, an even one, and the number of RTP/RTCP pairs in ``low``..``high``."""
    first = low + low % 2
    return first, (high + 1 - first) // 2


def port_shares(low: int, high: int, count: int) -> list[tuple[int, int]]:
    """``low``..``high`` in ``count`` parts that don't overlap, of whole pairs, first and last port of each."""
    first, pairs = port_pairs(low, high)
    ends = [first + 2 * (pairs * number // count) for number in range(count + 1)]
    return [(begin, end - 1) for begin, end in pairwise(ends)]


def callers_served(pairs: int) -> int:
    """How many callers there may be at once: each may want to be joined with a human, which takes a second pair."""
    return pairs // 2


def held(remote: MediaDescription) -> bool:
    """Whether the far end wants to hear nothing now (RFC 3264 section 8.4; RFC 2543's 0.0.0.0 too)."""
    return remote.direction in (Direction.SENDONLY, Direction.INACTIVE) or remote.host in ("0.0.0.0", "::")  # noqa: S104


def expects_audio(remote: MediaDescription) -> bool:
    """Whether the far end is bound to send: only then does its silence mean that it is gone."""
    return remote.direction is Direction.SENDRECV and not held(remote)


def is_host_name(text: str) -> bool:
    """Whether ``text`` could be one (RFC 1123, and the underscores of real life). A mistyped IPv4 address could not."""
    return _HOST_NAME.fullmatch(text) is not None


@lru_cache(1024)  # one far end's is asked for several times a call
def literal(host: str) -> str:
    """``host`` as sockets write addresses (IPv4 in IPv6 as IPv4), "" for what is no IP literal."""
    try:
        parsed = ip_address(host)
    except ValueError:
        return ""
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return str(parsed)


def socket_address(host: str, port: int) -> tuple[str, int] | tuple[str, int, int, int]:
    """``host``, an IP literal, as a socket takes it: the zone of a link-local one apart, or nothing is sent."""
    bare, _, zone = host.partition("%")
    if not zone:
        return host, port
    return bare, port, 0, int(zone) if zone.isdecimal() else if_nametoindex(zone)


def ip_version(host: str) -> int:
    """4 or 6; a host name counts as 4, until it is resolved."""
    return 6 if ":" in literal(host) else 4


def is_concrete(host: str) -> bool:
    """Whether it is an address that somebody can send to, and no wildcard."""
    return bool(literal(host)) and not ip_address(host).is_unspecified


def hosts_by_version(hosts: Sequence[str]) -> dict[int, str]:
    """``hosts``, one of each IP version at most, by version; "::" alone stands for every address of both."""
    if list(hosts) == ["::"]:
        return {4: "0.0.0.0", 6: "::"}  # noqa: S104
    return {ip_version(host): host for host in hosts}


def host_for(remote: MediaDescription | None, hosts: Mapping[int, str]) -> str:
    """Which of our ``hosts``, by IP version, meets ``remote``: its address decides, or where its SIP came from while
    that is a name or a hold's 0.0.0.0; else the first. Raises NoCommonCodec for a version that we don't have."""
    first = next(iter(hosts.values()))
    if remote is None or isinstance(remote.secure, Secrets):  # which ICE finds
        return first
    if not is_concrete(remote.host):
        return hosts.get(ip_version(remote.sip_host), first)
    version = ip_version(remote.host)
    if version not in hosts:
        raise NoCommonCodec(
            f"the far end's audio is at an IPv{version} address, and this line has none",
            remedy=f"answer 488, or add an IPv{version} address to sip.listen",
        )
    return hosts[version]


def address(host: str, port: int) -> tuple[str, int] | None:
    """A socket address, or None when ``host`` is no IP literal or the port is none: nothing is sent then."""
    parsed = literal(host)
    if not parsed or not 0 < port < 65536 or ip_address(parsed).is_unspecified or ip_address(parsed).is_multicast:
        return None
    return parsed, port
