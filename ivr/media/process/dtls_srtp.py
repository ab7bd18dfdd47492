"""DTLS-SRTP (RFC 5764): a certificate, a handshake, and with its keys the SRTP of one far end's media. No socket; times
are passed in, but for the certificate's."""

from __future__ import annotations

import hmac
from base64 import b64encode
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

from ivr.media.description import DIGESTS, SUITES, Crypto, Sdes
from ivr.media.process.srtp import Srtp

State: TypeAlias = Literal["new", "up", "closed", "failed"]

_DTLS_1_2 = 0xFEFD
_MTU = 1200  # bytes of UDP payload, which every path carries
_RECORD_HEAD = 13
_LIFE = timedelta(days=30)
_RENEWED = timedelta(days=7)  # before the end: longer than any page stays connected
_FIRST_REPEAT_S, _LONGEST_REPEAT_S = 0.4, 3.2
# AES-GCM first (RFC 7714): half the cost of AES-CM with SHA-1 where the processor knows AES. Browsers take both.
_SUITES = {b"SRTP_AEAD_AES_128_GCM": "AEAD_AES_128_GCM", b"SRTP_AES128_CM_SHA1_80": "AES_CM_128_HMAC_SHA1_80"}


class Identity:
    """A self-signed certificate (ECDSA P-256), and its key. Its fingerprint in the SDP vouches for it."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self._key, self._certificate = key, certificate
        self.ends = certificate.not_valid_after_utc
        self.fingerprint = certificate.fingerprint(hashes.SHA256()).hex(":").upper()
        context = SSL.Context(SSL.DTLS_METHOD)
        context.set_min_proto_version(_DTLS_1_2)
        context.set_max_proto_version(_DTLS_1_2)
        context.use_certificate(certificate)
        context.use_privatekey(key)
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
        context.set_cipher_list(b"ECDHE+AESGCM:ECDHE+CHACHA20")
        context.set_tlsext_use_srtp(b":".join(_SUITES))
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_options(SSL.OP_NO_QUERY_MTU | SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION)
        self.context = context

    @classmethod
    def made(cls, now: datetime) -> Identity:
        """A new one, good from now on."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ivr")])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))  # clocks differ
            .not_valid_after(now + _LIFE)
            .sign(key, hashes.SHA256())
        )
        return cls(key, certificate)

    @classmethod
    def read(cls, pem: str) -> Identity:
        """Another process's. Raises ValueError."""
        key = serialization.load_pem_private_key(pem.encode(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError("no ECDSA key")
        return cls(key, x509.load_pem_x509_certificate(pem.encode()))

    @property
    def pem(self) -> str:
        """Certificate and private key, for the process that follows this one."""
        pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        secret = self._key.private_bytes(pem, form, serialization.NoEncryption())
        return (self._certificate.public_bytes(pem) + secret).decode()


class Identities:
    """The identity of a process, made anew before it ends: a process may live for longer."""

    def __init__(self) -> None:
        self._identity: Identity | None = None

    def current(self, now: datetime | None = None) -> Identity:
        """The one for a new association."""
        now = now or datetime.now(UTC)
        if self._identity is None or now > self._identity.ends - _RENEWED:
            self._identity = Identity.made(now)
        return self._identity


class Association:
    """With one peer, whose certificate has ``their_fingerprint`` by ``algorithm``. ``out``: datagrams to be sent, after
    every call. ``active``: we begin, at the first ``watch``. Implements ``srtp.Protection``.

    "new" until keys are agreed on; "closed" by the peer's close_notify; "failed", and ``why``."""

    def __init__(
        self, identity: Identity, their_fingerprint: str, *, active: bool = False, algorithm: str = "sha-256"
    ) -> None:
        self.state: State = "new"
        self.why = ""
        self.out: list[bytes] = []
        self.fingerprint = identity.fingerprint
        self.their_fingerprint = their_fingerprint
        self.active = active
        self._digest = DIGESTS[algorithm][0]
        self._connection = SSL.Connection(identity.context, None)
        if active:
            self._connection.set_connect_state()
        else:
            self._connection.set_accept_state()
        self._connection.set_ciphertext_mtu(_MTU)
        self._srtp: Srtp | None = None
        self.keys: Sdes | None = None  # that were agreed on
        self._flight: list[bytes] = []  # the last one of the handshake, until the peer's next has come
        self._repeat_at = 0.0
        self._repeat_s = _FIRST_REPEAT_S

    @property
    def up(self) -> bool:
        """Keys are agreed on, and nobody has closed."""
        return self.state == "up"

    @property
    def suite(self) -> str:
        """ "" until keys are agreed on."""
        return "" if self._srtp is None else self._srtp.suite

    @property
    def refused(self) -> int:
        """Packets that were not opened; not those that came before there were keys."""
        return 0 if self._srtp is None else self._srtp.refused

    def receive(self, datagram: bytes, now: float) -> None:
        """A DTLS datagram of the peer's address; whether it really is the peer's, its records prove."""
        if self.state not in ("new", "up"):
            return
        self._connection.bio_write(datagram)
        self._go_on(now)

    def _go_on(self, now: float) -> None:
        connection = self._connection
        try:
            if self.state == "new":
                connection.do_handshake()
                self._agree()
            while True:  # nobody has anything to say here but that it is over
                connection.recv(4096)
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.state = "closed"
        except SSL.Error as error:
            if self.state == "new":  # later, whatever isn't authentic must not end a call
                self._fail(f"DTLS: {_reason(error)}")
        if flight := self._written():
            self.out.extend(flight)
            self._flight = flight
            self._repeat_s = _FIRST_REPEAT_S
            self._repeat_at = now + self._repeat_s

    def watch(self, now: float) -> None:
        """Begin, where that is ours to do. Repeat a flight that got no answer (RFC 6347 section 4.2.4): as it was,
        whoever got it sees a replay; but the active end's as new records, by OpenSSL's clock, since a passive one that
        is up already repeats its own last flight only for those."""
        if self.active and self.state == "new":
            if not self._flight:
                self._go_on(now)
            elif self._timed_out():
                self.out.extend(self._written())
        elif self.state == "new" and self._flight and now >= self._repeat_at:
            self.out.extend(self._flight)
            self._repeat_s = min(2 * self._repeat_s, _LONGEST_REPEAT_S)
            self._repeat_at = now + self._repeat_s

    def _timed_out(self) -> bool:
        try:
            return bool(self._connection.DTLSv1_handle_timeout())
        except SSL.Error as error:  # it has tried often enough
            self._fail(f"DTLS: {_reason(error)}")
            return False

    def abandon(self, why: str) -> None:
        """Nobody comes any more."""
        self._fail(why)

    def close(self) -> None:
        """Say close_notify: a browser's connection then fails at once, not after a time-out of its own."""
        if self.state == "up":
            with suppress(SSL.Error):
                self._connection.shutdown()
            self.out.extend(self._written())
        self.state = "closed"

    def seal(self, packet: bytes) -> bytes:
        """An RTP packet, protected. Raises OSError: there are no keys, or the packet was sent already."""
        return self._sealing().seal(packet)

    def seal_rtcp(self, packet: bytes) -> bytes:
        """An RTCP compound, protected. Raises OSError, likewise."""
        return self._sealing().seal_rtcp(packet)

    def open(self, packet: bytes) -> bytes | None:
        """An RTP packet in the clear; None: forged, replayed, or not for us."""
        return None if self._srtp is None else self._srtp.open(packet)

    def open_rtcp(self, packet: bytes) -> bytes | None:
        """An RTCP compound, likewise."""
        return None if self._srtp is None else self._srtp.open_rtcp(packet)

    def rollovers(self, ssrc: int, first: int, latest: int) -> int:
        """Of the far end's stream; see ``Srtp``."""
        return 0 if self._srtp is None else self._srtp.rollovers(ssrc, first, latest)

    def _sealing(self) -> Srtp:
        if self._srtp is None or self.state != "up":
            raise OSError("no keys")
        return self._srtp

    def _agree(self) -> None:
        certificate = self._connection.get_peer_certificate()
        found = certificate.digest(self._digest).decode() if certificate is not None else ""
        if not hmac.compare_digest(found, self.their_fingerprint):
            self._fail("the certificate of the far end is not the one that its SDP named")
            return
        profile = self._connection.get_selected_srtp_profile()
        suite = _SUITES.get(profile)
        if suite is None:
            self._fail("no common SRTP profile")
            return
        key, salt = SUITES[suite]
        made = self._connection.export_keying_material(b"EXTRACTOR-dtls_srtp", 2 * (key + salt))
        client = made[:key] + made[2 * key : 2 * key + salt]  # its keys come first (RFC 5764 section 4.2)
        server = made[key : 2 * key] + made[2 * key + salt :]
        ours, theirs = (client, server) if self.active else (server, client)
        self.keys = Sdes(*(Crypto(1, suite, b64encode(each).decode()) for each in (theirs, ours)))
        self._srtp = Srtp.of(self.keys, by="DTLS ")
        self.state = "up"

    def _written(self) -> list[bytes]:
        """What OpenSSL wants sent. A memory BIO forgets where datagrams end: cut between records."""
        packets: list[bytes] = []
        try:
            data = self._connection.bio_read(1 << 16)
        except SSL.Error:
            return packets
        while data:
            size = _RECORD_HEAD + int.from_bytes(data[11:13], "big")
            if packets and len(packets[-1]) + size <= _MTU:
                packets[-1] += data[:size]
            else:
                packets.append(data[:size])
            data = data[size:]
        return packets

    def _fail(self, why: str) -> None:
        self.state, self.why = "failed", why


def _reason(error: SSL.Error) -> str:
    """OpenSSL's last word on it."""
    queue = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return str(queue[-1][-1]) if queue else (str(error) or type(error).__name__)
