"""TCP connections of strangers, of silent and of slow peers: a trunk always gets in, and a line is written once."""

from __future__ import annotations

import asyncio
import contextlib
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import structlog.testing

from ivr.config import Address
from ivr.errors import DialFailed
from ivr.ports import Party
from ivr.sip import connection
from tests.unit.sip.messages import OFFER, parsed_response, request
from tests.wire.sip.bare import bare_peer
from tests.wire.sip.conftest import LOCAL, Line, Start
from tests.wire.sip.test_floods import call

pytestmark = pytest.mark.wire

ROAMING = {"name": "roaming", "inbound_auth": True, "username": "pbx", "password": "env:TRUNK_PASSWORD"}
LOOPBACK = {"name": "loopback", "allow": ["127.0.0.1"]}
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def connected(up: Line, hosts: list[str]) -> AsyncIterator[list[Streams]]:
    """A connection from each of ``hosts``, in that order."""
    opened: list[Streams] = []
    address = up.agent.address
    try:
        for host in hosts:
            with contextlib.suppress(ConnectionError):
                stream = await asyncio.open_connection(address.host, address.port, local_addr=(host, 0), limit=1 << 24)
                opened.append(stream)
        yield opened
    finally:
        for _, writer in opened:
            writer.close()


async def ended(stream: Streams) -> bytes:
    """What came until the end, however it ended."""
    async with asyncio.timeout(30):
        try:
            return await stream[0].read()
        except ConnectionError:
            return b""


async def answered(stream: Streams) -> int:
    reader, writer = stream
    writer.write(request("OPTIONS", transport="TCP"))
    async with asyncio.timeout(30):
        return parsed_response(await reader.readuntil(b"\r\n\r\n")).status_code


async def test_hosts_that_no_trunk_lists_are_refused_before_a_byte_is_read(line: Start) -> None:
    up = await line()
    strangers = [f"127.0.0.{2 + n % 8}" for n in range(8 * 64)]
    with structlog.testing.capture_logs() as logs:
        async with connected(up, strangers) as streams:
            assert await asyncio.gather(*(ended(stream) for stream in streams)) == [b""] * len(streams)
            async with connected(up, ["127.0.0.1"] * 4) as trunk:
                assert [await answered(stream) for stream in trunk] == [200] * 4
            assert await call(up) < 4.0
    lines = [entry for entry in logs if entry["event"] == "sip.connection_refused"]
    assert sorted(entry["source"] for entry in lines) == sorted({*strangers}), "one line a source"
    assert [entry for entry in logs if entry["event"] == "sip.unreachable"] == []


async def test_connections_that_may_prove_themselves_leave_room_for_trunks(
    line: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where anybody may come with credentials, who comes without keeps nobody out and nobody for long."""
    monkeypatch.setenv("TRUNK_PASSWORD", "correct horse")
    monkeypatch.setattr(connection, "UNPROVEN_S", 1.0)
    up = await line(trunks=[LOOPBACK, ROAMING])
    with structlog.testing.capture_logs() as logs:
        everybody = [f"127.0.0.{2 + n % 16}" for n in range(16 * 64)]
        async with connected(up, everybody) as strangers, connected(up, ["127.0.0.1"] * 32) as trunk:
            assert [await answered(stream) for stream in trunk] == [200] * 32
            async with connected(up, ["127.0.0.99"]) as late:
                assert await answered(late[0]) == 401
            await asyncio.gather(*(ended(stream) for stream in strangers))
            assert await answered(trunk[0]) == 200
    assert len([entry for entry in logs if entry["log_level"] != "debug"]) <= 32


async def test_closing_connections_are_no_news(line: Start) -> None:
    up = await line()
    with structlog.testing.capture_logs() as logs:
        for _ in range(20):
            async with connected(up, ["127.0.0.1"] * 10):
                pass
        async with connected(up, ["127.0.0.1"]) as trunk:
            assert await answered(trunk[0]) == 200
    assert [entry for entry in logs if entry["log_level"] != "debug"] == []


@pytest.mark.parametrize("whole_first", [False, True])
@pytest.mark.parametrize("drip", [b"", b"x"])
async def test_half_a_message_is_not_waited_for(
    line: Start, monkeypatch: pytest.MonkeyPatch, whole_first: bool, drip: bytes
) -> None:
    monkeypatch.setattr(connection, "PARTIAL_S", 0.6)
    up = await line()
    async with connected(up, ["127.0.0.1"]) as streams:
        reader, writer = streams[0]
        if whole_first:
            assert await answered(streams[0]) == 200
        writer.write(request("OPTIONS", transport="TCP")[:120])

        async def dripping() -> None:
            while True:
                await asyncio.sleep(0.1)
                writer.write(drip)

        drips = asyncio.create_task(dripping())
        assert await ended((reader, writer)) == b"", "though something came all the while"
        drips.cancel()


async def test_who_only_keeps_alive_is_kept(line: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "PARTIAL_S", 0.3)
    up = await line()
    async with connected(up, ["127.0.0.1"]) as streams:
        reader, writer = streams[0]
        for _ in range(8):
            writer.write(b"\r\n\r\n")
            async with asyncio.timeout(30):
                assert await reader.readexactly(2) == b"\r\n"
            await asyncio.sleep(0.1)
        assert await answered(streams[0]) == 200


async def test_a_stream_that_cannot_be_followed_hears_why(line: Start) -> None:
    """ncl of RFC 4475, over TCP: what came whole before is served, then 400 and the end."""
    up = await line()
    async with connected(up, ["127.0.0.1"]) as streams:
        broken = request("OPTIONS", transport="TCP").replace(b"Content-Length: 0", b"Content-Length: -999")
        streams[0][1].write(request("OPTIONS", transport="TCP") + broken)
        got = await ended(streams[0])
    assert got.count(b"SIP/2.0 200 ") == 1 and got.count(b"SIP/2.0 400 ") == 1


async def test_no_descriptor_left_fails_one_dial_and_no_call(line: Start) -> None:
    up = await line(listen="0.0.0.0:0")
    peer = Address("127.0.0.1", up.agent.address.port)
    caller = Party("5035550142", "", "sip:line@127.0.0.1")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with bare_peer(peer) as phone:
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        try:
            with pytest.raises(DialFailed) as refused:
                target = f"sip:agent@127.0.0.1:{peer.port};transport=tcp"
                await up.agent.dial(target, LOCAL, caller=caller, headers={}, ring_timeout_s=30)
            assert refused.value.status == 503
            phone.send(request("INVITE", call_id="last", body=OFFER, host=phone.host))
            ok = await phone.final()
            assert ok.headers.first("contact") == f"<sip:ivr@127.0.0.1:{peer.port}>"
            phone.send(request("ACK", call_id="last", to_tag=ok.to.tag, host=phone.host))
            await up.until(lambda: bool(up.legs))
            await up.legs[0].hangup()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_a_flood_on_a_connection_is_dropped_and_the_connection_lives(line: Start) -> None:
    up = await line()
    async with connected(up, ["127.0.0.1"] * 2) as streams:
        reader, writer = streams[0]
        writer.write(b"".join(request("MESSAGE", transport="TCP") for _ in range(5000)))
        assert await call(up) < 4.0
        async with asyncio.timeout(30):
            await writer.drain()
        assert up.agent.load().dropped > 3000
        assert up.agent.load().transactions < 10
        writer.write(request("INVITE", call_id="tcp-call", transport="TCP"))
        async with asyncio.timeout(30):
            await reader.readuntil(b"Call-ID: tcp-call")
    for leg in up.legs:
        asyncio.get_running_loop().create_task(leg.hangup())
