"""A browser's end of a leg, without a browser: its offer, its checks, its handshake, its SRTP. No socket, no clock.

Written against the RFCs with pyOpenSSL as the *client*; what real ones do differently, ``tests/web`` finds out."""

from __future__ import annotations

import re
import secrets
from contextlib import suppress
from datetime import UTC, datetime

from OpenSSL import SSL
from pylibsrtp import Error as SrtpError
from pylibsrtp import Policy
from pylibsrtp import Session as SrtpSession

from ivr.media.process import ice
from ivr.media.process.dtls_srtp import Identity
from ivr.media.process.rtp import Packet, build

_SIZES = {
    b"SRTP_AEAD_AES_128_GCM": (Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 16, 12),
    b"SRTP_AES128_CM_SHA1_80": (Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 16, 14),
}

OFFER = """v=0
o=- 4611731400430051336 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
a=extmap-allow-mixed
a=msid-semantic: WMS stream
m=audio 9 UDP/TLS/RTP/SAVPF {formats}
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=candidate:1 1 udp 2113937151 0b1cd1c0-5b2d-4b0b-9b0e-0f3c0b9b0a11.local 51111 typ host generation 0
a=ice-ufrag:{ufrag}
a=ice-pwd:{password}
a=ice-options:trickle
a=fingerprint:sha-1 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33
a=fingerprint:sha-256 {fingerprint}
a=setup:actpass
a=mid:0
a=sendrecv
a=msid:stream track
a=rtcp-mux
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:111 opus/48000/2
a=rtpmap:126 telephone-event/8000
a=ssrc:12345 cname:x
"""


class BrowserPeer:
    """``identity``: another than its own makes its offer lie about its certificate; ``profiles``: of SRTP."""

    def __init__(
        self,
        identity: Identity | None = None,
        *,
        formats: str = "0 8 111 126",
        profiles: bytes = b"SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80",
    ) -> None:
        own = Identity.made(datetime.now(UTC))
        self.fingerprint = (identity or own).fingerprint
        self.ufrag, self.password = secrets.token_hex(4), secrets.token_hex(12)
        self.formats = formats
        own.context.set_tlsext_use_srtp(profiles)
        self._connection = SSL.Connection(own.context, None)
        self._connection.set_connect_state()
        self._connection.set_ciphertext_mtu(1200)
        self._in: SrtpSession | None = None
        self._out: SrtpSession | None = None
        self.their_ufrag = self.their_password = self.their_fingerprint = ""
        self.candidates: list[tuple[str, int]] = []
        self.up = False
        self.ended = False  # close_notify has come
        self.ssrc = secrets.randbits(32)
        self.sequence = secrets.randbits(16)
        self.timestamp = secrets.randbits(32)

    def offer(self) -> str:
        text = OFFER.format(
            formats=self.formats, ufrag=self.ufrag, password=self.password, fingerprint=self.fingerprint
        )
        return text.replace("\n", "\r\n")

    def answered(self, sdp: str) -> None:
        def of(pattern: str) -> str:
            found = re.search(pattern, sdp, re.MULTILINE)
            assert found is not None, pattern
            return found[1].strip()

        self.their_ufrag, self.their_password = of(r"^a=ice-ufrag:(.*)$"), of(r"^a=ice-pwd:(.*)$")
        self.their_fingerprint = of(r"^a=fingerprint:sha-256 (.*)$")
        found = re.findall(r"^a=candidate:\d+ 1 udp \d+ (\S+) (\d+) typ host", sdp, re.MULTILINE)
        self.candidates = [(host, int(port)) for host, port in found]

    def check(self, *, nominate: bool = True, password: str = "") -> bytes:
        """A connectivity check; ``password``: another than the right one."""
        attributes = [
            (ice.USERNAME, f"{self.their_ufrag}:{self.ufrag}".encode()),
            (0x0024, b"\x6e\x00\x01\xff"),
            (0x802A, secrets.token_bytes(8)),
        ]
        if nominate:
            attributes.append((ice.USE_CANDIDATE, b""))
        return ice.build(ice.REQUEST, secrets.token_bytes(12), attributes, (password or self.their_password).encode())

    def dtls(self, datagram: bytes = b"") -> list[bytes]:
        """Take a DTLS datagram (none: begin); what goes back, datagram by datagram."""
        connection = self._connection
        if datagram:
            connection.bio_write(datagram)
        try:
            if not self.up:
                connection.do_handshake()
                self._keys()
            connection.recv(4096)
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.ended = True
        return self._written()

    def repeat(self) -> list[bytes]:
        """What its own timer (real time) sends again."""
        connection = self._connection
        connection.DTLSv1_handle_timeout()
        return self._written()

    def end(self) -> list[bytes]:
        """close_notify, as of a page that leaves."""
        with suppress(SSL.Error):
            self._connection.shutdown()
        return self._written()

    def rtp(self, payload: bytes, *, kind: int = 0, samples: int = 160) -> bytes:
        """The next packet, protected."""
        assert self._out is not None
        self.sequence = (self.sequence + 1) & 0xFFFF
        packet = build(Packet(kind, False, self.sequence, self.timestamp & 0xFFFFFFFF, self.ssrc, payload))
        self.timestamp += samples
        return self._out.protect(packet)

    def rtcp(self, compound: bytes) -> bytes:
        assert self._out is not None
        return self._out.protect_rtcp(compound)

    def clear(self, packet: bytes) -> bytes | None:
        """RTP or RTCP of ours in the clear; None where it is not authentic."""
        assert self._in is not None
        try:
            return self._in.unprotect_rtcp(packet) if 192 <= packet[1] <= 223 else self._in.unprotect(packet)
        except SrtpError:
            return None

    def _keys(self) -> None:
        certificate = self._connection.get_peer_certificate()
        assert certificate is not None
        assert certificate.digest("sha256").decode() == self.their_fingerprint
        number, key, salt = _SIZES[self._connection.get_selected_srtp_profile()]
        made = self._connection.export_keying_material(b"EXTRACTOR-dtls_srtp", 2 * (key + salt))
        mine = made[:key] + made[2 * key : 2 * key + salt]
        theirs = made[key : 2 * key] + made[2 * key + salt :]
        self._out = SrtpSession(Policy(mine, Policy.SSRC_ANY_OUTBOUND, srtp_profile=number))
        self._in = SrtpSession(Policy(theirs, Policy.SSRC_ANY_INBOUND, srtp_profile=number))
        self.up = True

    def _written(self) -> list[bytes]:
        try:
            data = self._connection.bio_read(1 << 16)
        except SSL.Error:
            return []
        records = []
        while data:
            size = 13 + int.from_bytes(data[11:13], "big")
            records.append(data[:size])
            data = data[size:]
        return records
