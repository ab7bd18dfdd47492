"""The pool of RTP ports: pairs go round, and the legs of a process that died get theirs again."""

from __future__ import annotations

import socket

import pytest

from ivr.errors import MediaUnavailable
from ivr.media.process.port_pool import PortPool
from tests.wire.ports import free_port

HOST = "127.0.0.1"


def ports(pair: tuple[socket.socket, socket.socket]) -> tuple[int, int]:
    """Their numbers; they are free again."""
    numbers = tuple(sock.getsockname()[1] for sock in pair)
    for sock in pair:
        sock.close()
    return numbers[0], numbers[1]


def test_a_wanted_pair_is_given_where_it_is_free() -> None:
    pool = PortPool(20000, 29999)
    rtp, rtcp = pool.bind(HOST)
    wanted = ports((rtp, rtcp))
    assert ports(pool.bind(HOST, wanted=wanted[0])) == wanted
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", wanted[1]))
        assert ports(pool.bind(HOST, wanted=wanted[0])) != wanted


def test_a_new_process_goes_on_behind_the_last_port_of_the_old_one() -> None:
    port = free_port() & ~1
    low = port - 4
    first = ports(PortPool(low, port + 3, after=port - 4).bind(HOST))[0]
    assert first != low
    assert ports(PortPool(low, low + 1, after=low).bind(HOST))[0] == low, "a pool of one pair"


def test_single_ports_break_few_pairs() -> None:
    low = free_port() & ~1
    pool = PortPool(low, low + 7)
    singles = [pool.single("127.0.0.1"), pool.single("127.0.0.1"), pool.single("127.0.0.1", wanted=low + 3)]
    assert [sock.getsockname()[1] for sock in singles] == [low + 7, low + 6, low + 3]
    pairs = [ports(pool.bind(HOST)), ports(pool.bind(HOST))]
    assert sorted(pair[0] for pair in pairs) == [low, low + 4]
    taken = [pool.single("127.0.0.1") for _ in range(5)]
    with pytest.raises(MediaUnavailable, match="no free port"):
        pool.single("127.0.0.1")
    for sock in (*singles, *taken):
        sock.close()
