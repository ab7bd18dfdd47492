"""What the far end may have done with a call by a REFER of its own (RFC 3515), and what it is told."""

from __future__ import annotations

import asyncio

import pytest

from ivr.events import LegEnded
from ivr.ports import Leg, TransferAsked
from ivr.sip.message import SipRequest, SipResponse
from tests.call.virtual import run
from tests.unit.sip.fabric import Fabric, user_agent
from tests.unit.sip.messages import OFFER, request, response
from tests.unit.sip.test_requests import reply
from tests.unit.sip.test_timing import dialling

ALLOWED = "sip:3002@192.0.2.9"


class Phone:
    """A phone that we dialled, and what it sends in the call."""

    def __init__(self, fabric: Fabric, invite: SipRequest, leg: Leg) -> None:
        self._fabric = fabric
        self._invite = invite
        self._number = 0
        self.leg = leg

    def inside(self, method: str, extra: str = "") -> bytes:
        self._number += 1
        return request(
            method,
            uri="sip:ivr@192.0.2.1:5060",
            call_id=self._invite.call_id,
            number=self._number,
            from_tag="agent",
            to_tag=self._invite.from_.tag,
            extra=extra,
        )

    async def refer(self, refer_to: str, extra: str = "") -> SipResponse:
        return await reply(self._fabric, self.inside("REFER", f"Refer-To: {refer_to}\n{extra}"))

    async def notified(self) -> SipRequest:
        """The next NOTIFY, answered."""
        notify = await self._fabric.request("NOTIFY")
        self._fabric.deliver(response(notify, 200, contact=False))
        return notify

    async def told(self) -> TransferAsked:
        return await anext(event async for event in self.leg.events() if isinstance(event, TransferAsked))


async def phone_of(fabric: Fabric, dial: asyncio.Task[Leg]) -> Phone:
    invite = await fabric.request("INVITE")
    fabric.deliver(response(invite, 200, body=OFFER))
    leg = await dial
    return Phone(fabric, invite, leg)


def test_a_refer_is_declined_until_somebody_takes_it() -> None:
    async def main() -> None:
        async with user_agent() as (agent, fabric, _):
            phone = await phone_of(fabric, dialling(agent))
            assert (await phone.refer(f"<{ALLOWED}>")).status_code == 603
            assert fabric.times("NOTIFY") == []

    run(main())


def test_a_transfer_to_an_allowed_destination_is_accepted_and_told_of_to_its_end() -> None:
    async def main() -> None:
        async with user_agent() as (agent, fabric, _):
            phone = await phone_of(fabric, dialling(agent))
            phone.leg.allow_transfers(lambda target: target == ALLOWED)
            assert (await phone.refer(f"<{ALLOWED}>")).status_code == 202
            assert await phone.told() == TransferAsked(ALLOWED)
            first = await phone.notified()
            assert first.text == "SIP/2.0 100 Trying\r\n"
            assert (first.headers.first("event"), first.media_type) == ("refer", "message/sipfrag")
            assert first.headers.first("subscription-state").startswith("active")
            await asyncio.gather(phone.leg.notify(180), phone.notified())
            _, last = await asyncio.gather(phone.leg.notify(200), phone.notified())
            assert last.text == "SIP/2.0 200 OK\r\n"
            assert last.headers.first("subscription-state") == "terminated;reason=noresource"
            await phone.leg.notify(486)
            assert len(fabric.times("NOTIFY")) == 3, "after the last there is none"

    run(main())


def test_nobody_waits_for_a_phone_that_is_gone_to_hear_of_its_transfer() -> None:
    """It asked for one and left: the caller is not joined half a minute later for that."""

    async def main() -> None:
        async with user_agent() as (agent, fabric, _):
            phone = await phone_of(fabric, dialling(agent))
            phone.leg.allow_transfers(lambda target: True)
            await phone.refer(f"<{ALLOWED}>")
            await phone.told()
            assert (await phone.notified()).text.startswith("SIP/2.0 100")
            now = asyncio.get_running_loop().time
            began = now()
            await phone.leg.notify(180)
            await phone.leg.notify(200)
            assert now() - began < 1.0
            told = [(await fabric.request("NOTIFY")).text.split()[1] for _ in range(2)]
            assert told == ["180", "200"], "in order, answered or not"
            await asyncio.sleep(40)

    run(main())


def test_a_transfer_anywhere_else_is_forbidden() -> None:
    async def main() -> None:
        async with user_agent() as (agent, fabric, _):
            phone = await phone_of(fabric, dialling(agent))
            phone.leg.allow_transfers(lambda target: target == ALLOWED)
            assert (await phone.refer("<sip:+19005550100@192.0.2.66>")).status_code == 403
            fabric.deliver(phone.inside("BYE"))
            events = [event async for event in phone.leg.events()]
            assert [type(event) for event in events] == [LegEnded], "and nobody hears of it"

    run(main())


@pytest.mark.parametrize(
    ("refer_to", "status"),
    [
        ("<mailto:a@example.com>", 416),
        (f"<{ALLOWED};method=BYE>", 400),
        (f"<{ALLOWED}>\nRefer-To: <{ALLOWED}>", 400),
    ],
)
def test_a_refer_that_says_no_one_place_is_refused(refer_to: str, status: int) -> None:
    async def main() -> None:
        async with user_agent() as (agent, fabric, _):
            phone = await phone_of(fabric, dialling(agent))
            phone.leg.allow_transfers(lambda target: True)
            assert (await phone.refer(refer_to)).status_code == status

    run(main())


def test_one_transfer_at_a_time_and_the_second_has_an_id() -> None:
    async def main() -> None:
        async with user_agent() as (agent, fabric, _):
            phone = await phone_of(fabric, dialling(agent))
            phone.leg.allow_transfers(lambda target: True)
            await phone.refer(f"<{ALLOWED}>")
            await phone.notified()
            assert (await phone.refer(f"<{ALLOWED}>")).status_code == 491
            await asyncio.gather(phone.leg.notify(486, "Busy Here"), phone.notified())
            assert (await phone.refer(f"<{ALLOWED}>")).status_code == 202
            assert (await phone.notified()).headers.first("event") == "refer;id=3"

    run(main())


def test_an_attended_transfer_names_the_dialog_that_it_replaces() -> None:
    async def main() -> None:
        async with user_agent() as (agent, fabric, _):
            phone = await phone_of(fabric, dialling(agent))
            phone.leg.allow_transfers(lambda target: target == ALLOWED)
            replaces = "98asjd8%40host%3Bto-tag%3D12%3Bfrom-tag%3D34"
            assert (await phone.refer(f"<{ALLOWED}?Replaces={replaces}&X-Other=1>")).status_code == 202
            assert await phone.told() == TransferAsked(ALLOWED, "98asjd8@host;to-tag=12;from-tag=34")

    run(main())


def test_who_wants_no_notify_gets_none() -> None:
    async def main() -> None:
        async with user_agent() as (agent, fabric, _):
            phone = await phone_of(fabric, dialling(agent))
            phone.leg.allow_transfers(lambda target: True)
            answer = await phone.refer(f"<{ALLOWED}>", "Refer-Sub: false\n")
            assert (answer.status_code, answer.headers.first("refer-sub")) == (202, "false")
            await phone.leg.notify(200)
            assert fabric.times("NOTIFY") == []

    run(main())
