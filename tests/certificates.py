"""Certificates for tests, made on the spot: authorities, and what they sign."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Credentials:
    """A certificate and its key, and where they are in PEM. ``both``: key and certificate in one file."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    pem: Path
    key_pem: Path
    both: Path

    @property
    def pin(self) -> str:
        return self.certificate.fingerprint(hashes.SHA256()).hex()


def alternative(name: str) -> x509.GeneralName:
    """ "sip:a.example" as a URI, addresses as such, the rest as DNS names."""
    if name.partition(":")[0] in ("sip", "sips", "https"):
        return x509.UniformResourceIdentifier(name)
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class Authority:
    """``folder`` gets its certificate, and all that it signs."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.own = _made(folder, name, (), None, days=30.0, began=-DAY, authority=True, usage=())

    @property
    def pem(self) -> Path:
        return self.own.pem

    def signs(
        self,
        file: str,
        *names: str,
        days: float = 30.0,
        began: timedelta = -DAY,
        common: str = "",
        usage: Sequence[x509.ObjectIdentifier] = (),
    ) -> Credentials:
        """A certificate with ``names``, good from ``began`` for ``days`` from now."""
        return _made(self.folder, file, names, self.own, days, began, authority=False, usage=usage, common=common)

    def revokes(self, *revoked: Credentials, days: float = 30.0, file: str = "revoked.crl") -> Path:
        """Its revocation list, good from 40 days ago for ``days`` from now."""
        now = datetime.now(UTC)
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.own.certificate.subject)
        builder = builder.last_update(now - 40 * DAY).next_update(now + days * DAY)
        for each in revoked:
            gone = x509.RevokedCertificateBuilder().serial_number(each.certificate.serial_number)
            builder = builder.add_revoked_certificate(gone.revocation_date(now - DAY).build())
        path = self.folder / file
        path.write_bytes(builder.sign(self.own.key, hashes.SHA256()).public_bytes(Encoding.PEM))
        return path


def self_signed(folder: Path, file: str, *names: str, days: float = 30.0) -> Credentials:
    return _made(folder, file, names, None, days, -DAY, authority=False, usage=())


def _made(
    folder: Path,
    file: str,
    names: Sequence[str],
    issuer: Credentials | None,
    days: float,
    began: timedelta,
    *,
    authority: bool,
    usage: Sequence[x509.ObjectIdentifier],
    common: str = "",
) -> Credentials:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common or file)])
    now = datetime.now(UTC)
    until = now + days * DAY
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer is not None else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(now + began, until - DAY))
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([alternative(n) for n in names]), critical=False)
    if usage:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usage), critical=False)
    certificate = builder.sign(key if issuer is None else issuer.key, hashes.SHA256())
    pem, key_pem, both = folder / f"{file}.pem", folder / f"{file}.key", folder / f"{file}.both.pem"
    written = certificate.public_bytes(Encoding.PEM)
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    pem.write_bytes(written)
    key_pem.write_bytes(secret)
    both.write_bytes(secret + written)
    return Credentials(certificate, key, pem, key_pem, both)
