"""Two lines on one database, one of the release before and one of this: both serve, and no caller notices."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest

from ivr.demo.line import AgentPhone, LineSetup, RunningLine
from tests.postgres import PostgresServer, postgres_server
from tests.wire.ports import free_port
from tests.wire.takeover.telephone import Telephone
from tests.wire.upgrade.wheels import Release, releases

__all__ = ["postgres_server"]

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]
DATABASE = "rolling"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Release, Release, Release]:
    return releases(tmp_path_factory.mktemp("releases"))


async def rows(server: PostgresServer, query: str) -> Sequence[Any]:
    connection = await asyncpg.connect(host=str(server.folder), user="postgres", database=DATABASE)
    try:
        return list(await connection.fetch(query))
    finally:
        await connection.close()


async def said(release: Release, setup: LineSetup, *words: str) -> tuple[int, str]:
    """What ``ivr`` of that release says of a line's configuration."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ivr", *words, "--config", str(setup.write())),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **release.environment},
    )
    async with asyncio.timeout(120):
        output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def runs(line: RunningLine, release: Release) -> bool:
    environment = Path(f"/proc/{line.process.pid}/environ").read_text()
    return f"PYTHONPATH={release.folder}\0" in environment


async def until_waiting(line: RunningLine, count: int) -> None:
    """So many callers are in the line as it sees it, whoever has them."""
    async with asyncio.timeout(60), aiohttp.ClientSession() as session:
        while True:
            async with session.get(f"{line.http}/metrics") as answer:
                told = (await answer.text()).splitlines()
            if sum(float(row.rpartition(" ")[2]) for row in told if row.startswith("ivr_line_waiting{")) == count:
                return
            await asyncio.sleep(0.2)


async def until_talking(server: PostgresServer, phone: Telephone) -> None:
    query = f"SELECT p.state FROM places p JOIN calls c USING (call_id) WHERE c.sip_call_id = '{phone.call_id}'"
    async with asyncio.timeout(60):
        while [row["state"] for row in await rows(server, query)] != ["talking"]:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def test_two_releases_take_calls_on_one_database_and_see_each_others_callers(
    postgres_server: PostgresServer, built: tuple[Release, Release, Release], tmp_path: Path
) -> None:
    before, this, after = built
    await postgres_server.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")  # of a run before
    await postgres_server.execute(f"CREATE DATABASE {DATABASE}")
    agent = await Telephone.ready(None, "agent", 0x55)
    numbers = iter(range(5035550100, 5035550200))

    def setup(host: str, release: Release) -> LineSetup:
        own = f'{postgres_server.url(DATABASE)}"\nspool = "{tmp_path / f"spool-{host}"}'  # as on two machines
        phones = [AgentPhone(agent.uri, name="agent", ring_timeout_s=20.0)]
        listen = f"{host}:{free_port(host)}"
        return LineSetup(tmp_path / host, phones, own, sip=listen, environment=release.environment)

    async def call(line: RunningLine, *, person: bool = False) -> Telephone:
        host, _, port = line.sip.rpartition(":")
        phone = await Telephone.ready((host, int(port)), str(next(numbers)), 0x20)
        assert await phone.call(f"line@{line.sip}", timeout_s=60.0) == 200
        if person:
            await phone.until_heard(timeout_s=60.0)
            phone.press("0")
        return phone

    async with AsyncExitStack() as stack:
        first, second = setup("127.0.0.2", before), setup("127.0.0.3", this)
        old = await stack.enter_async_context(RunningLine.running(first))
        assert await runs(old, before)
        up = await call(old)

        # Expand, while the release before has a caller: it goes on, and takes others.
        code, text = await said(this, second, "db", "upgrade")
        assert code == 0 and "2 to run" in text, text
        assert "9001: Expands: what callers felt" in text and "9002: Expands: calls are found" in text
        (index,) = await rows(
            postgres_server, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_calls_mood'::regclass"
        )
        assert index["indisvalid"]
        new = await stack.enter_async_context(RunningLine.running(second))
        assert await runs(new, this)
        assert await up.hang_up() == 200

        # Mixed: both take calls, each sees who waits at the other, and the one agent serves both.
        talks = await call(old, person=True)
        await until_talking(postgres_server, talks)
        next_ = await call(new, person=True)
        await until_waiting(old, 1)
        last = await call(old, person=True)
        for line in (old, new):
            await until_waiting(line, 2)
        assert await talks.hang_up() == 200
        await until_talking(postgres_server, next_)
        assert await next_.hang_up() == 200
        await until_talking(postgres_server, last)
        assert await last.hang_up() == 200

        # The release before starts again on the newer schema.
        old.process.kill()
        await old.process.wait()
        code, text = await said(before, first, "db", "status")
        assert code == 0 and "newer than this release" in text and "which runs on it" in text, text
        old = await stack.enter_async_context(RunningLine.running(first))
        assert await (await call(old)).hang_up() == 200
        assert await (await call(new)).hang_up() == 200

        # Contract: the release before is kept out, and says so; this one goes on.
        code, text = await said(after, second, "db", "upgrade")
        assert code == 0 and "9003: Contracts" in text, text
        assert await (await call(new)).hang_up() == 200
        code, text = await said(before, first, "serve")
        assert code != 0 and "9003" in text and "start that one" in text, text
    agent.close()
    await postgres_server.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")
