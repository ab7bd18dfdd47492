"""Two lines, one account at a registrar: one of them registers it, and no call rings twice or nowhere."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from ivr.demo.line import LineSetup, RunningLine
from tests.postgres import PostgresServer, postgres_server
from tests.wire.kamailio import HOST as PROXY
from tests.wire.kamailio import Kamailio, kamailio
from tests.wire.ports import free_port
from tests.wire.registrar import HOST, PASSWORD, USER, Registrar, registrar
from tests.wire.takeover.telephone import Telephone

__all__ = ["postgres_server"]

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]
WITHIN_S = 20.0  # of a death, on a machine that stands still at times; what it takes is printed


@dataclass(slots=True)
class Accounts:
    """``lines`` by HOST:PORT."""

    at: Registrar
    proxy: Kamailio
    setups: dict[str, LineSetup]
    lines: dict[str, RunningLine]
    stack: AsyncExitStack
    server: PostgresServer
    database: str

    async def start(self, address: str) -> None:
        self.lines[address] = await self.stack.enter_async_context(RunningLine.running(self.setups[address]))

    async def shown(self, address: str) -> dict[str, str]:
        """What /readyz of this line says of its registration."""
        (found,) = (await self.lines[address].ready())["registrations"]
        return dict(found)

    async def until_shown(self, address: str, by: str) -> None:
        async with asyncio.timeout(10):
            while (said := await self.shown(address))["by"] != by or said["state"] != "registered":  # noqa: ASYNC110
                await asyncio.sleep(0.1)

    async def until_serving(self) -> None:
        """Each line knows that the others serve."""
        connection = await asyncpg.connect(host=str(self.server.folder), user="postgres", database=self.database)
        try:
            async with asyncio.timeout(30):
                query = "SELECT count(*) FROM line_processes WHERE NOT drains AND beat_at > now() - interval '2 s'"
                while await connection.fetchval(query) < len(self.lines):  # noqa: ASYNC110 - a beat is there to be read
                    await asyncio.sleep(0.1)
        finally:
            await connection.close()

    async def call(self) -> Telephone:
        """Somebody calls the account."""
        phone = await Telephone.ready(
            (self.at.kamailio.address.host, self.at.kamailio.address.port), "5035550111", 0x20
        )
        await phone.call(f"{USER}@{self.at.kamailio.target}")
        return phone

    @property
    def rung(self) -> Sequence[str]:
        return [said for said in self.at.kamailio.said if "rings " in said]


@asynccontextmanager
async def accounts(server: PostgresServer, folder: Path, database: str, *, shared: bool) -> AsyncIterator[Accounts]:
    """Both lines up, the first one first. ``shared``: the registrar is told of the proxy before them."""
    await server.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")  # of a run before
    await server.execute(f"CREATE DATABASE {database}")
    addresses = [f"{host}:{free_port(host)}" for host in ("127.0.0.2", "127.0.0.3")]
    try:
        async with registrar() as at, kamailio(addresses, trunks=f"127.0.0.1/32,{HOST}/32") as proxy:
            contact = f'\ncontact = "sip:{proxy.target}"' if shared else ""
            extra = f'[[sip.trunks]]\nname = "pbx"\n{at.account}{contact}\n'
            setups = {}
            for number, address in enumerate(addresses):
                own = f'{server.url(database)}"\nspool = "{folder / f"spool-{number}"}'  # as on two machines
                setups[address] = LineSetup(
                    folder / f"node-{number}",
                    database=own,
                    sip=address,
                    allow=f"{PROXY}/32",
                    extra=extra,
                    environment={"REGISTRAR_PASSWORD": PASSWORD},
                )
            async with AsyncExitStack() as stack:
                made = Accounts(at, proxy, setups, {}, stack, server, database)
                for address in addresses:
                    await made.start(address)
                yield made
                for line in made.lines.values():
                    if line.process.returncode is None:
                        line.process.kill()
    finally:
        await server.execute(f"DROP DATABASE {database} WITH (FORCE)")


def node(address: str) -> str:
    return f"{socket.gethostname()}:{address.rpartition(':')[2]}"


async def test_the_next_line_takes_it_when_one_dies_and_when_one_drains(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    """Each tells the registrar of itself: of the other in the same breath, that it is there no more."""
    async with accounts(postgres_server, tmp_path, "own_contacts", shared=False) as made:
        first, second = made.setups
        await made.at.until(lambda known: known == [first])
        await made.until_shown(first, "")
        await made.until_shown(second, node(first))
        phone = await made.call()
        assert phone.status == 200 and first in made.rung[-1]
        assert await phone.hang_up() == 200

        died = asyncio.get_running_loop().time()
        made.lines[first].process.kill()
        await made.at.until(lambda known: known == [second], WITHIN_S * 2)
        took = asyncio.get_running_loop().time() - died
        print(f"kill -9 of who registers: the other has after {took:.1f} s")
        assert took < WITHIN_S
        phone = await made.call()
        assert phone.status == 200 and len(made.rung) == 2 and second in made.rung[-1]
        assert await phone.hang_up() == 200
        await made.start(first)
        await made.until_shown(first, node(second))
        await made.until_serving()

        made.lines[second].process.send_signal(signal.SIGTERM)
        await made.lines[second].process.wait()
        await made.at.until(lambda known: known == [first])
        await made.until_shown(first, "")
        phone = await made.call()
        assert phone.status == 200 and len(made.rung) == 3
        assert await phone.hang_up() == 200
        assert [len(known) for known in made.at.known] == [1] * len(made.at.known), "never two, never none"

        await made.lines[first].stop()
        await made.at.until(lambda known: not known)


async def test_by_the_proxys_contact_calls_come_to_any_line(postgres_server: PostgresServer, tmp_path: Path) -> None:
    async with accounts(postgres_server, tmp_path, "proxy_contact", shared=True) as made:
        for address in made.setups:
            await made.proxy.until("up", address)
        await made.at.until(lambda known: known == [made.proxy.target])
        taken = set()
        for _ in range(12):
            phone = await made.call()
            assert phone.status == 200
            taken.add(next(address for address in made.lines if phone.target.endswith(f"@{address}")))
            assert await phone.hang_up() == 200
        assert taken == {*made.lines}
        first, second = made.setups
        before = len(made.at.known)
        made.lines[first].process.send_signal(signal.SIGTERM)
        await made.lines[first].process.wait()
        await made.until_shown(second, "")
        await made.lines[second].stop()
        assert len(made.at.known) > before
        assert {tuple(known) for known in made.at.known} == {(made.proxy.target,)}, (
            "nobody withdraws what is the proxy's"
        )
