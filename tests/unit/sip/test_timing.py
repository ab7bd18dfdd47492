"""Retransmissions and time-outs (RFC 3261 section 17 and 13.3.1.4), on a whole user agent in virtual time."""

from __future__ import annotations

import asyncio
import gc
import itertools
import weakref
from typing import Any

import pytest

from ivr.errors import CallEnded, DialFailed
from ivr.events import LegEnded
from ivr.media.description import PCMA, MediaDescription
from ivr.ports import Leg, Party, SipEndpoint
from ivr.sip.agent import SipUserAgent
from ivr.sip.message import SipRequest
from tests.call.virtual import run
from tests.unit.sip.fabric import HERE, Fabric, user_agent
from tests.unit.sip.messages import OFFER, request, response

LOCAL = MediaDescription(HERE, 17_000, (PCMA,), 101)
TARGET = "sip:agent@192.0.2.9:5070"


def gaps(times: list[float]) -> list[float]:
    return [round(later - sooner, 2) for sooner, later in itertools.pairwise(times)]


def dialling(agent: SipUserAgent, **options: Any) -> asyncio.Task[Leg]:
    options = {"ring_timeout_s": 100.0, "headers": {}, **options}
    return asyncio.create_task(agent.dial(TARGET, LOCAL, caller=Party("1000"), **options))


async def answered(fabric: Fabric, legs: asyncio.Queue[Leg], extra: str = "") -> tuple[Leg, str]:
    """An inbound call, answered and acknowledged; the leg and our tag."""
    fabric.deliver(request("INVITE", call_id="call", body=OFFER, extra=extra))
    leg = await legs.get()
    answering = asyncio.create_task(leg.answer(LOCAL))
    ok = await fabric.response(200)
    tag = ok.to.tag
    fabric.deliver(request("ACK", call_id="call", to_tag=tag))
    await answering
    return leg, tag


async def ending(leg: Leg) -> LegEnded:
    last = [event async for event in leg.events()][-1]
    assert isinstance(last, LegEnded)
    return last


def test_an_invite_nobody_hears_is_repeated_and_then_given_up() -> None:
    async def main() -> None:
        async with user_agent() as (agent, fabric, _):
            endpoint: SipEndpoint = agent  # the port's shape is checked by mypy
            assert endpoint.registrations() == []
            with pytest.raises(DialFailed) as caught:
                await dialling(agent)
            assert caught.value.status == 408
            assert gaps(fabric.times("INVITE")) == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0]

    run(main())


def test_a_ringing_far_end_hears_the_invite_no_more_and_a_cancel_in_the_end() -> None:
    async def main() -> None:
        async with user_agent() as (agent, fabric, _):
            dial = dialling(agent, ring_timeout_s=60.0)
            invite = await fabric.request("INVITE")
            fabric.deliver(response(invite, 180))
            cancel = await fabric.request("CANCEL")
            assert fabric.times("INVITE") == [0.0]
            assert fabric.times("CANCEL") == [pytest.approx(60.0)]
            assert cancel.headers.get("via")[0] == invite.headers.get("via")[0]
            assert cancel.headers.get("cseq") == ["1 CANCEL"]
            with pytest.raises(DialFailed) as caught:
                await dial
            assert caught.value.status == 408
            fabric.deliver(response(cancel, 200, contact=False))
            fabric.deliver(response(invite, 487, contact=False))
            ack = await fabric.request("ACK")
            assert ack.headers.get("via") == invite.headers.get("via")

    run(main())


def test_no_cancel_before_a_provisional() -> None:
    async def main() -> None:
        async with user_agent() as (agent, fabric, _):
            dial = dialling(agent, ring_timeout_s=3.0)
            invite = await fabric.request("INVITE")
            with pytest.raises(DialFailed):
                await dial
            assert fabric.times("CANCEL") == []
            fabric.deliver(response(invite, 180))
            assert (await fabric.request("CANCEL")).uri == invite.uri

    run(main())


