"""The softphone by TLS, on a stack of its own: it calls the line's user agent, and is called by it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ivr.errors import TelephonyError
from ivr.ports import Party
from ivr.softphone.phone import Softphone
from ivr.softphone.tls_socket import PhoneTls
from tests.certificates import Authority
from tests.wire.sip.conftest import LOCAL, Start, line

__all__ = ["line"]
pytestmark = pytest.mark.wire


@pytest.mark.parametrize("secure", [False, True])
async def test_it_calls_and_is_hung_up_on_by_the_same_connection(line: Start, tmp_path: Path, secure: bool) -> None:
    house = Authority(tmp_path)
    own, phones = house.signs("line", "127.0.0.1"), house.signs("phone", "sip:phone.example.com")
    keys = {"certificate": str(own.pem), "key": str(own.key_pem), "client_ca": str(house.pem), "listen": "127.0.0.1:0"}
    trunk = {"name": "phones", "transport": "tls", "tls_names": ["phone.example.com"]}
    up = await line(transports=["udp", "tls"], tls=keys, trunks=[trunk])
    uri = f"sips:line@{up.agent.tls_address}" if secure else f"sip:line@{up.agent.tls_address};transport=tls"
    tls = PhoneTls(ca=str(house.pem), certificate=str(phones.pem), key=str(phones.key_pem), secure=secure)
    async with Softphone.open(tls=tls) as phone:
        await phone.call(uri, from_number="5035550101")
        await phone.wait_answered(10)
        (leg,) = up.legs
        assert (leg.trunk, leg.transport, leg.caller.number) == ("phones", "tls", "+15035550101")
        await leg.hangup()
        assert (await phone.wait_ended(10)).by == "remote"
        await phone.call(uri, from_number="5035550101")
        await phone.wait_answered(10)
        await phone.hangup()
        await up.until(lambda: len(up.legs) == 2 and "LegEnded" in up.kinds(1))
        assert not phone.troubles


async def test_it_calls_nobody_whose_certificate_is_another_s(line: Start, tmp_path: Path) -> None:
    house, other = Authority(tmp_path / "a", "a"), Authority(tmp_path / "b", "b")
    own = house.signs("line", "line.example.com")
    keys = {"certificate": str(own.pem), "key": str(own.key_pem), "listen": "127.0.0.1:0"}
    up = await line(transports=["udp", "tls"], tls=keys)
    uri = f"sips:line@{up.agent.tls_address}"
    for tls, why in (
        (PhoneTls(ca=str(house.pem)), "names line.example.com, not 127.0.0.1"),
        (PhoneTls(ca=str(other.pem)), "certificate is refused"),
        (PhoneTls(pin="0" * 64), "not the one that is pinned"),
    ):
        async with Softphone.open(tls=tls) as phone:
            with pytest.raises(TelephonyError, match=why):
                await phone.call(uri)
    async with Softphone.open(tls=PhoneTls(pin=own.pin)) as phone:
        await phone.call(uri)
        await phone.wait_answered(10)


async def test_it_is_called_by_tls(line: Start, tmp_path: Path) -> None:
    house = Authority(tmp_path)
    own, phones = house.signs("line", "127.0.0.1"), house.signs("phone", "127.0.0.1")
    keys = {"certificate": str(own.pem), "key": str(own.key_pem), "ca": str(house.pem), "listen": "127.0.0.1:0"}
    up = await line(transports=["udp", "tls"], tls=keys)
    tls = PhoneTls(certificate=str(phones.pem), key=str(phones.key_pem))
    async with Softphone.open(tls=tls) as phone:
        await phone.set_incoming("answer")
        caller = Party("5035550142", "", "sip:line@127.0.0.1")
        leg = await up.agent.dial(phone.uri, LOCAL, caller=caller, headers={}, ring_timeout_s=10)
        assert leg.transport == "tls"
        await phone.hangup()
        async with asyncio.timeout(10):
            assert [type(event).__name__ async for event in leg.events()][-1] == "LegEnded"
