"""Where the doctor finds that agents' and trunks' names lead, with a DNS server on loopback."""

from __future__ import annotations

import pytest

from ivr.cli.dns_findings import dns_findings
from ivr.config import Config
from tests.name_server import name_server

ZONE = (
    "_sip._udp.pbx.test 60 IN SRV 1 0 5070 a.pbx.test.",
    "_sip._tcp.pbx.test 60 IN SRV 1 0 5072 a.pbx.test.",
    "a.pbx.test 60 IN A 127.0.0.1",
    "a.pbx.test 60 IN AAAA ::1",
    "six.test 60 IN AAAA ::1",
    "far.test 60 IN A 192.0.2.1",
)


async def told(server: str, targets: list[str], **sip: object) -> list[str]:
    agents = [{"name": f"a{number}", "target": target} for number, target in enumerate(targets)]
    config = Config.model_validate({"sip": {"dns_servers": [server], **sip}, "desk": {"agents": agents}})
    return [f"{each.state} {each.subject}: {each.detail}" for each in await dns_findings(config)]


async def test_names_are_followed_to_their_servers() -> None:
    async with name_server(*ZONE) as dns:
        found = await told(
            dns.address, ["sip:x@pbx.test", "sip:x@127.0.0.1:5090", "sip:x@six.test"], listen="[::]:5060"
        )
        assert found == [
            "ok agent a0: sip:x@pbx.test is at udp 127.0.0.1 port 5070, udp ::1 port 5070, tcp 127.0.0.1 port 5072"
            " and 1 more",
            "ok agent a1: sip:x@127.0.0.1:5090 is at udp 127.0.0.1 port 5090",
            "ok agent a2: sip:x@six.test is at udp ::1 port 5060",
        ]


async def test_trunks_are_looked_at_with_their_transport() -> None:
    async with name_server(*ZONE) as dns:
        trunk = {"name": "pbx", "allow": ["127.0.0.1"], "gateway": "sip:pbx.test", "transport": "tcp"}
        found = await told(dns.address, [], trunks=[trunk])
        assert found == ["ok trunk pbx: sip:pbx.test is at tcp 127.0.0.1 port 5072"]


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("sip:x@nowhere.test", "nowhere.test is not known, or has nothing for udp, tcp"),
        ("sip:x@six.test", "::1 is of another IP version than 127.0.0.1"),
        ("sip:x@far.test", "no route from 127.0.0.1"),
    ],
)
async def test_what_leads_nowhere_is_bad(target: str, why: str) -> None:
    async with name_server(*ZONE) as dns:
        (finding,) = await told(dns.address, [target])
        assert finding.startswith("bad agent a0") and why in finding


async def test_dead_dns_is_told_in_two_seconds() -> None:
    async with name_server() as dns:
        dns.mute = True
        (finding,) = await told(dns.address, ["sip:x@pbx.test"])
        assert "bad agent a0: sip:x@pbx.test cannot be dialled: pbx.test is not known (no answer from DNS" in finding
