"""Registration over hours, in virtual time."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest
from aiosipua import parse_auth

from ivr.config import Address, SipConfig
from ivr.sip.addresses import OwnAddresses
from ivr.sip.locate import Srv
from ivr.sip.message import SipRequest
from ivr.sip.registration import LAST_RETRY_S, back_off
from tests.call.virtual import run
from tests.unit.sip.fabric import FAR, HERE, Fabric, user_agent
from tests.unit.sip.messages import response
from tests.unit.sip.test_locate import Table

CHALLENGE = 'WWW-Authenticate: Digest realm="pbx", nonce="{nonce}", qop="auth", algorithm=SHA-256{more}\n'


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PBX_PASSWORD", "s3cret")


def pbx(**settings: Any) -> dict[str, Any]:
    return {
        "name": "pbx",
        "register": "sip:192.0.2.9:5070",
        "username": "ivr",
        "password": "env:PBX_PASSWORD",
        "expires_s": 300,
        **settings,
    }


async def granted(fabric: Fabric, seconds: int = 300) -> SipRequest:
    """The next REGISTER, granted for ``seconds``."""
    register = await fabric.request("REGISTER")
    contact = register.headers.get("contact")[0]
    fabric.deliver(response(register, 200, extra=f"Contact: {contact};expires={seconds}\n", contact=False))
    return register


def config_of(**settings: Any) -> SipConfig:
    return SipConfig.model_validate(settings)


def gaps(fabric: Fabric) -> list[float]:
    times = fabric.times("REGISTER")
    return [later - sooner for sooner, later in itertools.pairwise(times)]


def test_it_is_refreshed_with_the_same_call_id_and_counted_nonce() -> None:
    async def main() -> None:
        async with user_agent(trunks=[pbx()]) as (agent, fabric, _):
            first = await fabric.request("REGISTER")
            assert (first.uri, first.headers.get("to")) == ("sip:192.0.2.9:5070", ["<sip:ivr@192.0.2.9:5070>"])
            fabric.deliver(response(first, 401, extra=CHALLENGE.format(nonce="n1", more=""), contact=False))
            second = await granted(fabric, 120)
            await asyncio.sleep(0.1)
            status = agent.registrations()[0]
            assert (status.trunk, status.state) == ("pbx", "registered")
            third = await granted(fabric)
            counts = [parse_auth(r.headers.get("authorization")[0]).params["nc"] for r in (second, third)]
            assert counts == ["00000001", "00000002"]
            assert {r.headers.get("call-id")[0] for r in (first, second, third)} == {first.headers.get("call-id")[0]}
            assert [r.headers.get("cseq")[0] for r in (first, second, third)] == [
                "1 REGISTER", "2 REGISTER", "3 REGISTER",
            ]  # fmt: skip
            assert 120 * 0.7 <= gaps(fabric)[-1] <= 120 * 0.85
            await asyncio.sleep(0.1)
            stopping = asyncio.create_task(agent.stop())
            last = await fabric.request("REGISTER")
            assert last.headers.get("expires") == ["0"]
            fabric.deliver(response(last, 200, contact=False))
            await stopping

    run(main())


def test_a_stale_nonce_is_replaced() -> None:
    async def main() -> None:
        async with user_agent(trunks=[pbx()]) as (agent, fabric, _):
            fabric.deliver(
                response(
                    await fabric.request("REGISTER"), 401, extra=CHALLENGE.format(nonce="n1", more=""), contact=False
                )
            )
            stale = await fabric.request("REGISTER")
            fabric.deliver(response(stale, 401, extra=CHALLENGE.format(nonce="n2", more=", stale=true"), contact=False))
            assert 'nonce="n2"' in (await granted(fabric)).headers.get("authorization")[0]
            await asyncio.sleep(0.1)
            assert agent.registrations()[0].state == "registered"

    run(main())


def test_a_wrong_password_backs_off_ever_longer() -> None:
    async def main() -> None:
        async with user_agent(trunks=[pbx()]) as (agent, fabric, _):
            for attempt in range(6):
                register = await fabric.request("REGISTER")
                fabric.deliver(response(register, 403, contact=False))
                await asyncio.sleep(0.01)
                assert (agent.registrations()[0].state, agent.registrations()[0].detail[:3]) == ("failed", "403"), (
                    attempt
                )
            for number, gap in enumerate(gaps(fabric), start=1):
                assert 2.0**number / 2 <= gap <= 2.0**number + 0.1
            await granted(fabric)
            await asyncio.sleep(0.1)
            assert agent.registrations()[0].state == "registered"

    run(main())


def test_a_registrar_that_is_gone_and_one_that_asks_for_patience() -> None:
    async def main() -> None:
        async with user_agent(trunks=[pbx()]) as (agent, fabric, _):
            await asyncio.sleep(33)
            assert agent.registrations()[0].detail.startswith("408")
            while (register := await fabric.request("REGISTER")) and fabric.sent[-1][0] < 32:
                pass
            fabric.deliver(response(register, 503, extra="Retry-After: 500\n", contact=False))
            await asyncio.sleep(0.01)
            now = asyncio.get_running_loop().time()
            await granted(fabric)
            assert asyncio.get_running_loop().time() - now >= 499

    run(main())


def test_an_interval_too_brief_is_raised() -> None:
    async def main() -> None:
        async with user_agent(trunks=[pbx()]) as (_, fabric, _):
            brief = await fabric.request("REGISTER")
            fabric.deliver(response(brief, 423, extra="Min-Expires: 900\n", contact=False))
            assert (await granted(fabric, 900)).headers.get("expires") == ["900"]

    run(main())


def test_what_another_server_of_the_registrar_grants_counts_whatever_its_ip_version() -> None:
    """Our contact there is another address of ours."""
    table = Table(
        srvs={"_sip._udp.pbx.example": [Srv(1, 0, 5060, "six.pbx.example"), Srv(2, 0, 5060, "four.pbx.example")]},
        hosts={"six.pbx.example": ["2001:db8::9"], "four.pbx.example": ["192.0.2.9"]},
    )

    async def main() -> None:
        async with user_agent(trunks=[pbx(register="sip:pbx.example")], lookup=table) as (_, fabric, _):
            fabric.own = OwnAddresses([Address(HERE, 5060), Address("2001:db8::1", 5060)])
            first = await fabric.request("REGISTER")
            assert first.contact.uri.host == "2001:db8::1"
            fabric.deliver(response(first, 503, contact=False))
            assert (await granted(fabric, 120)).contact.uri.host == HERE
            await granted(fabric)
            assert 120 * 0.7 <= gaps(fabric)[-1] <= 120 * 0.85

    run(main())


def test_a_missing_password_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with user_agent(trunks=[pbx()]) as (agent, fabric, _):
            await asyncio.sleep(0.1)
            assert "PBX_PASSWORD" in agent.registrations()[0].detail
            assert fabric.sent == []

    monkeypatch.delenv("PBX_PASSWORD")
    run(main())


@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_back_off_grows_to_a_ceiling(chance: float) -> None:
    waits = [back_off(failures, chance) for failures in range(1, 40)]
    assert waits == sorted(waits)
    assert waits[-1] == LAST_RETRY_S * (0.5 + chance / 2)


def test_a_reload_withdraws_what_changed_before_it_registers_anew_and_keeps_the_rest() -> None:
    async def main() -> None:
        other = pbx(name="other", register="sip:192.0.2.10:5070")
        async with user_agent(trunks=[pbx(), other]) as (agent, fabric, _):
            one, two = await granted(fabric), await granted(fabric)
            await asyncio.sleep(0.1)
            agent.apply(config_of(trunks=[pbx(expires_s=600), other], max_calls=5))
            withdrawn = await fabric.request("REGISTER")
            assert withdrawn.headers.first("expires") == "0" and withdrawn.uri == one.uri
            assert withdrawn.headers.first("call-id") == one.headers.first("call-id")
            fabric.deliver(response(withdrawn, 200, contact=False))
            anew = await granted(fabric, 600)
            assert (anew.uri, anew.headers.first("expires")) == (one.uri, "600")
            assert anew.headers.first("call-id") != one.headers.first("call-id")
            await asyncio.sleep(0.1)
            assert [(r.trunk, r.state) for r in agent.registrations()] == [
                ("pbx", "registered"),
                ("other", "registered"),
            ]
            assert fabric.times("REGISTER")[1] < fabric.times("REGISTER")[2] and len(fabric.times("REGISTER")) == 4
            assert two.uri == "sip:192.0.2.10:5070", "which heard nothing more"

            agent.apply(config_of(trunks=[other]))
            gone = await fabric.request("REGISTER")
            assert (gone.uri, gone.headers.first("expires")) == (one.uri, "0")
            fabric.deliver(response(gone, 200, contact=False))
            await asyncio.sleep(0.1)
            assert [r.trunk for r in agent.registrations()] == ["other"]

            agent.apply(config_of(trunks=[other, pbx(name="third", register="sip:192.0.2.11:5070")]))
            assert (await granted(fabric)).uri == "sip:192.0.2.11:5070"

    run(main())


def test_a_trunk_under_another_name_is_withdrawn_before_it_registers_anew() -> None:
    """Both name one contact of one account: withdrawn later, the line would be reached by nobody for half an hour."""

    async def main() -> None:
        async with user_agent(trunks=[pbx()]) as (agent, fabric, _):
            one = await granted(fabric)
            await asyncio.sleep(0.1)
            agent.apply(config_of(trunks=[pbx(name="carrier")]))
            withdrawn = await fabric.request("REGISTER")
            assert withdrawn.headers.first("expires") == "0"
            assert withdrawn.headers.first("call-id") == one.headers.first("call-id")
            fabric.deliver(response(withdrawn, 200, contact=False))
            anew = await granted(fabric)
            assert (anew.uri, anew.headers.first("expires")) == (one.uri, "300")
            await asyncio.sleep(0.1)
            assert [(r.trunk, r.state) for r in agent.registrations()] == [("carrier", "registered")]

    run(main())


@pytest.mark.parametrize(("settings", "pinged"), [({}, True), ({"local_nets": ["192.0.2.0/24"]}, False)])
def test_the_way_from_a_registrar_is_kept_open_but_not_inside(settings: dict[str, Any], pinged: bool) -> None:
    async def main() -> None:
        async with user_agent(trunks=[pbx()], **settings) as (_, fabric, _):
            await granted(fabric)
            await granted(fabric)
            between = [at for at, peer in fabric.pinged if peer == FAR]
            assert len(between) == len(fabric.pinged)
            if pinged:
                rests = [later - sooner for sooner, later in itertools.pairwise([0.0, *between])]
                assert len(between) >= 210 // 29 - 1 and all(24.0 <= rest <= 29.0 for rest in rests)
            else:
                assert not between

    run(main())


def test_nothing_is_kept_open_to_a_registrar_that_refused_or_takes_tcp() -> None:
    async def main() -> None:
        async with user_agent(trunks=[pbx(transport="tcp")]) as (_, fabric, _):
            await granted(fabric)
            await granted(fabric)
            assert not fabric.pinged
        async with user_agent(trunks=[pbx()]) as (_, fabric, _):
            fabric.deliver(response(await fabric.request("REGISTER"), 403, extra="Retry-After: 200\n", contact=False))
            await fabric.request("REGISTER")
            assert not fabric.pinged

    run(main())
