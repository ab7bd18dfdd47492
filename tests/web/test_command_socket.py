"""The command socket of a page: what is obeyed, what is refused with why, and that nobody else suffers from a flood."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import WSCloseCode, WSMsgType, web
from structlog.testing import capture_logs

from ivr.errors import IvrError
from ivr.web import command_socket
from ivr.web.command_socket import (
    COMMANDS_AT_ONCE,
    COMMANDS_S,
    LONGEST_MESSAGE,
    MOST_BYTES,
    MOST_UNDER_WAY,
    OPEN,
    Asked,
    CommandSocket,
    Told,
    hang_up,
    opened,
)

Page = aiohttp.ClientWebSocketResponse


@dataclass
class Line:
    """What the pages command: ``ping`` is done at once, ``wait`` once ``go`` is set, ``break`` is a bug."""

    base: str = ""
    now: float = 1000.0
    go: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))  # released by each that waits
    cut_short: int = 0
    sockets: list[CommandSocket] = field(default_factory=list)
    app: web.Application = field(default_factory=web.Application)
    ended: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))  # released by each page

    async def obey(self, do: str, asked: Asked) -> Told:
        match do:
            case "ping":
                return {"pong": asked.text("text"), "id": "not the command's", "kind": "none"}
            case "wait":
                self.waiting.release()
                try:
                    await self.go.wait()
                except asyncio.CancelledError:
                    self.cut_short += 1
                    raise
                return {}
            case "count":
                return {"number": asked.number("number")}
            case "when":
                return {"at": str(asked.moment("at")).partition(" ")[0]}
            case "overflow":
                raise OverflowError("date value out of range")
            case "break":
                raise RuntimeError("a bug")
        raise IvrError("that can't be done")

    async def page(self, request: web.Request) -> web.WebSocketResponse:
        async with opened(request, 30.0, lambda: self.now) as socket:
            self.sockets.append(socket)
            await socket.serve(self)
        self.ended.release()
        return socket.response


@asynccontextmanager
async def line() -> AsyncIterator[Line]:
    served = Line()
    served.app[OPEN] = set()
    served.app.router.add_get("/socket", served.page)
    runner = web.AppRunner(served.app, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    served.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield served
    finally:
        await hang_up(served.app)
        await runner.cleanup()


@pytest.fixture
async def served() -> AsyncIterator[Line]:
    async with line() as running:
        yield running


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def page(served: Line, client: aiohttp.ClientSession) -> Any:
    return client.ws_connect(f"{served.base}/socket")


async def ask(ws: Page, number: int, do: str = "ping", **values: object) -> dict[str, Any]:
    """The answer, which is the next thing that is told."""
    await ws.send_json({"id": number, "do": do, **values})
    told: dict[str, Any] = await ws.receive_json()
    assert told["id"] == number
    return told


async def test_an_answer_bears_the_number_of_its_command(served: Line, client: aiohttp.ClientSession) -> None:
    async with page(served, client) as ws:
        assert await ask(ws, 7, text="hello") == {"kind": "done", "id": 7, "pong": "hello"}
        assert await ask(ws, 8, "dance") == {"kind": "refused", "id": 8, "why": "that can't be done"}
        await ws.send_json({"do": "ping"})
        assert (await ws.receive_json())["id"] is None


async def test_so_many_commands_are_under_way_and_the_next_is_refused(
    served: Line, client: aiohttp.ClientSession
) -> None:
    async with page(served, client) as ws, page(served, client) as other:
        for number in range(MOST_UNDER_WAY):
            await ws.send_json({"id": number, "do": "wait"})
            await served.waiting.acquire()
        refused = await ask(ws, 99)
        assert refused["kind"] == "refused" and "under way: wait" in refused["why"]
        assert (await ask(other, 1))["kind"] == "done", "another page has its own"
        served.go.set()
        told = [await ws.receive_json() for _ in range(MOST_UNDER_WAY)]
        assert sorted(each["id"] for each in told) == list(range(MOST_UNDER_WAY))
        assert {each["kind"] for each in told} == {"done"}
        assert (await ask(ws, 100))["kind"] == "done", "the socket is open, and has room again"


async def test_so_many_commands_come_a_second_and_the_next_is_refused(
    served: Line, client: aiohttp.ClientSession
) -> None:
    with capture_logs() as logs:
        async with page(served, client) as ws, page(served, client) as other:
            for number in range(int(COMMANDS_AT_ONCE)):
                assert (await ask(ws, number))["kind"] == "done"
            refused = await ask(ws, 99)
            assert refused["kind"] == "refused" and "too many commands" in refused["why"]
            assert (await ask(other, 1))["kind"] == "done", "another page has its own"
            served.now += 1 / COMMANDS_S + 1e-6
            assert (await ask(ws, 100))["kind"] == "done"
            assert (await ask(ws, 101))["kind"] == "refused"
            served.now += COMMANDS_AT_ONCE
            for number in range(int(COMMANDS_AT_ONCE)):
                assert (await ask(ws, number))["kind"] == "done"
            assert (await ask(ws, 102))["kind"] == "refused"
        for _ in served.sockets:
            await served.ended.acquire()
    (told,) = [entry for entry in logs if entry["event"] == "page.commands_refused"]
    assert told["commands"] == 3, "one line a page"


async def test_a_flood_is_answered_to_the_last_and_others_go_on(served: Line, client: aiohttp.ClientSession) -> None:
    """Many more than fit into the buffers: all are answered, none is lost, and who is beside it isn't kept waiting."""
    flood = 5000
    async with page(served, client) as ws, page(served, client) as other:

        async def pour() -> None:
            for number in range(flood):
                await ws.send_json({"id": number, "do": "ping"})

        pouring = asyncio.create_task(pour())
        first: dict[str, Any] = await ws.receive_json()  # the flood is under way
        for number in range(20):
            assert (await ask(other, number))["kind"] == "done"
        told = [first, *[await ws.receive_json() for _ in range(flood - 1)]]
        await pouring
        assert sorted(each["id"] for each in told) == list(range(flood))
        assert sum(each["kind"] == "done" for each in told) == COMMANDS_AT_ONCE, "no time passed"
        served.now += 1.0
        assert (await ask(ws, flood))["kind"] == "done", "the page is open still"


