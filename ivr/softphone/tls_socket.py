"""TLS socket of the softphone: pyVoIP, which knows UDP only, uses it like its own, and SIP goes by TLS (RFC 3261
section 26). On the standard library's ``ssl``: another stack than the line's.

Runs in the softphone's own process only."""

from __future__ import annotations

import argparse
import collections
import json
import re
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from cryptography import x509

from ivr.errors import ConfigError
from ivr.sip.certificates import fingerprint, identities

Address = tuple[str, int]

_PATIENCE_S = 5.0
_LENGTH = re.compile(rb"^(?:content-length|l)[ \t]*:[ \t]*(\d+)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class PhoneTls:
    """PEM files, "" for none. ``ca``: whom it believes, "" for whom this machine does; ``pin``: the SHA-256 of the one
    certificate that it believes instead. With ``certificate`` it is called by TLS, and shows it where it calls.
    ``secure``: sips: URIs."""

    ca: str = ""
    certificate: str = ""
    key: str = ""
    pin: str = ""
    secure: bool = False

    @classmethod
    def of(cls, text: str) -> PhoneTls:
        """What ``text`` says, which ``str`` wrote."""
        return cls(**json.loads(text))

    def __str__(self) -> str:
        return json.dumps(asdict(self))


def add_tls(parser: argparse.ArgumentParser) -> None:
    """Add the options of a phone that speaks TLS."""
    tls = parser.add_argument_group("SIP over TLS")
    tls.add_argument("--tls-certificate", type=Path, metavar="FILE", help="the phone's own, in PEM")
    tls.add_argument("--tls-key", type=Path, metavar="FILE", help="its key (default: in the same file)")
    tls.add_argument(
        "--tls-ca", type=Path, metavar="FILE", help="whose certificates are believed (default: this machine's)"
    )
    tls.add_argument("--tls-pin", default="", metavar="SHA256", help="the one certificate that is believed instead")


def tls_of(options: argparse.Namespace, *, secure: bool = False) -> PhoneTls:
    """Raises ConfigError for files that are not there, or no certificate."""
    certificate, key = options.tls_certificate, options.tls_key or options.tls_certificate
    pin = re.sub(r"[:\s]", "", options.tls_pin.lower())
    made = PhoneTls(str(options.tls_ca or ""), str(certificate or ""), str(key or ""), pin, secure)
    try:
        _context(made, server=False)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        files = ", ".join(filter(None, (made.ca, made.certificate, made.key)))
        raise ConfigError(f"{files}: {error.strerror if isinstance(error, OSError) else error}") from error
    return made


def _context(tls: PhoneTls, *, server: bool) -> ssl.SSLContext:
    if server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    else:
        context = ssl.create_default_context(cafile=tls.ca or None)
        context.check_hostname = False  # by the rules of RFC 5922, not the web's
        if tls.pin:
            context.verify_mode = ssl.CERT_NONE
    if tls.certificate:
        context.load_cert_chain(tls.certificate, tls.key)
    return context


class TlsSocket:
    """One message a ``recv``, as if it were a datagram. What goes out says TLS where pyVoIP wrote UDP."""

    def __init__(
        self,
        host: str,
        port: int,
        tls: PhoneTls,
        on_received: Callable[[bytes, float], None],
        on_sent: Callable[[bytes, float], None],
    ) -> None:
        self._tls = tls
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((host, port))
        if tls.certificate:
            self._listener.listen()
        self._open: dict[Address, ssl.SSLSocket] = {}
        self._begun: dict[Address, bytearray] = {}  # what came of messages that are not whole
        self._whole: collections.deque[tuple[bytes, Address]] = collections.deque()
        self._turn = threading.RLock()  # OpenSSL wants one thread at a time
        self._on_received, self._on_sent = on_received, on_sent
        self.source: Address = ("", 0)

    def recv(self, size: int) -> bytes:
        """Wait a little; then raise BlockingIOError, as pyVoIP expects."""
        if not self._whole:
            with self._turn:
                watched: list[socket.socket] = [*self._open.values()]
            if self._tls.certificate:
                watched.append(self._listener)
            if not watched:
                time.sleep(0.05)
                raise BlockingIOError
            try:
                ready = select.select(watched, [], [], 0.05)[0]
            except (OSError, ValueError) as closed:
                raise BlockingIOError from closed  # one of them went just now
            for each in ready:
                self._accept() if each is self._listener else self._read(each)
        if not self._whole:
            raise BlockingIOError
        data, self.source = self._whole.popleft()
        data = re.sub(rb"sips:", b"sip:", data)  # pyVoIP reads no other scheme
        self._on_received(data, time.monotonic())
        return data

    def sendto(self, data: bytes, address: Address) -> int:
        """Raises OSError where nobody is there, or somebody else."""
        with self._turn:
            there = self._open.get(address) or self._connect(address)
            said = self._said(data)
            there.settimeout(_PATIENCE_S)
            there.sendall(said)
            there.setblocking(False)
        self._on_sent(said, time.monotonic())
        return len(data)

    def setblocking(self, _: bool) -> None:
        """Do nothing: pyVoIP toggles this around its lock, but this socket always waits by itself."""

    def getsockname(self) -> Address:
        host, port = self._listener.getsockname()[:2]
        return str(host), int(port)

    def close(self) -> None:
        self._listener.close()
        with self._turn:
            for each in self._open.values():
                each.close()

    def _said(self, data: bytes) -> bytes:
        host, port = self.getsockname()
        text = data.replace(b"SIP/2.0/UDP", b"SIP/2.0/TLS")
        here = f"{host}:{port}>".encode()
        if self._tls.secure:
            return text.replace(b"sip:", b"sips:")
        return text.replace(here, here[:-1] + b";transport=tls>")

    def _connect(self, address: Address) -> ssl.SSLSocket:
        plain = socket.create_connection(address, _PATIENCE_S)
        try:
            there = _context(self._tls, server=False).wrap_socket(plain, server_hostname=address[0])
            shown = x509.load_der_x509_certificate(there.getpeercert(binary_form=True) or b"")
        except ssl.SSLCertVerificationError as error:
            raise OSError(f"the line's certificate is refused: {error.verify_message}") from error
        if self._tls.pin and fingerprint(shown) != self._tls.pin:
            raise OSError("the line's certificate is not the one that is pinned")
        if not self._tls.pin and address[0].lower() not in identities(shown):
            raise OSError(f"the line's certificate names {', '.join(sorted(identities(shown)))}, not {address[0]}")
        self._keep(there, address)
        return there

    def _keep(self, there: ssl.SSLSocket, address: Address) -> None:
        there.setblocking(False)
        self._open[address], self._begun[address] = there, bytearray()

    def _accept(self) -> None:
        plain, address = self._listener.accept()
        plain.settimeout(_PATIENCE_S)
        try:
            there = _context(self._tls, server=True).wrap_socket(plain, server_side=True)
        except OSError:
            plain.close()
            return
        with self._turn:
            self._keep(there, (str(address[0]), int(address[1])))

    def _read(self, there: socket.socket) -> None:
        with self._turn:
            address = next((a for a, each in self._open.items() if each is there), None)
            if address is None:
                return
            begun = self._begun[address]
            try:
                while data := there.recv(65536):
                    begun += data
                self._drop(address)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                pass
            except OSError:
                self._drop(address)
            while (message := _next(begun)) is not None:
                if message:
                    self._whole.append((message, address))
                elif address in self._open:
                    there.sendall(b"\r\n")  # a keep-alive (RFC 5626)

    def _drop(self, address: Address) -> None:
        self._open.pop(address).close()


def _next(begun: bytearray) -> bytes | None:
    """The next whole message, b"" for a keep-alive, None where nothing is whole."""
    if begun.startswith(b"\r\n\r\n"):
        del begun[:4]
        return b""
    head = begun.find(b"\r\n\r\n")
    if head < 0:
        return None
    found = _LENGTH.search(bytes(begun[: head + 2]))
    end = head + 4 + (int(found[1]) if found else 0)
    if len(begun) < end:
        return None
    message = bytes(begun[:end])
    del begun[:end]
    return message
