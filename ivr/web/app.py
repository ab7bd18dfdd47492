"""The aiohttp application: middleware, routes, start and stop."""

from __future__ import annotations

from collections.abc import Iterable

import structlog
from aiohttp import web

from ivr.errors import ConfigError
from ivr.web import api, console
from ivr.web.access import GATE, Gate, Handler
from ivr.web.console.backend import ConsoleBackend

log = structlog.get_logger(__name__)

MOST_BYTES = 64 * 1024


def application(
    backend: api.Backend,
    *,
    token: str,
    console_backend: ConsoleBackend | None = None,
    routes: Iterable[web.AbstractRouteDef] = (),
) -> web.Application:
    """``token``: what a bearer must show; "" admits loopback and nobody else. Without ``console_backend``: API only.
    ``routes`` are further resources, behind the same token."""
    gate = Gate(token)
    app = web.Application(middlewares=[_errors, gate.__call__], client_max_size=MOST_BYTES)
    app[GATE] = gate
    app[api.BACKEND] = backend
    api.add_routes(app, console.handoff if console_backend is not None else None)
    if console_backend is not None:
        console.add_routes(app, console_backend)
    app.add_routes(routes)
    return app


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What a handler didn't foresee is one log line and a plain 500, never a traceback to the asker."""
    try:
        return await handler(request)
    except web.HTTPException:
        raise
    except Exception:
        log.exception("http.failed", path=request.path)
        return api.problem(500, "something inside failed; the log says what")


class HttpServer:
    """The listening socket. ``port`` is the bound one (port 0 in the configuration picks a free one)."""

    def __init__(self, app: web.Application, host: str, port: int) -> None:
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=2)
        self._host = host
        self._port = port

    async def start(self) -> None:
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise ConfigError(
                f"HTTP {self._host}:{self._port}: {error.strerror}",
                remedy="stop what uses it, or pass --http HOST:PORT",
            ) from error

    @property
    def port(self) -> int:
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        await self._runner.cleanup()
