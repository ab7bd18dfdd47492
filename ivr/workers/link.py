"""The asyncio ends of a worker's socket: for the line, and for workers that run a loop themselves."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol

import structlog

from ivr.workers.frames import REQUEST, BrokenFrame, Life, Splitter, frame, refusal

Received = Callable[[int, int, bytes], None]  # kind, number, body


READ = 64 * 1024  # bytes at once, into memory that is there: asyncio's own way maps a quarter of a megabyte each time


class Link(asyncio.BufferedProtocol):
    """Frames both ways. ``ended`` is done once the other end is gone, and says "" or what was wrong with it."""

    def __init__(self, received: Received) -> None:
        self._received = received
        self._splitter = Splitter()
        self._read = memoryview(bytearray(READ))
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.WriteTransport | None = None
        self._sending: list[bytes] = []  # in this turn of the loop: one system call, and one look of the other end
        self._sending_bytes = 0
        self.ended: asyncio.Future[str] = self._loop.create_future()
        self.heard_at = self._loop.time()

    async def take(self, end: socket.socket) -> None:
        """Speak over ``end`` from now on."""
        end.setblocking(False)
        await self._loop.create_unix_connection(lambda: self, sock=end)

    @property
    def unsent(self) -> int:
        """Bytes that the other end has not taken yet, beside what the kernel holds."""
        return self._sending_bytes + (0 if self._transport is None else self._transport.get_write_buffer_size())

    def send(self, kind: int, number: int = 0, body: bytes = b"") -> None:
        """Never blocks, never drops; to an end that is gone it is nobody's."""
        if self._transport is not None and not self.ended.done():
            self._sending.append(frame(kind, number, body))
            self._sending_bytes += len(body)
            if len(self._sending) == 1:
                self._loop.call_soon(self._send)

    def _send(self) -> None:
        sending, self._sending, self._sending_bytes = self._sending, [], 0
        if self._transport is not None and sending and not self.ended.done():
            self._transport.write(b"".join(sending))

    def answer(self, asking: int, work: Future[bytes]) -> None:
        """Answer the request of that number with what ``work``, a thread's, gives or raises."""

        def done(work: Future[bytes]) -> None:
            if work.cancelled():  # the line is gone, and nobody waits
                return
            error = work.exception()
            kind, body = (Life.REPLY, work.result()) if error is None else (Life.REFUSED, refusal(error))
            self.send(kind, 0, REQUEST.pack(asking) + body)

        work.add_done_callback(lambda work: self._loop.call_soon_threadsafe(done, work))

    def close(self) -> None:
        self._send()
        if self._transport is not None:
            self._transport.close()

    # --- for the transport -----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._read

    def buffer_updated(self, nbytes: int) -> None:
        self.heard_at = self._loop.time()
        try:
            for kind, number, body in self._splitter.feed(self._read[:nbytes]):
                self._received(kind, number, body)
        except BrokenFrame as error:
            self._end(f"it wrote nonsense: {error}")
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end("")

    def _end(self, why: str) -> None:
        if not self.ended.done():
            self.ended.set_result(why)


class Work(Protocol):
    """What the worker is for. ``received`` gets SETUP first, ``run`` is cancelled and ``close`` called at the end."""

    def received(self, kind: int, number: int, body: bytes) -> None: ...
    async def run(self) -> None: ...
    def close(self) -> None: ...


async def serve(end: socket.socket, make: Callable[[Link], Work]) -> None:
    """Work until the line, which owns the log, closes the socket."""

    def received(kind: int, number: int, body: bytes) -> None:
        if kind == Life.PING:
            link.send(Life.PONG)
        else:
            work.received(kind, number, body)

    link = Link(received)
    _log_over(link, asyncio.get_running_loop())
    work = make(link)
    await link.take(end)
    try:
        async with asyncio.TaskGroup() as tasks:
            beat = tasks.create_task(work.run())
            await link.ended
            beat.cancel()
    finally:
        work.close()


def _log_over(link: Link, loop: asyncio.AbstractEventLoop) -> None:
    def ship(_: object, method: str, event: Any) -> str:
        body = json.dumps([method, {k: str(v) for k, v in event.items()}]).encode()
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody reads on
            loop.call_soon_threadsafe(link.send, Life.LOG, 0, body)
        raise structlog.DropEvent

    structlog.configure(processors=[structlog.processors.format_exc_info, ship])
