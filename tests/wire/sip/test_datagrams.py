"""What the UDP socket does when nobody is at the other end: it tells whoever should know, and costs nothing."""

from __future__ import annotations

import asyncio
import errno
import select
import socket
from typing import cast

import pytest

from ivr.errors import DialFailed
from ivr.ports import Party
from ivr.sip.datagrams import Datagrams
from ivr.sip.message import Peer
from tests.wire.sip.conftest import LOCAL, Start

pytestmark = pytest.mark.wire

CALLER = Party("+15035550142", "", "")


def dead_peer() -> Peer:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        return Peer("udp", "127.0.0.1", closed.getsockname()[1])


@pytest.mark.parametrize("datagrams", [1, 5])
async def test_an_answer_that_nobody_takes_leaves_nothing_that_wakes_the_loop(datagrams: int) -> None:
    """A prober that closed its socket: the ICMP error comes while the same turn still reads."""
    loop = asyncio.get_running_loop()
    gone, told, read = dead_peer(), asyncio.Event(), []

    def received(data: bytes, peer: Peer) -> None:
        read.append(data)
        served.send(b"SIP/2.0 200 OK\r\n\r\n", gone)

    def unreachable(peer: Peer, reason: str) -> None:
        assert peer == gone
        told.set()

    transport, served = await loop.create_datagram_endpoint(
        lambda: Datagrams(received, unreachable), local_addr=("127.0.0.1", 0)
    )
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as prober:
            for _ in range(datagrams):
                prober.sendto(b"OPTIONS", ("127.0.0.1", served.port))
        async with asyncio.timeout(30):
            await told.wait()
        waiting = select.poll()
        waiting.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
        assert waiting.poll(0) == []
        assert len(read) == datagrams
    finally:
        transport.close()


@pytest.mark.parametrize("target", ["sip:agent@[2001:db8::1]", "sip:agent@[::1]:5070", "sip:agent@255.255.255.255"])
async def test_a_peer_that_the_system_cannot_send_to_fails_at_once(line: Start, target: str) -> None:
    up = await line()
    async with asyncio.timeout(10):
        with pytest.raises(DialFailed) as refused:
            await up.agent.dial(target, LOCAL, caller=CALLER, headers={}, ring_timeout_s=20.0)
    assert refused.value.status == 503


class _ErrorQueue:
    """In place of a socket: one error of the system's waits there."""

    def __init__(self, code: int, origin: int, kind: int) -> None:
        self._left = [code.to_bytes(4, "little") + bytes([origin, kind]) + bytes(10)]

    def recvmsg(self, *_: int) -> tuple[bytes, list[tuple[int, int, bytes]], int, tuple[str, int]]:
        if not self._left:
            raise BlockingIOError
        return b"", [(0, 11, self._left.pop())], 0, ("192.0.2.20", 5060)


@pytest.mark.parametrize(
    ("code", "origin", "kind", "told"),
    [
        (errno.ECONNREFUSED, 2, 3, True),
        (errno.EHOSTUNREACH, 2, 3, True),
        (errno.EHOSTUNREACH, 3, 1, True),
        (errno.EPROTO, 2, 12, True),
        (errno.EHOSTUNREACH, 2, 11, False),
        (errno.EHOSTUNREACH, 3, 3, False),
        (errno.EMSGSIZE, 2, 3, False),
        (errno.EMSGSIZE, 3, 2, False),
    ],
)
async def test_which_icmp_messages_end_a_request(code: int, origin: int, kind: int, told: bool) -> None:
    """Section 18.4: not that a route was slow or long; and what was too big goes out in pieces the next time."""
    heard: list[Peer] = []
    datagrams = Datagrams(lambda data, peer: None, lambda peer, reason: heard.append(peer))
    datagrams._socket = cast(socket.socket, _ErrorQueue(code, origin, kind))
    datagrams.error_received(OSError(code, "as the system says"))
    await asyncio.sleep(0)
    assert heard == [Peer("udp", "192.0.2.20", 5060)] * told


async def test_where_only_tcp_is_served_a_target_is_dialled_over_tcp(line: Start) -> None:
    up = await line(transports=["tcp"])
    reached = asyncio.Event()
    phone = await asyncio.start_server(lambda reader, writer: reached.set(), "127.0.0.1", 0)
    async with phone, asyncio.timeout(30):
        target = f"sip:agent@127.0.0.1:{phone.sockets[0].getsockname()[1]}"
        dial = asyncio.create_task(
            up.agent.dial(target, LOCAL, caller=CALLER, headers={}, ring_timeout_s=20.0), name="dial"
        )
        await reached.wait()
        dial.cancel()
        with pytest.raises(asyncio.CancelledError):
            await dial
