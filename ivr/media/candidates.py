"""Host candidates (RFC 8445 section 5.1.1.1): where an agent's browser may reach this machine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import ip_address

import ifaddr

from ivr.media.description import literal

_MOST = 8  # a browser tries each of them with each of its own


def own_addresses() -> tuple[str, ...]:
    """Those of this machine's interfaces, loopback last; no link-local ones, which mean nothing elsewhere."""
    found = (ip.ip if ip.is_IPv4 else ip.ip[0] for adapter in ifaddr.get_adapters() for ip in adapter.ips)
    usable = [ip_address(address) for address in dict.fromkeys(map(str, found))]
    return tuple(str(each) for each in sorted(usable, key=lambda each: each.is_loopback) if not each.is_link_local)


def candidates(
    host: str, advertise: Sequence[str] = (), chosen: Sequence[str] = (), own: Iterable[str] | None = None
) -> list[str]:
    """The ``chosen`` ones; without any, ``host`` (its family's of this machine where it is a wildcard) and
    ``advertise``, which comes first. ``own``: this machine's, if they are known already."""
    if chosen:
        return list(dict.fromkeys(filter(None, map(literal, chosen))))[:_MOST]
    here: Iterable[str] = [literal(host)]
    if not literal(host) or ip_address(host).is_unspecified:
        families = (4, 6) if ":" in host else (4,)
        here = [each for each in own or own_addresses() if ip_address(each).version in families]
    return list(dict.fromkeys(filter(None, (*map(literal, advertise), *here))))[:_MOST]


def listening(host: str, chosen: Sequence[str]) -> str:
    """Where the port behind such candidates is bound: ``host``, or everywhere where others than that are chosen."""
    if not chosen:
        return host
    return "::" if any(":" in each for each in (host, *chosen)) else "0.0.0.0"  # noqa: S104
