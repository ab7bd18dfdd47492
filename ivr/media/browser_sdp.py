"""A browser's SDP: its offer read, our answer written (JSEP, RFC 8829; RFC 8839, RFC 8842). Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ivr.media.description import STATIC, Codec, Direction, MediaDescription, NoCommonCodec, Secrets

_LONGEST = 65_536  # characters
_ICE_WORD = r"[A-Za-z0-9+/]"
_UFRAG, _PASSWORD = re.compile(_ICE_WORD + "{4,256}"), re.compile(_ICE_WORD + "{22,256}")
_FINGERPRINT = re.compile(r"(?i)sha-256 +((?:[0-9A-F]{2}:){31}[0-9A-F]{2})")
_RTPMAP = re.compile(r"(\d{1,3}) +([^/ ]+)/(\d+)(?:/1)?")
_MEDIA = re.compile(r"m=(\w{1,32}) \d+(?:/\d+)? ([A-Z/]{1,32}) ([\w*+. -]{1,1024})")
_MID = re.compile(r"[!#-'*+\-.0-9A-Z^-~]{1,64}")
_SECURE = ("UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP")
_HIGHEST_TYPE = 127
_MEDIA_STREAM = "ivr line"
_HOST, _LOCAL = 126, 65_536  # preferences of a candidate's type, and of our first one

_Attributes: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Section:
    """One ``m=`` section, as written."""

    media: str
    protocol: str
    formats: tuple[str, ...]
    attributes: _Attributes

    def value(self, name: str) -> str:
        """Of the first attribute called ``name``, "" where there is none."""
        return next(iter(self.values(name)), "")

    def values(self, name: str) -> list[str]:
        """Of every one."""
        return [value for key, value in self.attributes if key == name]


@dataclass(frozen=True, slots=True)
class BrowserOffer:
    """What a browser offers: ``remote`` as media sees it, and what its answer has to repeat."""

    remote: MediaDescription
    sections: tuple[_Section, ...]
    audio: int  # which of the sections it is

    def answer(self, local: MediaDescription, addresses: Sequence[str], version: int = 1) -> str:
        """Our answer: ICE-lite, passive DTLS, one codec (so that the browser never changes it) and telephone-event,
        a candidate for each of ``addresses``; every other section is refused. ``version`` rises with each answer."""
        assert isinstance(local.secure, Secrets)
        mid = self.sections[self.audio].value("mid")
        identity = int.from_bytes(local.secure.ufrag.encode()[:4], "big")
        lines = ["v=0", f"o=- {identity} {version} {_connection(addresses[0])}", "s=-", "t=0 0", "a=ice-lite"]
        lines += [f"a=group:BUNDLE {mid}"] if mid else []
        lines.append("a=msid-semantic: WMS ivr")
        for number, section in enumerate(self.sections):
            if number == self.audio:
                lines += _accepted(local, local.secure, mid, addresses)
            else:
                lines += [f"m={section.media} 0 {section.protocol} {' '.join(section.formats)}", "c=IN IP4 0.0.0.0"]
                lines += [f"a=mid:{section.value('mid')}"] if section.value("mid") else []
                lines.append("a=inactive")
        return "\r\n".join(lines) + "\r\n"


def read_offer(sdp: str) -> BrowserOffer:
    """A browser's offer of one audio stream. Its candidates do not matter: we answer whoever signs with our password.

    Raises ValueError for what is no such offer, NoCommonCodec for one without G.711 or G.722."""
    if len(sdp) > _LONGEST:
        raise ValueError("not a browser's offer: it is longer than any")
    session, sections = _parsed(sdp)
    audio = next((n for n, each in enumerate(sections) if each.media == "audio" and each.protocol in _SECURE), None)
    if audio is None:
        raise ValueError("not a browser's offer: no m=audio with UDP/TLS/RTP/SAVPF (DTLS-SRTP)")
    section = sections[audio]

    def value(name: str) -> str:
        return section.value(name) or dict(session).get(name, "")

    if not section.values("rtcp-mux"):
        raise ValueError('not an offer that we can take: it needs rtcp-mux (rtcpMuxPolicy: "require")')
    if value("setup") not in ("", "actpass", "active"):
        raise ValueError(f"not an offer that we can take: setup:{value('setup')[:16]}, and we are passive")
    if value("mid") and not _MID.fullmatch(value("mid")):
        raise ValueError("not a browser's offer: a=mid is no token")
    ufrag, password = value("ice-ufrag"), value("ice-pwd")
    if not _UFRAG.fullmatch(ufrag) or not _PASSWORD.fullmatch(password):
        raise ValueError("not a browser's offer: no ice-ufrag and ice-pwd in it")
    shown = section.values("fingerprint") or [each for name, each in session if name == "fingerprint"]
    digests = (_FINGERPRINT.fullmatch(each) for each in shown)  # there may be one for each hash
    fingerprint = next((found[1].upper() for found in digests if found), None)
    if fingerprint is None:
        raise ValueError("not an offer that we can take: no sha-256 fingerprint of a certificate")
    names = {name for name, _ in (*session, *section.attributes)}
    direction = next((each for each in Direction if each.value in names), Direction.SENDRECV)
    codecs, events = _formats(section)
    if not codecs:
        raise NoCommonCodec(
            "the browser offers neither PCMU nor PCMA", remedy="let the page offer them: every browser has both"
        )
    secure = Secrets(ufrag, password, fingerprint)
    # Where it is, ICE finds out: the address in its SDP is 0.0.0.0 or anything.
    return BrowserOffer(MediaDescription("", 0, codecs, events, direction, secure=secure), sections, audio)


def _parsed(sdp: str) -> tuple[_Attributes, tuple[_Section, ...]]:
    """The session's attributes, and the sections."""
    blocks: list[list[str]] = [[]]
    for line in sdp.splitlines():
        if line.startswith("m="):
            blocks.append([])
        blocks[-1].append(line.strip())
    return _attributes(blocks[0]), tuple(map(_section, blocks[1:]))