def test_an_answer_that_crosses_our_cancel_is_acknowledged_and_hung_up() -> None:
    async def main() -> None:
        async with user_agent() as (agent, fabric, _):
            dial = dialling(agent, ring_timeout_s=5.0)
            invite = await fabric.request("INVITE")
            fabric.deliver(response(invite, 180))
            await fabric.request("CANCEL")
            fabric.deliver(response(invite, 200, body=OFFER))
            await fabric.request("ACK")
            bye = await fabric.request("BYE")
            fabric.deliver(response(bye, 200))
            with pytest.raises(DialFailed):
                await dial

    run(main())


def test_of_forked_answers_the_first_wins() -> None:
    async def main() -> None:
        async with user_agent() as (agent, fabric, _):
            dial = dialling(agent)
            invite = await fabric.request("INVITE")
            fabric.deliver(response(invite, 200, tag="first", body=OFFER))
            fabric.deliver(response(invite, 200, tag="second", body=OFFER))
            leg = await dial
            acks = [await fabric.request("ACK"), await fabric.request("ACK")]
            assert sorted(ack.to.tag for ack in acks) == ["first", "second"]
            bye = await fabric.request("BYE")
            assert bye.to.tag == "second"
            fabric.deliver(response(bye, 200))
            fabric.deliver(response(invite, 200, tag="first", body=OFFER))  # our ACK was lost
            again = await fabric.request("ACK")
            assert again.to.tag == "first"
            hanging = asyncio.create_task(leg.hangup())
            fabric.deliver(response(await fabric.request("BYE"), 200))
            await hanging

    run(main())


RELIABLE = "Require: 100rel\nRSeq: 7\n"


@pytest.mark.parametrize("reliable", [False, True])
def test_who_rings_may_tell_more_of_it_before_the_answer(reliable: bool) -> None:
    """PBXs send UPDATE then, for whom they ring now (RFC 3311 section 5.1), and give a call up that is unknown here."""

    async def main() -> None:
        async with user_agent() as (agent, fabric, _):
            dial = dialling(agent)
            invite = await fabric.request("INVITE")
            extra, body = (RELIABLE, OFFER) if reliable else ("", "")
            fabric.deliver(response(invite, 183, extra=extra, body=body))
            if reliable:
                fabric.deliver(response(await fabric.request("PRACK"), 200))
            known = {"call_id": invite.call_id, "from_tag": "agent", "to_tag": invite.from_.tag}
            await asyncio.sleep(0.1)
            fabric.deliver(request("UPDATE", number=3, **known))
            assert (await fabric.response(200)).contact.uri.host == HERE
            offered, status = request("UPDATE", number=4, body=OFFER, **known), 488 if reliable else 491
            fabric.deliver(offered)
            await fabric.response(status)
            fabric.deliver(request("OPTIONS", number=5, **known))
            await fabric.response(200)
            fabric.deliver(request("OPTIONS", number=4, **known))
            await fabric.response(500)
            fabric.deliver(request("UPDATE", number=6, **{**known, "from_tag": "somebody"}))
            await fabric.response(481)
            fabric.deliver(response(invite, 200, body="" if reliable else OFFER))
            ack = await fabric.request("ACK")
            assert ack.to.tag == "agent"
            leg = await dial
            fabric.deliver(request("UPDATE", number=5, **known))
            await fabric.response(500)
            fabric.deliver(request("BYE", number=7, **known))
            await fabric.response(200)
            assert (await ending(leg)).reason == "hung up"
            fabric.deliver(request("UPDATE", number=8, **known))
            await fabric.response(481)

    run(main())


def test_what_was_described_while_it_rang_is_the_answer_where_the_answer_has_none() -> None:
    """The first description is the answer (RFC 3261 section 13.2.1); some say it in an unreliable 183 alone."""

    async def main() -> None:
        async with user_agent() as (agent, fabric, _):
            dial = dialling(agent)
            invite = await fabric.request("INVITE")
            fabric.deliver(response(invite, 183, body=OFFER))
            fabric.deliver(response(invite, 180))
            fabric.deliver(response(invite, 200))
            await fabric.request("ACK")
            leg = await dial
            assert leg.remote is not None and leg.remote.port == 40000
            asyncio.get_running_loop().create_task(leg.hangup())
            fabric.deliver(response(await fabric.request("BYE"), 200))

    run(main())