@pytest.mark.parametrize(
    ("sent", "number", "why"),
    [
        ("", None, "send {"),
        ("rubbish", None, "send {"),
        ("[]", None, "not a JSON object"),
        ("7", None, "not a JSON object"),
        ("null", None, "not a JSON object"),
        ('{"id": 1, "do": "ping"', None, "send {"),
        ('{"id": 1, "do": NaN}', None, "NaN is no number"),
        ('{"id": 1, "do": "ping", "text": "\\ud800"}', None, "not text"),
        ("[" * 10_000, None, "nested too deeply"),
        ('{"id": 1, "do": "ping", "text": ' + "[" * 30 + "]" * 30 + "}", None, "nested too deeply"),
        ("{}", None, "do names the command"),
        ('{"id": 1}', 1, "do names the command"),
        ('{"id": 1, "do": ""}', 1, "do names the command"),
        ('{"id": 1, "do": ["ping"]}', 1, "do names the command"),
        (json.dumps({"id": 1, "do": "x" * 41}), 1, "do names the command"),
        ('{"id": {"a": 1}, "do": "ping"}', None, "id is a number"),
        ('{"id": true, "do": "ping"}', None, "id is a number"),
        ('{"id": 1, "do": "count"}', 1, "number is a number"),
        ('{"id": 1, "do": "count", "number": 99999999999}', 1, "number is a number"),
        ('{"id": 1, "do": "when", "at": "tomorrow"}', 1, "tomorrow"),
        ('{"id": 1, "do": "when", "at": "2026-03-01T10:00"}', 1, "with its offset"),
        ('{"id": 1, "do": "overflow"}', 1, "out of range"),
        (json.dumps({"id": 1, "do": "ping", "text": "x" * LONGEST_MESSAGE}), None, f"at most {LONGEST_MESSAGE}"),
        (b'{"id": 1, "do": "ping"}', None, "send text, not bytes"),
    ],
)
async def test_what_cannot_be_read_is_refused_with_why_and_the_page_stays_open(
    served: Line, client: aiohttp.ClientSession, sent: str | bytes, number: int | None, why: str
) -> None:
    async with page(served, client) as ws:
        await (ws.send_bytes(sent) if isinstance(sent, bytes) else ws.send_str(sent))
        told = await ws.receive_json()
        assert (told["kind"], told["id"]) == ("refused", number)
        assert told["why"].startswith("not understood") and why in told["why"]
        assert (await ask(ws, 2))["kind"] == "done"


async def test_a_message_of_any_length_is_not_taken_off_the_wire(served: Line, client: aiohttp.ClientSession) -> None:
    async with page(served, client) as ws, page(served, client) as other:
        await ws.send_str("x" * (MOST_BYTES + 1))
        message = await ws.receive()
        assert message.type is WSMsgType.CLOSE and ws.close_code == WSCloseCode.MESSAGE_TOO_BIG
        assert (await ask(other, 1))["kind"] == "done"


