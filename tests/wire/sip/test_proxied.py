"""Calls that come and go through the Kamailio that we ship: every request inside a dialog finds its way, both ways."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from ivr.config import Address
from ivr.ports import Leg, Party
from ivr.sip.message import SipRequest, SipResponse, parse_message
from tests.unit.sip.messages import OFFER, request, response
from tests.wire.kamailio import HOST, Kamailio, configuration, kamailio, program
from tests.wire.sip.bare import bare_peer, like
from tests.wire.sip.conftest import LOCAL, SCENARIOS, Line, Start, answering
from tests.wire.sipp import run_sipp, start_sipp

pytestmark = pytest.mark.wire

Engine = Callable[[Leg], Awaitable[None]]
NODE, OTHER = "127.0.0.2", "127.0.0.3"
TRUNKS = [{"name": "proxy", "allow": [f"{HOST}/32"]}]


@asynccontextmanager
async def behind(
    line: Start, engine: Engine = answering, *others: str, pbx: str = "127.0.0.1:9"
) -> AsyncIterator[tuple[Line, Kamailio]]:
    """A line of ours, and ``others``, with the proxy in front of them."""
    up = await line(engine, listen=f"{NODE}:0", trunks=TRUNKS)
    async with kamailio([*others, up.target], pbx=pbx) as proxy:
        yield up, proxy


async def test_the_shipped_file_passes_kamailios_own_check(tmp_path: Path) -> None:
    path = configuration(tmp_path, Address(HOST, 5060), [], "127.0.0.1/32", "127.0.0.1:5060")
    checked = await asyncio.create_subprocess_exec(
        *(program(), "-c", "-f", str(path)), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await checked.communicate()
    assert checked.returncode == 0, said.decode()


async def hanging_up(leg: Leg) -> None:
    await leg.answer(LOCAL)
    await leg.hangup()


async def ringing(leg: Leg) -> None:
    await leg.ring()
    await asyncio.Event().wait()


async def ringing_a_moment(leg: Leg) -> None:
    await leg.ring()
    await asyncio.sleep(0.3)  # as for a person
    await leg.answer(LOCAL)


@pytest.mark.parametrize(
    ("scenario", "engine"),
    [
        ("uac_basic", answering),  # ACK and BYE
        ("uac_wait_bye", hanging_up),  # the line's BYE
        ("uac_cancel", ringing),
        ("uac_hold", answering),  # re-INVITE
        ("uac_info", answering),  # INFO, REFER, PUBLISH
        ("uac_session_timer", answering),  # UPDATE
        ("uac_prack", ringing_a_moment),
        ("uac_offerless", answering),  # the answer is in the ACK
    ],
)
@pytest.mark.parametrize("transport", ["u1", "t1"])
async def test_a_call_through_the_proxy(
    line: Start, tmp_path: Path, scenario: str, engine: Engine, transport: str
) -> None:
    async with behind(line, engine) as (up, proxy):
        path = SCENARIOS / f"{scenario}.xml"
        result = (await run_sipp(path, tmp_path, target=proxy.target, transport=transport)).check()
        await up.until(up.ended)
        assert len(up.legs) == 1
        assert scenario == "uac_cancel" or f"Record-Route: <sip:{HOST}" in result.messages


async def test_a_transfer_through_the_proxy(line: Start, tmp_path: Path) -> None:
    """REFER one way, NOTIFY the other."""

    async def engine(leg: Leg) -> None:
        await leg.answer(LOCAL)
        context = {"User-to-User": "5a4b3c;encoding=hex", "X-IVR-Reason": "cancellation"}
        await leg.refer("sip:agent@192.0.2.20", context)
        await up.until(lambda: any(p.status >= 200 for p in up.progress()))
        await leg.hangup()

    async with behind(line, engine) as (up, proxy):
        (await run_sipp(SCENARIOS / "uac_refer_accepted.xml", tmp_path, target=proxy.target)).check()
        await up.finished()
        assert [p.status for p in up.progress()] == [100, 180, 200]


async def test_an_agent_behind_the_pbx_is_called_through_the_proxy(line: Start, tmp_path: Path) -> None:
    run = await start_sipp(SCENARIOS / "uas_answer.xml", tmp_path)
    async with behind(line, pbx=f"{run.host}:{run.port}") as (up, proxy):
        agent = f"sip:3001@{proxy.target}"
        leg = await up.agent.dial(
            agent, LOCAL, caller=Party("5035550142"), headers={"X-IVR-Note": "queue=7"}, ring_timeout_s=30.0
        )
        await leg.hangup()
        messages = (await run.result()).check().messages
    assert f"INVITE sip:3001@{run.host}:{run.port} SIP/2.0" in messages
    received = messages.split("message received")[1:]
    kinds = [next(line for line in text.splitlines()[1:] if " sip:" in line).split()[0] for text in received]
    assert {"INVITE", "ACK", "BYE"} <= set(kinds)
    assert all(f"Via: SIP/2.0/UDP {proxy.target}" in text for text in received), "all by way of the proxy"


# -- the next node ---------------------------------------------------------------------------------------------------


class Failing(asyncio.DatagramProtocol):
    """A node that answers its probes, and an INVITE with ``status`` at most; 0: not at all."""

    def __init__(self, status: int) -> None:
        self._status = status

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        message = parse_message(data)
        if isinstance(message, SipRequest) and message.method == "OPTIONS":
            self._transport.sendto(response(message, 200), addr)
        elif isinstance(message, SipRequest) and message.method == "INVITE" and self._status:
            self._transport.sendto(response(message, self._status, contact=False), addr)


@asynccontextmanager
async def failing_node(status: int) -> AsyncIterator[str]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: Failing(status), local_addr=(OTHER, 0))
    host, port = transport.get_extra_info("sockname")
    try:
        yield f"{host}:{port}"
    finally:
        transport.close()


@pytest.mark.parametrize("status", [0, 100, 180], ids=["silent", "silent after its 100", "silent after ringing"])
async def test_a_call_that_meets_a_dead_node_goes_to_the_next(line: Start, tmp_path: Path, status: int) -> None:
    async with failing_node(status) as dead, behind(line, answering, dead) as (up, proxy):
        result = await run_sipp(SCENARIOS / "uac_basic.xml", tmp_path, target=proxy.target, calls=12, rate=100)
        result.check(12)
        await up.finished()
        assert len(up.legs) == 12
        assert any(said.endswith(f"line down: sip:{dead}") for said in proxy.said)
        await proxy.until("up", dead)


@pytest.mark.parametrize("status", [486, 500, 503])
async def test_a_call_that_a_node_refuses_goes_to_the_next_at_once(line: Start, tmp_path: Path, status: int) -> None:
    async with failing_node(status) as failing, behind(line, answering, failing) as (up, proxy):
        result = await run_sipp(SCENARIOS / "uac_basic.xml", tmp_path, target=proxy.target, calls=12, rate=100)
        result.check(12)
        assert len(up.legs) == 12 and proxy.state(failing) == "up"
        assert f"SIP/2.0 {status}" not in result.messages


async def test_what_a_line_says_of_the_call_itself_reaches_the_caller(line: Start) -> None:
    async def declining(leg: Leg) -> None:
        await leg.reject(488, "Not Acceptable Here")

    async with behind(line, declining) as (up, proxy), bare_peer(proxy.address) as caller:
        assert await caller.asked("INVITE") == (488, "")
        assert len(up.legs) == 1


async def test_a_caller_who_gives_up_while_the_next_node_is_sought(line: Start) -> None:
    async with failing_node(0) as dead, kamailio([dead]) as proxy, bare_peer(proxy.address) as caller:
        invite = caller.invitation()
        caller.send(invite)
        first = await caller.next()
        assert isinstance(first, SipResponse) and first.status_code == 100
        caller.send(like(invite, "CANCEL"))
        answers = {(a.cseq.method, a.status_code) for a in [await caller.final(), await caller.final()]}
        assert answers == {("CANCEL", 200), ("INVITE", 487)}


async def test_a_full_line_sends_calls_on_to_the_next(line: Start, tmp_path: Path) -> None:
    full = await line(answering, listen=f"{OTHER}:0", trunks=TRUNKS, max_calls=1)
    async with behind(line, answering, full.target) as (up, proxy):
        one = await start_sipp(SCENARIOS / "uac_wait_bye.xml", tmp_path / "one", target=proxy.target, calls=8)
        await up.until(lambda: len(up.legs) >= 7)
        assert full.agent.calls + up.agent.calls == 8
        for leg in (*full.legs, *up.legs):
            await leg.hangup()
        (await one.result()).check(8)


async def test_with_all_lines_draining_callers_and_probes_hear_503(line: Start) -> None:
    async with behind(line) as (up, proxy), bare_peer(proxy.address) as caller:
        assert await caller.asked("OPTIONS") == (200, "")
        up.agent.refuse_new_calls(503, 30)
        assert await caller.asked("INVITE") == (503, "10"), "the line's refusal"
        await proxy.until("down", up.target)
        assert await caller.asked("INVITE") == (503, "10"), "nobody is asked any more"
        assert await caller.asked("OPTIONS") == (503, "10")
        assert up.legs == []


async def test_strangers_reach_nobody(line: Start) -> None:
    """Neither by a call, nor inside a dialog that they made up, whose Route names somebody."""
    async with (
        behind(line) as (up, proxy),
        bare_peer(proxy.address, "127.0.0.9") as stranger,
        bare_peer(proxy.address) as victim,
    ):
        assert await stranger.asked("INVITE") == (403, "")
        route = f"Route: <sip:{proxy.target};lr>\n"
        uri = f"sip:{victim.host}"
        stranger.send(request("INVITE", uri=uri, host=stranger.host, to_tag="made-up", body=OFFER, extra=route))
        assert (await stranger.final()).status_code == 403
        for _ in range(200):
            stranger.send(request("OPTIONS", uri=f"sip:{proxy.target}", host=stranger.host))
        assert await victim.asked("OPTIONS") == (200, ""), "the trunk's are still answered"
        assert stranger.waiting < 64 and victim.waiting == 0 and up.legs == []
