"""SDP (RFC 4566): offer and answer over one dialog's life (RFC 3264, RFC 6337), to and from the audio description that
media knows. Codec choice belongs to media."""

from __future__ import annotations

import ipaddress
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from aiosipua import Origin, SdpMessage, parse_sdp, serialize_sdp
from aiosipua.sdp import ConnectionData
from aiosipua.sdp import MediaDescription as Section

from ivr.media.description import (
    Codec,
    Crypto,
    Direction,
    Dtls,
    Keying,
    MediaDescription,
    Sdes,
    SrtpPolicy,
    ip_version,
    is_concrete,
    is_host_name,
    literal,
)
from ivr.sip import keying
from ivr.sip.keying import UNPROTECTED, KeyAgreement, Protected
from ivr.sip.message import BadBody

MAX_SDP = 16_384
_TELEPHONE_EVENT = "telephone-event"
_DEFAULT_PTIME = 20
_PORT_COUNT = re.compile(r"(m=\S+\s+\d+)/\d*(?=\s)")  # "m=audio 4000/2": 4000 is the first
_RTPMAP = re.compile(r"a=rtpmap:\s*(\d+)\s+([^\s/]+)\s*/\s*(\d+)\s*(?:/\s*(\d+))?.*")
_BESIDE = ("a=rtpmap:", "a=fmtp:", "b=", "t=")  # lines of numbers, of which only a sound rtpmap says anything to us


# --- what both ends agreed to ------------------------------------------------------------------------------


