"""What a whole user agent answers to requests inside and outside dialogs; virtual time, no sockets."""

from __future__ import annotations

import asyncio

import pytest
import structlog.testing

from ivr.errors import CallEnded, TransferFailed
from ivr.events import Digit, LegEnded
from ivr.media.description import Direction
from ivr.ports import Leg, MediaChanged
from ivr.sip import transactions
from ivr.sip.message import Peer, SipResponse
from tests.call.virtual import run
from tests.unit.sip.fabric import FAR, Fabric, user_agent
from tests.unit.sip.messages import OFFER, request, response
from tests.unit.sip.test_timing import LOCAL, answered, dialling, ending

STRANGER = Peer("udp", "198.51.100.7", 5060)


async def reply(fabric: Fabric, data: bytes, source: Peer = FAR) -> SipResponse:
    """The next final response after ``data`` arrived."""
    fabric.deliver(data, source)
    while True:
        message = await fabric.next()
        if isinstance(message, SipResponse) and message.status_code >= 200:
            return message


def test_an_invite_that_comes_again_is_one_call() -> None:
    async def main() -> None:
        async with user_agent() as (agent, fabric, legs):
            invite = request("INVITE", call_id="call", body=OFFER)
            for _ in range(3):
                fabric.deliver(invite)
            leg = await legs.get()
            await leg.ring()
            for _ in range(3):
                fabric.deliver(invite)
            assert (legs.qsize(), agent.calls) == (0, 1)
            assert len(fabric.times("100")) == 3
            assert len(fabric.times("180")) == 4, "the last answer is repeated"
            await leg.reject(480, "")

    run(main())


def test_a_copy_by_another_path_is_refused() -> None:
    async def main() -> None:
        async with user_agent() as (_, fabric, legs):
            fabric.deliver(request("INVITE", call_id="call", branch="z9hG4bKa", body=OFFER))
            leg = await legs.get()
            copy = await reply(fabric, request("INVITE", call_id="call", branch="z9hG4bKb", body=OFFER))
            assert copy.status_code == 482
            assert legs.empty()
            await leg.reject(480, "")

    run(main())


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (request("INVITE", body=OFFER).replace(b"Contact: <sip:far", b"Contact: <mailto:far"), 400),
        (request("INVITE", body=OFFER, extra="Record-Route: <sip:>\n"), 400),
        (request("INVITE", body=OFFER).replace(b"sip:ivr@127.0.0.1 SIP", b"sip:@ SIP"), 400),
        (request("BYE", to_tag="nobody"), 481),
        (request("BYE"), 481),
        (request("INVITE", to_tag="nobody", body=OFFER), 481),
        (request("CANCEL"), 481),
        (request("NOTIFY", extra="Event: refer\n"), 481),
        (request("PUBLISH"), 405),
        (request("REGISTER"), 405),
        (request("REFER", extra="Refer-To: <sip:a@192.0.2.5>\n"), 481),
        (request("INVITE", body=OFFER, extra="Require: 100rel, precondition\n"), 420),
        (request("INVITE", body="hello", kind="text/plain"), 415),
        (request("INVITE", body=OFFER, extra="Content-Encoding: gzip\n"), 415),
        (request("INVITE", body=OFFER.replace("RTP/AVP", "RTP/SAVP")), 488),
        (request("INVITE", body=OFFER.replace("c=IN IP4 192.0.2.9", "c=IN IP4 192.0.2.999")), 488),
        (request("INVITE", body=OFFER.replace(" 8 0 101", " 18 101")), 488),
        (request("INVITE", body="v=0\nno media\n"), 400),
        (request("INVITE", body=OFFER, extra="Supported: timer\nSession-Expires: 20\n"), 422),
        (request("INVITE", body=OFFER).replace(b"Contact:", b"X-Contact:"), 400),
        (request("INVITE", body=OFFER, uri="sips:ivr@127.0.0.1"), 480),
        (request("INVITE", body=OFFER).replace(b"1 INVITE", b"1 BYE"), 400),
        (request("INVITE", body=OFFER).replace(b"SIP/2.0\r\nVia", b"SIP/3.0\r\nVia"), 505),
    ],
)
def test_refusals_outside_dialogs(data: bytes, status: int) -> None:
    async def main() -> None:
        async with user_agent() as (agent, fabric, legs):
            answer = await reply(fabric, data)
            assert answer.status_code == status
            assert answer.to.tag
            assert (legs.qsize(), agent.calls) == (0, 0)
            if status == 405:
                assert "INVITE" in answer.headers.get("allow")[0]
            if status == 420:
                assert answer.headers.get("unsupported") == ["precondition"]
            if status == 422:
                assert answer.headers.get("min-se") == ["90"]

    run(main())


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS", "BYE", "CANCEL", "REGISTER", "MESSAGE", "NOTIFY"])
def test_strangers_are_refused_whatever_they_ask(method: str) -> None:
    async def main() -> None:
        async with user_agent() as (agent, fabric, legs):
            assert (await reply(fabric, request(method, body=OFFER), STRANGER)).status_code == 403
            fabric.deliver(request("ACK"), STRANGER)
            fabric.deliver(b"garbage", STRANGER)
            fabric.deliver(request("INVITE").replace(b"1 INVITE", b"1 BYE"), STRANGER)
            assert len(fabric.sent) == 1, "nothing more is sent to strangers"
            assert (legs.qsize(), agent.calls) == (0, 0)

    run(main())


