"""The pool of RTP ports: pairs go round, and the legs of a process that died get theirs again."""

from __future__ import annotations

import socket

from ivr.media.process.port_pool import PortPool
from tests.wire.sipp import free_port


def ports(pair: tuple[socket.socket, socket.socket]) -> tuple[int, int]:
    """Their numbers; they are free again."""
    numbers = tuple(sock.getsockname()[1] for sock in pair)
    for sock in pair:
        sock.close()
    return numbers[0], numbers[1]


def test_a_wanted_pair_is_given_where_it_is_free() -> None:
    pool = PortPool("127.0.0.1", 20000, 29999)
    rtp, rtcp = pool.bind()
    wanted = ports((rtp, rtcp))
    assert ports(pool.bind(wanted=wanted[0])) == wanted
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", wanted[1]))
        assert ports(pool.bind(wanted=wanted[0])) != wanted


def test_a_new_process_goes_on_behind_the_last_port_of_the_old_one() -> None:
    port = free_port() & ~1
    low = port - 4
    first = ports(PortPool("127.0.0.1", low, port + 3, after=port - 4).bind())[0]
    assert first != low
    assert ports(PortPool("127.0.0.1", low, low + 1, after=low).bind())[0] == low, "a pool of one pair"
