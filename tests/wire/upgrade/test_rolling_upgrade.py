"""Two lines are upgraded one by one, from the release before to this one, and no caller notices."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from ivr.demo.line import RunningLine
from tests.postgres import PostgresServer, postgres_server
from tests.wire.takeover.cluster import Cluster, cluster
from tests.wire.takeover.telephone import Telephone
from tests.wire.upgrade.wheels import Release, releases

__all__ = ["postgres_server"]

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Release, Release, Release]:
    return releases(tmp_path_factory.mktemp("releases"))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def two_lines(
    postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory, built: tuple[Release, Release, Release]
) -> AsyncIterator[Cluster]:
    """Both of the release before."""
    folder = tmp_path_factory.mktemp("rolling")
    environment = built[0].environment
    async with cluster(postgres_server, folder, agents=1, database="rolling", environment=environment) as made:
        yield made


async def said(release: Release, folder: Path, *words: str) -> tuple[int, str]:
    """What ``ivr`` of that release says of a line's configuration."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ivr", *words, "--config", str(folder / "config.toml")),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **release.environment},
    )
    async with asyncio.timeout(120):
        output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def rolled(lines: Cluster, address: str, release: Release) -> None:
    """Drained, stopped, and started as that release."""
    lines.lines[address].process.send_signal(signal.SIGTERM)
    await lines.lines[address].process.wait()
    lines.setups[address] = replace(lines.setups[address], environment=release.environment)
    await lines.up()


async def program(line: RunningLine) -> str:
    """Where the process runs from."""
    return Path(f"/proc/{line.process.pid}/environ").read_text()


async def waiting(line: RunningLine) -> int:
    """How many callers it sees in the line, whoever has them."""
    async with aiohttp.ClientSession() as session, session.get(f"{line.http}/metrics") as answer:
        told = await answer.text()
    return sum(int(float(row.rpartition(" ")[2])) for row in told.splitlines() if row.startswith("ivr_line_waiting{"))


async def wants_a_person(lines: Cluster, address: str) -> Telephone:
    phone = await lines.call_at(address)
    await phone.until_heard()
    phone.press("0")
    return phone


async def test_two_releases_take_calls_on_one_database_and_see_each_others_callers(
    two_lines: Cluster, built: tuple[Release, Release, Release]
) -> None:
    before, this, after = built
    old, new = two_lines.setups
    folder = two_lines.setups[new].folder
    up = await two_lines.call_at(old)

    # Expand, while the release before serves: it goes on, and also starts again.
    code, text = await said(this, folder, "db", "upgrade")
    assert code == 0 and "2 to run" in text, text
    assert "9001: Expands: what callers felt" in text and "9002: Expands: calls are found" in text
    assert await two_lines.rows("SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_calls_mood'::regclass")
    await two_lines.call_at(old)
    await rolled(two_lines, new, this)
    assert await up.hang_up() == 200
    await two_lines.hang_up()
    await rolled(two_lines, old, before)
    code, text = await said(before, folder, "db", "status")
    assert code == 0 and "newer than this release" in text and "which runs on it" in text

    # Mixed: both take calls, and each sees who waits at the other; the one agent serves both.
    for address, release in ((old, before), (new, this)):
        assert str(release.folder) in await program(two_lines.lines[address])
    first = await wants_a_person(two_lines, old)
    await two_lines.until("talking", [first])
    second, third = await wants_a_person(two_lines, new), await wants_a_person(two_lines, old)
    await two_lines.until("waiting", [second, third])
    for line in two_lines.lines.values():
        async with asyncio.timeout(10):
            while await waiting(line) != 2:  # noqa: ASYNC110 - a gauge is there to be polled
                await asyncio.sleep(0.2)
    assert await first.hang_up() == 200
    await two_lines.until("talking", [second])
    assert await second.hang_up() == 200
    await two_lines.until("talking", [third])
    assert set(await two_lines.hang_up()) == {200}

    # Contract, once nobody runs the release before any more: it does not start again, and says why.
    await rolled(two_lines, old, this)
    code, text = await said(after, folder, "db", "upgrade")
    assert code == 0 and "9003: Contracts" in text
    await two_lines.call_at(old)
    code, text = await said(before, folder, "serve")
    assert code != 0 and "9003" in text and "start that one" in text, text
    assert "up to date" not in text
    assert set(await two_lines.hang_up()) == {200}
