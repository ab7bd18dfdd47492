"""SIP server location (RFC 3263): from a URI's domain over NAPTR, SRV and address records to the servers to try."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Protocol, TypeVar

from ivr.sip.headers import Uri
from ivr.sip.message import Peer

T = TypeVar("T")

DEFAULT_PORT = {"udp": 5060, "tcp": 5060, "tls": 5061}
SRV_NAMES = {"udp": "_sip._udp.", "tcp": "_sip._tcp.", "tls": "_sips._tcp."}
_SERVICES = {"SIP+D2U": "udp", "SIP+D2T": "tcp", "SIPS+D2T": "tls"}
_MOST = 16  # servers: an answer with a thousand records is no reason to dial for an hour


@dataclass(frozen=True, slots=True)
class Naptr:
    """RFC 3403 section 4.1, without the regular expression that SIP's records don't have."""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


@dataclass(frozen=True, slots=True)
class Srv:
    """RFC 2782; ``target`` is "." or "" where the service is decidedly not offered."""

    priority: int
    weight: int
    port: int
    target: str


@dataclass(frozen=True, slots=True)
class Server:
    """One place to try. ``host`` is an IP literal; ``domain`` is the one asked for, whom its certificate must name,
    whatever DNS answered (RFC 5922 section 4)."""

    transport: str
    host: str
    port: int
    domain: str

    @property
    def peer(self) -> Peer:
        name = _literal(self.domain) or self.domain.rstrip(".").lower()  # as certificates have it
        return Peer(self.transport, self.host, self.port, name if self.transport == "tls" else "")


class Lookup(Protocol):
    """Each answers () for "no such record", and raises OSError when DNS does not answer. ``addresses`` knows this
    machine's own names, too."""

    async def naptr(self, domain: str) -> Sequence[Naptr]: ...
    async def srv(self, name: str) -> Sequence[Srv]: ...
    async def addresses(self, host: str) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True)
class Reach:
    """What this user agent can send with, in its order of preference: ``transports``, and IP ``versions``."""

    transports: Sequence[str]
    versions: Sequence[int] = (4, 6)

    def has(self, transport: str | None, *, secure: bool) -> bool:
        return transport in self.transports and (transport == "tls" or not secure)


async def locate(uri: Uri, transport: str, reach: Reach, lookup: Lookup, chance: random.Random) -> list[Server]:
    """Return where to send a request for ``uri``, the first choice first. ``transport``: what is configured for it, or
    ""; the URI wins. [] where nothing is that we can use. Raises OSError while DNS does not answer.

    What can be asked is asked at once, though much of it won't be needed: a caller waits for the slowest of them, and a
    resolver that swallows NAPTR alone costs nothing."""
    secure = uri.scheme == "sips"
    target = uri.params.get("maddr", "").strip("[]") or uri.host  # section 4
    wanted = (uri.params.get("transport") or transport).lower()
    if secure and wanted == "tcp":
        wanted = "tls"  # RFC 3261 section 26.2.2: sips: over TCP is TLS
    literal = _literal(target)
    if not wanted and (literal or uri.port is not None):
        wanted = _usual(reach, secure=secure)
    direct = literal or uri.port is not None
    if (wanted or direct) and not reach.has(wanted, secure=secure):
        return []
    if direct:
        port = uri.port or DEFAULT_PORT[wanted]
        hosts = [literal] if literal else await lookup.addresses(target)
        return [Server(wanted, host, port, uri.host) for host in _usable(hosts, reach)][:_MOST]
    return await _by_records(target, uri.host, wanted, secure, reach, lookup, chance)


