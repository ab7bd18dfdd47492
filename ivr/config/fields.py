"""Field types of the configuration: secrets, addresses, SIP targets and the like, each refusing what cannot work.

Secrets are written ``env:NAME``, ``file:/path`` or ``credential:NAME`` (of systemd) and resolved on use, so that they
never reach a log or a dump.
"""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator

from ivr.errors import ConfigError
from ivr.media.description import callers_served, is_host_name, port_pairs
from ivr.numbering import countries

KEPT_IN = ("env:", "file:", "credential:")
KEPT_AS = "env:NAME, file:/path or credential:NAME"
_CREDENTIAL = re.compile(r"[A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class Secret:
    """Where a secret is kept. ``reveal`` fetches it; repr and str never show it."""

    source: str

    def reveal(self) -> str:
        """The secret itself; "" when none is configured. Raises ConfigError when its place is empty."""
        if not self.source:
            return ""
        kind, _, name = self.source.partition(":")
        if kind == "env":
            if value := os.environ.get(name, ""):
                return value
            raise ConfigError(f"the environment variable {name} is not set", remedy=f"export {name}=… and start again")
        path = self.path() or Path(name)
        try:
            return path.read_text(encoding="utf-8-sig").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = f"secret file {name}: {getattr(error, 'strerror', None) or 'it is not UTF-8 text'}"
            remedy = "create it, readable by this user only"
            if kind == "credential":
                why, remedy = why.replace("secret file", "credential"), f"add LoadCredential={name}:/path to the unit"
            raise ConfigError(why, remedy=remedy) from error

    def path(self) -> Path | None:
        """The file that it is in; None where it is in none. Raises ConfigError for a credential without systemd."""
        kind, _, name = self.source.partition(":")
        if kind == "file":
            return Path(name)
        if kind != "credential":
            return None
        if not (folder := os.environ.get("CREDENTIALS_DIRECTORY", "")):
            why = f"credential {name}: this process was given none (CREDENTIALS_DIRECTORY is not set)"
            raise ConfigError(why, remedy=f"add LoadCredential={name}:/path to the unit, and start it by systemd")
        return Path(folder) / name

    def trouble(self) -> str:
        """What is wrong with it; "" when it is there."""
        try:
            return "" if self.reveal() else f"{self.source or 'nothing'} is empty"
        except ConfigError as error:
            return str(error)

    def available(self) -> bool:
        return not self.trouble()

    def __repr__(self) -> str:
        return f"Secret({self.source.partition(':')[0]}:…)" if self.source else "Secret()"


def _secret(value: object) -> object:
    if isinstance(value, str) and value and not value.startswith(KEPT_IN):
        raise ValueError(f"secrets do not belong in this file: write {KEPT_AS}")
    if isinstance(value, str) and value.startswith("credential:") and not _CREDENTIAL.fullmatch(value[11:]):
        raise ValueError("credential:NAME takes the name that LoadCredential= has, not a path")
    return Secret(value) if isinstance(value, str) else value


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def parse_address(text: object) -> Address:
    """``HOST:PORT`` or ``[V6]:PORT``. Raises ValueError with a remedy."""
    if isinstance(text, Address):
        return text
    host, colon, port = str(text).rpartition(":")
    if not colon or not port.isdecimal() or not 0 <= int(port) <= 65535:
        raise ValueError(f"{text!r} is not HOST:PORT, e.g. 127.0.0.1:5060")
    return Address(host.strip("[]") or "0.0.0.0", int(port))  # noqa: S104 - ":5060" means every interface, as usual


def _network(value: str) -> str:
    network = ipaddress.ip_network(value, strict=False)
    if network.version == 6 and network.prefixlen >= 96 and (within := network.network_address.ipv4_mapped):
        return str(ipaddress.ip_network((int(within), network.prefixlen - 96)))  # peers are seen as what they are
    return value


def _address_literal(value: str) -> str:
    address = ipaddress.ip_address(value.strip("[]"))
    if address.is_unspecified or address.is_multicast:
        raise ValueError(f"nobody can send to {address}: name the addresses of this machine, or of the NAT before it")
    return str(address)


def _media_ports(value: str) -> str:
    low, dash, high = value.partition("-")
    if not (dash and low.isdecimal() and high.isdecimal() and 1024 <= int(low) < int(high) <= 65535):
        raise ValueError("write LOW-HIGH, e.g. 16000-16999")
    if not callers_served(port_pairs(int(low), int(high))[1]):
        raise ValueError("a caller and the agent who joins them take four ports, from an even one on; widen it")
    return value


def _time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{value!r} is not an IANA time zone, e.g. America/Los_Angeles") from error
    return value


def _country(value: str) -> str:
    if value.upper() not in countries():
        raise ValueError(f"{value!r} is not a country's two letters (ISO 3166), e.g. US")
    return value.upper()


_TARGET = re.compile(
    r"sips?:(?:[^\s@<>\"'?]+@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s@<>\"'\[\]:;?]+)(?::(?P<port>\d+))?(?P<params>(?:;[^\s<>\"'?]*)?)"
    r"(?:\?[^\s<>\"']*)?",
    re.IGNORECASE,
)


def _sip_target(value: str) -> str:
    """A SIP URI that this line can send to. What it says about a wrong one names the part."""
    found = _TARGET.fullmatch(value)
    if found is None:
        raise ValueError(f"{value!r} is not a SIP URI, e.g. sip:agent@192.0.2.20:5060")
    host, port = found["host"].strip("[]"), found["port"]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        if not is_host_name(host):
            raise ValueError(f"{value!r} cannot be dialled: {host} is neither an address nor a host name") from None
    else:
        if address.is_unspecified or address.is_multicast:
            raise ValueError(f"{value!r} cannot be dialled: nobody is at {host}")
    if port is not None and not 0 < int(port) < 65536:
        raise ValueError(f"{value!r} cannot be dialled: {port} is no port")
    secure = value[:5].lower() == "sips:"
    if (transport := _transport_param(value) or ("tls" if secure else "udp")) not in ("udp", "tcp", "tls"):
        raise ValueError(f"{value!r} cannot be dialled: this line speaks udp, tcp and tls, not {transport}")
    if secure and transport == "udp":
        raise ValueError(f"{value!r} cannot be dialled: sips: goes by TLS only, not by udp")
    return value


def _transport_param(uri: str) -> str:
    found = re.findall(r";transport=([^;?]*)", uri.lower())
    return (found[-1] or "nothing") if found else ""


def transport_named(uri: str) -> str:
    """The transport that a SIP URI asks for; "" where any will do. With sips: it is TLS (RFC 3261 section 26.2.2)."""
    return "tls" if uri[:5].lower() == "sips:" else _transport_param(uri)


def _outside(value: str) -> str:
    """ "tel:+15035550199", or a SIP URI that this line can send to."""
    if value[:4].lower() != "tel:":
        return _sip_target(value)
    if not re.fullmatch(r"\+[0-9]{7,15}", number := re.sub(r"[-. ()]", "", value[4:])):
        raise ValueError(f"{value!r} is not a number with its country code, e.g. tel:+15035550199")
    return f"tel:{number}"


def _registrar(value: str) -> str:
    return _sip_target(value) if value else value


def _url_told(value: str) -> str:
    """A URL that is none, as a log may have it: a secret may be in it."""
    return "this" if "@" in value or "?" in value else repr(value)


def _service_url(value: str) -> str:
    parts = urlsplit(value)
    whole = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    own = not parts.scheme and not parts.netloc and value.startswith("/")
    if not (whole or own) or parts.query or parts.fragment or parts.username or not value.isprintable() or " " in value:
        raise ValueError(
            f"{_url_told(value)} is not http(s)://HOST/PATH, nor the /PATH of a resource of this line's own server"
        )
    return value


def _endpoint_url(value: str) -> str:
    parts = urlsplit(value)
    whole = parts.scheme in ("http", "https", "ws", "wss") and parts.hostname and (parts.port is None or parts.port > 0)
    if not whole or parts.query or parts.fragment or parts.username or not value.isprintable() or " " in value:
        raise ValueError(
            f"{_url_told(value)} is not http(s)://HOST:PORT/PATH or ws(s)://HOST:PORT, without key or password"
        )
    return value


SecretField = Annotated[Secret, BeforeValidator(_secret)]
AddressField = Annotated[Address, BeforeValidator(parse_address)]
Network = Annotated[str, AfterValidator(_network)]
AddressLiteral = Annotated[str, AfterValidator(_address_literal)]
MediaPorts = Annotated[str, AfterValidator(_media_ports)]
TimeZoneName = Annotated[str, AfterValidator(_time_zone)]
CountryCode = Annotated[str, AfterValidator(_country)]
SipTarget = Annotated[str, AfterValidator(_sip_target)]
OutsideNumber = Annotated[str, AfterValidator(_outside)]
Registrar = Annotated[str, AfterValidator(_registrar)]
ServiceUrl = Annotated[str, AfterValidator(_service_url)]
EndpointUrl = Annotated[str, AfterValidator(_endpoint_url)]