def test_a_stranger_cannot_cancel_somebody_elses_call() -> None:
    async def main() -> None:
        async with user_agent() as (agent, fabric, legs):
            fabric.deliver(request("INVITE", call_id="call", branch="z9hG4bKone", body=OFFER))
            leg = await legs.get()
            cancel = request("CANCEL", call_id="call", branch="z9hG4bKone")
            assert (await reply(fabric, cancel, STRANGER)).status_code == 403
            assert agent.calls == 1
            await leg.reject(480, "")

    run(main())


def test_a_cancel_too_late_changes_nothing() -> None:
    async def main() -> None:
        async with user_agent() as (agent, fabric, legs):
            fabric.deliver(request("INVITE", call_id="call", branch="z9hG4bKone", body=OFFER))
            leg = await legs.get()
            answering = asyncio.create_task(leg.answer(LOCAL))
            tag = (await fabric.response(200)).to.tag
            assert (await reply(fabric, request("CANCEL", call_id="call", branch="z9hG4bKone"))).status_code == 200
            assert fabric.times("487") == []
            fabric.deliver(request("ACK", call_id="call", to_tag=tag))
            assert (await answering).port == 40_000
            assert agent.calls == 1
            assert (await reply(fabric, request("BYE", call_id="call", number=2, to_tag=tag))).status_code == 200

    run(main())


def test_a_cancel_ends_a_ringing_call() -> None:
    async def main() -> None:
        async with user_agent() as (agent, fabric, legs):
            fabric.deliver(request("INVITE", call_id="call", branch="z9hG4bKone", body=OFFER))
            leg = await legs.get()
            fabric.deliver(request("CANCEL", call_id="call", branch="z9hG4bKone"))
            await fabric.response(200)
            await fabric.response(487)
            end = await ending(leg)
            assert (end.by, end.status, agent.calls) == ("caller", 487, 0)
            with pytest.raises(CallEnded, match="cancelled"):
                await leg.answer(LOCAL)

    run(main())


def test_an_ack_with_another_to_tag_is_taken() -> None:
    async def main() -> None:
        async with user_agent() as (_, fabric, legs):
            fabric.deliver(request("INVITE", call_id="call", body=OFFER))
            leg = await legs.get()
            answering = asyncio.create_task(leg.answer(LOCAL))
            tag = (await fabric.response(200)).to.tag
            fabric.deliver(request("ACK", call_id="call", to_tag="a-tag-of-its-own"))
            await answering
            await reply(fabric, request("BYE", call_id="call", number=2, to_tag=tag))
            assert (await ending(leg)).by == "caller"

    run(main())


