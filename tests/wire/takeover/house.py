"""Two lines on one PostgreSQL, and the one address at which agents' pages reach whichever of them answers."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import numpy as np

from ivr.demo.line import AgentPhone, LineSetup, RunningLine
from ivr.softphone.g711 import decode, encode
from tests.postgres import PostgresServer
from tests.wire.desk.agent_page import TONES
from tests.wire.line.watching import until
from tests.wire.pitches import RATE, heard_in
from tests.wire.ports import free_port
from tests.wire.takeover.telephone import FRAME, Telephone


class Front:
    """A balancer as simple as can be: TCP to the first line of ``to`` that answers."""

    def __init__(self) -> None:
        self.to: list[RunningLine] = []
        self.http = ""
        self._open: set[asyncio.StreamWriter] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Front]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.http = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            for writer in tuple(self._open):
                writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            for line in self.to:
                with contextlib.suppress(OSError):
                    theirs = await asyncio.open_connection("127.0.0.1", int(line.http.rpartition(":")[2]))
                    self._open.add(theirs[1])
                    both = [asyncio.create_task(_copied(*each)) for each in ((reader, theirs[1]), (theirs[0], writer))]
                    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
                    for task in both:
                        task.cancel()
                    theirs[1].close()
                    break
        finally:
            writer.close()


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


@dataclass(slots=True)
class House:
    """``front``: where pages go. ``lines``: as they run now."""

    setups: list[LineSetup]
    postgres: PostgresServer
    front: Front
    stack: AsyncExitStack
    database: str
    lines: list[RunningLine] = field(default_factory=list)

    async def up(self) -> None:
        """Both lines serve, and nobody is before anybody."""
        for number, setup in enumerate(self.setups):
            if len(self.lines) <= number:
                self.lines.append(await self.stack.enter_async_context(RunningLine.running(setup)))
            elif self.lines[number].process.returncode is not None:
                self.lines[number] = await self.stack.enter_async_context(RunningLine.running(setup))

    async def kill(self, line: RunningLine) -> float:
        """kill -9; when, by the loop's clock."""
        line.process.kill()
        at = asyncio.get_running_loop().time()
        await line.process.wait()
        return at

    def line_at(self, sip: str) -> RunningLine:
        """Whose SIP is at HOST:PORT."""
        return next(line for line in self.lines if line.sip == sip)

    def other(self, than: RunningLine) -> RunningLine:
        return next(line for line in self.lines if line is not than)

    async def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        connection = await asyncpg.connect(host=str(self.postgres.folder), user="postgres", database=self.database)
        try:
            return [dict(row) for row in await connection.fetch(query, *values)]
        finally:
            await connection.close()

    async def place_of(self, phone: Telephone) -> dict[str, Any]:
        """The newest in the line, of who called with this telephone."""
        (row,) = await self.rows(
            "SELECT p.* FROM places p JOIN calls c USING (call_id) WHERE c.sip_call_id = $1 ORDER BY p.id DESC LIMIT 1",
            phone.call_id,
        )
        return row

    async def until_kept(self, met: Callable[[dict[str, Any]], bool], timeout_s: float = 40.0) -> None:
        """What is kept of some call, for another process to go on with it, is as wanted."""

        async def there() -> bool:
            rows = await self.rows("SELECT snapshot FROM live_dialogs")
            return any(met(json.loads(row["snapshot"])) for row in rows)

        await until(there, timeout_s)

    async def until_state(self, phone: Telephone, state: str, timeout_s: float = 40.0) -> dict[str, Any]:
        async def met() -> bool:
            return bool((await self.place_of(phone))["state"] == state)

        await until(met, timeout_s)
        return await self.place_of(phone)


@asynccontextmanager
async def house(
    server: PostgresServer,
    template: str,
    folder: Path,
    database: str,
    agents: Sequence[AgentPhone] = (),
    gateway: str = "sip:127.0.0.1:9",
) -> AsyncIterator[House]:
    """``agents``: with telephones, beside those who come by page."""
    await server.execute(f"CREATE DATABASE {database} TEMPLATE {template}")
    url = server.url(database)
    setups = [
        LineSetup(
            folder / f"line-{n}",
            database=f'{url}"\nspool = "{folder / f"spool-{n}"}',  # as on two machines: they share no folder
            sip=f"127.0.0.1:{free_port()}",
            agents=agents,
            gateway=gateway,
            rest_s=1.0,
        )
        for n in range(2)
    ]
    try:
        async with Front().running() as front, AsyncExitStack() as stack:
            made = House(setups, server, front, stack, database)
            await made.up()
            yield made
            for line in made.lines:  # nothing of theirs is worth a drain any more
                if line.process.returncode is None:
                    line.process.kill()
    finally:
        await server.execute(f"DROP DATABASE {database} WITH (FORCE)")


@asynccontextmanager
async def caller(line: RunningLine, number: str, who: str = "caller") -> AsyncIterator[Telephone]:
    """A member who called this line, speaks in their tone, and has pressed zero once the line knew who it is."""
    phone = await Telephone.ready(None, number)
    phone.says = tone(who)
    assert await phone.call(f"line@{line.sip}") == 200
    await phone.until_heard()

    async def known() -> bool:
        calls = [call for call in await line.calls(live=True) if call["sip_call_id"] == phone.call_id]
        return bool(calls and (await line.get(f"/api/calls/{calls[0]['call_id']}"))["facts"].get("caller.id"))

    await until(known)
    phone.press("0")
    try:
        yield phone
    finally:
        if not phone.over.is_set():
            await phone.hang_up()
        phone.close()


def tone(who: str) -> list[bytes]:
    """A second of it, as payloads."""
    pcm = (6000 * np.sin(2 * np.pi * TONES[who] * np.arange(RATE) / RATE)).astype("<i2").tobytes()
    coded = encode(pcm, "PCMU")
    return [coded[at : at + FRAME] for at in range(0, len(coded), FRAME)]


async def hears(phone: Telephone, *names: str, within_s: float = 12.0) -> float:
    """Returns once exactly these are heard on this telephone: when, by the loop's clock."""
    heard: set[str] = set()

    async def met() -> bool:
        nonlocal heard
        sound = b"".join(decode(each, "PCMU").astype("<i2").tobytes() for each in tuple(phone.recent))
        fresh = phone.now() - phone.heard.latest < 0.3
        heard = heard_in(np.frombuffer(sound, "<i2").astype(np.float64), TONES) if fresh else set()
        return heard == set(names)

    try:
        await until(met, within_s)
    except (TimeoutError, AssertionError):
        raise AssertionError(f"the telephone heard {sorted(heard)}, not {sorted(names)}") from None
    return phone.now()