async def _by_records(
    target: str, domain: str, wanted: str, secure: bool, reach: Reach, lookup: Lookup, chance: random.Random
) -> list[Server]:
    ways = [wanted] if wanted else [way for way in reach.transports if reach.has(way, secure=secure)]
    usual = wanted or _usual(reach, secure=secure)
    asked = [asyncio.ensure_future(lookup.srv(SRV_NAMES[way] + target)) for way in ways]
    direct = asyncio.ensure_future(lookup.addresses(target))
    naptr = asyncio.ensure_future(lookup.naptr(target) if not wanted else _nothing())
    try:
        names = {SRV_NAMES[way] + target.lower(): way for way in ways}
        known = dict(zip(names, asked, strict=True))
        if found := list(_chosen(await _or_none(naptr), reach, secure=secure)):
            names = dict(found)
        records: list[tuple[str, Srv]] = []
        for name, way in names.items():
            pending = known.get(name) or asyncio.ensure_future(lookup.srv(name))
            fit = [r for r in await _or_none(pending) if r.target not in ("", ".") and 0 < r.port < 65536]
            records += [(way, record) for record in shuffled(fit, chance)]
        servers = await _addressed(records[:_MOST], domain, reach, lookup)
        if servers or not usual:
            return servers
        addresses = await direct  # the last resort, and where it is known whether DNS answers at all
        if not records and any([await _or_none(answer) for answer in asked]):
            return []  # all of them say "decidedly not available at this domain" (RFC 2782)
        return [Server(usual, host, DEFAULT_PORT[usual], domain) for host in _usable(addresses, reach)][:_MOST]
    finally:
        for task in (*asked, direct, naptr):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _addressed(records: Sequence[tuple[str, Srv]], domain: str, reach: Reach, lookup: Lookup) -> list[Server]:
    """The servers of SRV ``records``, in their order. Raises OSError where there were some, and DNS knew no address."""
    hosts = list(dict.fromkeys(record.target for _, record in records))
    answers = await asyncio.gather(*(lookup.addresses(host) for host in hosts), return_exceptions=True)
    found: dict[str, list[str]] = {}
    trouble: OSError | None = None
    for host, answer in zip(hosts, answers, strict=True):
        if isinstance(answer, OSError):
            trouble = answer
        elif isinstance(answer, BaseException):
            raise answer
        else:
            found[host] = _usable(answer, reach)
    servers = [Server(way, a, record.port, domain) for way, record in records for a in found.get(record.target, [])]
    if trouble is not None and not servers:
        raise trouble
    return list(dict.fromkeys(servers))[:_MOST]


def shuffled(records: Sequence[Srv], chance: random.Random) -> Iterator[Srv]:
    """By priority; within one, drawn by weight, those without any first in the row (RFC 2782)."""
    for priority in sorted({record.priority for record in records}):
        left = sorted((r for r in records if r.priority == priority), key=lambda record: record.weight)
        while left:
            mark, run = chance.randint(0, sum(record.weight for record in left)), 0
            for record in left:
                run += record.weight
                if run >= mark:
                    break
            left.remove(record)
            yield record


def _chosen(records: Iterable[Naptr], reach: Reach, *, secure: bool) -> Iterator[tuple[str, str]]:
    """(name of the SRV records, transport), the domain's first choice first, of those that we can use."""
    for record in sorted(records, key=lambda record: (record.order, record.preference)):
        way = _SERVICES.get(record.service.upper())
        if record.flags.lower() == "s" and record.replacement and reach.has(way, secure=secure):
            yield record.replacement.lower().rstrip("."), way or ""


def _usual(reach: Reach, *, secure: bool) -> str:
    """What is taken where nobody says (section 4.1): UDP, or TLS for sips:, else what we have."""
    ways = ("tls",) if secure else ("udp", "tcp", "tls")
    return next((way for way in ways if way in reach.transports), "")


def _literal(host: str) -> str:
    try:
        return str(ip_address(host))
    except ValueError:
        return ""


def _usable(hosts: Iterable[str], reach: Reach) -> list[str]:
    versions = [(ip_address(host).version, host) for host in hosts]
    return [host for wanted in reach.versions for version, host in versions if version == wanted]


async def _nothing() -> Sequence[Naptr]:
    return ()


async def _or_none(answer: Awaitable[Sequence[T]]) -> Sequence[T]:
    """What DNS knows; nothing where it does not say: then the next kind of record decides."""
    try:
        return await answer
    except OSError:
        return ()
