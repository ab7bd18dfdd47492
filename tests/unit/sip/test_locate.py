"""Server location by RFC 3263, with DNS as a table."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import pytest

from ivr.sip.headers import Uri
from ivr.sip.locate import Naptr, Reach, Server, Srv, locate, shuffled

T = TypeVar("T")

ALL = ("udp", "tcp", "tls")


@dataclass
class Table:
    """DNS that knows what it is given; of a name in ``dead`` it says nothing."""

    naptrs: dict[str, list[Naptr]] = field(default_factory=dict)
    srvs: dict[str, list[Srv]] = field(default_factory=dict)
    hosts: dict[str, list[str]] = field(default_factory=dict)
    dead: set[str] = field(default_factory=set)

    async def naptr(self, domain: str) -> Sequence[Naptr]:
        return self._of(self.naptrs, domain, f"naptr {domain}")

    async def srv(self, name: str) -> Sequence[Srv]:
        return self._of(self.srvs, name, name)

    async def addresses(self, host: str) -> Sequence[str]:
        return self._of(self.hosts, host, host)

    def _of(self, table: dict[str, list[T]], name: str, dead: str) -> Sequence[T]:
        if dead in self.dead or "*" in self.dead:
            raise OSError("no answer")
        return table.get(name, [])


async def found(
    uri: str, table: Table, transport: str = "", ours: Sequence[str] = ALL, versions: Sequence[int] = (4, 6)
) -> list[str]:
    servers = await locate(Uri.parse(uri), transport, Reach(ours, versions), table, random.Random(7))
    return [f"{s.transport} {s.host} {s.port}" for s in servers]


FULL = Table(
    naptrs={
        "example.com": [
            Naptr(20, 10, "s", "SIP+D2U", "_sip._udp.example.com"),
            Naptr(10, 20, "s", "SIP+D2T", "_sip._tcp.example.com"),
            Naptr(10, 10, "S", "sips+d2t", "_sips._tcp.example.com"),
            Naptr(1, 1, "u", "E2U+sip", ""),
        ]
    },
    srvs={
        "_sip._udp.example.com": [Srv(10, 0, 5060, "a.example.com"), Srv(5, 0, 5070, "b.example.com")],
        "_sip._tcp.example.com": [Srv(1, 0, 5072, "a.example.com")],
        "_sips._tcp.example.com": [Srv(1, 0, 5081, "a.example.com")],
    },
    hosts={"a.example.com": ["192.0.2.1", "2001:db8::1"], "b.example.com": ["192.0.2.2"], "example.com": ["192.0.2.3"]},
)


async def test_a_domain_is_followed_over_naptr_and_srv_in_their_order() -> None:
    assert await found("sip:x@example.com", FULL) == [
        "tls 192.0.2.1 5081", "tls 2001:db8::1 5081",
        "tcp 192.0.2.1 5072", "tcp 2001:db8::1 5072",
        "udp 192.0.2.2 5070", "udp 192.0.2.1 5060", "udp 2001:db8::1 5060",
    ]  # fmt: skip


async def test_what_we_do_not_speak_is_left_out() -> None:
    assert await found("sip:x@example.com", FULL, ours=("udp",), versions=(4,)) == [
        "udp 192.0.2.2 5070",
        "udp 192.0.2.1 5060",
    ]
    assert await found("sip:x@example.com", FULL, ours=("tcp",), versions=(6, 4)) == [
        "tcp 2001:db8::1 5072",
        "tcp 192.0.2.1 5072",
    ]
    assert await found("sips:x@example.com", FULL, ours=("udp", "tcp")) == []
    assert await found("sip:x@example.com;transport=sctp", FULL) == []
    assert await found("sip:x@192.0.2.9:5070", FULL, ours=("tls",)) == ["tls 192.0.2.9 5070"]
    assert await found("sips:x@192.0.2.9:5070", FULL, ours=("udp",)) == []


@pytest.mark.parametrize(
    ("uri", "transport", "expected"),
    [
        ("sip:x@192.0.2.9", "", "udp 192.0.2.9 5060"),
        ("sip:x@192.0.2.9", "tcp", "tcp 192.0.2.9 5060"),
        ("sip:x@192.0.2.9;transport=udp", "tcp", "udp 192.0.2.9 5060"),
        ("sip:x@[2001:db8::9]:5070;transport=TCP", "", "tcp 2001:db8::9 5070"),
        ("sips:x@192.0.2.9", "", "tls 192.0.2.9 5061"),
        ("sips:x@192.0.2.9:5099", "", "tls 192.0.2.9 5099"),
        ("sips:b.example.com:5099;transport=tcp", "", "tls 192.0.2.2 5099"),
        ("sip:x@b.example.com:5099", "", "udp 192.0.2.2 5099"),
        ("sip:x@elsewhere.example;maddr=192.0.2.77", "", "udp 192.0.2.77 5060"),
        ("sip:x@b.example.com", "", "udp 192.0.2.2 5060"),
        ("sips:x@b.example.com", "", "tls 192.0.2.2 5061"),
    ],
)
async def test_numeric_hosts_ports_and_plain_names(uri: str, transport: str, expected: str) -> None:
    assert await found(uri, FULL, transport) == [expected]


async def test_a_chosen_transport_asks_for_its_own_records() -> None:
    assert await found("sip:x@example.com;transport=tcp", FULL) == ["tcp 192.0.2.1 5072", "tcp 2001:db8::1 5072"]
    assert await found("sips:x@example.com", FULL) == ["tls 192.0.2.1 5081", "tls 2001:db8::1 5081"]


async def test_without_naptr_every_transport_we_speak_is_looked_for_in_our_order() -> None:
    table = Table(srvs=FULL.srvs, hosts=FULL.hosts)
    assert (await found("sip:x@example.com", table, ours=("udp", "tcp"), versions=(4,))) == [
        "udp 192.0.2.2 5070", "udp 192.0.2.1 5060", "tcp 192.0.2.1 5072",
    ]  # fmt: skip


async def test_a_certificate_must_name_the_domain_that_was_asked_for() -> None:
    servers = await locate(Uri.parse("sips:x@Example.com"), "", Reach(ALL), lowered(), random.Random(1))
    assert servers[0] == Server("tls", "192.0.2.1", 5081, "Example.com")
    assert servers[0].peer.name == "example.com"


@pytest.mark.parametrize(
    ("uri", "name"),
    [("sips:x@[2001:DB8:0:0:0:0:0:1]", "2001:db8::1"), ("sips:x@B.example.com.:5061", "b.example.com")],
)
async def test_a_certificate_is_compared_with_the_name_as_certificates_have_it(uri: str, name: str) -> None:
    table = Table(hosts={"B.example.com.": ["192.0.2.2"]})
    (server,) = await locate(Uri.parse(uri), "", Reach(ALL), table, random.Random(1))
    assert server.peer.name == name


def lowered() -> Table:
    return Table(srvs={"_sips._tcp.Example.com": FULL.srvs["_sips._tcp.example.com"]}, hosts=FULL.hosts)


async def test_a_resolver_that_swallows_some_kinds_of_records_is_got_around() -> None:
    table = Table(srvs=FULL.srvs, hosts=FULL.hosts, dead={"naptr example.com"})
    assert (await found("sip:x@example.com", table, ours=("udp",), versions=(4,)))[0] == "udp 192.0.2.2 5070"
    table.dead.add("_sip._udp.example.com")
    assert await found("sip:x@example.com", table, ours=("udp",)) == ["udp 192.0.2.3 5060"]
    table.dead = {"b.example.com"}
    assert await found("sip:x@example.com", table, ours=("udp",), versions=(4,)) == ["udp 192.0.2.1 5060"]


async def test_dead_dns_is_told_from_a_domain_without_records() -> None:
    with pytest.raises(OSError, match="no answer"):
        await found("sip:x@example.com", Table(dead={"*"}))
    with pytest.raises(OSError, match="no answer"):
        await found("sip:x@example.com:5070", Table(dead={"*"}))
    assert await found("sip:x@example.com", Table()) == []


async def test_a_service_that_is_decidedly_not_there_is_not_looked_for_elsewhere() -> None:
    table = Table(srvs={"_sip._udp.example.com": [Srv(0, 0, 0, ".")]}, hosts=FULL.hosts)
    assert await found("sip:x@example.com", table, ours=("udp",)) == []


async def test_weights_share_the_load_and_priorities_come_first() -> None:
    chance = random.Random(3)
    records = [Srv(1, 60, 1, "a"), Srv(1, 40, 1, "b"), Srv(2, 100, 1, "c"), Srv(1, 0, 1, "d")]
    orders = [[record.target for record in shuffled(records, chance)] for _ in range(2000)]
    assert all(order[3] == "c" and sorted(order) == ["a", "b", "c", "d"] for order in orders)
    first = Counter(order[0] for order in orders)
    assert 1100 < first["a"] < 1300 and 700 < first["b"] < 900 and first["d"] < 60


async def test_a_thousand_records_are_no_reason_to_dial_for_an_hour() -> None:
    many = [Srv(1, 0, 5060, f"h{n}") for n in range(1000)]
    table = Table(srvs={"_sip._udp.example.com": many}, hosts={f"h{n}": [f"192.0.2.{n % 250}"] for n in range(1000)})
    assert len(await found("sip:x@example.com", table, ours=("udp",))) <= 16