def test_requests_of_another_dialog_or_out_of_order() -> None:
    async def main() -> None:
        async with user_agent() as (_, fabric, legs):
            _, tag = await answered(fabric, legs)
            forged = request("BYE", call_id="call", number=2, to_tag=tag, from_tag="somebody")
            assert (await reply(fabric, forged)).status_code == 481
            old = request("INFO", call_id="call", number=1, to_tag=tag, body="5", kind="application/dtmf")
            assert (await reply(fabric, old)).status_code == 500
            unknown = request("BYE", call_id="call", number=3, to_tag=tag, extra="Require: tdialog\n")
            assert (await reply(fabric, unknown)).status_code == 420
            assert (await reply(fabric, request("BYE", call_id="call", number=4, to_tag=tag))).status_code == 200
            assert (await reply(fabric, request("INFO", call_id="call", number=5, to_tag=tag))).status_code == 481

    run(main())


def test_a_multipart_body_and_a_call_with_video() -> None:
    offer = OFFER + "m=video 50000 RTP/AVP 96\na=rtpmap:96 VP8/90000\n"
    body = f"--b1\nContent-Type: application/isup\n\nxx\n--b1\nContent-Type: application/sdp\n\n{offer}\n--b1--\n"

    async def main() -> None:
        async with user_agent() as (_, fabric, legs):
            fabric.deliver(request("INVITE", call_id="call", body=body, kind='multipart/mixed; boundary="b1"'))
            leg = await legs.get()
            assert leg.remote is not None
            assert [codec.name for codec in leg.remote.codecs] == ["PCMA", "PCMU"]
            answering = asyncio.create_task(leg.answer(LOCAL))
            ok = await fabric.response(200)
            media = [line for line in ok.text.splitlines() if line.startswith("m=")]
            assert media == ["m=audio 17000 RTP/AVP 8 101", "m=video 0 RTP/AVP 96"]
            fabric.deliver(request("ACK", call_id="call", to_tag=ok.to.tag))
            await answering
            asyncio.get_running_loop().create_task(leg.hangup())
            fabric.deliver(response(await fabric.request("BYE"), 200))

    run(main())


def test_changes_of_media_while_something_is_pending() -> None:
    async def main() -> None:
        async with user_agent() as (_, fabric, legs):
            fabric.deliver(request("INVITE", call_id="call", body=OFFER))
            leg = await legs.get()
            answering = asyncio.create_task(leg.answer(LOCAL))
            tag = (await fabric.response(200)).to.tag
            early = request("INVITE", call_id="call", number=2, to_tag=tag, body=OFFER)
            assert (await reply(fabric, early)).status_code == 500
            offer = request("UPDATE", call_id="call", number=3, to_tag=tag, body=OFFER)
            assert (await reply(fabric, offer)).status_code == 491
            fabric.deliver(request("ACK", call_id="call", to_tag=tag))
            await answering
            # Without an offer of theirs, ours is pending until the ACK: another must wait.
            fabric.deliver(request("INVITE", call_id="call", number=4, to_tag=tag))
            await fabric.response(200)
            glare = request("UPDATE", call_id="call", number=5, to_tag=tag, body=OFFER)
            assert (await reply(fabric, glare)).status_code == 491
            fabric.deliver(request("ACK", call_id="call", number=4, to_tag=tag, body=OFFER))
            await reply(fabric, request("BYE", call_id="call", number=6, to_tag=tag))

    run(main())


