"""TLS for SIP (RFC 3261 section 26.3.2, RFC 5922): contexts that are renewed while calls go on, and one connection's
handshake and records. No sockets, no clock: bytes in, bytes out.

On pyOpenSSL, not ``ssl``: a pin decides about a certificate that nobody signed in the midst of the handshake, and hosts
are judged, connections counted and handshakes limited before the first byte of one."""

from __future__ import annotations

import ipaddress
import weakref
from collections.abc import Callable, Iterable

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from OpenSSL import SSL, crypto

from ivr.config import TlsConfig
from ivr.errors import ConfigError
from ivr.sip.certificates import REMEDY, Expected, OwnCertificate, Pair, Shown, fingerprint, identities, usable
from ivr.sip.revocation import Revocations

MOST_HANDSHAKE = 128 * 1024  # bytes of the far end; a long chain has 20,000
_TAKEN = 65_536  # bytes at once
_EXPIRED, _REVOKED, _PURPOSE = 10, 23, 26  # X509_V_ERR_…
_FAULTS = {
    2: "its authority is not one that we believe",
    7: "its authority's signature does not hold",
    9: "it is not valid yet",
    _EXPIRED: "it has expired",
    18: "it signed itself, and nobody said that we believe it",
    19: "its authority is not one that we believe",
    20: "its authority is not one that we believe",
    21: "its authority is not one that we believe, or its chain is incomplete",
    _REVOKED: "it, or who signed it, is revoked",
    24: "its chain holds what may sign no certificates",
    _PURPOSE: "it is for another purpose",
}
NONE_REVOKED = Revocations()
_Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey | rsa.RSAPrivateKey


class TlsFailed(Exception):
    """A handshake or a connection that cannot go on, and why."""


class TlsContexts:
    """What new connections begin with; those that are up go on as they began. ``pins``: which certificates may connect
    whoever signed them."""

    def __init__(self, config: TlsConfig, pins: Callable[[], frozenset[str]] = frozenset) -> None:
        """Read the files. Raises ConfigError."""
        self._config, self._pins = config, pins
        self.renew()

    def renew(self) -> OwnCertificate:
        """Read the files again. Raises ConfigError, and then all is as it was."""
        pair = Pair.read(self._config)
        try:
            server, client = _context(pair, pair.client_ca), _context(pair, pair.ca)
            if not pair.ca:
                client.set_default_verify_paths()
        except (SSL.Error, crypto.Error, ValueError) as error:
            raise ConfigError(f"sip.tls: OpenSSL refuses it: {_said(error)}", remedy=REMEDY) from error
        self._server, self._client, self._believes = server, client, bool(pair.client_ca)
        self.own, self.revocations = pair.own, pair.revocations
        return self.own

    def arriving(self) -> TlsSession:
        """The session of a connection to us."""
        wanted, pins = self._config.require_client, self._pins()
        mode = SSL.VERIFY_NONE
        if wanted != "off" and (self._believes or pins):
            mode = SSL.VERIFY_PEER | (SSL.VERIFY_FAIL_IF_NO_PEER_CERT if wanted == "demand" else 0)
        session = TlsSession(self._server, mode, pins, revocations=self.revocations)
        session.accept()
        return session

    def leaving(self, name: str, expected: Expected) -> TlsSession:
        """The session of a connection of ours. ``name``: the domain that was asked for."""
        session = TlsSession(self._client, SSL.VERIFY_PEER, expected.pins, expected, self.revocations)
        session.connect(name)
        return session


def _context(pair: Pair, believed: Iterable[x509.Certificate]) -> SSL.Context:
    """TLS 1.2 and up, nothing resumed: every connection shows its certificate."""
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_TICKET | SSL.OP_CIPHER_SERVER_PREFERENCE)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    leaf, *others = pair.chain
    context.use_certificate(leaf)
    for each in others:
        context.add_extra_chain_cert(each)
    if not isinstance(pair.key, _Key):
        raise ValueError("the key is neither RSA nor of an elliptic curve")
    context.use_privatekey(pair.key)
    store = context.get_cert_store()
    assert store is not None
    for each in believed:
        store.add_cert(crypto.X509.from_cryptography(each))
    store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)  # a PBX's own certificate will do for an authority
    return context