def _section(lines: Sequence[str]) -> _Section:
    found = _MEDIA.fullmatch(lines[0])
    if found is None:
        raise ValueError("not a browser's offer: an m= line makes no sense")
    return _Section(found[1], found[2], tuple(found[3].split()), _attributes(lines))


def _attributes(lines: Sequence[str]) -> _Attributes:
    pairs = (line[2:].partition(":") for line in lines if line.startswith("a="))
    return tuple((name, value) for name, _, value in pairs)


def _formats(section: _Section) -> tuple[tuple[Codec, ...], int | None]:
    """Its codecs that are ours, in its order, and the payload type of telephone-event/8000."""
    names = {number: name for name, number in ((codec.name, codec.payload_type) for codec in STATIC.values())}
    events = None
    for value in section.values("rtpmap"):
        found = _RTPMAP.fullmatch(value)
        if found is None or int(found[1]) > _HIGHEST_TYPE or found[3] != "8000":
            continue
        if found[2].lower() == "telephone-event":
            events = int(found[1]) if found[1] in section.formats else events
        else:
            names[int(found[1])] = found[2].upper()
    wanted = (int(each) for each in section.formats if each.isdecimal() and int(each) <= _HIGHEST_TYPE)
    return tuple(Codec(names[each], each) for each in wanted if names.get(each) in STATIC), events


def _accepted(local: MediaDescription, secure: Secrets, mid: str, addresses: Sequence[str]) -> list[str]:
    """The section that we take."""
    [codec], events = local.codecs, local.dtmf_payload_type
    formats = f"{codec.payload_type}" + ("" if events is None else f" {events}")
    lines = [f"m=audio {local.port} UDP/TLS/RTP/SAVPF {formats}", f"c={_connection(addresses[0])}"]
    lines += [f"a=mid:{mid}"] if mid else []
    lines += [f"a={local.direction}", "a=rtcp-mux", f"a=msid:{_MEDIA_STREAM}"]
    lines += [f"a=ice-ufrag:{secure.ufrag}", f"a=ice-pwd:{secure.password}"]
    lines += [f"a=fingerprint:sha-256 {secure.fingerprint}", "a=setup:passive"]
    lines += [f"a=rtpmap:{codec.payload_type} {codec.name}/8000", f"a=ptime:{local.ptime_ms}"]
    lines += [] if events is None else [f"a=rtpmap:{events} telephone-event/8000", f"a=fmtp:{events} 0-15"]
    for number, address in enumerate(addresses, 1):
        priority = _HOST << 24 | max(0, _LOCAL - number) << 8 | 255  # RFC 8445 section 5.1.2.1
        lines.append(f"a=candidate:{number} 1 udp {priority} {address} {local.port} typ host")
    return [*lines, "a=end-of-candidates"]


def _connection(address: str) -> str:
    return f"IN IP{6 if ':' in address else 4} {address}"