def test_a_session_refreshed_without_an_answer_goes_on_as_it_was() -> None:
    """Some that refresh by an INVITE without SDP leave it out of the ACK too."""

    async def main() -> None:
        async with user_agent() as (_, fabric, legs):
            leg, tag = await answered(fabric, legs)
            before = leg.remote
            fabric.deliver(request("INVITE", call_id="call", number=2, to_tag=tag))
            assert "m=audio 17000" in (await fabric.response(200)).text
            fabric.deliver(request("ACK", call_id="call", number=2, to_tag=tag))
            assert leg.remote == before
            held = OFFER.replace("sendrecv", "sendonly")
            ok = await reply(fabric, request("INVITE", call_id="call", number=3, to_tag=tag, body=held))
            assert ok.status_code == 200 and "a=recvonly" in ok.text
            fabric.deliver(request("ACK", call_id="call", number=3, to_tag=tag))
            await reply(fabric, request("BYE", call_id="call", number=4, to_tag=tag))
            assert [type(event) for event in [event async for event in leg.events()]] == [MediaChanged, LegEnded]

    run(main())


def test_a_far_end_may_count_from_nought() -> None:
    """Whom we called has sent nothing yet: whatever number comes first is in order (RFC 3261 section 12.2.2)."""

    async def main() -> None:
        async with user_agent() as (agent, fabric, _):
            dial = dialling(agent)
            invite = await fabric.request("INVITE")
            fabric.deliver(response(invite, 200, body=OFFER))
            leg, ours = await dial, invite.from_.tag
            bye = request("BYE", call_id=invite.call_id, number=0, from_tag="agent", to_tag=ours)
            assert (await reply(fabric, bye)).status_code == 200
            assert (await ending(leg)).reason == "hung up"

    run(main())


def test_a_refused_offer_leaves_the_call_as_it_was() -> None:
    async def main() -> None:
        async with user_agent() as (_, fabric, legs):
            leg, tag = await answered(fabric, legs)
            bad = OFFER.replace("RTP/AVP", "RTP/SAVP")
            assert (
                await reply(fabric, request("INVITE", call_id="call", number=2, to_tag=tag, body=bad))
            ).status_code == 488
            held = OFFER.replace("sendrecv", "sendonly")
            ok = await reply(fabric, request("INVITE", call_id="call", number=3, to_tag=tag, body=held))
            assert "a=recvonly" in ok.text
            assert "m=audio 17000 RTP/AVP 8 101" in ok.text, "the codec in use stays"
            fabric.deliver(request("ACK", call_id="call", number=3, to_tag=tag))
            await reply(fabric, request("BYE", call_id="call", number=4, to_tag=tag))
            events = [event async for event in leg.events()]
            assert [type(event) for event in events] == [MediaChanged, LegEnded]
            assert isinstance(events[0], MediaChanged)
            assert events[0].remote.direction is Direction.SENDONLY

    run(main())


def test_a_flood_of_keys_is_bounded() -> None:
    async def main() -> None:
        async with user_agent() as (_, fabric, legs):
            leg, tag = await answered(fabric, legs)
            for number in range(2, 402):
                key = request("INFO", call_id="call", number=number, to_tag=tag, body="5", kind="application/dtmf")
                fabric.deliver(key)
            await reply(fabric, request("BYE", call_id="call", number=900, to_tag=tag))
            events = [event async for event in leg.events()]
            assert sum(isinstance(event, Digit) for event in events) == 256
            assert isinstance(events[-1], LegEnded)

    run(main())


def test_what_needs_no_state_has_none() -> None:
    async def main() -> None:
        async with user_agent() as (agent, fabric, _):
            for method in ("OPTIONS", "MESSAGE", "REGISTER", "BYE", "CANCEL", "INFO", "NOTIFY", "SUBSCRIBE"):
                asked = request(method, call_id=method)
                first, again = await reply(fabric, asked), await reply(fabric, asked)
                assert first.status_code == again.status_code
                assert first.to.tag == again.to.tag, "the same answer again (section 8.2.7)"
            assert agent.load().transactions == 0

    run(main())


