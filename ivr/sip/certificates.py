"""Certificates for SIP over TLS: whom one speaks for (RFC 5922), our own pair as it was read, and how long it lasts."""

from __future__ import annotations

import contextlib
import ipaddress
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID

from ivr.errors import ConfigError
from ivr.sip.revocation import Revocations

if TYPE_CHECKING:  # a softphone's process looks at certificates, and reads no configuration
    from ivr.config import TlsConfig

SIP_DOMAIN = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.20")  # id-kp-sipDomain (RFC 5924)
_USES = frozenset(
    {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
    | {SIP_DOMAIN}
)
REMEDY = "mend [sip.tls]; `ivr doctor` says what it sees"


@dataclass(frozen=True, slots=True)
class Shown:
    """What a far end showed of itself in its handshake, checked: ``names`` are domains, ``pin`` the certificate's
    SHA-256 in hexadecimal, "" where it showed none. ``trusted``: an authority that we believe signed it."""

    names: frozenset[str] = frozenset()
    pin: str = ""
    trusted: bool = False


@dataclass(frozen=True, slots=True)
class Expected:
    """Whom a far end that we connect to must be: one of ``names``, by a certificate of an authority that we believe, or
    the owner of one of the ``pins``, whoever signed it."""

    names: frozenset[str] = frozenset()
    pins: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class OwnCertificate:
    """Ours, as it was read from its files."""

    names: tuple[str, ...]
    ends: datetime
    pin: str


def fingerprint(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(hashes.SHA256()).hex()


def identities(certificate: x509.Certificate) -> frozenset[str]:
    """The domains that it speaks for (section 7.1): its sip: URIs without a user; only without any its DNS names and
    addresses; its common name only where it has no alternative names at all. Raises ValueError for what is no
    certificate of RFC 5280."""
    try:
        names = certificate.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
    except x509.ExtensionNotFound:
        common = (str(each.value) for each in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME))
        return frozenset(_domains(common))
    assert isinstance(names, x509.SubjectAlternativeName)
    uris = [uri[4:] for uri in names.get_values_for_type(x509.UniformResourceIdentifier) if uri[:4].lower() == "sip:"]
    if domains := frozenset(_domains(_host(uri) for uri in uris if "@" not in uri)):
        return domains
    addresses = (str(address) for address in names.get_values_for_type(x509.IPAddress))
    return frozenset({*_domains(names.get_values_for_type(x509.DNSName)), *addresses})


def _host(place: str) -> str:
    host = place.partition(";")[0].partition("?")[0]
    with contextlib.suppress(ValueError):
        return str(ipaddress.ip_address(host.strip("[]")))
    return host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() and ":" in host else host.strip("[]")


def _domains(names: Iterable[str]) -> Iterable[str]:
    """As they are compared: whole, lower-case. A wildcard stands for nobody (section 7.2)."""
    for name in names:
        plain = name.strip().rstrip(".").lower()
        if plain and "*" not in plain and "\0" not in plain and " " not in plain:
            yield plain


def usable(certificate: x509.Certificate) -> bool:
    """Whether its extended key usage lets it speak for a SIP domain (RFC 5924 section 4). What public authorities sign
    is often for servers only; in SIP one certificate serves in both directions."""
    try:
        usage = certificate.extensions.get_extension_for_oid(ExtensionOID.EXTENDED_KEY_USAGE).value
    except x509.ExtensionNotFound:
        return True
    assert isinstance(usage, x509.ExtendedKeyUsage)
    return not _USES.isdisjoint(usage)


@dataclass(frozen=True, slots=True)
class Pair:
    """Our certificate with its chain, our key, and the authorities, all of which fit."""

    chain: tuple[x509.Certificate, ...]
    key: PrivateKeyTypes
    ca: tuple[x509.Certificate, ...]  # () for those that this machine believes
    client_ca: tuple[x509.Certificate, ...]
    revocations: Revocations

    @property
    def own(self) -> OwnCertificate:
        leaf = self.chain[0]
        return OwnCertificate(tuple(sorted(identities(leaf))), leaf.not_valid_after_utc, fingerprint(leaf))

    @classmethod
    def read(cls, config: TlsConfig, now: datetime | None = None) -> Pair:
        """Read all files. Raises ConfigError that says everything that is wrong with them."""
        faults: list[str] = []
        chain = _certificates("certificate", config.certificate, faults)
        key = _key(config.key, faults)
        ca = _certificates("ca", config.ca, faults)
        client_ca = _certificates("client_ca", config.client_ca, faults)
        revocations = Revocations.read(config.crl, (*ca, *client_ca, *chain), faults)
        if chain:
            faults += _wrong(config.certificate, chain[0], now or datetime.now(UTC))
        if chain and key is not None and not _belong(chain[0], key):
            faults.append(f"sip.tls.key: {config.key} is not the key of {config.certificate}")
        if faults or key is None:
            raise ConfigError("\n".join(faults), remedy=REMEDY)
        return cls(chain, key, ca, client_ca, revocations)


def _certificates(name: str, file: Path | None, faults: list[str]) -> tuple[x509.Certificate, ...]:
    if file is None:
        return ()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CryptographyDeprecationWarning)
            return tuple(x509.load_pem_x509_certificates(file.read_bytes()))
    except OSError as error:
        faults.append(f"sip.tls.{name}: {file}: {error.strerror or error}")
    except ValueError:
        faults.append(f"sip.tls.{name}: {file} holds no certificate in PEM (-----BEGIN CERTIFICATE-----)")
    return ()


def _key(file: Path, faults: list[str]) -> PrivateKeyTypes | None:
    try:
        return load_pem_private_key(file.read_bytes(), None)
    except OSError as error:
        faults.append(f"sip.tls.key: {file}: {error.strerror or error}")
    except TypeError:
        faults.append(f"sip.tls.key: {file} needs a passphrase: openssl pkey -in {file} -out FILE takes it off")
    except (ValueError, UnsupportedAlgorithm):
        faults.append(f"sip.tls.key: {file} holds no private key in PEM (-----BEGIN PRIVATE KEY-----)")
    return None


def _wrong(file: Path, certificate: x509.Certificate, now: datetime) -> Iterable[str]:
    if certificate.not_valid_after_utc <= now:
        yield f"sip.tls.certificate: {file} expired on {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
    if certificate.not_valid_before_utc > now:
        yield f"sip.tls.certificate: {file} is valid only from {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
    try:
        if not identities(certificate):
            yield f"sip.tls.certificate: {file} names no domain: nobody can tell whom it speaks for (RFC 5922)"
    except ValueError as error:
        yield f"sip.tls.certificate: {file}: {error}"


def _belong(certificate: x509.Certificate, key: PrivateKeyTypes) -> bool:
    """Whether ``key`` is the certificate's."""
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return key.public_key().public_bytes(*form) == certificate.public_key().public_bytes(*form)
