"""Certificate revocation lists (RFC 5280 section 5): which certificates their authorities have taken back.

A list that is past its end goes on counting, and is complained of: who was revoked stays so, and a line that nobody
brings a new list does not go deaf."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import ExtensionOID

_PEM = re.compile(rb"-----BEGIN X509 CRL-----.+?-----END X509 CRL-----", re.S)
_IN_PART = (ExtensionOID.DELTA_CRL_INDICATOR, ExtensionOID.ISSUING_DISTRIBUTION_POINT)


@dataclass(frozen=True, slots=True)
class Revocations:
    """The lists of one file, each signed by an authority that we know."""

    lists: tuple[x509.CertificateRevocationList, ...] = ()

    @property
    def ends(self) -> datetime | None:
        """When the first of them is to be replaced; None where none says so, or there is none."""
        return min((at for each in self.lists if (at := each.next_update_utc) is not None), default=None)

    @property
    def count(self) -> int:
        return sum(len(each) for each in self.lists)

    def name(self, certificate: x509.Certificate) -> bool:
        """Whether it was revoked by who signed it."""
        return any(
            each.issuer == certificate.issuer
            and each.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None
            for each in self.lists
        )

    @classmethod
    def read(cls, file: Path | None, authorities: Iterable[x509.Certificate], faults: list[str]) -> Revocations:
        """What is wrong with ``file`` is added to ``faults``. ``authorities``: whose lists we believe."""
        if file is None:
            return cls()
        try:
            lists = _parsed(file.read_bytes())
        except OSError as error:
            faults.append(f"sip.tls.crl: {file}: {error.strerror or error}")
            return cls()
        except (ValueError, UnsupportedAlgorithm):
            faults.append(f"sip.tls.crl: {file} holds no revocation list (-----BEGIN X509 CRL-----, or DER)")
            return cls()
        known = tuple(authorities)
        faults += (f"sip.tls.crl: {file}: {why}" for each in lists if (why := _wrong(each, known)))
        return cls(lists)


def _parsed(data: bytes) -> tuple[x509.CertificateRevocationList, ...]:
    """Raises ValueError."""
    if blocks := _PEM.findall(data):
        return tuple(x509.load_pem_x509_crl(block) for block in blocks)
    return (x509.load_der_x509_crl(data),)


def _wrong(revoked: x509.CertificateRevocationList, authorities: Iterable[x509.Certificate]) -> str:
    issuer = revoked.issuer.rfc4514_string()
    if any(extension.oid in _IN_PART for extension in revoked.extensions):
        return f"the list of {issuer} is one in parts (delta, or of a distribution point): put in the whole one"
    if not any(_signed(revoked, each) for each in authorities if each.subject == revoked.issuer):
        return (
            f"the list of {issuer} is signed by nobody in sip.tls.ca, client_ca or certificate: add its authority there"
        )
    return ""


def _signed(revoked: x509.CertificateRevocationList, authority: x509.Certificate) -> bool:
    try:
        return revoked.is_signature_valid(authority.public_key())  # type: ignore[arg-type]  # of another kind: TypeError
    except (InvalidSignature, UnsupportedAlgorithm, TypeError, ValueError):
        return False