def test_a_flood_of_one_method_leaves_the_others_room() -> None:
    async def main() -> None:
        async with user_agent() as (agent, fabric, legs):
            with structlog.testing.capture_logs() as logs:
                for _ in range(5000):
                    fabric.deliver(request("MESSAGE"))
            assert agent.load().dropped == 4600
            assert [e["event"] for e in logs if e["log_level"] == "warning"] == ["sip.flood"]
            assert len(fabric.sent) == 400
            while not fabric._unread.empty():
                fabric._unread.get_nowait()
            assert (await reply(fabric, request("OPTIONS"))).status_code == 200
            await answered(fabric, legs)
            await asyncio.sleep(1.0)
            assert (await reply(fabric, request("MESSAGE"))).status_code == 405

    run(main())


def test_a_flood_inside_a_call_ends_with_the_bye() -> None:
    async def main() -> None:
        async with user_agent() as (agent, fabric, legs):
            leg, tag = await answered(fabric, legs)
            for number in range(2, 5002):
                fabric.deliver(request("INFO", call_id="call", number=number, to_tag=tag))
            assert agent.load().transactions < 600
            assert len(fabric.times("500")) < 500
            assert agent.load().dropped == 4500, "and most are not even read"
            fabric.deliver(request("BYE", call_id="call", number=9000, to_tag=tag))
            assert (await ending(leg)).by == "caller"

    run(main())


def test_a_full_table_refuses_new_calls_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions, "MAX_SERVER", 3)

    async def main() -> None:
        async with user_agent() as (agent, fabric, legs):
            leg, tag = await answered(fabric, legs)
            for number in (2, 3):
                await reply(fabric, request("INFO", call_id="call", number=number, to_tag=tag))
            assert agent.load().full
            with structlog.testing.capture_logs() as logs:
                for _ in range(20):
                    refused = await reply(fabric, request("INVITE", body=OFFER))
                    assert (refused.status_code, refused.headers.first("retry-after")) == (503, "30")
            assert [e["event"] for e in logs if e["log_level"] == "warning"] == ["sip.transactions_full"]
            assert agent.load().transactions == 3
            assert (await reply(fabric, request("OPTIONS"))).status_code == 200
            bye = request("BYE", call_id="call", number=4, to_tag=tag)
            assert (await reply(fabric, bye)).status_code == 200, "calls under way have room"
            assert (await ending(leg)).by == "caller"
            await asyncio.sleep(40)
            assert not agent.load().full

    run(main())


def test_refusals_of_a_flood_of_calls_keep_no_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions, "MAX_SERVER", 1000)

    async def main() -> None:
        async with user_agent(max_calls=1) as (agent, fabric, legs):
            _, tag = await answered(fabric, legs)
            for _ in range(6):
                for _ in range(250):
                    fabric.deliver(request("INVITE", body=OFFER))
                await asyncio.sleep(0.5)
            assert agent.load().transactions <= transactions.MAX_SERVER // 10 + 1
            await reply(fabric, request("BYE", call_id="call", number=2, to_tag=tag))

    run(main())


def test_the_event_iterator_has_one_consumer_at_a_time() -> None:
    async def main() -> None:
        async with user_agent() as (_, fabric, legs):
            fabric.deliver(request("INVITE", body=OFFER))
            leg = await legs.get()
            first = asyncio.ensure_future(anext(aiter(leg.events())))
            await asyncio.sleep(0)
            with pytest.raises(RuntimeError, match="one consumer"):
                await anext(aiter(leg.events()))
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            await leg.hangup()
            assert len(fabric.times("480")) == 1
            assert [type(event) async for event in leg.events()] == [LegEnded], "the next one goes on"
            assert [event async for event in leg.events()] == []

    run(main())


def test_a_call_engine_that_fails_answers_500() -> None:
    async def main() -> None:
        async with user_agent() as (agent, fabric, _):

            def broken(leg: Leg) -> None:
                raise LookupError("no such flow")

            agent._on_call = broken
            assert (await reply(fabric, request("INVITE", body=OFFER))).status_code == 500
            assert agent.calls == 0

    run(main())


