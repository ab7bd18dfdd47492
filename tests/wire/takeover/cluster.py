"""Two lines on one PostgreSQL behind Kamailio, agents' telephones, and callers everywhere."""

from __future__ import annotations

import asyncio
import json
import statistics
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from ivr.demo.line import AgentPhone, LineSetup, RunningLine
from tests.postgres import PostgresServer
from tests.wire.kamailio import HOST, Kamailio, kamailio
from tests.wire.line.watching import until
from tests.wire.ports import free_port
from tests.wire.takeover.telephone import Telephone

CALLER_SAYS, AGENT_SAYS = 0x20, 0x55  # of µ-law; each hears the other's, where they are bridged
TAKEN_S = 2.0


@dataclass(slots=True)
class Cluster:
    """``lines`` by HOST:PORT, as the proxy knows them."""

    proxy: Kamailio
    lines: dict[str, RunningLine]
    setups: dict[str, LineSetup]
    agents: list[Telephone]
    postgres: PostgresServer
    database: str
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    _callers: list[Telephone] = field(default_factory=list)
    _numbers: int = 0

    async def up(self) -> None:
        """All lines serve, and the proxy knows."""
        for address, setup in self.setups.items():
            if address not in self.lines or self.lines[address].process.returncode is not None:
                running = RunningLine.running(setup, seeded=bool(self.lines))
                self.lines[address] = await self.stack.enter_async_context(running)
        for address in self.setups:
            await self.proxy.until("up", address)

    async def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        connection = await asyncpg.connect(host=str(self.postgres.folder), user="postgres", database=self.database)
        try:
            return [dict(row) for row in await connection.fetch(query, *values)]
        finally:
            await connection.close()

    async def newcomer(self) -> Telephone:
        """Somebody new, who called."""
        self._numbers += 1
        front = (self.proxy.address.host, self.proxy.address.port)
        phone = await Telephone.ready(front, f"50355{50000 + self._numbers}", CALLER_SAYS)
        self._callers.append(phone)
        await phone.call(f"line@{self.proxy.target}")
        return phone

    async def call(self) -> Telephone:
        """Somebody new, whose call was answered."""
        phone = await self.newcomer()
        assert phone.status == 200
        return phone

    async def calls(self, count: int) -> list[Telephone]:
        return list(await asyncio.gather(*(self.call() for _ in range(count))))

    async def call_at(self, address: str) -> Telephone:
        """Somebody new, whose call the proxy brought to this line."""
        while True:
            phone = await self.call()
            if self.line_of(phone) == address:
                return phone
            await phone.hang_up()

    def other(self, address: str) -> str:
        return next(known for known in self.lines if known != address)

    async def kept(self, met: Callable[[dict[str, Any]], bool] = bool) -> None:
        """What another process needs to go on with each call that is up is on file, as far as it came in the line; and
        that of some call is as wanted."""

        async def there() -> bool:
            rows = await self.rows("SELECT sip_call_id, snapshot FROM live_dialogs")
            on_file = {row["sip_call_id"]: json.loads(row["snapshot"]) for row in rows}
            places = await self.places()
            return any(map(met, on_file.values())) and all(
                _tells(on_file.get(phone.call_id, {}), places.get(phone.call_id, {}).get("state", ""))
                for phone in self.callers
            )

        await until(there)

    async def until_ended(self, phone: Telephone, timeout_s: float = 30.0) -> None:
        """The record has the end of its call."""
        async with asyncio.timeout(timeout_s):
            query = "SELECT 1 FROM calls WHERE sip_call_id = $1 AND canonical IS NOT NULL"
            while not await self.rows(query, phone.call_id):  # noqa: ASYNC110
                await asyncio.sleep(0.1)

    def line_of(self, phone: Telephone) -> str:
        """The line that it was told last to speak with."""
        return next(address for address in self.lines if phone.target.endswith(f"@{address}"))

    async def places(self) -> dict[str, dict[str, Any]]:
        """Live places in the line, by the SIP Call-ID of the caller."""
        found = await self.rows(
            "SELECT p.*, c.sip_call_id FROM places p JOIN calls c USING (call_id)"
            " WHERE p.state IN ('waiting', 'offered', 'talking', 'away') ORDER BY p.priority DESC, p.entered_at, p.id"
        )
        return {row["sip_call_id"]: row for row in found}

    async def until(self, state: str, phones: Sequence[Telephone], timeout_s: float = 40.0) -> None:
        """All of them are in this state in the line."""
        async with asyncio.timeout(timeout_s):
            while True:
                places = await self.places()
                if all(places.get(phone.call_id, {}).get("state") == state for phone in phones):
                    return
                await asyncio.sleep(0.1)

    async def kill(self, address: str) -> float:
        """kill -9; when, by the loop's clock."""
        process = self.lines[address].process
        process.kill()
        at = asyncio.get_running_loop().time()
        await process.wait()
        return at

    @property
    def callers(self) -> list[Telephone]:
        """Those whose calls are up."""
        return [
            phone
            for phone in self._callers
            if phone.answered.is_set() and phone.status == 200 and not phone.over.is_set()
        ]

    async def hang_up(self) -> list[int]:
        """All who are still there; the status of each BYE."""
        there = self.callers
        self._callers.clear()
        return list(await asyncio.gather(*(phone.hang_up() for phone in there)))


