"""A line short of files or ports, and strangers with many connections: phone and console go on, or say why."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from ivr.config import parse_address
from ivr.demo.line import LineSetup, RunningLine
from tests.unit.sip.messages import OFFER, request, unique
from tests.wire.line.watching import readiness
from tests.wire.sip.bare import bare_peer

pytestmark = pytest.mark.wire

PORTS = (18000, 18079)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def short(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningLine]:
    folder = Path(tmp_path_factory.mktemp("short"))
    setup = LineSetup(folder, max_calls=20, descriptors=256, media_ports=f"{PORTS[0]}-{PORTS[1]}")
    async with RunningLine.running(setup) as running:
        yield running


async def call(line: RunningLine) -> int:
    """The final answer to an INVITE; an answered call is ended."""
    async with bare_peer(parse_address(line.sip)) as peer:
        call_id = unique("short")
        peer.send(request("INVITE", call_id=call_id, body=OFFER, host=peer.host))
        final = await peer.final()
        peer.send(request("ACK", call_id=call_id, to_tag=final.to.tag, host=peer.host))
        if final.status_code == 200:
            peer.send(request("BYE", call_id=call_id, number=2, to_tag=final.to.tag, host=peer.host))
            assert (await peer.final()).status_code == 200
        return final.status_code


async def ready(line: RunningLine) -> int:
    async with aiohttp.ClientSession() as session, session.get(f"{line.http}/readyz") as answer:
        return answer.status


def open_files(line: RunningLine) -> int:
    return len(list(Path(f"/proc/{line.process.pid}/fd").iterdir()))


@pytest.mark.asyncio(loop_scope="session")
async def test_silent_connections_silence_nobody(short: RunningLine) -> None:
    """300 to the console and 8 × 64 of SIP, from strangers and from the trunk's own address, under a limit of 256."""
    sip, http = parse_address(short.sip), parse_address(short.http.removeprefix("http://"))
    async with AsyncExitStack() as stack:
        goals = [(http, "127.0.0.1")] * 300
        goals += [(sip, f"127.0.0.{1 + n % 9}") for n in range(9 * 64)]
        for goal, host in goals:
            with contextlib.suppress(ConnectionError):
                async with asyncio.timeout(10):
                    _, writer = await asyncio.open_connection(goal.host, goal.port, local_addr=(host, 0))
                stack.callback(writer.close)
        assert open_files(short) < 256
        assert [await call(short) for _ in range(5)] == [200] * 5
        assert await ready(short) == 200
    assert await call(short) == 200
    events = [json.loads(text) for text in (short.setup.folder / "ivr.log").read_text().splitlines()]
    said = Counter(e["event"] for e in events if e["level"] in ("warning", "error", "critical"))
    assert said["sip.connection_refused"] <= 9 and said["http.connection_refused"] <= 1, said
    assert said["service.descriptors_exhausted"] == 0, said
    assert not [e for e in events if "exception" in e], "no traceback"


@pytest.mark.asyncio(loop_scope="session")
async def test_no_descriptor_left_is_a_refused_connection_and_nothing_more(short: RunningLine) -> None:
    """Not one more file may be opened by the line's own process: calls by UDP go on, others wait or are refused."""
    log = short.setup.folder / "ivr.log"
    assert await call(short) == 200
    pid, before = short.process.pid, len(log.read_text().splitlines())
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, limits[1]))
    try:
        used = cpu_s(pid)
        http = parse_address(short.http.removeprefix("http://"))
        async with AsyncExitStack() as stack:
            for goal in (http, parse_address(short.sip)):
                for _ in range(5):
                    _, writer = await asyncio.open_connection(goal.host, goal.port)
                    stack.callback(writer.close)
            assert [await call(short) for _ in range(3)] == [200] * 3
            async with aiohttp.ClientSession() as session:
                asking = asyncio.create_task(session.get(f"{short.http}/readyz"))
                await asyncio.sleep(3.0)  # what spins would use all of it
                assert not asking.done()
                assert cpu_s(pid) - used < 2.0
                resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
                async with asyncio.timeout(30):
                    assert (await asking).status == 200
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
    assert await call(short) == 200
    events = [json.loads(text) for text in log.read_text().splitlines()[before:]]
    said = Counter(e["event"] for e in events if e["level"] in ("warning", "error", "critical"))
    said.pop("flows.rejected", None)  # the folder could not be read meanwhile: the version that serves goes on
    said.pop("recording.unreadable", None)  # nor that of the recordings: what is said is synthesised
    assert said == {"service.descriptors_exhausted": 1}
    assert not [e for e in events if "exception" in e], "no traceback"


@pytest.mark.asyncio(loop_scope="session")
async def test_ports_that_another_program_has_are_named_by_readyz_until_a_call_gets_one(short: RunningLine) -> None:
    """Every part of the line works, and every caller is refused: who looks at it has to see why."""
    with ExitStack() as held:
        for port in range(PORTS[0], PORTS[1] + 1):
            held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)).bind(("127.0.0.1", port))
        assert await call(short) == 503
        status, said = await readiness(short.http)
        (warning,) = said["warnings"]
        assert status == 200 and warning.startswith("media: ") and "Address already in use" in warning
    assert await call(short) == 200
    _, said = await readiness(short.http)
    assert "warnings" not in said


def cpu_s(pid: int) -> float:
    """Seconds of processor that ``pid`` has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
