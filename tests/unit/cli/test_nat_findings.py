"""What the doctor says of NAT, with a STUN server (RFC 8489) on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest

from ivr.cli import nat_findings as nat
from ivr.config import SipConfig
from ivr.media.process import ice


class _Stun(asyncio.DatagramProtocol):
    """It sees everybody at ``host``; ``mute``, ``lying`` (about the transaction) or ``garbled`` it is no help."""

    def __init__(self, host: str, how: str) -> None:
        self._host, self._how = host, how
        self._transport: asyncio.DatagramTransport | None = None
        self.asked = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.asked += 1
        message = ice.parse(data)
        assert message is not None and message.kind == ice.REQUEST and self._transport is not None
        if self._how == "mute" or (self._how == "late" and self.asked == 1):
            return
        transaction = bytes(12) if self._how == "lying" else message.transaction
        value = ice.xor_mapped((self._host, 40_000), message.transaction)
        if self._how == "garbled":
            value = value[:5]
        attribute = ice.MAPPED.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value + bytes(-len(value) % 4)
        head = ice.SUCCESS.to_bytes(2, "big") + len(attribute).to_bytes(2, "big") + ice.COOKIE.to_bytes(4, "big")
        self._transport.sendto(head + transaction + attribute, addr)


@asynccontextmanager
async def stun(host: str, how: str = "", at: str = "127.0.0.1") -> AsyncIterator[str]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Stun(host, how), local_addr=(at, 0))
    port = transport.get_extra_info("sockname")[1]
    try:
        yield f"[{at}]:{port}" if ":" in at else f"{at}:{port}"
    finally:
        transport.close()


async def told(server: str, **settings: object) -> list[str]:
    settings.setdefault("listen", "0.0.0.0:5060")
    found = await nat.nat_findings(SipConfig.model_validate({"stun_server": server, **settings}))
    return [f"{each.state} {each.subject}: {each.detail} {each.remedy}" for each in found]


@pytest.mark.parametrize(
    ("seen", "settings", "says"),
    [
        ("127.0.0.1", {}, "ok NAT, IPv4: none"),
        ("203.0.113.5", {"advertise": "203.0.113.5"}, "ok NAT, IPv4: seen from outside as 203.0.113.5"),
        ("203.0.113.5", {"advertise": "203.0.113.6"}, 'set sip.advertise = "203.0.113.5"'),
        ("203.0.113.5", {"advertise": "203.0.113.6"}, "bad NAT, IPv4: peers are told 203.0.113.6"),
        ("203.0.113.5", {}, "bad NAT, IPv4: peers are told 127.0.0.1"),
        ("203.0.113.5", {}, "sip.local_nets"),
        ("127.0.0.1", {"advertise": "localhost"}, "ok NAT, IPv4: seen"),
        ("127.0.0.1", {"listen": "127.0.0.1:5060"}, "ok NAT, IPv4: none"),
    ],
)
async def test_what_the_world_sees_is_compared_with_what_peers_are_told(
    seen: str, settings: dict[str, object], says: str
) -> None:
    async with stun(seen) as server:
        (finding,) = await told(server, **settings)
        assert says in finding


async def test_each_ip_version_is_looked_at_where_the_server_has_it() -> None:
    async with stun("2001:db8::5", at="::1") as server:
        (finding,) = await told(server, listen="[::]:5060", advertise=["203.0.113.5", "2001:db8::5"])
        assert finding.startswith("ok NAT, IPv6: seen from outside as 2001:db8::5")
        (finding,) = await told(server, listen="127.0.0.1:5060")
        assert finding.startswith("bad NAT") and "cannot" not in finding and "sip.listen" in finding


async def test_a_lost_request_is_repeated() -> None:
    async with stun("127.0.0.1", "late") as server:
        assert "ok NAT" in (await told(server))[0]


@pytest.mark.parametrize("how", ["mute", "lying", "garbled"])
async def test_a_server_that_is_no_help_is_told_in_time(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nat, "PATIENCE_S", 0.3)
    async with stun("203.0.113.5", how) as server:
        (finding,) = await told(server)
        assert finding.startswith("note NAT, IPv4: no answer from the STUN server") and "0.3 s" in finding


async def test_nobody_is_asked_unless_a_server_is_named() -> None:
    assert await nat.nat_findings(SipConfig()) == []
    assert "bad NAT" in (await told("nowhere.invalid", dns_servers=["127.0.0.1:9"]))[0]
