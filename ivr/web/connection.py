"""HTTP connection: how long a client may take to say what it wants, and which connection makes room for another."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog
from aiohttp import web
from aiohttp.http import HttpProcessingError

from ivr.limits import descriptors
from ivr.limits.connections import ConnectionTable
from ivr.limits.throttle import CountedLog, source_of

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_server_log = logging.getLogger("aiohttp.server")

HEAD_S = 20.0  # for a whole head, from its first byte; for the first byte of the first one too
BODY_S = 20.0  # for a whole body, from the end of the head
KEEP_ALIVE_S = 75.0  # between two requests


class TrustedProxies:
    """The reverse proxies in front of us: what they say of their clients is believed, nobody else's word is."""

    def __init__(self, networks: Sequence[str] = ()) -> None:
        self._networks = [ipaddress.ip_network(each, strict=False) for each in networks]

    def __contains__(self, address: str) -> bool:
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(found in network for network in self._networks)

    def client(self, peer: str, forwarded: Sequence[str]) -> str:
        """Return the address that a request came from: ``peer``, or for a proxy's the last in X-Forwarded-For
        (``forwarded``) that is no proxy of ours. What is before that, anybody may have written."""
        hops = _hops(forwarded)
        while peer in self and hops:
            address = _address(hops.pop())
            if not address:
                break
            peer = address
        return peer

    def told(self, peer: str, forwarded: Sequence[str]) -> bool:
        """Whether ``peer`` is a proxy of ours that said for whom it asks."""
        hops = _hops(forwarded)
        return peer in self and bool(hops) and all(map(_address, hops))


def _hops(forwarded: Sequence[str]) -> list[str]:
    return [hop.strip() for value in forwarded for hop in value.split(",")]


def _address(hop: str) -> str:
    """Of what stands in X-Forwarded-For, where some proxies write the port, too; "" for what is none."""
    bare = re.sub(r"^\[(.+)\](:\d+)?$|^([\d.]+):\d+$", lambda found: found[1] or found[3], hop)
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        return ""


class ServerLog(logging.LoggerAdapter[logging.Logger]):
    """What aiohttp says about connections. That somebody speaks no HTTP was answered with 400 and is worth no
    traceback, nor a line for each."""

    def exception(self, msg: object, *args: object, exc_info: Any = True, **more: Any) -> None:
        if isinstance(exc_info, HttpProcessingError | web.RequestPayloadError):
            self.debug("http.unreadable", extra={"reason": type(exc_info).__name__})
        else:
            super().exception(msg, *args, exc_info=exc_info, **more)


class HttpConnection(web.RequestHandler):
    """One client's connection; ``table`` has all of them. Bytes that only drip in end it: requests, not bytes, count as
    life."""

    __slots__ = ("_deadline", "_entered", "_proxies", "_reading", "_refused", "_serving", "_table")

    def __init__(
        self,
        server: web.Server,
        loop: asyncio.AbstractEventLoop,
        table: ConnectionTable,
        refused: CountedLog,
        proxies: TrustedProxies,
    ) -> None:
        logs: dict[str, Any] = {"access_log": None, "logger": ServerLog(_server_log)}  # more than aiohttp annotates
        super().__init__(server, loop=loop, keepalive_timeout=KEEP_ALIVE_S, auto_decompress=False, **logs)
        self._table, self._refused, self._proxies = table, refused, proxies
        self._deadline: asyncio.TimerHandle | None = None
        self._entered = self._reading = self._serving = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        host = str(transport.get_extra_info("peername", ("",))[0])
        before = self._table.turned_away
        self._entered = self._table.enter(self, source_of(host), transport.abort, proven=host in self._proxies)
        if self._table.turned_away > before:
            self._refused.note(host, connections=len(self._table))
        if not self._entered:
            transport.abort()
            return
        super().connection_made(transport)
        self._close_in(HEAD_S)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._table.leave(self)
        if self._entered:
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self._entered:
            return
        if not self._serving and not self._reading:
            self._reading = True
            self._close_in(HEAD_S)
        super().data_received(data)

    def prove(self) -> None:
        """Note that the client showed that it may be here."""
        self._table.prove(self)

    def began(self, request: web.Request) -> None:
        """Note that a whole head came."""
        self._reading, self._serving = False, True
        self._table.active(self, busy=True)
        self._close_in(BODY_S, unless=request.content.is_eof)

    def ended(self) -> None:
        """Note that a request was served, but for what is still to be written."""
        self._serving = False
        self._table.active(self)
        self._close_in(KEEP_ALIVE_S)

    def _close_in(self, seconds: float, unless: Callable[[], bool] = lambda: False) -> None:
        if self._deadline is not None:
            self._deadline.cancel()

        def close() -> None:
            if self.transport is not None and not unless():
                self.transport.abort()

        self._deadline = asyncio.get_running_loop().call_later(seconds, close)


@web.middleware
async def watched(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Tell the connection when a request is being served."""
    connection = request.protocol
    if not isinstance(connection, HttpConnection):
        return await handler(request)
    connection.began(request)
    try:
        return await handler(request)
    finally:
        connection.ended()


def prove(request: web.Request) -> None:
    """Note that the sender of ``request`` showed that it may be here."""
    if isinstance(request.protocol, HttpConnection):
        request.protocol.prove()


def factory(server: web.Server, proxies: TrustedProxies) -> Callable[[], HttpConnection]:
    """What makes the connections of ``server``, with a table of their own."""
    loop = asyncio.get_running_loop()
    table = ConnectionTable(descriptors.http_connections(), loop.time)
    refused = CountedLog(log, "http.connection_refused", loop.time)
    return lambda: HttpConnection(server, loop, table, refused, proxies)
