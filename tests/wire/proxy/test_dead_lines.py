"""Lines that Kamailio reaches by TCP (as by TLS) and that die: it hears of it as it sends, before it asks the next."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import pytest

from ivr.sip.framing import StreamFramer
from ivr.sip.message import SipRequest, SipResponse, parse_message
from tests.unit.sip.messages import request, response
from tests.wire.kamailio import Kamailio, kamailio
from tests.wire.ports import free_port
from tests.wire.sip.bare import BarePeer, bare_peer

pytestmark = [pytest.mark.wire, pytest.mark.slow]

HOSTS = ("127.0.0.2", "127.0.0.3")


@dataclass(slots=True)
class FakeLine:
    """It answers everything by TCP with 200, requests in dialogs that it does not ``know`` with 481."""

    host: str
    port: int
    knows: bool = True
    asked: Counter[str] = field(default_factory=Counter)
    server: asyncio.Server | None = None
    writers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def start(self) -> None:
        self.server = await asyncio.start_server(self._serve, self.host, self.port)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        framer = StreamFramer()
        self.writers.add(writer)
        while data := await reader.read(65_536):
            for message in map(parse_message, framer.feed(data)):
                if isinstance(message, SipRequest) and message.method != "ACK":
                    writer.write(self._answer(message))

    def _answer(self, asked: SipRequest) -> bytes:
        self.asked[asked.method] += 1
        status = 481 if asked.to.tag and not self.knows else 200
        routes = "".join(f"Record-Route: {route}\n" for route in asked.headers.get("record-route"))
        contact = f"Contact: <sip:line@{self.host}:{self.port};transport=tcp>\n"
        return response(asked, status, extra=f"{routes}{contact}", contact=False)

    def die(self) -> None:
        if self.server is not None:
            self.server.close()
        for writer in self.writers:
            writer.transport.abort()


@asynccontextmanager
async def house() -> AsyncIterator[tuple[dict[str, FakeLine], Kamailio, BarePeer]]:
    lines = {host: FakeLine(host, free_port(host)) for host in HOSTS}
    async with AsyncExitStack() as stack:
        for line in lines.values():
            await line.start()
            stack.callback(line.die)
        nodes = [f"{line.host}:{line.port};transport=tcp" for line in lines.values()]
        proxy = await stack.enter_async_context(kamailio(nodes))
        yield lines, proxy, await stack.enter_async_context(bare_peer(proxy.address))


async def final(caller: BarePeer, data: bytes) -> SipResponse:
    caller.send(data)
    async with asyncio.timeout(12):
        return await caller.final()


async def call(caller: BarePeer, proxy: Kamailio, name: str) -> SipResponse:
    return await final(caller, request("INVITE", uri=f"sip:line@{proxy.target}", call_id=name, host=caller.host))


async def call_at(caller: BarePeer, proxy: Kamailio, host: str) -> SipResponse:
    """A call that came to the line at this host."""
    for number in range(40):
        answer = await call(caller, proxy, f"at-{host}-{number}")
        if f"@{host}:" in answer.headers.first("contact"):
            return answer
    raise AssertionError(f"no call of forty came to {host}")


def bye(caller: BarePeer, answered: SipResponse) -> bytes:
    contact = re.search("<(.+)>", answered.headers.first("contact"))
    assert contact is not None
    routes = "".join(f"Route: {route}\n" for route in answered.headers.get("record-route"))
    return request(
        "BYE", uri=contact[1], call_id=answered.call_id, number=2, to_tag=answered.to.tag, extra=routes,
        host=caller.host,
    )  # fmt: skip


async def test_a_request_in_a_dead_lines_call_goes_to_the_other() -> None:
    async with house() as (lines, proxy, caller):
        dead, heir = (lines[host] for host in HOSTS)
        first, second = [await call_at(caller, proxy, dead.host) for _ in range(2)]
        dead.die()
        assert (await final(caller, bye(caller, first))).status_code == 200
        heir.knows = False
        assert (await final(caller, bye(caller, second))).status_code == 481, "nobody has it"
        assert heir.asked["BYE"] == 2


async def test_new_calls_go_to_the_other_at_once_and_with_none_left_hear_so() -> None:
    async with house() as (lines, proxy, caller):
        dead, other = (lines[host] for host in HOSTS)
        last = await call_at(caller, proxy, dead.host)
        dead.die()
        before = other.asked["INVITE"]
        assert {(await call(caller, proxy, f"new-{n}")).status_code for n in range(12)} == {200}
        assert other.asked["INVITE"] == before + 12
        other.die()
        refused = await call(caller, proxy, "nobody")
        assert (refused.status_code, refused.headers.first("retry-after")) == (503, "10")
        assert (await final(caller, bye(caller, last))).status_code == 408