def _tells(kept: dict[str, Any], place: str) -> bool:
    """Whether ``kept`` is of a call whose place in the line, "" none, is in this state."""
    stack = (kept.get("dialogue") or {}).get("stack", ())
    if place == "talking":
        return bool(kept.get("agent"))
    return any(frame["flow"] == "human" for frame in stack) if place else bool(stack)


@asynccontextmanager
async def cluster(
    server: PostgresServer, folder: Path, *, agents: int, database: str = "takeover", drain_s: float = 1.0
) -> AsyncIterator[Cluster]:
    """``agents``: telephones that answer at once, on duty at both lines."""
    addresses = [f"{host}:{free_port(host)}" for host in ("127.0.0.2", "127.0.0.3")]
    phones = [await Telephone.ready(None, f"agent-{n}", AGENT_SAYS) for n in range(agents)]
    targets = [AgentPhone(phone.uri, name=f"agent-{n}", ring_timeout_s=20.0) for n, phone in enumerate(phones)]
    await server.execute(f"CREATE DATABASE {database}")
    url = server.url(database)
    setups = {}
    for number, address in enumerate(addresses):
        own = f'{url}"\nspool = "{folder / f"spool-{number}"}'  # as on two machines: they share no folder
        setups[address] = LineSetup(
            folder / f"node-{number}", targets, own, sip=address, allow=f"{HOST}/32", drain_s=drain_s, rest_s=1.0
        )
    try:
        async with kamailio(addresses) as proxy:
            made = Cluster(proxy, {}, setups, phones, server, database)
            async with AsyncExitStack() as made.stack:
                await made.up()
                await made.calls(8)  # the first calls of a line open its connections to the database
                await made.hang_up()
                yield made
                await made.hang_up()
                for phone in phones:
                    phone.close()
                for line in made.lines.values():  # nothing of theirs is worth a drain any more
                    if line.process.returncode is None:
                        line.process.kill()
    finally:
        await server.execute(f"DROP DATABASE {database} WITH (FORCE)")


@dataclass(frozen=True, slots=True)
class Gap:
    """How long after the death a telephone heard something again (None: never), and whether it was told to speak
    elsewhere."""

    heard_s: float | None
    told: bool


def gap(phone: Telephone, died: float, within_s: float) -> Gap:
    told = [each for each in phone.reinvited if each.at > died]
    first = min((at for at in phone.heard.begun if at > died), default=None)
    heard_s = None if first is None or first - died > within_s else first - died
    return Gap(heard_s, bool(told))


def summary(gaps: Sequence[Gap]) -> str:
    heard = sorted(each.heard_s for each in gaps if each.heard_s is not None)
    if not heard:
        return f"0 of {len(gaps)}"
    return f"{len(heard)} of {len(gaps)}, median {statistics.median(heard):.2f} s, worst {heard[-1]:.2f} s"