class TlsSession:
    """The TLS of one connection. ``up`` once both ends have finished and the far end is who it must be; ``shown`` is
    what it is known by then. After every call ``outgoing`` has what the far end must get."""

    def __init__(
        self,
        context: SSL.Context,
        mode: int,
        pins: frozenset[str],
        expected: Expected | None = None,
        revocations: Revocations = NONE_REVOKED,
    ) -> None:
        self._ssl = SSL.Connection(context, None)
        self._ssl.set_verify(mode, _asking(weakref.ref(self)))
        self._pins, self._expected, self._revocations = pins, expected, revocations
        self._fault = 0  # the first that verification found and that a pin may outweigh
        self._refusal = ""
        self._taken = 0
        self.up = False
        self.shown = Shown()

    def accept(self) -> None:
        self._ssl.set_accept_state()

    def connect(self, name: str) -> None:
        """Begin the handshake. An address is no server name (RFC 6066 section 3)."""
        self._ssl.set_connect_state()
        try:
            ipaddress.ip_address(name)
        except ValueError:
            if name.isascii():
                self._ssl.set_tlsext_host_name(name.encode())
        self._shake()

    def receive(self, data: bytes) -> bytes:
        """Return what the far end says in ``data``. Raises TlsFailed, also once it said that it ends."""
        self._ssl.bio_write(data)
        if not self.up:
            self._taken += len(data)
            if self._taken > MOST_HANDSHAKE:
                raise TlsFailed("a handshake without end")
            self._shake()
        plain = bytearray()
        while self.up:
            try:
                plain += self._ssl.recv(_TAKEN)
            except SSL.WantReadError:
                break
            except SSL.ZeroReturnError:
                if not plain:
                    raise TlsFailed("closed") from None
                break
            except SSL.Error as error:
                raise TlsFailed(self._why(error)) from error
        return bytes(plain)

    def send(self, plain: bytes) -> None:
        """Raises TlsFailed."""
        try:
            self._ssl.sendall(plain)
        except SSL.Error as error:
            raise TlsFailed(self._why(error)) from error

    def outgoing(self) -> bytes:
        """What goes to the far end now."""
        flight = bytearray()
        while True:
            try:
                flight += self._ssl.bio_read(_TAKEN)
            except (SSL.WantReadError, SSL.Error):
                return bytes(flight)

    def close(self) -> None:
        """Say that nothing more comes (close_notify)."""
        try:
            self._ssl.shutdown()
        except SSL.Error:  # in the midst of a handshake, or broken
            return

    def revoked(self, revocations: Revocations) -> bool:
        """Whether the far end, which is up, would no longer get in."""
        certificate = self._ssl.get_peer_certificate(as_cryptography=True) if revocations.lists else None
        return certificate is not None and revocations.name(certificate)

    def _shake(self) -> None:
        """Raises TlsFailed."""
        try:
            self._ssl.do_handshake()
        except SSL.WantReadError:
            return
        except SSL.Error as error:
            raise TlsFailed(self._why(error)) from error
        self.shown = self._seen()
        if self._expected is not None and (wrong := _mismatch(self.shown, self._expected)):
            raise TlsFailed(wrong)
        self.up = True

    def _seen(self) -> Shown:
        certificate = self._ssl.get_peer_certificate(as_cryptography=True)
        if certificate is None:
            return Shown()
        try:
            names = identities(certificate)
        except ValueError as error:
            raise TlsFailed(f"its certificate cannot be read: {error}") from error
        return Shown(names, fingerprint(certificate), trusted=not self._fault)

    def verified(self, certificate: crypto.X509, error: int, depth: int, good: int) -> bool:
        """Whether OpenSSL may go on: it asks this of each certificate, the leaf (``depth`` 0) last."""
        if self._revocations.lists and self._revocations.name(certificate.to_cryptography()):
            self._refusal = f"its certificate is refused: {_FAULTS[_REVOKED]}"
            return False
        if not good and error == _PURPOSE and depth == 0 and usable(certificate.to_cryptography()):
            good = 1
        if not good and (not self._pins or error == _EXPIRED):
            self._refusal = f"its certificate is refused: {_FAULTS.get(error, f'OpenSSL error {error}')}"
            return False
        if not good:
            self._fault = self._fault or error
        if depth or not self._fault or fingerprint(certificate.to_cryptography()) in self._pins:
            return True
        why = "it is none that is pinned, and " if self._expected is None else "it is not the one that is pinned; "
        self._refusal = f"its certificate is refused: {why}{_FAULTS.get(self._fault, f'OpenSSL error {self._fault}')}"
        return False

    def _why(self, error: SSL.Error) -> str:
        return self._refusal or _said(error)


def _asking(session: weakref.ref[TlsSession]) -> Callable[[SSL.Connection, crypto.X509, int, int, int], bool]:
    """What OpenSSL asks about each certificate. pyOpenSSL keeps it in a circle, without the session."""

    def asked(_: SSL.Connection, certificate: crypto.X509, error: int, depth: int, good: int) -> bool:
        asking = session()
        return asking is not None and asking.verified(certificate, error, depth, good)

    return asked


def _mismatch(shown: Shown, expected: Expected) -> str:
    """Why a far end is not whom we wanted; "" where it is."""
    if shown.pin in expected.pins or (shown.trusted and shown.names & expected.names):
        return ""
    if not expected.names:
        return "its certificate is not the one that is pinned"
    wanted, named = " or ".join(sorted(expected.names)), ", ".join(sorted(shown.names)) or "nobody"
    return f"its certificate names {named}, not {wanted}"


def _said(error: Exception) -> str:
    """OpenSSL's last word on it."""
    stack = error.args[0] if error.args else ""
    if isinstance(stack, list) and stack:
        return str(stack[-1][-1])
    return str(error) or "the handshake broke off"