class OfferAnswer:
    """``known`` are our codecs in order of preference. ``reachable(version, far)`` gives our address of an IP version,
    to put for a wildcard, and with ``translate`` for every other; ``far``: the host that the far end's audio is at, or
    "". ``version``: of IP, that our own offers are for. ``sip_host``: whom we signal with; ``srtp``: what is offered to
    them, and taken."""

    def __init__(
        self,
        known: tuple[str, ...],
        reachable: Callable[[int, str], str],
        translate: bool,
        sip_host: str = "",
        srtp: SrtpPolicy = "off",
        *,
        version: int = 4,
    ) -> None:
        self._known = known
        self._version_offered = version
        self._sip_host = sip_host
        self._reachable = reachable
        self._translate = translate
        self._keys = KeyAgreement(srtp)
        self._proto = ""  # of the audio in what we sent last
        self._id = self._version = secrets.randbits(62)  # the version rises only when something changes
        self._last = ""
        self._offer: RemoteSession | None = None  # the far end's, if it was the last to offer
        self._latest: MediaDescription | None = None  # the far end's last description, whole
        self.local: MediaDescription | None = None
        self.remote: MediaDescription | None = None
        self.text = ""  # what we sent last, to repeat unchanged in a refresh
        self.heard = ""  # what they sent last

    def kept(self) -> dict[str, Any]:
        """What another process goes on with, beside both texts: ours, and what was ``heard``."""
        return {
            "id": self._id,
            "version": self._version,
            "offered": self._offer is not None,
            "host": self._sip_host,
            "srtp": self._keys.policy,
            "insisting": self._keys.insisting,
        }

    def go_on(self, kept: Mapping[str, Any]) -> None:
        """What another process had agreed on: the next offer is a change of it (RFC 3264 section 8). Raises BadBody."""
        self._id, self._version, self._last = int(kept["id"]), int(kept["version"]), str(kept["ours"])
        self._keys.insisting = bool(kept["insisting"])
        if kept["theirs"]:
            heard = self._parsed(str(kept["theirs"]))
            self._offer = heard if kept["offered"] else None
            secure = self._keys.answering(heard.protected, None)  # the keys themselves are media's to know
            self._latest = self.remote = replace(heard.audio, secure=secure)
            self.heard = str(kept["theirs"])
            if isinstance(secure, Dtls):
                told = self._parsed(self._last)
                self.local = replace(told.audio, secure=self._keys.named(told.protected.dtls, secure))

    def take_offer(self, text: str) -> None:
        """Take the first offer. Raises BadBody."""
        self._offer, self.heard = self._parsed(text), text
        secure = self._keys.answering(self._offer.protected, None)
        self._latest = self.remote = replace(self._offer.audio, secure=secure)

    def describe(self, local: MediaDescription) -> str:
        """Return our first SDP: the answer to their offer with what media made of it, else an offer of ours."""
        if self._offer is not None and self._offer.audio.direction is not Direction.SENDRECV:
            local = replace(local, direction=self._offer.audio.direction.answer)
        return self._write(self._placed(local), () if self._offer is not None else self._keys.offer())

    def insist(self) -> str:
        """Offer the same again, as nothing but SRTP: for phones that take no best effort."""
        if self.local is None:
            raise RuntimeError("nothing was offered yet")
        self._keys.insisting = True
        return self._write(self.local, self._keys.offered)

    @property
    def may_insist(self) -> bool:
        """Whether keys were offered as a best effort (RFC 8643)."""
        return bool(self._keys.offered) and not self._keys.insisting

    def offer_again(self) -> str:
        """Offer what we have, not on hold, in answer to an offer-less re-INVITE."""
        if self.local is None:
            raise RuntimeError("nothing was agreed yet")
        return self._write(replace(self.local, direction=Direction.SENDRECV))

    def offer_anew(self, local: MediaDescription) -> str:
        """Offer ``local`` in place of what we had: its address has changed, or its certificate, and then either end may
        begin the handshake."""
        before = self.local.secure if self.local is not None else None
        if isinstance(local.secure, Dtls) and not (
            isinstance(before, Dtls) and before.fingerprint == local.secure.fingerprint
        ):
            local = replace(local, secure=replace(local.secure, setup="actpass"))
        return self._write(self._placed(local))

    def take_answer(self, text: str) -> MediaDescription:
        """Take the far end's answer to our offer. Raises BadBody."""
        answer, ours = self._parsed(text), self.local.secure if self.local is not None else None
        self._check_version(answer.audio)
        secure = self._keys.answered(answer.protected, self._proto, ours)
        self._latest = self.remote = replace(answer.audio, secure=secure)
        self.heard = text
        if self.local is not None and not isinstance(secure, Dtls):
            self.local = replace(self.local, secure=secure)
        return self.remote

    def reanswer(self, text: str, sip_host: str = "") -> tuple[str, MediaDescription | None]:
        """Answer a later offer, which came from ``sip_host``, by ourselves; return our SDP, and the far end's
        description if it changed.

        Raises BadBody, leaving everything as it was (RFC 3261 section 14.2)."""
        if self.local is None:
            raise RuntimeError("nothing was agreed yet")
        offer = self._parsed(text, sip_host)
        self._check_version(offer.audio)
        before = self._latest.secure if self._latest is not None else None
        theirs = replace(offer.audio, secure=self._keys.answering(offer.protected, before))
        local = follow(self.local, theirs, self._known, before)
        self._sip_host = sip_host or self._sip_host
        changed = theirs != self._latest
        self._offer, self._latest, self.heard = offer, theirs, text
        # Media must choose the codec that was answered, so it is shown no other.
        self.remote = replace(theirs, codecs=local.codecs, dtmf_payload_type=local.dtmf_payload_type)
        return self._write(local), self.remote if changed else None

    def take_later_answer(self, text: str) -> MediaDescription | None:
        """Take an answer to an offer made in mid-call; return what changed for media, if anything. Raises BadBody."""
        before = self.remote
        after = self.take_answer(text)
        if before is None:
            return None  # the first answer, which nobody heard of yet
        same_codec = after.codecs[0] in before.codecs
        return None if same_codec and replace(after, codecs=before.codecs) == before else after

    def _parsed(self, text: str, sip_host: str = "") -> RemoteSession:
        session = parse(text, self._known, self._keys.policy)
        sip_host = sip_host or self._sip_host
        host = session.audio.host
        if "%" in sip_host and "%" not in host and literal(host) and ipaddress.ip_address(host).is_link_local:
            host += sip_host[sip_host.index("%") :]  # it means the link that its SIP came by
        return replace(session, audio=replace(session.audio, host=host, sip_host=sip_host))

    def _check_version(self, theirs: MediaDescription) -> None:
        """Raise BadBody for audio of another IP version than ours: it is one for a call's life."""
        if self.local is None or not is_concrete(theirs.host):
            return
        if ip_version(theirs.host) != ip_version(self.local.host):
            raise BadBody(488, f"this call's audio is IPv{ip_version(self.local.host)}")

    def _placed(self, local: MediaDescription) -> MediaDescription:
        """``local`` as the far end reaches it. An offer goes by whom it is for, whatever media knows first."""
        version = ip_version(local.host) if self.remote is not None else self._version_offered
        if not self._translate and version == ip_version(local.host) and is_concrete(local.host):
            return local
        far = self.remote.host if self.remote is not None else ""
        return replace(local, host=self._reachable(version, far))

    def _write(self, local: MediaDescription, keys: tuple[Crypto, ...] = ()) -> str:
        """Put ``local`` in the place of the offer's chosen stream and refuse every other stream with port 0; without an
        offer it stands alone. ``keys``: to choose from, while none is agreed on."""
        theirs = self._latest.secure if self._latest is not None else None
        self.local = local = replace(local, secure=self._keys.named(local.secure, theirs))
        self._keys.offered = (local.secure.ours,) if isinstance(local.secure, Sdes) else keys
        self._proto = self._keys.proto if self._offer is None else self._offer.streams[self._offer.chosen].proto
        sections = [_section(local, self._proto, keys)]
        if self._offer is not None:
            sections = [
                _section(local, stream.proto, keys)
                if index == self._offer.chosen
                else Section(media=stream.media, port=0, proto=stream.proto, formats=list(stream.formats))
                for index, stream in enumerate(self._offer.streams)
            ]
        kind = "IP6" if ":" in local.host else "IP4"
        session = SdpMessage(
            origin=Origin("ivr", str(self._id), "0", "IN", kind, local.host),
            session_name="-",
            connection=ConnectionData("IN", kind, local.host),
            media=sections,
        )
        content = serialize_sdp(session)
        if self._last and content != self._last:
            self._version += 1
        self._last = content
        session.origin.session_version = str(self._version)
        self.text = serialize_sdp(session)
        return self.text


