"""The HTTP server: the application with its routes and middleware, and the sockets it listens on."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial

import structlog
from aiohttp import web

from ivr.accounts.authentication import Authentication
from ivr.accounts.oidc import Oidc
from ivr.errors import CheckUnavailable, ConfigError, UnavailableError
from ivr.limits import descriptors
from ivr.web import api, command_socket, live, pages, rendering
from ivr.web.access import GATE, OIDC, Gate, wants_html
from ivr.web.backend import BACKEND, Backend
from ivr.web.bodies import Handler, readable
from ivr.web.connection import TrustedProxies, factory, watched
from ivr.web.formats import dumps
from ivr.web.pages import simulator
from ivr.web.response_headers import guarded
from ivr.web.rules import needs, rule_of

log = structlog.get_logger(__name__)

MOST_BYTES = 64 * 1024
PROBES = frozenset({"/healthz", "/readyz"})


def application(
    backend: Backend,
    feed: live.Feed,
    *,
    authentication: Authentication,
    token: str,
    own_token: str = "",
    resources: Iterable[web.RouteDef] = (),
    trusted_proxies: Sequence[str] = (),
    secure: bool = False,
    oidc: Oidc | None = None,
) -> web.Application:
    """``token``: what a bearer must show; "" admits, while there are no accounts, loopback and nobody else.
    ``own_token``: what this process shows. ``resources``: routes of a company. ``trusted_proxies``: networks of the
    reverse proxies in front. ``secure``: browsers come by TLS. ``oidc``: log-in by an identity provider."""
    company = [*map(_ruled, resources)]
    handlers = frozenset(route.handler for route in company)
    gate = Gate(token, authentication, own_token, TrustedProxies(trusted_proxies), secure, handlers)
    app = web.Application(middlewares=[watched, _errors, readable, gate.__call__], client_max_size=MOST_BYTES)
    app[GATE] = gate
    app[OIDC] = oidc or Oidc(None, "")
    app[BACKEND] = backend
    app[live.FEED] = feed
    app[simulator.OPEN] = {}
    app[command_socket.OPEN] = set()
    rendering.prepare(app)
    app.on_response_prepare.append(guarded)
    app.on_shutdown.append(_say_goodbye)
    app.add_routes([*api.ROUTES, *pages.ROUTES, *live.ROUTES, *company])
    return app


def _ruled(route: web.RouteDef) -> web.RouteDef:
    """A company's records are for those who talk with its callers, where it doesn't say otherwise."""
    if rule_of(route.handler) is not None:
        return route
    reads = route.method in ("GET", "HEAD")
    allowed = (
        needs("agent", "supervisor", "ops", scope="members:read")
        if reads
        else needs("agent", "supervisor", scope="admin")
    )
    return web.RouteDef(route.method, route.path, allowed(route.handler), route.kwargs)


async def _say_goodbye(app: web.Application) -> None:
    """Open pages hold connections that would keep the server waiting."""
    app[live.FEED].close()
    await simulator.hang_up(app)
    await command_socket.hang_up(app)


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What goes wrong is a page for browsers and {"error": …} for programs. What nobody foresaw is one log line and a
    plain 500, never a traceback to the asker."""
    try:
        if not request.app[BACKEND].started() and request.path not in PROBES:
            raise web.HTTPServiceUnavailable(text="the line is starting; /readyz says how far it is")
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400 or error.content_type == "application/json":  # it says more than words
            raise
        refusal = error
    except ConnectionError:
        raise  # the client is gone
    except CheckUnavailable as error:
        refusal = web.HTTPServiceUnavailable(text=str(error))
    except UnavailableError:
        refusal = web.HTTPServiceUnavailable(text="the store does not answer")
    except Exception:
        log.exception("http.failed", route=_route(request))
        refusal = web.HTTPInternalServerError(text="something inside failed; the log says what")
    text = refusal.text
    if text == f"{refusal.status}: {refusal.reason}":  # nobody said more than that
        text = f"there is nothing at {request.path}" if refusal.status == 404 else refusal.reason.lower()
    if wants_html(request) and not request.path.startswith("/api/"):
        return rendering.refused(request, refusal.status, text or "", refusal.headers)
    refusal.text, refusal.content_type = dumps({"error": text}), "application/json"
    raise refusal


def _route(request: web.Request) -> str:
    """Which it is, without what stands in its place: a hand-over's secret, say, or a member's number."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else ""


def bound(host: str, port: int) -> list[socket.socket]:
    """Sockets of every address of ``host``, not listening yet; port 0 picks a free one. Raises ConfigError."""
    sockets: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            sockets.append(socket.socket(family, kind, protocol))
            sockets[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sockets[-1].setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sockets[-1].bind(address)
    except OSError as error:
        for opened in sockets:
            opened.close()
        raise _taken(f"{host}:{port}", error) from error
    return sockets


def _taken(where: str, error: OSError) -> ConfigError:
    return ConfigError(f"HTTP {where}: {error.strerror}", remedy="stop what uses it, or pass --http HOST:PORT")


async def _spoken_to(
    handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], request: web.BaseRequest
) -> web.StreamResponse:
    """aiohttp answers an Expect that it does not know with its text, before any middleware, and stumbles over bytes."""
    try:
        return await handler(request)
    except UnicodeError:
        return web.Response(status=400, text="this request is no text")


class HttpServer:
    """Serves ``app`` on ``sockets`` between ``start`` and ``stop``."""

    def __init__(self, app: web.Application, sockets: Sequence[socket.socket]) -> None:
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=2)
        self._app = app
        self._sockets = sockets
        self._servers: list[asyncio.Server] = []

    async def start(self) -> None:
        """Raises ConfigError."""
        await self._runner.setup()
        assert self._runner.server is not None
        gate = self._app.get(GATE)
        self._runner.server.request_handler = partial(_spoken_to, self._runner.server.request_handler)
        made = factory(self._runner.server, gate.proxies if gate is not None else TrustedProxies())
        for each in self._sockets:
            try:
                self._servers.append(
                    await asyncio.get_running_loop().create_server(made, sock=each, backlog=descriptors.backlog())
                )
            except OSError as error:  # somebody listens there since it was bound
                raise _taken("{}:{}".format(*each.getsockname()), error) from error

    async def stop(self) -> None:
        for server in self._servers:
            server.close()
        await self._runner.cleanup()
        for each in self._sockets:
            each.close()


def own_url(sockets: Sequence[socket.socket]) -> str:
    """How this machine reaches the server: by the loopback where that listens on every address."""
    host, port, *_ = sockets[0].getsockname()
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def port_of(sockets: Sequence[socket.socket]) -> int:
    return int(sockets[0].getsockname()[1])