def test_the_callers_routes_and_contact_are_learnt_from_the_answer() -> None:
    async def main() -> None:
        async with user_agent() as (agent, fabric, _):
            dial = dialling(agent)
            invite = await fabric.request("INVITE")
            routes = "Record-Route: <sip:192.0.2.50;lr>\nRecord-Route: <sip:192.0.2.51:5080;lr>\n"
            fabric.deliver(response(invite, 200, body=OFFER, extra=routes))
            leg = await dial
            ack = await fabric.request("ACK")
            assert ack.uri == "sip:far@192.0.2.9:5070"
            assert ack.headers.get("route") == ["<sip:192.0.2.51:5080;lr>", "<sip:192.0.2.50;lr>"]
            assert fabric.sent[-1][2].port == 5080
            asyncio.get_running_loop().create_task(leg.hangup())
            bye = await fabric.request("BYE")
            assert bye.headers.get("route") == ack.headers.get("route")
            fabric.deliver(response(bye, 200))

    run(main())


def test_our_answer_is_repeated_until_its_ack_and_then_the_call_ends() -> None:
    async def main() -> None:
        async with user_agent() as (agent, fabric, legs):
            fabric.deliver(request("INVITE", call_id="call", body=OFFER))
            leg = await legs.get()
            with pytest.raises(CallEnded, match="no ACK"):
                await leg.answer(LOCAL)
            assert gaps(fabric.times("200"))[:6] == [0.5, 1.0, 2.0, 4.0, 4.0, 4.0]
            assert (await ending(leg)).status == 408
            assert agent.calls == 0
            fabric.deliver(response(await fabric.request("BYE"), 200))

    run(main())


def test_a_refusal_is_repeated_until_its_ack() -> None:
    async def main() -> None:
        async with user_agent() as (_, fabric, legs):
            fabric.deliver(request("INVITE", call_id="call", branch="z9hG4bKone", body=OFFER))
            leg = await legs.get()
            await leg.reject(486, "Busy Here", retry_after_s=9)
            await asyncio.sleep(2.0)
            assert gaps(fabric.times("486")) == [0.5, 1.0]
            refusal = await fabric.response(486)
            assert refusal.headers.get("retry-after") == ["9"]
            fabric.deliver(request("ACK", call_id="call", branch="z9hG4bKone", to_tag=refusal.to.tag))
            await asyncio.sleep(30.0)
            assert len(fabric.times("486")) == 3

    run(main())


def test_a_bye_that_nobody_answers_ends_the_leg_all_the_same() -> None:
    async def main() -> None:
        async with user_agent() as (_, fabric, legs):
            leg, _ = await answered(fabric, legs)
            began = asyncio.get_running_loop().time()
            await asyncio.gather(leg.hangup("done"), leg.hangup("twice"))
            assert asyncio.get_running_loop().time() - began == pytest.approx(32.0)
            assert gaps(fabric.times("BYE")) == [0.5, 1.0, 2.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0]
            assert (await ending(leg)).by == "service"

    run(main())


def test_a_caller_who_stops_refreshing_is_hung_up() -> None:
    async def main() -> None:
        async with user_agent(session_expires_s=600) as (_, fabric, legs):
            leg, tag = await answered(fabric, legs, extra="Supported: timer\nSession-Expires: 300;refresher=uac\n")
            await asyncio.sleep(200)
            refresh = "Supported: timer\nSession-Expires: 300;refresher=uac\n"
            fabric.deliver(request("UPDATE", call_id="call", number=2, to_tag=tag, extra=refresh))
            assert (await fabric.response(200)).headers.get("session-expires") == ["300;refresher=uac"]
            bye = await fabric.request("BYE")
            assert fabric.times("BYE")[0] == pytest.approx(200 + 300 - 32, abs=0.5)
            fabric.deliver(response(bye, 200))
            assert (await ending(leg)).reason == "session timer expired"

    run(main())


