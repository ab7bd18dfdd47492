"""The section [sip.tls] of config.toml, and how a trunk says whom it knows by a certificate (RFC 5922)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Annotated, Literal, Protocol

from pydantic import AfterValidator, BeforeValidator, model_validator

from ivr.config.section import Section
from ivr.config.sip_fields import Listeners
from ivr.media.description import is_host_name

_FILES = ("certificate", "key", "ca", "client_ca", "crl")
_PIN = re.compile(r"[0-9a-f]{64}")


class TlsConfig(Section):
    """PEM files. ``listen``: None for the address of ``sip.listen``, port 5061. ``certificate``: ours, followed by what
    leads to its root; ``key``: of it, without a passphrase. ``ca``: whom we believe where we connect, None for whom
    this machine does; ``client_ca``: whom we believe who connects; ``crl``: whom they believe no longer, both ways.
    ``require_client``: no certificate is asked for; one
    is asked for, and must be good where it comes; nobody gets in without."""

    listen: Listeners | None = None
    certificate: Path
    key: Path
    ca: Path | None = None
    client_ca: Path | None = None
    crl: Path | None = None
    require_client: Literal["off", "request", "demand"] = "request"

    @model_validator(mode="after")
    def _asks(self) -> TlsConfig:
        if self.require_client == "off" and self.client_ca is not None:
            raise ValueError('client_ca is never looked at while require_client = "off": ask for it, or leave it out')
        return self

    @property
    def files(self) -> tuple[Path, ...]:
        """All that a renewal may change."""
        return tuple(file for file in (getattr(self, name) for name in _FILES) if file is not None)

    def anchored(self, base: Path) -> TlsConfig:
        """With its files taken from ``base``."""
        named = {name: getattr(self, name) for name in _FILES}
        return self.model_copy(update={name: base / file for name, file in named.items() if file is not None})


class CertifiedTrunk(Protocol):
    """A trunk, as far as TLS goes."""

    @property
    def name(self) -> str: ...
    @property
    def transport(self) -> str: ...
    @property
    def tls_names(self) -> tuple[str, ...]: ...
    @property
    def tls_pin(self) -> tuple[str, ...]: ...
    @property
    def register_with(self) -> str: ...
    @property
    def certified(self) -> bool: ...


def tls_faults(transports: Collection[str], tls: TlsConfig | None, trunks: Collection[CertifiedTrunk]) -> Iterator[str]:
    """Everything that does not fit together. With a trunk that registers we connect ourselves: it need not show us a
    client's certificate."""
    said, connecting = "tls" in transports, [trunk for trunk in trunks if not trunk.register_with]
    if not transports:
        yield "transports: one at least"
    if said and tls is None:
        yield 'transports has "tls": it needs [sip.tls] with certificate and key'
    if tls is not None and not said:
        yield 'tls is there, and transports has no "tls": add it'
    for trunk in trunks:
        if trunk.transport == "tls" and not said:
            yield f'trunk {trunk.name}: transport = "tls" needs "tls" in sip.transports, and [sip.tls]'
    if tls is None:
        return
    pinned = any(trunk.tls_pin for trunk in trunks)
    if tls.require_client == "demand" and tls.client_ca is None and not pinned:
        yield 'tls: require_client = "demand" needs client_ca: whose certificates are good?'
    named = [trunk.name for trunk in connecting if trunk.tls_names and not trunk.tls_pin]
    if named and tls.client_ca is None:
        yield f"tls: client_ca is missing: who may sign the certificates that tls_names of {', '.join(named)} wants?"
    known = [trunk.name for trunk in connecting if trunk.certified]
    if known and tls.require_client == "off":
        yield f'tls: require_client = "off" asks nobody for the certificate that {", ".join(known)} is known by'


def _tls_name(value: str) -> str:
    """A domain, lower-case: whole names only, as RFC 5922 section 7.2 compares them."""
    host = value.strip().removeprefix("sip:").strip("[]").rstrip(".").lower()
    if "*" in host:
        raise ValueError(f"{value!r}: a certificate names whole domains (RFC 5922), no wildcards")
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        if "@" in host or not is_host_name(host):
            raise ValueError(f'{value!r} is no domain: write "sip:pbx.example.com", as the certificate does') from None
    return host


def _listed(value: object) -> object:
    if isinstance(value, str):
        return (value,) if value else ()
    return value


def _tls_pin(value: str) -> str:
    """SHA-256 of a certificate in DER, as hexadecimal digits."""
    digits = re.sub(r"[:\s]", "", value.lower()).removeprefix("sha256=").removeprefix("sha-256")
    if not _PIN.fullmatch(digits):
        raise ValueError(
            f"{value[:80]!r} is no SHA-256 fingerprint: openssl x509 -in FILE -noout -fingerprint -sha256 prints it"
        )
    return digits


TlsName = Annotated[str, AfterValidator(_tls_name)]
TlsPins = Annotated[tuple[Annotated[str, AfterValidator(_tls_pin)], ...], BeforeValidator(_listed)]
