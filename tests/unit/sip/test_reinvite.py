"""Re-INVITEs of ours (RFC 3261 section 14.1), on a whole user agent in virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from ivr.errors import CallEnded, ModificationRefused
from ivr.media.description import MediaDescription
from ivr.ports import Leg, MediaChanged
from ivr.sip.agent import SipUserAgent
from ivr.sip.reinvite import ANSWER_S, MOST_GLARES
from tests.call.virtual import run
from tests.unit.sip.fabric import Fabric, user_agent
from tests.unit.sip.messages import OFFER, request, response
from tests.unit.sip.test_timing import LOCAL, answered, dialling

ANSWER = OFFER.replace("8 0 101", "8 101")
MOVED = replace(LOCAL, port=18_000)


def offering(leg: Leg) -> asyncio.Task[MediaDescription]:
    return asyncio.create_task(leg.reinvite(MOVED))


async def dialled(agent: SipUserAgent, fabric: Fabric) -> Leg:
    """An outbound call, answered."""
    dial = dialling(agent)
    fabric.deliver(response(await fabric.request("INVITE"), 200, body=ANSWER))
    await fabric.request("ACK")
    return await dial


def version(text: str) -> int:
    return int(next(line for line in text.splitlines() if line.startswith("o=")).split()[2])


def test_another_address_is_offered_acknowledged_and_answered() -> None:
    async def main() -> None:
        async with user_agent() as (_, fabric, legs):
            leg, _ = await answered(fabric, legs)
            first = (next(m for _, m, _ in fabric.sent if m.text)).text
            changing = offering(leg)
            invite = await fabric.request("INVITE")
            assert "m=audio 18000 RTP/AVP 8 101" in invite.text
            assert version(invite.text) == version(first) + 1
            assert invite.headers.first("session-expires").endswith(";refresher=uac")
            fabric.deliver(response(invite, 200, body=ANSWER.replace("40000", "41000")))
            ack = await fabric.request("ACK")
            assert ack.cseq.number == invite.cseq.number
            assert (await changing).port == 41_000
            event = await anext(leg.events())
            assert isinstance(event, MediaChanged) and event.remote.port == 41_000

    run(main())


@pytest.mark.parametrize("ours", [True, False], ids=["our Call-ID", "theirs"])
def test_a_glare_is_waited_out(ours: bool) -> None:
    async def main() -> None:
        async with user_agent() as (agent, fabric, legs):
            leg = await dialled(agent, fabric) if ours else (await answered(fabric, legs))[0]
            now = asyncio.get_running_loop().time
            changing = offering(leg)
            fabric.deliver(response(await fabric.request("INVITE"), 491, contact=False))
            refused_at = now()
            again = await fabric.request("INVITE")
            low, high = (2.1, 4.0) if ours else (0.0, 2.0)
            assert low - 0.01 <= now() - refused_at <= high + 0.01
            fabric.deliver(response(again, 200, body=ANSWER))
            await changing

    run(main())


def test_endless_glares_end() -> None:
    async def main() -> None:
        async with user_agent() as (_, fabric, legs):
            leg, _ = await answered(fabric, legs)
            changing = offering(leg)
            for _ in range(MOST_GLARES):
                fabric.deliver(response(await fabric.request("INVITE"), 491, contact=False))
            with pytest.raises(ModificationRefused, match="491"):
                await changing

    run(main())


@pytest.mark.parametrize("status", [405, 415, 488, 500, 606])
def test_a_refusal_leaves_the_call_up(status: int) -> None:
    async def main() -> None:
        async with user_agent() as (_, fabric, legs):
            leg, tag = await answered(fabric, legs)
            changing = offering(leg)
            fabric.deliver(response(await fabric.request("INVITE"), status, contact=False))
            with pytest.raises(ModificationRefused) as caught:
                await changing
            assert caught.value.status == status
            fabric.deliver(request("OPTIONS", call_id="call", number=2, to_tag=tag))
            await fabric.response(200)

    run(main())


def test_a_dialog_that_the_far_end_lost_is_over() -> None:
    async def main() -> None:
        async with user_agent() as (_, fabric, legs):
            leg, _ = await answered(fabric, legs)
            changing = offering(leg)
            fabric.deliver(response(await fabric.request("INVITE"), 481, contact=False))
            with pytest.raises(CallEnded):
                await changing
            fabric.deliver(response(await fabric.request("BYE"), 481))

    run(main())


@pytest.mark.parametrize("trying", [False, True], ids=["nothing", "100 and nothing more"])
def test_no_answer_is_not_waited_for_for_ever(trying: bool) -> None:
    async def main() -> None:
        async with user_agent() as (_, fabric, legs):
            leg, _ = await answered(fabric, legs)
            now = asyncio.get_running_loop().time
            began, changing = now(), offering(leg)
            if trying:
                fabric.deliver(response(await fabric.request("INVITE"), 100, contact=False))
            with pytest.raises(ModificationRefused, match="408"):
                await changing
            assert now() - began == pytest.approx(ANSWER_S)

    run(main())


def test_a_caller_who_hangs_up_meanwhile_ends_it() -> None:
    async def main() -> None:
        async with user_agent() as (_, fabric, legs):
            leg, tag = await answered(fabric, legs)
            changing = offering(leg)
            await fabric.request("INVITE")
            fabric.deliver(request("BYE", call_id="call", number=2, to_tag=tag))
            with pytest.raises(CallEnded, match="hung up"):
                await changing

    run(main())


def test_theirs_and_ours_do_not_cross() -> None:
    async def main() -> None:
        async with user_agent() as (_, fabric, legs):
            leg, tag = await answered(fabric, legs)
            held = OFFER.replace("sendrecv", "sendonly")
            fabric.deliver(request("INVITE", call_id="call", number=2, to_tag=tag, body=held))
            await fabric.response(200)
            changing = offering(leg)  # theirs has no ACK yet
            await asyncio.sleep(0.01)
            before = len(fabric.times("INVITE"))
            assert before == 0
            fabric.deliver(request("ACK", call_id="call", number=2, to_tag=tag))
            ours = await fabric.request("INVITE")
            fabric.deliver(request("INVITE", call_id="call", number=3, to_tag=tag, body=OFFER))
            await fabric.response(491)
            fabric.deliver(request("ACK", call_id="call", number=3, to_tag=tag))
            fabric.deliver(response(ours, 200, body=ANSWER))
            await changing

    run(main())


def test_credentials_are_given_where_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT_PASSWORD", "s3cret")
    pbx = {"name": "pbx", "allow": ["192.0.2.0/24"], "username": "ivr", "password": "env:AGENT_PASSWORD"}

    async def main() -> None:
        async with user_agent(trunks=[pbx]) as (agent, fabric, _):
            leg = await dialled(agent, fabric)
            changing = offering(leg)
            challenge = 'WWW-Authenticate: Digest realm="pbx", nonce="n1", algorithm=MD5, qop="auth"\n'
            fabric.deliver(response(await fabric.request("INVITE"), 401, contact=False, extra=challenge))
            again = await fabric.request("INVITE")
            assert again.headers.first("authorization")
            fabric.deliver(response(again, 200, body=ANSWER))
            await changing
            assert any(m.headers.first("authorization") for _, m, _ in fabric.sent[-1:]), "the ACK has them too"

    run(main())


@pytest.mark.parametrize(("status", "lives"), [(200, True), (405, True), (481, False), (408, False), (0, False)])
def test_whether_a_silent_phone_still_answers(status: int, lives: bool) -> None:
    async def main() -> None:
        async with user_agent() as (agent, fabric, _):
            leg = await dialled(agent, fabric)
            asking = asyncio.create_task(leg.answers())
            options = await fabric.request("OPTIONS")
            if status:
                fabric.deliver(response(options, status))
            assert await asking is lives

    run(main())
