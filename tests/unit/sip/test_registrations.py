"""Lines that share an account: one registers it, and hands it over; in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from ivr.errors import StoreUnavailable
from ivr.ports import Held, RegistrationStatus
from ivr.sip.agent import SipUserAgent
from ivr.sip.message import SipRequest
from tests.call.virtual import run
from tests.unit.sip.fabric import HERE, Fabric, user_agent
from tests.unit.sip.messages import response
from tests.unit.sip.test_registration import granted, pbx

OTHERS = "sip:ivr@192.0.2.6:5060"


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PBX_PASSWORD", "s3cret")


@dataclass(slots=True)
class Leases:
    """The other line, and what both have written down. ``other``: it has the account; ``wants``: it takes what is
    offered."""

    other: RegistrationStatus | None = None
    wants: bool = False
    away: bool = False
    contacts: Sequence[str] = ()
    released: int = 0
    asked: list[bool] = field(default_factory=list)
    look_s: float = 0.5

    async def hold(
        self, account: str, status: RegistrationStatus, *, contacts: Sequence[str] | None = None, offered: bool = False
    ) -> Held:
        if self.away:
            raise StoreUnavailable("it is away", remedy="wait")
        assert account == "sip:ivr@192.0.2.9:5070"
        self.asked.append(offered)
        if offered and self.wants:
            self.other = RegistrationStatus("pbx", "registered", by="b")
        if self.other is not None:
            return Held(False, self.other, self.contacts, heirs=True)
        known, self.contacts = self.contacts, self.contacts if contacts is None else contacts
        return Held(True, None, known, heirs=self.wants)

    async def release(self, account: str) -> None:
        self.released += 1


def contacts(register: SipRequest) -> list[str]:
    return register.headers.get("contact")


def expires(register: SipRequest) -> str:
    return register.headers.first("expires")


async def up(agent: SipUserAgent, fabric: Fabric) -> SipRequest:
    first = await granted(fabric)
    await asyncio.sleep(0.1)
    assert agent.registrations()[0].state == "registered"
    return first


def test_who_has_it_not_says_who_has_and_takes_it_when_that_one_is_gone() -> None:
    async def main() -> None:
        leases = Leases(other=RegistrationStatus("pbx", "registered", by="b"), contacts=[OTHERS])
        async with user_agent(trunks=[pbx()], leases=leases) as (agent, fabric, _):
            await asyncio.sleep(400)
            assert fabric.sent == []
            assert agent.registrations() == [RegistrationStatus("pbx", "registered", by="b")]
            leases.other = None
            register = await up(agent, fabric)
            assert contacts(register)[1:] == [f"<{OTHERS}>;expires=0"], "nobody rings two lines"
            assert leases.contacts == [f"sip:ivr@{HERE}:5060"]
            assert len(contacts(await granted(fabric))) == 1

    run(main())


def test_a_registrar_that_takes_one_contact_gets_one() -> None:
    async def main() -> None:
        leases = Leases(contacts=[OTHERS])
        async with user_agent(trunks=[pbx()], leases=leases) as (agent, fabric, _):
            refused = await fabric.request("REGISTER")
            assert len(contacts(refused)) == 2
            fabric.deliver(response(refused, 400, contact=False))
            assert len(contacts(await up(agent, fabric))) == 1

    run(main())


def test_a_drain_keeps_it_until_another_has_it_and_withdraws_nothing_then() -> None:
    async def main() -> None:
        leases = Leases()
        async with user_agent(trunks=[pbx()], leases=leases) as (agent, fabric, _):
            await up(agent, fabric)
            agent.refuse_new_calls(503, 30)
            await granted(fabric)
            assert leases.asked[-1] and agent.registrations()[0].by == ""
            leases.wants = True
            await asyncio.sleep(1)
            assert agent.registrations()[0].by == "b"
            sent = len(fabric.sent)
        assert len(fabric.sent) == sent and not leases.released

    run(main())


def test_a_drain_that_is_taken_back_keeps_it() -> None:
    async def main() -> None:
        leases = Leases()
        async with user_agent(trunks=[pbx()], leases=leases) as (agent, fabric, _):
            await up(agent, fabric)
            agent.refuse_new_calls(503, 30)
            agent.take_new_calls()
            leases.wants = True
            await asyncio.sleep(2)
            assert agent.registrations()[0].by == ""
            leases.wants = False

            stopping = asyncio.create_task(agent.stop())
            last = await fabric.request("REGISTER")
            assert expires(last) == "0", "nobody else is there"
            fabric.deliver(response(last, 200, contact=False))
            await stopping
            assert leases.released == 1

    run(main())


def test_a_stop_waits_for_who_takes_it() -> None:
    async def main() -> None:
        leases = Leases()
        async with user_agent(trunks=[pbx()], leases=leases) as (agent, fabric, _):
            await up(agent, fabric)
            leases.wants = True
            await asyncio.sleep(0.6)  # the other line is there by now
            sent = len(fabric.sent)
            await agent.stop()
            assert leases.other is not None and len(fabric.sent) == sent

    run(main())


def test_the_proxys_contact_is_what_every_line_names_and_nobody_withdraws() -> None:
    trunk = pbx(contact="sip:192.0.2.10:5060")

    async def main() -> None:
        leases = Leases(contacts=["sip:ivr@192.0.2.10:5060"])
        async with user_agent(trunks=[trunk], leases=leases) as (agent, fabric, _):
            first = await up(agent, fabric)
            assert contacts(first) == ["<sip:ivr@192.0.2.10:5060>"]
            await asyncio.sleep(100)
            assert not fabric.pinged, "calls do not come by the way of our REGISTER"
            sent = len(fabric.sent)
            await agent.stop()
            assert len(fabric.sent) == sent and leases.released == 1

    run(main())


def test_taken_for_dead_it_withdraws_what_it_may_have_put_back() -> None:
    async def main() -> None:
        leases = Leases()
        async with user_agent(trunks=[pbx()], leases=leases) as (agent, fabric, _):
            await up(agent, fabric)
            leases.other = RegistrationStatus("pbx", "registered", by="b")
            last = await fabric.request("REGISTER")
            assert expires(last) == "0"
            fabric.deliver(response(last, 200, contact=False))
            await asyncio.sleep(400)
            assert agent.registrations()[0].by == "b" and len(fabric.times("REGISTER")) == 2

    run(main())


def test_while_the_database_is_away_it_is_kept_and_nobody_else_begins() -> None:
    async def main() -> None:
        leases = Leases()
        async with user_agent(trunks=[pbx()], leases=leases) as (agent, fabric, _):
            await up(agent, fabric)
            leases.away = True
            await granted(fabric)
            assert agent.registrations()[0].state == "registered"
            leases.away = False
        waits = Leases(other=RegistrationStatus("pbx", "registered", by="b"))
        async with user_agent(trunks=[pbx()], leases=waits) as (agent, fabric, _):
            await asyncio.sleep(1)
            waits.away = True
            await asyncio.sleep(400)
            assert fabric.sent == []

    run(main())


def test_who_is_refused_lets_others_try_and_waits_for_its_own_next_try() -> None:
    async def main() -> None:
        leases = Leases()
        async with user_agent(trunks=[pbx()], leases=leases) as (agent, fabric, _):
            fabric.deliver(response(await fabric.request("REGISTER"), 503, extra="Retry-After: 60\n", contact=False))
            await asyncio.sleep(1)
            assert leases.asked[-1] and agent.registrations()[0].state == "failed"
            leases.other = RegistrationStatus("pbx", "failed", "503", by="b")
            await asyncio.sleep(1)
            assert agent.registrations()[0] == replace(leases.other)
            leases.other = None
            before = asyncio.get_running_loop().time()
            await granted(fabric)
            assert asyncio.get_running_loop().time() - before > 50

    run(main())


def test_another_contact_of_the_account_is_told() -> None:
    async def main() -> None:
        async with user_agent(trunks=[pbx()]) as (agent, fabric, _):
            register = await fabric.request("REGISTER")
            both = f"Contact: {contacts(register)[0]};expires=300, <{OTHERS}>;expires=100\n"
            fabric.deliver(response(register, 200, extra=both, contact=False))
            await asyncio.sleep(0.1)
            status = agent.registrations()[0]
            assert (status.state, status.detail) == ("registered", "also at 192.0.2.6")

    run(main())
