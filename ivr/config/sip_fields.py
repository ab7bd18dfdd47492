"""Field types of [sip]: where it listens, what NAT shows of it, and the servers it asks."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Annotated

from pydantic import BeforeValidator

from ivr.config.fields import Address, parse_address
from ivr.media.description import ip_version, is_host_name

_EVERYWHERE = "::"


def _several(value: object) -> list[object]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _listeners(value: object) -> tuple[Address, ...]:
    """One address of each IP version. "[::]:5060" alone means all of both, which takes a socket each."""
    found = [parse_address(each) for each in _several(value)]
    if not found:
        raise ValueError("name an address to listen on, e.g. 127.0.0.1:5060")
    if [each.host for each in found] == [_EVERYWHERE]:
        return Address("0.0.0.0", found[0].port), found[0]  # noqa: S104 - that is what was asked for
    versions = [ip_version(each.host) for each in found]
    for version in (4, 6):
        if versions.count(version) > 1:
            every = "0.0.0.0" if version == 4 else "[::]"  # noqa: S104
            raise ValueError(f"one IPv{version} address at most; {every}:{found[0].port} listens on all of them")
    return tuple(found)


def _advertised(value: object) -> tuple[str, ...]:
    """An address of each IP version, or one host name for both."""
    hosts = [str(each).strip("[]") for each in _several(value) if each != ""]
    kinds: list[int] = []
    for host in hosts:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            if not is_host_name(host):
                raise ValueError(f"{host!r} is neither an IP address nor a host name (and takes no port)") from None
            kinds.append(0)
            continue
        if address.is_unspecified or address.is_multicast:
            raise ValueError(f"nobody can send to {address}: name the address that the NAT shows")
        kinds.append(address.version)
    if len(set(kinds)) != len(kinds):
        raise ValueError("one address of each IP version, and one host name at most")
    return tuple(hosts)


def _name_servers(value: object) -> tuple[str, ...]:
    return tuple(_server(each, 53, names=False) for each in _several(value) if each != "")


def _stun_server(value: object) -> str:
    return _server(value, 3478, names=True) if value else ""


def _server(value: object, usual: int, *, names: bool) -> str:
    """HOST or HOST:PORT as HOST:PORT. Raises ValueError."""
    text = str(value)
    bare = text.strip("[]")
    try:
        return str(Address(str(ipaddress.ip_address(bare)), usual))
    except ValueError:
        pass
    found = parse_address(text if ":" in text else f"{text}:{usual}")
    try:
        ipaddress.ip_address(found.host)
    except ValueError:
        if not (names and is_host_name(found.host)):
            kind = "an IP address or a host name" if names else "an IP address"
            raise ValueError(f"{text!r} does not begin with {kind}, e.g. 192.0.2.53:{usual}") from None
    if not found.port:
        raise ValueError(f"{text!r}: 0 is no port")
    return str(found)


def advertised(hosts: Sequence[str], version: int) -> str:
    """Which of ``hosts`` peers of that IP version are shown: the address of theirs, else the name, else ""."""
    names = ""
    for host in hosts:
        try:
            if ipaddress.ip_address(host).version == version:
                return host
        except ValueError:
            names = host
    return names


Listeners = Annotated[tuple[Address, ...], BeforeValidator(_listeners)]
Advertised = Annotated[tuple[str, ...], BeforeValidator(_advertised)]
NameServers = Annotated[tuple[str, ...], BeforeValidator(_name_servers)]
StunServer = Annotated[str, BeforeValidator(_stun_server)]