def test_a_draining_agent_refuses_but_serves_what_it_has() -> None:
    async def main() -> None:
        async with user_agent(max_calls=1, busy_status=503, retry_after_s=7) as (agent, fabric, legs):
            leg, tag = await answered(fabric, legs)
            busy = await reply(fabric, request("INVITE", body=OFFER))
            assert (busy.status_code, busy.headers.get("retry-after")) == (503, ["7"])
            agent.refuse_new_calls(480, 3)
            gone = await reply(fabric, request("INVITE", body=OFFER))
            assert (gone.status_code, gone.headers.get("retry-after")) == (480, ["3"])
            assert (await reply(fabric, request("OPTIONS"))).status_code == 480
            agent.take_new_calls()
            assert (await reply(fabric, request("OPTIONS"))).headers.get("retry-after") == ["7"], "busy, as before"
            agent.refuse_new_calls(480, 3)
            inside = request("OPTIONS", call_id="call", number=2, to_tag=tag)
            assert (await reply(fabric, inside)).status_code == 200
            await reply(fabric, request("BYE", call_id="call", number=3, to_tag=tag))
            assert (await ending(leg)).by == "caller"

    run(main())


def test_who_probes_hears_what_readyz_says_and_who_calls_is_taken_all_the_same() -> None:
    async def main() -> None:
        state = "media"
        async with user_agent(unready=lambda: state, retry_after_s=7) as (_, fabric, legs):
            told = await reply(fabric, request("OPTIONS"))
            assert (told.status_code, told.headers.get("retry-after")) == (503, ["7"])
            await answered(fabric, legs)
            state = ""
            assert (await reply(fabric, request("OPTIONS"))).status_code == 200

    run(main())


def test_a_call_that_another_part_has_no_room_for_goes_elsewhere() -> None:
    async def main() -> None:
        def full(calls: int) -> str:
            return "1 talks already" if calls else ""

        async with user_agent(full=full, retry_after_s=7) as (_, fabric, legs):
            _, tag = await answered(fabric, legs)
            with structlog.testing.capture_logs() as logs:
                refused = await reply(fabric, request("INVITE", body=OFFER))
            assert (refused.status_code, refused.headers.get("retry-after")) == (503, ["7"])
            assert [e["reason"] for e in logs if e["event"] == "sip.call_refused"] == ["1 talks already"]
            assert (await reply(fabric, request("OPTIONS"))).status_code == 503, "a proxy in front is told"
            await reply(fabric, request("BYE", call_id="call", number=2, to_tag=tag))
            assert (await reply(fabric, request("OPTIONS"))).status_code == 200

    run(main())


def test_numbers_that_are_withheld_or_asserted() -> None:
    async def main() -> None:
        async with user_agent() as (_, fabric, legs):
            asserted = 'P-Asserted-Identity: "Ann" <sip:+15035550100@far.example>\n'
            fabric.deliver(request("INVITE", body=OFFER, extra=asserted, uri="sip:5035550199@192.0.2.1"))
            leg = await legs.get()
            assert (leg.caller.number, leg.caller.display, leg.called.number) == ("+15035550100", "Ann", "+15035550199")
            assert leg.headers["p-asserted-identity"].startswith('"Ann"')
            for privacy in ("id", "user;id;critical", "header; ID", "none, user"):
                fabric.deliver(request("INVITE", body=OFFER, extra=asserted + f"Privacy: {privacy}\n"))
                hidden = await legs.get()
                assert (hidden.caller.number, hidden.caller.uri) == ("", "")
                await hidden.hangup()
            fabric.deliver(request("INVITE", body=OFFER, extra="P-Asserted-Identity: <nonsense\n"))
            unproven = await legs.get()
            assert unproven.caller.number == "+15035550142"
            await unproven.hangup()
            await leg.hangup()

    run(main())


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("sip:a b@192.0.2.5", {}),
        ("tel:+1", {}),
        ("sip:a@192.0.2.5", {"Via": "x"}),
        ("sip:a@192.0.2.5", {"X-A": "b\r\nEvil: 1"}),
    ],
)
def test_a_transfer_that_cannot_be_written(target: str, headers: dict[str, str]) -> None:
    async def main() -> None:
        async with user_agent() as (_, fabric, legs):
            leg, tag = await answered(fabric, legs)
            with pytest.raises(TransferFailed) as caught:
                await leg.refer(target, headers)
            assert caught.value.status == 400
            assert fabric.times("REFER") == []
            await reply(fabric, request("BYE", call_id="call", number=3, to_tag=tag))

    run(main())