def follow(
    local: MediaDescription, offer: MediaDescription, known: tuple[str, ...], before: Keying | None = None
) -> MediaDescription:
    """Answer a changed offer: the codec in use where it still stands, else our first choice; mirrored hold; the keys
    that the offer was given. ``before``: the far end's keying until now. Raises BadBody(488)."""
    order = [*(codec.name for codec in local.codecs[:1]), *known]
    chosen = next((c for name in order for c in offer.codecs if c.name == name), None)
    if chosen is None:
        raise BadBody(488, "no common codec")
    dtmf = offer.dtmf_payload_type if local.dtmf_payload_type is not None else None
    secure = offer.secure
    if isinstance(secure, Dtls):
        secure = keying.dtls_answer(local.secure, secure, before)
    return replace(local, codecs=(chosen,), dtmf_payload_type=dtmf, direction=offer.direction.answer, secure=secure)


def _section(audio: MediaDescription, proto: str, keys: tuple[Crypto, ...]) -> Section:
    formats = [str(codec.payload_type) for codec in audio.codecs]
    rtpmap = [f"{codec.payload_type} {codec.name}/8000" for codec in audio.codecs]
    attributes: dict[str, list[str]] = {"rtpmap": rtpmap}
    if audio.dtmf_payload_type is not None:
        formats.append(str(audio.dtmf_payload_type))
        rtpmap.append(f"{audio.dtmf_payload_type} {_TELEPHONE_EVENT}/8000")
        attributes["fmtp"] = [f"{audio.dtmf_payload_type} 0-15"]
    attributes |= keying.attributes(audio.secure, keys)
    attributes["ptime"] = [str(audio.ptime_ms)]
    attributes[audio.direction.value] = []
    return Section(media="audio", port=audio.port, proto=proto, formats=formats, attributes=attributes)


