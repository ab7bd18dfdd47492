"""Servers in turn and long requests by TCP, with real DNS, real sockets, and SIPp at the far end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from ivr.errors import DialFailed
from ivr.ports import Leg, Party
from tests.certificates import Authority
from tests.name_server import name_server
from tests.wire.ports import free_port
from tests.wire.sip.conftest import LOCAL, SCENARIOS, Line, Start
from tests.wire.sip.test_tls import answering
from tests.wire.sip.tls_peer import TlsServer, server_context
from tests.wire.sipp import start_sipp

pytestmark = pytest.mark.wire

NOTE = {"X-IVR-Note": "queue=7", "User-to-User": "5a4b3c;encoding=hex"}
LONG = {**NOTE, "X-IVR-Context": "word " * 250}


async def dialled(up: Line, target: str, headers: dict[str, str] = NOTE) -> tuple[Leg, float]:
    """The leg, and how long it took to be answered."""
    began = asyncio.get_running_loop().time()
    leg = await up.agent.dial(target, LOCAL, caller=Party("1000"), headers=headers, ring_timeout_s=30.0)
    return leg, asyncio.get_running_loop().time() - began


@pytest.mark.parametrize(("first", "within"), [("nobody", (0.0, 2.0)), ("silent", (3.9, 6.0))])
async def test_the_second_server_of_a_domain_answers(
    line: Start, tmp_path: Path, first: str, within: tuple[float, float]
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        dead = silent.getsockname()[1] if first == "silent" else free_port()
        run = await start_sipp(SCENARIOS / "uas_answer.xml", tmp_path, calls=2)
        zone = [f"_sip._udp.pbx.test 60 IN SRV {n} 0 {port} here.pbx.test." for n, port in enumerate((dead, run.port))]
        async with name_server(*zone, "here.pbx.test 60 IN A 127.0.0.1") as dns:
            up = await line(dns_servers=[dns.address])
            leg, took = await dialled(up, "sip:sipp@pbx.test")
            assert within[0] <= took < within[1]
            await leg.hangup()
            dns.mute = True
            leg, took = await dialled(up, "sip:sipp@pbx.test")
            assert took < 2.0, "who failed is the last for a while, and what DNS said is known"
            await leg.hangup()
        (await run.result()).check(2)


async def test_dead_dns_ends_a_dial_in_two_seconds(line: Start) -> None:
    async with name_server() as dns:
        dns.mute = True
        up = await line(dns_servers=[dns.address])
        began = asyncio.get_running_loop().time()
        with pytest.raises(DialFailed, match="no answer from DNS"):
            await dialled(up, "sip:agent@pbx.test")
        assert asyncio.get_running_loop().time() - began < 2.1


async def test_a_long_request_goes_by_tcp_to_whoever_has_it(line: Start, tmp_path: Path) -> None:
    up = await line()
    run = await start_sipp(SCENARIOS / "uas_answer.xml", tmp_path, transport="t1")
    leg, _ = await dialled(up, run.uri, LONG)
    await leg.hangup()
    said = (await run.result()).check().messages
    assert "Via: SIP/2.0/TCP" in said and ";transport=tcp>" in said


async def test_whoever_has_only_udp_gets_it_there_at_once(line: Start, tmp_path: Path) -> None:
    up = await line()
    run = await start_sipp(SCENARIOS / "uas_answer.xml", tmp_path)
    leg, took = await dialled(up, run.uri, LONG)
    assert took < 1.0
    await leg.hangup()
    assert "Via: SIP/2.0/UDP" in (await run.result()).check().messages


@contextmanager
def deaf() -> Iterator[int]:
    """A TCP port that takes no more connections, as behind a firewall that swallows them; it is free for UDP."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(8):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        yield server.getsockname()[1]


async def test_a_peer_whose_tcp_is_swallowed_is_reached_soon_and_then_at_once(line: Start, tmp_path: Path) -> None:
    up = await line()
    with deaf() as port:
        run = await start_sipp(SCENARIOS / "uas_answer.xml", tmp_path, port=port, calls=2)
        for longest in (2.0, 0.9):
            leg, took = await dialled(up, run.uri, LONG)
            assert took < longest
            await leg.hangup()
        (await run.result()).check(2)


async def test_the_next_server_is_dialled_where_one_shows_another_s_certificate(line: Start, tmp_path: Path) -> None:
    """By TLS a server is who its certificate names: the domain that was asked for, never where SRV led."""
    house = Authority(tmp_path)
    ours, right = house.signs("line", "127.0.0.1"), house.signs("right", "pbx.test")
    led = house.signs("led", "here.pbx.test", "127.0.0.1", "sip:here.pbx.test")
    own = {"listen": "127.0.0.1:0", "certificate": ours.pem, "key": ours.key_pem, "ca": house.pem}
    async with (
        TlsServer.running(server_context(led)) as wrong,
        TlsServer.running(server_context(right)) as server,
    ):
        ports = (free_port(), wrong.port, server.port)
        zone = [f"_sips._tcp.pbx.test 60 IN SRV {n} 0 {port} here.pbx.test." for n, port in enumerate(ports)]
        async with name_server(*zone, "here.pbx.test 60 IN A 127.0.0.1", "here.pbx.test 60 IN AAAA ::1") as dns:
            up = await line(dns_servers=[dns.address], transports=["udp", "tcp", "tls"], tls=own)
            for target in ("sips:agent@pbx.test", "sip:agent@PBX.test.;transport=tls", "sip:agent@pbx.test"):
                dialling = asyncio.create_task(dialled(up, target, LONG))
                peer, invite = await answering(server)
                assert invite.top_via.transport == "TLS" and len(invite.text)
                leg, took = await dialling
                assert took < 2.0
                await peer.request("ACK")
                await leg.hangup()
                await peer.request("BYE")
                peer.abort()