def test_stopping_hangs_up_everybody() -> None:
    async def main() -> None:
        async with user_agent() as (agent, fabric, legs):
            leg, _ = await answered(fabric, legs)
            dial = dialling(agent)
            fabric.deliver(response(await fabric.request("INVITE"), 200, body=OFFER))
            await dial
            stopping = asyncio.create_task(agent.stop())
            for _ in range(2):
                fabric.deliver(response(await fabric.request("BYE"), 200))
            await stopping
            assert (await ending(leg)).reason == "service stopping"

    run(main())


@pytest.mark.parametrize(
    ("extra", "number"),
    [
        ('P-Asserted-Identity: "Ann" <sip:reception@far.example>, <tel:+15035550100>\n', "+15035550100"),
        ("P-Asserted-Identity: <tel:503-555-0100>\nP-Asserted-Identity: <sip:ann@far.example>\n", "+15035550100"),
        ("P-Asserted-Identity: <sip:ann@far.example>\nP-Asserted-Identity: <tel:+1-503-555-0100>\n", "+15035550100"),
        ("P-Asserted-Identity: <sip:0015035550100@far.example;user=phone>\n", "+15035550100"),
        ("P-Asserted-Identity: <sips:%2B15035550100@far.example>\n", "+15035550100"),
        ("P-Asserted-Identity: tel:5550100;phone-context=+1503\n", "+15035550100"),
        ("P-Asserted-Identity: <nonsense, <tel:+15035550100>\n", "+15035550142"),
        ("P-Asserted-Identity: <sip:anonymous@anonymous.invalid>\n", "+15035550142"),
        ("P-Asserted-Identity: <sip:reception@far.example>\n", "reception"),
        ("", "+15035550142"),
    ],
)
def test_of_several_asserted_identities_the_number_counts(extra: str, number: str) -> None:
    async def main() -> None:
        async with user_agent() as (_, fabric, legs):
            fabric.deliver(request("INVITE", body=OFFER, extra=extra))
            leg = await legs.get()
            assert leg.caller.number == number
            await leg.hangup()

    run(main())


@pytest.mark.parametrize(
    "uri",
    [
        "sip:5035550199@192.0.2.1",
        "sip:+15035550199@192.0.2.1;user=phone",
        "sip:%2B15035550199@192.0.2.1",
        "sip:15035550199;npdi@192.0.2.1:5060",
        "sip:5550199;phone-context=+1503@192.0.2.1;user=phone",
        "sip:01115035550199@192.0.2.1",
        "sip:0015035550199@192.0.2.1",
        "sip:5550199@192.0.2.1;phone-context=+1503;user=phone",
        "tel:+1-503-555-0199",
        "tel:5550199;phone-context=+1503",
    ],
)
def test_called_numbers_are_one_in_every_notation(uri: str) -> None:
    async def main() -> None:
        async with user_agent() as (_, fabric, legs):
            fabric.deliver(request("INVITE", body=OFFER, uri=uri))
            leg = await legs.get()
            assert leg.called.number == "+15035550199"
            await leg.hangup()

    run(main())