@pytest.mark.parametrize(("allow", "method"), [("INVITE, ACK, BYE, UPDATE", "UPDATE"), ("INVITE, ACK, BYE", "INVITE")])
def test_we_refresh_where_the_caller_cannot(allow: str, method: str) -> None:
    async def main() -> None:
        async with user_agent(session_expires_s=600) as (_, fabric, legs):
            leg, _ = await answered(fabric, legs, extra=f"Allow: {allow}\n")
            first = await fabric.request(method)
            assert fabric.times(method)[0] == pytest.approx(300, abs=0.5)
            assert first.headers.get("session-expires") == ["600;refresher=uac"]
            if method == "INVITE":
                version = first.text.splitlines()[1]
                fabric.deliver(response(first, 200, body=OFFER))
                await fabric.request("ACK")
                sent = next(m for _, m, _ in fabric.sent if not isinstance(m, SipRequest) and m.text)
                assert sent.text.splitlines()[1] == version, "nothing changed: same SDP version"
            else:
                fabric.deliver(response(first, 200))
            second = await fabric.request(method)
            fabric.deliver(response(second, 481, contact=False))
            fabric.deliver(response(await fabric.request("BYE"), 200))
            assert (await ending(leg)).reason == "session timer expired"

    run(main())


@pytest.mark.parametrize("status", [405, 500, 503])
def test_a_refresh_that_is_refused_is_tried_again_before_the_session_is_over(status: int) -> None:
    """RFC 4028 section 7.4: the far end hangs up a third of the interval, at most 32 s, before it ends."""

    async def main() -> None:
        async with user_agent(session_expires_s=90) as (_, fabric, legs):
            leg, _ = await answered(fabric, legs, extra="Allow: INVITE, ACK, BYE, UPDATE\n")
            fabric.deliver(response(await fabric.request("UPDATE"), status, contact=False))
            method = "INVITE" if status == 405 else "UPDATE"
            again = await fabric.request(method)
            assert fabric.times(method)[-1] < 60
            fabric.deliver(response(again, 200, body=OFFER if status == 405 else ""))
            at = fabric.times(method)[-1]
            await fabric.request(method)
            assert fabric.times(method)[-1] == pytest.approx(at + 45, abs=0.5), "which is as good as the first"
            asyncio.get_running_loop().create_task(leg.hangup())
            fabric.deliver(response(await fabric.request("BYE"), 200))

    run(main())


def test_a_refresh_without_an_end_keeps_no_offer_of_theirs_waiting() -> None:
    async def main() -> None:
        async with user_agent(session_expires_s=600) as (_, fabric, legs):
            leg, tag = await answered(fabric, legs, extra="Allow: INVITE, ACK, BYE\n")
            fabric.deliver(response(await fabric.request("INVITE"), 100, tag=""))
            offer = {"call_id": "call", "to_tag": tag, "body": OFFER}
            fabric.deliver(request("INVITE", number=2, **offer))
            await fabric.response(491)
            await asyncio.sleep(60)
            fabric.deliver(request("INVITE", number=3, **offer))
            await fabric.response(200)
            fabric.deliver(request("ACK", number=3, call_id="call", to_tag=tag))
            asyncio.get_running_loop().create_task(leg.hangup())
            fabric.deliver(response(await fabric.request("BYE"), 200))

    run(main())


def test_reliable_ringing_is_repeated_until_prack_and_refused_without() -> None:
    async def main() -> None:
        async with user_agent() as (_, fabric, legs):
            fabric.deliver(request("INVITE", call_id="call", body=OFFER, extra="Require: 100rel\n"))
            leg = await legs.get()
            await leg.ring()
            await fabric.response(500)
            assert gaps(fabric.times("180")) == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0]
            assert (await ending(leg)).reason == "no PRACK"

    run(main())


def test_prack_stops_the_ringing() -> None:
    async def main() -> None:
        async with user_agent() as (_, fabric, legs):
            fabric.deliver(request("INVITE", call_id="call", body=OFFER, extra="Supported: 100rel\n"))
            leg = await legs.get()
            await leg.ring()
            ringing = await fabric.response(180)
            rack = f"RAck: {ringing.headers.get('rseq')[0]} 1 INVITE\n"
            fabric.deliver(request("PRACK", call_id="call", number=2, to_tag=ringing.to.tag, extra=rack))
            await fabric.response(200)
            await asyncio.sleep(10)
            assert len(fabric.times("180")) == 1
            await leg.hangup()

    run(main())


