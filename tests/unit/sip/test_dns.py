"""DNS answers and their time, from a real server on loopback and from this machine's own names."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ivr.sip.dns import Resolver
from ivr.sip.locate import Naptr, Srv
from tests.name_server import NameServer, name_server

ZONE = (
    'example.test 60 IN NAPTR 10 50 "s" "SIP+D2U" "" _sip._udp.example.test.',
    "_sip._udp.example.test 20 IN SRV 1 2 5062 a.example.test.",
    "a.example.test 5 IN A 127.0.0.9",
    "a.example.test 5 IN AAAA ::1",
    "long.example.test 86400 IN A 127.0.0.10",
)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def resolving(
    *zone: str, versions: tuple[int, ...] = (4, 6)
) -> AsyncIterator[tuple[Resolver, NameServer, Clock]]:
    clock = Clock()
    async with name_server(*(zone or ZONE)) as server:
        resolver = Resolver([server.address], versions, clock)
        try:
            yield resolver, server, clock
        finally:
            await resolver.close()


async def test_records_are_read_as_they_are() -> None:
    async with resolving() as (resolver, _, _):
        assert await resolver.naptr("example.test") == (Naptr(10, 50, "s", "SIP+D2U", "_sip._udp.example.test"),)
        assert await resolver.srv("_sip._udp.example.test") == (Srv(1, 2, 5062, "a.example.test"),)
        assert await resolver.addresses("a.example.test") == ["127.0.0.9", "::1"]
        assert await resolver.srv("_sip._tcp.example.test") == ()
        assert await resolver.addresses("unknown.test") == []


async def test_only_addresses_of_our_ip_versions_are_asked_for() -> None:
    async with resolving(versions=(4,)) as (resolver, server, _):
        assert await resolver.addresses("a.example.test") == ["127.0.0.9"]
        assert server.asked == [("a.example.test", "A")]


async def test_an_answer_is_kept_by_its_ttl_within_bounds() -> None:
    async with resolving(versions=(4,)) as (resolver, server, clock):
        for name, kept in (("a.example.test", 10.0), ("long.example.test", 300.0)):
            server.asked.clear()
            await resolver.addresses(name)
            clock.now += kept - 1
            await resolver.addresses(name)
            assert len(server.asked) == 1, name
        server.zone("long.example.test 86400 IN A 127.0.0.99")
        clock.now += 2
        assert await resolver.addresses("long.example.test") == ["127.0.0.99"], "no change is missed for hours"


async def test_the_same_question_of_several_calls_is_asked_once() -> None:
    async with resolving(versions=(4,)) as (resolver, server, _):
        answers = await asyncio.gather(*(resolver.addresses("a.example.test") for _ in range(50)))
        assert answers == [["127.0.0.9"]] * 50 and server.asked == [("a.example.test", "A")]


async def test_a_mute_server_is_given_up_within_two_seconds_and_the_loop_goes_on() -> None:
    async with resolving() as (resolver, server, _):
        server.mute = True
        turns, began = 0, time.monotonic()
        asking = asyncio.ensure_future(resolver.addresses("a.example.test"))
        while not asking.done():
            await asyncio.sleep(0.01)
            turns += 1
        with pytest.raises(OSError, match=r"no answer from DNS about a\.example\.test"):
            await asking
        assert 0.3 < time.monotonic() - began < 2.0 and turns > 20


@pytest.mark.parametrize("how", ["mute", "failing"])
async def test_an_old_answer_serves_for_an_hour_while_dns_is_dead(how: str) -> None:
    async with resolving(versions=(4,)) as (resolver, server, clock):
        server.zone("a.example.test 60 IN A 127.0.0.9")
        assert await resolver.addresses("a.example.test") == ["127.0.0.9"]
        setattr(server, how, True)
        clock.now += 310  # c-ares's own memory has ended, too
        began = time.monotonic()
        assert await resolver.addresses("a.example.test") == ["127.0.0.9"]
        assert time.monotonic() - began < 1.0
        asked = len(server.asked)
        began = time.monotonic()
        assert await resolver.addresses("a.example.test") == ["127.0.0.9"]
        assert time.monotonic() - began < 0.1 and len(server.asked) == asked, "nobody waits for dead DNS at every call"
        setattr(server, how, False)
        server.zone("a.example.test 60 IN A 127.0.0.11")
        async with asyncio.timeout(10):  # the question that nobody answered may be under way still
            while await resolver.addresses("a.example.test") != ["127.0.0.11"]:
                clock.now += 11
        setattr(server, how, True)
        clock.now += 3700
        with pytest.raises(OSError, match="no answer"):
            await resolver.addresses("a.example.test")


async def test_one_ip_version_that_is_not_answered_costs_the_other_nothing() -> None:
    async with resolving() as (resolver, server, _):
        server.swallowed.add("AAAA")
        assert await resolver.addresses("a.example.test") == ["127.0.0.9"]


async def test_names_of_this_machine_need_no_server() -> None:
    resolver = Resolver(["127.0.0.1:1"], (4,), time.monotonic)
    try:
        assert await resolver.addresses("localhost") == ["127.0.0.1"]
    finally:
        await resolver.close()
