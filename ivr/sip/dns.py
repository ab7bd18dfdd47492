"""DNS as SIP asks it (RFC 3263): records by c-ares, kept by their TTL, and beyond it while no name server answers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import aiodns
import pycares
import structlog
from aiodns import error as ares

from ivr.sip.locate import Naptr, Srv

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

SHORTEST_S, LONGEST_S = 10.0, 300.0  # that an answer is kept, whatever its TTL says
ABSENT_S = 30.0  # that it is known that there is no such record
STALE_S = 3600.0  # that an answer still serves after its time, while DNS is dead
PATIENCE_S = 1.8  # for one record: callers wait
STALE_PATIENCE_S = 0.7  # ... where an old answer is at hand
AGAIN_S = 10.0  # until DNS is asked again about what it did not answer and an old answer serves for
_TRY_S, _TRIES = 0.6, 2
_MOST = 1024  # answers kept
_NONE = frozenset({ares.ARES_ENODATA, ares.ARES_ENOTFOUND, ares.ARES_EBADNAME, ares.ARES_ENONAME})
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}

Records = tuple[Any, ...]


@dataclass(slots=True)
class _Answer:
    records: Records
    fresh_until: float
    usable_until: float


class Resolver:
    """Implements ``ivr.sip.locate.Lookup``. ``servers``: "192.0.2.53", "[2001:db8::53]:5353"; none: the system's.

    ``versions``: of IP, that addresses are asked for. ``now``: monotonic seconds. Names of this machine (/etc/hosts,
    localhost) need no server. What several calls ask at the same time is asked once."""

    def __init__(self, servers: Sequence[str], versions: Sequence[int], now: Callable[[], float]) -> None:
        self._servers = list(servers)
        self._versions = tuple(versions)
        self._now = now
        self._channel: aiodns.DNSResolver | None = None
        self._opened_at = 0.0
        self._known: dict[tuple[str, str], _Answer] = {}
        self._asking: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def naptr(self, domain: str) -> Sequence[Naptr]:
        return await self._answer("NAPTR", domain)

    async def srv(self, name: str) -> Sequence[Srv]:
        return await self._answer("SRV", name)

    async def addresses(self, host: str) -> Sequence[str]:
        kinds = ["A" if version == 4 else "AAAA" for version in self._versions]
        found = await asyncio.gather(*(self._answer(kind, host) for kind in kinds), return_exceptions=True)
        hosts = [address for answer in found if isinstance(answer, tuple) for address in answer]
        for answer in found:
            if isinstance(answer, BaseException) and (not hosts or not isinstance(answer, OSError)):
                raise answer
        return hosts

    async def close(self) -> None:
        """Give up what is being asked, and the sockets. Idempotent."""
        for task in tuple(self._asking.values()):
            task.cancel()
        await asyncio.gather(*self._asking.values(), *self._closing, return_exceptions=True)
        if self._channel is not None:
            await self._channel.close()
            self._channel = None

    # --- answers ---

    async def _answer(self, kind: str, name: str) -> Records:
        """Raises OSError where no server answers and nothing is remembered."""
        key = (kind, name.lower().rstrip("."))
        known = self._known.get(key)
        if known is not None and self._now() < known.fresh_until:
            return known.records
        stale = known if known is not None and self._now() < known.usable_until else None
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.get_running_loop().create_task(self._ask(key), name=f"dns-{kind}")
            task.add_done_callback(lambda done: self._asked(key, done))
        try:
            async with asyncio.timeout(PATIENCE_S if stale is None else STALE_PATIENCE_S):
                await asyncio.shield(task)
            return self._known[key].records
        except (OSError, TimeoutError) as error:
            if stale is None:
                raise OSError(f"no answer from DNS about {key[1]} ({kind}): {error or 'too late'}") from error
            now = self._now()
            stale.fresh_until = max(stale.fresh_until, now + AGAIN_S)
            log.warning("dns.stale_answer", name=key[1], kind=kind, records=len(stale.records), error=str(error))
            return stale.records

    def _asked(self, key: tuple[str, str], task: asyncio.Task[None]) -> None:
        self._asking.pop(key, None)
        if not task.cancelled():
            task.exception()  # whoever waited has it

    async def _ask(self, key: tuple[str, str]) -> None:
        kind, name = key
        work = self._records(kind, name) if kind in ("NAPTR", "SRV") else self._hosts(kind, name)
        try:
            records, ttl = await work
        except ares.DNSError as error:
            code, text = error.args[:2]
            if code not in _NONE:
                raise OSError(str(text)) from error
            records, ttl = (), ABSENT_S
        kept = min(max(ttl, SHORTEST_S), LONGEST_S)
        self._known.pop(key, None)
        self._known[key] = _Answer(records, self._now() + kept, self._now() + kept + STALE_S)
        if len(self._known) > _MOST:
            del self._known[next(iter(self._known))]

    async def _records(self, kind: str, name: str) -> tuple[Records, float]:
        answer = (await self._open().query_dns(name, kind)).answer
        made: list[Naptr | Srv] = []
        ttl = LONGEST_S
        for record in answer:
            ttl = min(ttl, float(record.ttl))
            match record.data:
                case pycares.NAPTRRecordData() as data:
                    made.append(Naptr(data.order, data.preference, data.flags, data.service, data.replacement))
                case pycares.SRVRecordData() as data:
                    made.append(Srv(data.priority, data.weight, data.port, data.target.rstrip(".")))
        return tuple(made), ttl if made else ABSENT_S

    async def _hosts(self, kind: str, name: str) -> tuple[Records, float]:
        """By c-ares's own getaddrinfo, which reads /etc/hosts and follows the system's search list."""
        family = _FAMILIES[4 if kind == "A" else 6]
        nodes = (await self._open().getaddrinfo(name, family=family, type=socket.SOCK_DGRAM)).nodes
        hosts = tuple(dict.fromkeys(_text(node.addr[0]) for node in nodes if node.family == family))
        return hosts, min((float(node.ttl) for node in nodes), default=ABSENT_S)

    def _open(self) -> aiodns.DNSResolver:
        """c-ares keeps answers as long as their TTL says; another channel forgets them, and reads resolv.conf anew."""
        now = self._now()
        if self._channel is not None and now - self._opened_at >= LONGEST_S and len(self._asking) <= 1:
            former, self._channel = self._channel, None
            closing = asyncio.get_running_loop().create_task(former.close(), name="dns-close")
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
        if self._channel is None:
            self._opened_at = now
            self._channel = aiodns.DNSResolver(self._servers or None, timeout=_TRY_S, tries=_TRIES)
        return self._channel


def _text(address: str | bytes) -> str:
    return address.decode() if isinstance(address, bytes) else address
