"""SDP (RFC 4566, RFC 3264) to and from the audio description that media knows. Codec choice belongs to media."""

from __future__ import annotations

import ipaddress
import secrets
from dataclasses import dataclass, replace

from aiosipua import Origin, SdpMessage, parse_sdp, serialize_sdp
from aiosipua.sdp import ConnectionData
from aiosipua.sdp import MediaDescription as Section

from ivr.media.description import Codec, Direction, MediaDescription
from ivr.sip.message import BadBody

MAX_SDP = 16_384
_TELEPHONE_EVENT = "telephone-event"
_DEFAULT_PTIME = 20


@dataclass(frozen=True, slots=True)
class Stream:
    """One m= line of an offer, kept so that the answer has the same ones in the same order."""

    media: str
    proto: str
    formats: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RemoteSession:
    """The far end's SDP: its usable audio, and the m= lines around it."""

    audio: MediaDescription
    streams: tuple[Stream, ...]
    chosen: int  # which of ``streams`` is the audio


def parse(text: str, known: tuple[str, ...] = ("PCMU", "PCMA", "G722")) -> RemoteSession:
    """Return the first plain RTP/AVP audio stream with a codec out of ``known``.

    Raises BadBody: 400 for what is no SDP, 488 for SDP we cannot serve (encrypted media only, no common
    codec, no audio, an address that is no IP literal).
    """
    if len(text) > MAX_SDP:
        raise BadBody(400, "SDP too large")
    try:
        session = parse_sdp(text)
    except (ValueError, IndexError) as error:
        raise BadBody(400, f"bad SDP: {error}") from error
    if not session.media or not text.lstrip().startswith("v="):
        raise BadBody(400 if not session.media else 488, "no media in the SDP")
    streams = tuple(Stream(m.media, m.proto, tuple(m.formats)) for m in session.media)
    fault = "no audio stream"
    for index, section in enumerate(session.media):
        if section.media != "audio" or section.port == 0:
            continue
        if section.proto.upper() != "RTP/AVP":
            fault = f"{section.proto[:20]} is not served, only RTP/AVP"
            continue
        try:
            return RemoteSession(_audio(session, section, known), streams, index)
        except BadBody as error:
            fault = str(error)
    raise BadBody(488, fault)


def _audio(session: SdpMessage, section: Section, known: tuple[str, ...]) -> MediaDescription:
    connection = section.connection or session.connection
    host = connection.address.partition("/")[0] if connection else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError as error:
        raise BadBody(488, "c= is not an IP address") from error
    if address.is_multicast or not 0 < section.port <= 65535:
        raise BadBody(488, "media address cannot be used")
    codecs: list[Codec] = []
    dtmf: int | None = None
    for codec in section.codecs:
        if codec.clock_rate != 8000 or not 0 <= codec.payload_type <= 127 or codec.channels not in (None, 1):
            continue
        name = codec.encoding_name.upper()
        if name == _TELEPHONE_EVENT.upper():
            dtmf = codec.payload_type if dtmf is None else dtmf
        elif name in known:
            codecs.append(Codec(name, codec.payload_type))
    if not codecs:
        raise BadBody(488, "no common codec")
    direction = _direction(session, section)
    if address.is_unspecified and direction is Direction.SENDRECV:
        direction = Direction.SENDONLY  # hold as RFC 2543 did it
    return MediaDescription(host, section.port, tuple(codecs), dtmf, direction, _ptime(section))


def _direction(session: SdpMessage, section: Section) -> Direction:
    for attributes in (section.attributes, session.attributes):
        for direction in Direction:
            if direction.value in attributes:
                return direction
    return Direction.SENDRECV


def _ptime(section: Section) -> int:
    value = next(iter(section.attributes.get("ptime", [])), "")
    return int(value) if value.isdecimal() and 10 <= int(value) <= 120 else _DEFAULT_PTIME


class LocalSession:
    """Our side's SDP over a dialog's life: one session id, the version rising only when something changed."""

    def __init__(self) -> None:
        self._id = secrets.randbits(62)
        self._version = self._id
        self._last = ""

    def offer(self, audio: MediaDescription) -> str:
        return self._stamped(audio, [_section(audio, "RTP/AVP")])

    def answer(self, audio: MediaDescription, offer: RemoteSession) -> str:
        """Put ``audio`` in the place of the offer's chosen stream and refuse every other stream with port 0."""
        sections = [
            _section(audio, stream.proto)
            if index == offer.chosen
            else Section(media=stream.media, port=0, proto=stream.proto, formats=list(stream.formats))
            for index, stream in enumerate(offer.streams)
        ]
        return self._stamped(audio, sections)

    def _stamped(self, audio: MediaDescription, sections: list[Section]) -> str:
        kind = "IP6" if ":" in audio.host else "IP4"

        def render(version: int) -> str:
            return serialize_sdp(
                SdpMessage(
                    origin=Origin("ivr", str(self._id), str(version), "IN", kind, audio.host),
                    session_name="-",
                    connection=ConnectionData("IN", kind, audio.host),
                    media=sections,
                )
            )

        content = render(0)
        if self._last and content != self._last:
            self._version += 1
        self._last = content
        return render(self._version)


def _section(audio: MediaDescription, proto: str) -> Section:
    formats = [str(codec.payload_type) for codec in audio.codecs]
    rtpmap = [f"{codec.payload_type} {codec.name}/8000" for codec in audio.codecs]
    attributes: dict[str, list[str]] = {"rtpmap": rtpmap}
    if audio.dtmf_payload_type is not None:
        formats.append(str(audio.dtmf_payload_type))
        rtpmap.append(f"{audio.dtmf_payload_type} {_TELEPHONE_EVENT}/8000")
        attributes["fmtp"] = [f"{audio.dtmf_payload_type} 0-15"]
    attributes["ptime"] = [str(audio.ptime_ms)]
    attributes[audio.direction.value] = []
    return Section(media="audio", port=audio.port, proto=proto, formats=formats, attributes=attributes)


def follow(local: MediaDescription, offer: MediaDescription, known: tuple[str, ...]) -> MediaDescription:
    """Answer a changed offer: the codec in use where it still stands, else our first choice; mirrored hold."""
    order = [local.codecs[0].name] if local.codecs else []
    order += [name for name in known if name not in order]
    chosen = next((c for name in order for c in offer.codecs if c.name == name), None)
    if chosen is None:
        raise BadBody(488, "no common codec")
    dtmf = offer.dtmf_payload_type if local.dtmf_payload_type is not None else None
    return replace(local, codecs=(chosen,), dtmf_payload_type=dtmf, direction=offer.direction.answer)