def test_a_422_raises_our_interval() -> None:
    async def main() -> None:
        async with user_agent(session_expires_s=120) as (agent, fabric, _):
            dial = dialling(agent)
            first = await fabric.request("INVITE")
            fabric.deliver(response(first, 422, extra="Min-SE: 400\n", contact=False))
            await fabric.request("ACK")
            second = await fabric.request("INVITE")
            assert second.headers.get("session-expires") == ["400"]
            assert second.headers.get("call-id") == first.headers.get("call-id")
            fabric.deliver(response(second, 603, contact=False))
            with pytest.raises(DialFailed) as caught:
                await dial
            assert caught.value.status == 603

    run(main())


def test_an_unusable_answer_is_hung_up_and_reported() -> None:
    async def main() -> None:
        async with user_agent() as (agent, fabric, _):
            dial = dialling(agent)
            invite = await fabric.request("INVITE")
            fabric.deliver(response(invite, 200, body=OFFER.replace("40000", "0")))
            await fabric.request("ACK")
            fabric.deliver(response(await fabric.request("BYE"), 200))
            with pytest.raises(DialFailed) as caught:
                await dial
            assert caught.value.status == 488

    run(main())


@pytest.mark.parametrize(
    ("caller", "expected"),
    [
        (Party("+1503", 'Ann "A" B'), '"Ann A B" <sip:+1503@192.0.2.1>'),
        (Party("+1503", "", "tel:+1503"), "<sip:+1503@192.0.2.1>"),
        (Party("1#2", "", ""), "<sip:1%232@192.0.2.1>"),
        (Party("", "", ""), "<sip:anonymous@192.0.2.1>"),
        (Party("x", "", "sip:line@desk.example"), "<sip:line@desk.example>"),
    ],
)
def test_who_we_say_is_calling(caller: Party, expected: str) -> None:
    async def main() -> None:
        async with user_agent() as (agent, fabric, _):
            dial = asyncio.create_task(agent.dial(TARGET, LOCAL, caller=caller, headers={}, ring_timeout_s=9.0))
            invite = await fabric.request("INVITE")
            assert invite.headers.get("from")[0].partition(";tag=")[0] == expected
            fabric.deliver(response(invite, 486, contact=False))
            with pytest.raises(DialFailed):
                await dial

    run(main())


def test_stopping_fails_what_is_still_ringing() -> None:
    async def main() -> None:
        async with user_agent() as (agent, fabric, _):
            dial = dialling(agent)
            fabric.deliver(response(await fabric.request("INVITE"), 180))
            await asyncio.sleep(1)
            await agent.stop()
            with pytest.raises(DialFailed) as caught:
                await dial
            assert caught.value.status == 503

    run(main())


def test_a_dead_tcp_peer_fails_at_once() -> None:
    async def main() -> None:
        async with user_agent() as (agent, fabric, _):
            dial = asyncio.create_task(
                agent.dial(f"{TARGET};transport=tcp", LOCAL, caller=Party("1"), headers={}, ring_timeout_s=60.0)
            )
            invite = await fabric.request("INVITE")
            assert invite.headers.get("via")[0].startswith("SIP/2.0/TCP 192.0.2.1:5060")
            assert invite.headers.get("contact") == ["<sip:ivr@192.0.2.1:5060;transport=tcp>"]
            fabric._unreachable(fabric.sent[0][2], "refused")
            with pytest.raises(DialFailed) as caught:
                await dial
            assert caught.value.status == 503
            assert fabric.times("INVITE") == [0.0]

    run(main())


def test_a_call_that_is_over_and_its_transactions_wait_for_no_garbage_collector() -> None:
    async def main() -> list[object]:
        async with user_agent() as (agent, fabric, legs):
            leg, tag = await answered(fabric, legs)
            fabric.deliver(request("BYE", call_id="call", to_tag=tag, number=2))
            assert (await ending(leg)).by == "caller"
            gone = [weakref.ref(each) for each in (leg, *agent._core.transactions._servers.values())]
            assert len(gone) == 3
            del leg
            await asyncio.sleep(40)
            return [each() for each in gone]

    gc.collect()
    gc.disable()
    try:
        assert run(main()) == [None] * 3
    finally:
        gc.enable()
