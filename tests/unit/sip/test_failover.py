"""Servers tried in turn (RFC 3263 section 4.3), and long requests by TCP (RFC 3261 section 18.1.1): a whole user agent
in virtual time, with DNS as a table."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ivr.errors import DialFailed
from ivr.media.description import PCMA, MediaDescription
from ivr.ports import Leg, Party
from ivr.sip.agent import SipUserAgent
from ivr.sip.locate import Srv
from ivr.sip.message import Peer, SipRequest
from tests.call.virtual import run
from tests.unit.sip.fabric import HERE, Fabric, user_agent
from tests.unit.sip.messages import OFFER, response
from tests.unit.sip.test_locate import Table

LOCAL = MediaDescription(HERE, 17_000, (PCMA,), 101)
TARGET = "sip:agent@pbx.example"
A, B, C = (Peer("udp", f"192.0.2.{n}", 5060) for n in (11, 12, 13))
LONG = {"User-to-User": "ab" * 500}


def dns() -> Table:
    return Table(
        srvs={"_sip._udp.pbx.example": [Srv(n, 0, 5060, f"{name}.pbx.example") for n, name in enumerate("abc")]},
        hosts={f"{name}.pbx.example": [peer.host] for name, peer in zip("abc", (A, B, C), strict=True)},
    )


def dialling(agent: SipUserAgent, target: str = TARGET, **options: Any) -> asyncio.Task[Leg]:
    options.setdefault("ring_timeout_s", 100.0)
    options.setdefault("headers", {})
    return asyncio.create_task(agent.dial(target, LOCAL, caller=Party("1000"), **options))


def tried(fabric: Fabric, method: str = "INVITE") -> list[Peer]:
    """To whom each transaction of ``method`` went, retransmissions left out."""
    firsts = {
        m.top_via.branch: peer
        for _, m, peer in reversed(fabric.sent)
        if isinstance(m, SipRequest) and m.method == method
    }
    return list(reversed(firsts.values()))


async def hung_up(fabric: Fabric, leg: Leg, tag: str = "agent") -> SipRequest:
    ending = asyncio.create_task(leg.hangup())
    bye = await fabric.request("BYE")
    fabric.deliver(response(bye, 200))
    await ending
    return bye


def test_the_next_server_is_dialled_when_one_is_unavailable_or_silent() -> None:
    async def main() -> None:
        async with user_agent(lookup=dns()) as (agent, fabric, _):
            dial = dialling(agent)
            first = await fabric.request("INVITE")
            fabric.deliver(response(first, 503), A)
            ack = await fabric.request("ACK")
            assert ack.top_via.branch == first.top_via.branch, "an ACK of a refusal is the refused one's"
            second = await fabric.request("INVITE")
            clock = asyncio.get_running_loop().time
            began = clock()
            while (third := await fabric.request("INVITE")).top_via.branch == second.top_via.branch:
                pass
            assert asyncio.get_running_loop().time() - began == pytest.approx(4.0), (
                "Timer B is shorter while others are left"
            )
            fabric.deliver(response(third, 200, body=OFFER), C)
            leg = await dial
            assert tried(fabric) == [A, B, C]
            calls = [first, second, third]
            assert len({each.call_id for each in calls}) == len({each.from_.tag for each in calls}) == 1
            assert len({each.top_via.branch for each in calls}) == 3
            await hung_up(fabric, leg)

    run(main())


def test_a_server_that_failed_is_the_last_for_half_a_minute() -> None:
    async def main() -> None:
        async with user_agent(lookup=dns()) as (agent, fabric, _):
            for after, expected in ((0.0, [A, B]), (1.0, [B]), (30.0, [A])):
                await asyncio.sleep(after)
                fabric.sent.clear()
                dial = dialling(agent)
                for server in expected:
                    invite = await fabric.request("INVITE")
                    fabric.deliver(response(invite, 503 if server != expected[-1] else 486), server)
                with pytest.raises(DialFailed) as caught:
                    await dial
                assert caught.value.status == 486, "what somebody answers is no reason to ask another"
                assert tried(fabric) == expected

    run(main())


def test_unreachable_is_told_at_once_and_the_last_answer_counts_when_nobody_serves() -> None:
    async def main() -> None:
        async with user_agent(lookup=dns()) as (agent, fabric, _):
            dial = dialling(agent)
            for server in (A, B, C):
                await fabric.request("INVITE")
                agent._unreachable(server, "refused")
            with pytest.raises(DialFailed) as caught:
                await dial
            assert caught.value.status == 503 and tried(fabric) == [A, B, C]
            assert asyncio.get_running_loop().time() < 1.0

    run(main())


def test_a_phone_that_rings_is_not_rung_by_another_server_as_well() -> None:
    async def main() -> None:
        async with user_agent(lookup=dns()) as (agent, fabric, _):
            dial = dialling(agent)
            fabric.deliver(response(await fabric.request("INVITE"), 180), A)
            await asyncio.sleep(5)
            agent._unreachable(A, "gone")
            with pytest.raises(DialFailed) as caught:
                await dial
            assert caught.value.status == 503 and tried(fabric) == [A]

    run(main())


@pytest.mark.parametrize("late", [180, 200])
def test_a_server_that_wakes_up_too_late_rings_nobody(late: int) -> None:
    async def main() -> None:
        async with user_agent(lookup=dns()) as (agent, fabric, _):
            dial = dialling(agent)
            first = await fabric.request("INVITE")
            await asyncio.sleep(5)
            second = next(m for _, m, peer in fabric.sent if peer == B and isinstance(m, SipRequest))
            fabric.deliver(response(first, late, tag="late", body=OFFER if late == 200 else ""), A)
            if late == 180:
                cancel = await fabric.request("CANCEL")
                assert cancel.top_via.branch == first.top_via.branch and fabric.sent[-1][2] == A
                fabric.deliver(response(cancel, 200), A)
                fabric.deliver(response(first, 487, tag="late"), A)
            else:
                assert (await fabric.request("ACK")).to.tag == "late"
                bye = await fabric.request("BYE")
                assert bye.to.tag == "late"
                fabric.deliver(response(bye, 200), A)
            fabric.deliver(response(second, 200, body=OFFER), B)
            await hung_up(fabric, await dial)

    run(main())


def test_a_cancel_goes_to_the_server_that_rings() -> None:
    async def main() -> None:
        async with user_agent(lookup=dns()) as (agent, fabric, _):
            dial = dialling(agent)
            fabric.deliver(response(await fabric.request("INVITE"), 503), A)
            second = await fabric.request("INVITE")
            fabric.deliver(response(second, 180), B)
            await asyncio.sleep(20)  # ringing takes as long as it takes
            assert tried(fabric) == [A, B]
            dial.cancel()
            cancel = await fabric.request("CANCEL")
            assert fabric.sent[-1][2] == B and cancel.top_via.branch == second.top_via.branch

    run(main())


def test_requests_inside_a_call_go_to_the_server_that_has_it() -> None:
    async def main() -> None:
        async with user_agent(lookup=dns()) as (agent, fabric, _):
            dial = dialling(agent)
            fabric.deliver(response(await fabric.request("INVITE"), 503), A)
            ok = response(await fabric.request("INVITE"), 200, body=OFFER)
            fabric.deliver(ok.replace(b"<sip:far@192.0.2.9:5070>", b"<sip:far@pbx.example>"), B)
            leg = await dial
            await hung_up(fabric, leg)
            assert tried(fabric, "BYE") == [B]

    run(main())


def test_a_registration_finds_the_server_that_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PBX_PASSWORD", "s3cret")
    trunk = {"name": "pbx", "register": "sip:pbx.example", "username": "ivr", "password": "env:PBX_PASSWORD"}

    async def main() -> None:
        async with user_agent(lookup=dns(), trunks=[trunk]) as (agent, fabric, _):
            fabric.deliver(response(await fabric.request("REGISTER"), 503, contact=False), A)
            second = await fabric.request("REGISTER")
            await asyncio.sleep(4.5)
            third = next(m for _, m, peer in fabric.sent if peer == C and isinstance(m, SipRequest))
            fabric.deliver(response(third, 200, contact=False), C)
            await asyncio.sleep(0.1)
            assert agent.registrations()[0].state == "registered"
            assert second.call_id == third.call_id and second.top_via.branch != third.top_via.branch
            assert tried(fabric, "REGISTER") == [A, B, C]
            stopping = asyncio.create_task(agent.stop())
            await asyncio.sleep(0.1)
            assert tried(fabric, "REGISTER")[-1] == C, "the server that took it, because the others failed lately"
            await stopping

    run(main())


# --- long requests -----------------------------------------------------------------------------------------


def test_a_long_request_goes_by_tcp_and_says_so() -> None:
    async def main() -> None:
        async with user_agent() as (agent, fabric, _):
            fabric.streams = True
            dial = dialling(agent, "sip:agent@192.0.2.9:5070", headers=LONG)
            invite = await fabric.request("INVITE")
            assert fabric.sent[-1][2] == Peer("tcp", "192.0.2.9", 5070)
            assert invite.top_via.transport == "TCP" and invite.contact.uri.params["transport"] == "tcp"
            assert len(invite.headers.get("via")) == len(invite.headers.get("contact")) == 1
            fabric.deliver(response(invite, 486), Peer("tcp", "192.0.2.9", 5070))
            with pytest.raises(DialFailed):
                await dial
            dial = dialling(agent, "sip:agent@192.0.2.9:5070")
            assert (await fabric.request("INVITE")).top_via.transport == "UDP", "a short one goes by UDP"
            dial.cancel()

    run(main())


def test_a_peer_without_tcp_is_reached_by_udp_and_that_is_remembered() -> None:
    async def main() -> None:
        async with user_agent() as (agent, fabric, _):
            for asked, after in ((1, 0.0), (1, 500.0), (2, 200.0)):
                await asyncio.sleep(after)
                dial = dialling(agent, "sip:agent@192.0.2.9:5070", headers=LONG)
                invite = await fabric.request("INVITE")
                assert invite.top_via.transport == "UDP" and "transport" not in invite.contact.uri.params
                assert len(fabric.knocked) == asked
                fabric.deliver(response(invite, 486))
                with pytest.raises(DialFailed):
                    await dial

    run(main())


@pytest.mark.parametrize("how", ["silent", "closed"])
def test_a_peer_whose_tcp_is_no_good_is_reached_by_udp(how: str) -> None:
    async def main() -> None:
        async with user_agent() as (agent, fabric, _):
            fabric.streams = True
            dial = dialling(agent, "sip:agent@192.0.2.9:5070", headers=LONG)
            first = await fabric.request("INVITE")
            if how == "closed":
                agent._unreachable(Peer("tcp", "192.0.2.9", 5070), "connection lost")
            second = await fabric.request("INVITE")
            assert (first.top_via.transport, second.top_via.transport) == ("TCP", "UDP")
            assert asyncio.get_running_loop().time() <= 4.0
            fabric.deliver(response(second, 200, body=OFFER))
            await hung_up(fabric, await dial)

    run(main())


def test_a_refusal_over_tcp_is_one_and_no_lack_of_tcp() -> None:
    async def main() -> None:
        async with user_agent(lookup=dns()) as (agent, fabric, _):
            fabric.streams = True
            dial = dialling(agent, headers=LONG)
            for server, status in ((A, 503), (B, 486)):
                stream = Peer("tcp", server.host, server.port)
                invite = await fabric.request("INVITE")
                assert fabric.sent[-1][2] == stream
                fabric.deliver(response(invite, status), stream)
            with pytest.raises(DialFailed) as caught:
                await dial
            assert caught.value.status == 486 and len(fabric.knocked) == 2

    run(main())


def test_whoever_asks_for_udp_gets_it_whatever_the_length() -> None:
    async def main() -> None:
        async with user_agent() as (agent, fabric, _):
            fabric.streams = True
            dial = dialling(agent, "sip:agent@192.0.2.9:5070;transport=udp", headers=LONG)
            assert (await fabric.request("INVITE")).top_via.transport == "UDP" and not fabric.knocked
            dial.cancel()

    run(main())