async def test_a_bug_is_told_plainly_and_logged(served: Line, client: aiohttp.ClientSession) -> None:
    with capture_logs() as logs:
        async with page(served, client) as ws:
            told = await ask(ws, 1, "break")
            assert told["kind"] == "refused" and told["why"] == "something inside failed; the log says what"
            assert (await ask(ws, 2))["kind"] == "done"
    (failed,) = [entry for entry in logs if entry["event"] == "command.failed"]
    assert failed["command"] == "break"


@pytest.mark.parametrize("late", [False, True])
async def test_what_a_page_asked_for_before_it_was_gone_is_done(
    served: Line, client: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    """But not for ever."""
    if late:
        monkeypatch.setattr(command_socket, "OBEYED_S", 0.05)
    async with page(served, client) as ws:
        for number in range(3):
            await ws.send_json({"id": number, "do": "wait"})
            await served.waiting.acquire()
    if not late:
        assert served.cut_short == 0
        served.go.set()
    await served.ended.acquire()
    assert served.cut_short == (3 if late else 0)


async def test_what_runs_beside_a_page_ends_with_it(
    served: Line, client: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command_socket, "OBEYED_S", 0.05)
    cut = asyncio.Event()

    async def beside() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cut.set()

    async with page(served, client) as ws:
        await ws.send_json({"id": 1, "do": "wait"})
        await served.waiting.acquire()
        task = served.sockets[0].beside(beside())
        await asyncio.sleep(0)
    await served.ended.acquire()
    assert cut.is_set() and task.done() and served.cut_short == 1
    assert served.app[OPEN] == set()


async def test_pages_are_closed_when_the_service_stops(served: Line, client: aiohttp.ClientSession) -> None:
    async with page(served, client) as ws:
        await ask(ws, 1)
        await hang_up(served.app)
        assert (await ws.receive()).type is WSMsgType.CLOSE and ws.close_code == WSCloseCode.GOING_AWAY


async def test_a_page_is_told_last_why_it_is_closed(served: Line, client: aiohttp.ClientSession) -> None:
    async with page(served, client) as ws:
        await ask(ws, 1)
        served.sockets[0].tell({"kind": "replaced"}, close=4001)
        assert await ws.receive_json() == {"kind": "replaced"}
        assert (await ws.receive()).type is WSMsgType.CLOSE and ws.close_code == 4001


async def test_a_reason_of_any_length_closes_it_too(served: Line, client: aiohttp.ClientSession) -> None:
    async with page(served, client) as ws:
        await ask(ws, 1)
        closing = asyncio.create_task(served.sockets[0].close(WSCloseCode.TRY_AGAIN_LATER, "ä" * 61))
        message = await ws.receive()
        await closing
        assert (message.type, ws.close_code) == (WSMsgType.CLOSE, WSCloseCode.TRY_AGAIN_LATER)
        assert message.extra == "ä" * 60, "whole letters"


class SlowPage(web.WebSocketResponse):
    """It reads one message whenever ``reads`` is released."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = asyncio.Semaphore(0)
        self.read: list[str] = []

    async def send_str(self, data: str, compress: int | None = None) -> None:
        await self.reads.acquire()
        self.read.append(data)


async def test_whoever_waits_for_what_was_told_tells_a_slow_page_the_newest() -> None:
    slow = SlowPage()
    socket = CommandSocket(slow, "ann")
    at = 0

    async def show() -> None:
        while True:
            socket.tell({"view": at})
            await socket.written()

    socket.beside(show())
    for at in range(100):  # noqa: B007 - what ``show`` tells
        await asyncio.sleep(0)
    slow.reads.release()
    slow.reads.release()
    async with asyncio.timeout(5):
        while len(slow.read) < 2:  # noqa: ASYNC110 - what another task does tells nobody
            await asyncio.sleep(0)
    await socket.end()
    assert [json.loads(each)["view"] for each in slow.read] == [0, 99], "not the ninety-eight between"


async def test_a_page_that_reads_nothing_takes_no_more_than_its_share() -> None:
    slow = SlowPage()
    socket = CommandSocket(slow, "ann")
    for number in range(10 * command_socket.MOST_UNSENT):
        socket.tell({"view": number})
    for _ in range(2 * command_socket.MOST_UNSENT):
        slow.reads.release()
    async with asyncio.timeout(5):
        await socket.written()
    await socket.end()
    assert len(slow.read) == command_socket.MOST_UNSENT