# --- the far end's SDP -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RemoteSession:
    """The far end's SDP: its usable audio, and the m= lines around it, which an answer repeats in their order."""

    audio: MediaDescription
    streams: tuple[Section, ...]
    chosen: int  # which of ``streams`` is the audio
    protected: Protected = UNPROTECTED


def parse(text: str, known: tuple[str, ...], srtp: SrtpPolicy = "off") -> RemoteSession:
    """Return the best protected audio stream, of several the first, with a codec out of ``known``; its host may be a
    name. ``srtp``: which are taken.

    Raises BadBody: 400 for what is no SDP, 488 for SDP we cannot serve (protected otherwise than we may, no common
    codec, no audio, no usable address)."""
    if len(text) > MAX_SDP:
        raise BadBody(400, "SDP too large")
    try:
        session = parse_sdp("\n".join(_legible(line.strip()) for line in text.splitlines()))
    except (ValueError, IndexError) as error:
        raise BadBody(400, f"bad SDP: {error}") from error
    if not session.media or not text.lstrip().startswith("v="):
        raise BadBody(400 if not session.media else 488, "no media in the SDP")
    fault, found = "no audio stream", list[RemoteSession]()
    for index, section in enumerate(session.media):
        if section.media != "audio" or section.port == 0:
            continue
        try:
            protected = keying.read(section.proto, section.attributes, session.attributes, srtp)
            found.append(RemoteSession(_audio(session, section, known), tuple(session.media), index, protected))
        except BadBody as error:
            fault = str(error)
    if not found:
        raise BadBody(488, fault)
    return max(found, key=lambda remote: remote.protected.rank)


def _legible(line: str) -> str:
    """``line`` as the parser wants it, "" where a fault in it need not concern us."""
    if line.startswith("m="):
        return _PORT_COUNT.sub(r"\1", line)
    if line.startswith("c=") and len(line[2:].split()) != 3:
        return "c=IN IP4 -"  # the parser would make a hold of it
    if not line.startswith(_BESIDE):
        return line
    rtpmap = _RTPMAP.fullmatch(line)
    return f"a=rtpmap:{'/'.join(filter(None, (f'{rtpmap[1]} {rtpmap[2]}', *rtpmap.groups()[2:])))}" if rtpmap else ""


def _audio(session: SdpMessage, section: Section, known: tuple[str, ...]) -> MediaDescription:
    connection = section.connection or session.connection
    host = connection.address.partition("/")[0] if connection else ""
    address: ipaddress.IPv4Address | ipaddress.IPv6Address | None = None
    try:
        address = ipaddress.ip_address(host)
    except ValueError as error:
        if not is_host_name(host):
            raise BadBody(488, "c= is neither an IP address nor a host name") from error
    if (address is not None and address.is_multicast) or not 0 < section.port <= 65535:
        raise BadBody(488, "media address cannot be used")
    codecs: list[Codec] = []
    dtmf: int | None = None
    for codec in section.codecs:
        name = codec.encoding_name.upper()
        # G.722 samples at 16 kHz, and some write that; its RTP clock is 8 kHz by an old error (RFC 3551 section 4.5.2).
        clocks = (8000, 16000) if name == "G722" else (8000,)
        if codec.clock_rate not in clocks or not 0 <= codec.payload_type <= 127 or codec.channels not in (None, 1):
            continue
        if name == _TELEPHONE_EVENT.upper():
            dtmf = codec.payload_type if dtmf is None else dtmf
        elif name in known:
            codecs.append(Codec(name, codec.payload_type))
    if not codecs:
        raise BadBody(488, "no common codec")
    both = (section.attributes, session.attributes)
    direction = next((d for attributes in both for d in Direction if d.value in attributes), Direction.SENDRECV)
    if address is not None and address.is_unspecified and direction is Direction.SENDRECV:
        direction = Direction.SENDONLY  # hold as RFC 2543 did it
    ptime = next(iter(section.attributes.get("ptime", [])), "").strip()
    ptime_ms = int(ptime) if ptime.isdecimal() and 10 <= int(ptime) <= 120 else _DEFAULT_PTIME
    return MediaDescription(host, section.port, tuple(codecs), dtmf, direction, ptime_ms)
