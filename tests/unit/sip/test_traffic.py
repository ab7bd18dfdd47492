"""What SIP counts: messages both ways, what is sent again or never answered, and which trunk's calls nobody took."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ivr.errors import DialFailed
from ivr.media.description import MediaDescription
from ivr.ports import Party, RefusedCall
from ivr.sip.message import Peer
from ivr.sip.party import diverted_by
from tests.call.virtual import run
from tests.unit.sip.fabric import user_agent
from tests.unit.sip.messages import OFFER, request

STRANGER = Peer("udp", "198.51.100.7", 5060)


def test_messages_are_counted_by_method_and_class_and_what_is_repeated_apart() -> None:
    async def main() -> None:
        async with user_agent() as (agent, fabric, legs):
            invite = request("INVITE", call_id="call", branch="z9hG4bKone", body=OFFER)
            fabric.deliver(invite)
            leg = await legs.get()
            fabric.deliver(invite)
            await leg.reject(486, "")
            await asyncio.sleep(3)  # nobody acknowledges it
            fabric.deliver(request("MADEUP"))
            fabric.deliver(request("OPTIONS"))
            traffic = agent.traffic()
            assert traffic.requests_in == {"INVITE": 2, "other": 1, "OPTIONS": 1}
            assert traffic.repeated_in == 1
            assert traffic.responses_out["1xx"] == 2 and traffic.responses_out["2xx"] == 1
            assert traffic.repeated_out == traffic.responses_out["4xx"] - 2 > 0, "the 486, again and again; and a 405"

    run(main())


def test_requests_of_ours_that_nobody_answers_are_counted() -> None:
    async def main() -> None:
        async with user_agent() as (agent, _, _legs):
            with pytest.raises(DialFailed):
                await agent.dial(
                    "sip:nobody@192.0.2.77",
                    MediaDescription("192.0.2.1", 40000, ()),
                    caller=Party("line"),
                    headers={},
                    ring_timeout_s=60.0,
                )
            traffic = agent.traffic()
            assert traffic.timed_out == {"INVITE": 1}
            assert traffic.requests_out["INVITE"] == traffic.repeated_out + 1 > 3

    run(main())


@pytest.mark.parametrize(
    ("settings", "reason", "status"),
    [({"max_calls": 1}, "busy", 486), ({"full": lambda calls: "too many talk"}, "speech", 503), ({}, "draining", 503)],
)
def test_a_trunks_refused_call_is_told_with_who_called_whom(settings: Any, reason: str, status: int) -> None:
    async def main() -> None:
        told: list[RefusedCall] = []
        async with user_agent(refused=told.append, **settings) as (agent, fabric, legs):
            if reason == "busy":
                fabric.deliver(request("INVITE", body=OFFER))
                await legs.get()
            if reason == "draining":
                agent.refuse_new_calls(503, 30)
            fabric.deliver(request("INVITE", call_id="refused", uri="sip:5035550100@127.0.0.1", body=OFFER))
            await fabric.response(status)
            (call,) = told
            assert (call.sip_call_id, call.trunk, call.status, call.reason) == ("refused", "far", status, reason)
            assert call.caller.endswith("5035550142") and call.called.endswith("5035550100")
            assert agent.traffic().refused == {reason: 1}

    run(main())


def test_strangers_are_counted_and_have_no_record() -> None:
    async def main() -> None:
        told: list[RefusedCall] = []
        async with user_agent(refused=told.append) as (agent, fabric, _):
            fabric.deliver(request("INVITE", body=OFFER), STRANGER)
            assert agent.traffic().refused == {"stranger": 1} and told == []

    run(main())


@pytest.mark.parametrize(
    ("value", "who"),
    [
        ("<sip:5035550111@192.0.2.9>;reason=unconditional", "5035550111"),
        ('"Front" <sip:1@x>;counter=1, <sip:2@x>;reason=busy', "1"),
        ("nonsense <", ""),
        ("", ""),
    ],
)
def test_who_diverted_a_call_is_the_latest_that_says_so(value: str, who: str) -> None:
    assert diverted_by({"diversion": value}) == who
