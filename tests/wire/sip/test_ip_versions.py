"""IPv6 and IPv4 side by side on real sockets: a socket for each, and all that is written is of the peer's version."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ivr.config import Address, SipConfig
from ivr.errors import ConfigError, DialFailed
from ivr.ports import Party
from ivr.sip.agent import SipUserAgent
from ivr.sip.message import SipRequest
from tests.name_server import name_server
from tests.unit.sip.messages import OFFER, request, response
from tests.wire.ports import free_port
from tests.wire.sip.bare import bare_peer
from tests.wire.sip.conftest import LOCAL, SCENARIOS, Line, Start
from tests.wire.sipp import run_sipp, start_sipp

pytestmark = pytest.mark.wire

BOTH = [{"name": "both", "allow": ["127.0.0.1", "::1"]}]
LISTENS = ["[::]:0", ["127.0.0.1:0", "[::1]:0"]]


def port_of(up: Line) -> int:
    return up.agent.address.port


@pytest.mark.parametrize("listen", LISTENS, ids=["everywhere", "two addresses"])
async def test_both_are_answered_in_their_own_addresses(line: Start, listen: object) -> None:
    up = await line(listen=listen, trunks=BOTH)
    for host, written in (("::1", "[::1]"), ("127.0.0.1", "127.0.0.1")):
        async with bare_peer(Address(host, port_of(up)), host) as peer:
            peer.send(request("OPTIONS", host=peer.host, uri=f"sip:ivr@{written}"))
            answer = await peer.final()
            assert answer.status_code == 200
            assert answer.headers.get("contact") == [f"<sip:ivr@{written}:{port_of(up)}>"]


@pytest.mark.parametrize("transport", ["u1", "t1"])
async def test_sipp_calls_over_either_version(line: Start, tmp_path: Path, transport: str) -> None:
    up = await line(listen="[::]:0", trunks=BOTH)
    for host, target in (("::1", f"[::1]:{port_of(up)}"), ("127.0.0.1", f"127.0.0.1:{port_of(up)}")):
        scenario, folder = SCENARIOS / "uac_basic.xml", tmp_path / host.replace(":", "-")
        (await run_sipp(scenario, folder, target=target, host=host, transport=transport)).check()
    await up.finished()
    assert [leg.trunk for leg in up.legs] == ["both", "both"]


@pytest.mark.parametrize("transport", ["u1", "t1"])
async def test_sipp_is_called_over_ipv6_and_offered_audio_there(line: Start, tmp_path: Path, transport: str) -> None:
    up = await line(listen=["127.0.0.1:0", "[::1]:0"], trunks=BOTH)
    run = await start_sipp(SCENARIOS / "uas_answer.xml", tmp_path, host="::1", transport=transport)
    uri = run.uri + (";transport=tcp" if transport == "t1" else "")
    leg = await up.agent.dial(
        uri,
        LOCAL,
        caller=Party("1000"),
        headers={"X-IVR-Note": "queue=7", "User-to-User": "5a4b3c;encoding=hex"},
        ring_timeout_s=30,
    )
    await leg.hangup()
    said = (await run.result()).check().messages
    assert f"{'TCP' if transport == 't1' else 'UDP'} [::1]:{port_of(up)};branch=" in said
    assert f"@[::1]:{port_of(up)}" in said and "c=IN IP6 ::1" in said and "IN IP4" not in said.split("SIP/2.0 200")[0]


async def test_a_server_of_one_version_stands_in_for_one_of_the_other(line: Start) -> None:
    """Nobody at the IPv6 address: the same name's IPv4 one is dialled at once, with an offer of its own version."""
    async with bare_peer(Address("127.0.0.1", 9)) as four, name_server() as dns:
        port = int(four.host.rpartition(":")[2])
        dns.zone("agent.test 60 IN AAAA ::1", "agent.test 60 IN A 127.0.0.1")
        up = await line(listen=["[::1]:0", "127.0.0.1:0"], trunks=BOTH, dns_servers=[dns.address])
        dial = asyncio.create_task(
            up.agent.dial(f"sip:agent@agent.test:{port}", LOCAL, caller=Party("1"), headers={}, ring_timeout_s=30)
        )
        invite = await four.next()
        assert isinstance(invite, SipRequest) and "c=IN IP4 127.0.0.1" in invite.text
        assert invite.top_via.host == "127.0.0.1"
        four.goal = Address("127.0.0.1", port_of(up))
        four.send(response(invite, 200, body=OFFER).replace(b"192.0.2.9:5070", four.host.encode()))
        await (await dial).hangup()


async def test_one_version_alone_reaches_nobody_of_the_other(line: Start) -> None:
    up = await line(trunks=BOTH)
    with pytest.raises(DialFailed) as caught:
        await up.agent.dial(f"sip:a@[::1]:{free_port('::1')}", LOCAL, caller=Party("1"), headers={}, ring_timeout_s=30)
    assert caught.value.status == 503 and "sip.listen" in str(caught.value)


async def test_ports_that_are_taken_and_addresses_that_are_not_there_are_told() -> None:
    first = SipUserAgent(SipConfig.model_validate({"listen": "[::1]:0"}))
    await first.start(lambda leg: None)
    try:
        taken = SipConfig.model_validate({"listen": f"[::]:{first.address.port}"})
        with pytest.raises(ConfigError, match=r"cannot listen for SIP on 0\.0\.0\.0:\d+ and \[::\]:\d+: "):
            await SipUserAgent(taken).start(lambda leg: None)
    finally:
        await first.stop()
    with pytest.raises(ConfigError) as caught:
        await SipUserAgent(SipConfig.model_validate({"listen": "[2001:db8::77]:5060"})).start(lambda leg: None)
    assert "0.0.0.0:5060" in caught.value.remedy
