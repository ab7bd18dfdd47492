"""The dialog of a user agent that died, gone on with by another, in virtual time."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from ivr.errors import CallEnded
from ivr.events import LegEnded
from ivr.ports import Leg
from ivr.sip.agent import SipUserAgent
from ivr.sip.message import SipRequest
from ivr.sip.restored import AHEAD, FURTHER
from tests.call.virtual import run
from tests.unit.sip.fabric import Fabric, user_agent
from tests.unit.sip.messages import OFFER, request, response
from tests.unit.sip.test_reinvite import ANSWER, MOVED, dialled, version
from tests.unit.sip.test_timing import answered, dialling


async def left(*, outbound: bool = False) -> tuple[Any, SipRequest | Any]:
    """What is kept of a call, as JSON gives it back, and the first message with SDP of ours."""
    async with user_agent() as (agent, fabric, legs):
        leg = await dialled(agent, fabric) if outbound else (await answered(fabric, legs))[0]
        first = next(message for _, message, _ in fabric.sent if message.text)
        return json.loads(json.dumps(leg.kept())), first


def inside(kept: Any, method: str, number: int, body: str = "") -> bytes:
    dialog = kept["dialog"]
    tags = {"from_tag": dialog["remote_tag"], "to_tag": dialog["local_tag"]}
    return request(method, call_id=dialog["call_id"], number=number, body=body, **tags)


async def told(agent: SipUserAgent, fabric: Fabric, kept: Any) -> tuple[Leg, SipRequest, asyncio.Task[Any]]:
    leg = agent.restore(kept)
    changing = asyncio.create_task(leg.reinvite(MOVED))
    return leg, await fabric.request("INVITE"), changing


@pytest.mark.parametrize("outbound", [False, True], ids=["a caller's", "an agent's"])
def test_another_user_agent_goes_on_inside_the_same_dialog(outbound: bool) -> None:
    async def main() -> None:
        kept, first = await left(outbound=outbound)
        async with user_agent() as (agent, fabric, _):
            leg, invite, changing = await told(agent, fabric, kept)
            dialog = kept["dialog"]
            assert invite.call_id == dialog["call_id"]
            assert (invite.from_.tag, invite.to.tag) == (dialog["local_tag"], dialog["remote_tag"])
            assert invite.cseq.number == dialog["local_cseq"] + AHEAD + 1
            assert "m=audio 18000" in invite.text and version(invite.text) == version(first.text) + 1
            assert invite.headers.first("contact").startswith("<sip:ivr@192.0.2.1:5060")
            fabric.deliver(response(invite, 200, body=ANSWER))
            await fabric.request("ACK")
            assert (await changing).port == 40_000
            fabric.deliver(inside(kept, "BYE", 900))
            await fabric.response(200)
            assert isinstance(await anext(leg.events()), LegEnded)
            assert agent.calls == 0

    run(main())


def test_a_cseq_that_is_behind_is_raised() -> None:
    async def main() -> None:
        kept, _ = await left()
        async with user_agent() as (agent, fabric, _):
            _, invite, changing = await told(agent, fabric, kept)
            for further in FURTHER:
                fabric.deliver(response(invite, 500))
                before, invite = invite.cseq.number, await fabric.request("INVITE")
                assert invite.cseq.number > before + further
            fabric.deliver(response(invite, 200, body=ANSWER))
            await changing

    run(main())


@pytest.mark.parametrize("status", [408, 481])
def test_a_far_end_that_is_gone_ends_the_call(status: int) -> None:
    async def main() -> None:
        kept, _ = await left()
        async with user_agent() as (agent, fabric, _):
            leg, invite, changing = await told(agent, fabric, kept)
            fabric.deliver(response(invite, status))
            with pytest.raises(CallEnded) as ended:
                await changing
            assert ended.value.by == "network" and leg.kept() is None

    run(main())


def test_their_own_offer_waits_for_ours() -> None:
    async def main() -> None:
        kept, _ = await left()
        async with user_agent() as (agent, fabric, _):
            agent.restore(kept)
            fabric.deliver(inside(kept, "INVITE", 900, OFFER))
            await fabric.response(491)

    run(main())


def test_a_leg_that_is_left_goes_without_a_word() -> None:
    async def main() -> None:
        async with user_agent() as (_, fabric, legs):
            leg, _ = await answered(fabric, legs)
            sent = len(fabric.sent)
            leg.leave()
            await leg.hangup("over")
            assert len(fabric.sent) == sent

    run(main())


def test_no_credentials_and_no_keys_are_kept() -> None:
    async def main() -> None:
        kept, _ = await left()
        assert "authorization" not in {name.lower() for name in kept["headers"]}
        assert "a=crypto" not in json.dumps(kept)

    run(main())


def test_what_no_process_of_ours_kept_is_refused() -> None:
    async def main() -> None:
        kept, _ = await left()
        async with user_agent() as (agent, _, _):
            for wrong in ({}, {**kept, "dialog": {}}, {**kept, "sdp": {**kept["sdp"], "theirs": "v=1"}}):
                with pytest.raises(ValueError, match="no dialog to go on with"):
                    agent.restore(wrong)

    run(main())


@pytest.mark.parametrize("orphan", [True, False])
def test_a_request_in_a_dead_ones_dialog_is_answered_once_the_call_is_here(orphan: bool) -> None:
    async def main() -> None:
        kept, _ = await left()
        async with user_agent() as (agent, fabric, _):
            asked: list[str] = []

            async def take(sip_call_id: str) -> bool:
                asked.append(sip_call_id)
                if orphan:
                    agent.restore(kept)
                return orphan

            agent.take_orphans(take)
            fabric.deliver(inside(kept, "BYE", 900))
            await fabric.response(200 if orphan else 481)
            assert asked == [kept["dialog"]["call_id"]]

    run(main())


def test_a_dead_ones_secure_dialog_takes_nothing_that_came_in_the_clear() -> None:
    async def main() -> None:
        kept, _ = await left()
        kept["dialog"]["secure"] = True  # begun with sips:
        async with user_agent() as (agent, fabric, _):

            async def take(_: str) -> bool:
                agent.restore(kept)
                return True

            agent.take_orphans(take)
            for number in (900, 901):  # as an orphan, and once the call is here
                fabric.deliver(inside(kept, "BYE", number))
                await fabric.response(403)
            assert agent.calls == 1

    run(main())


def test_a_telephone_that_a_dead_one_had_ring_is_cancelled_by_another() -> None:
    async def main() -> None:
        async with user_agent() as (agent, fabric, _):
            dial = dialling(agent, of_call="c0ffee")
            invite = await fabric.request("INVITE")
            assert not agent.ringing("c0ffee")
            fabric.deliver(response(invite, 180))
            await asyncio.sleep(0.1)
            kept = json.loads(json.dumps(agent.ringing("c0ffee")))
            assert len(kept) == 1 and not agent.ringing("another")
            dial.cancel()
        async with user_agent() as (heir, fabric, _):
            heir.cancel(kept[0])
            cancel = await fabric.request("CANCEL")
            assert cancel.top_via.branch == invite.top_via.branch and cancel.uri == invite.uri
            assert (cancel.call_id, cancel.from_.tag) == (invite.call_id, invite.from_.tag)
            assert cancel.cseq.number == invite.cseq.number
            bye = await fabric.request("BYE")  # for who had answered already, which no CANCEL ends
            assert bye.to.tag and (bye.call_id, bye.from_.tag) == (invite.call_id, invite.from_.tag)
            assert bye.cseq.number > invite.cseq.number
            with pytest.raises(ValueError, match="no INVITE to cancel"):
                heir.cancel({"uri": "sip:x@192.0.2.9"})

    run(main())
