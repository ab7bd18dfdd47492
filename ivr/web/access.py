"""Who may ask: a bearer token from programs, a session from browsers; from loopback anybody, when no token is set."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from aiohttp import web

from ivr.web.sessions import Guesses, Session, Sessions

OPEN_PATHS = ("/healthz", "/readyz", "/handoff/", "/login", "/static/")
COOKIE = "ivr_session"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
CSRF_HEADER = "X-CSRF-Token"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class Gate:
    """``token``: what a bearer shows and a person types at /login; "" admits loopback and nobody else."""

    token: str
    sessions: Sessions = field(default_factory=Sessions)
    guesses: Guesses = field(default_factory=Guesses)
    anybody: Session = field(default_factory=lambda: Sessions().begin())  # stands for everybody while there is no token

    def session(self, request: web.Request) -> Session | None:
        if not self.token:
            return self.anybody if from_loopback(request) and addressed_plainly(request) else None
        return self.sessions.find(request.cookies.get(COOKIE, ""))

    @web.middleware
    async def __call__(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if is_open(request):
            return await handler(request)
        if self.token and matches(bearer(request), self.token):
            return await handler(request)
        session = self.session(request)
        if session is None:
            raise self._refusal(request)
        upgrading = request.headers.get("Upgrade", "").lower() == "websocket"
        if (request.method not in SAFE_METHODS or upgrading) and not same_origin(request):
            raise web.HTTPForbidden(text="this request came from another site")
        if request.method not in SAFE_METHODS and not matches(await _csrf(request), session.csrf):
            raise web.HTTPForbidden(text="the page is too old: load it again")
        return await handler(request)

    def _refusal(self, request: web.Request) -> web.HTTPException:
        if self.token and wants_html(request) and request.method in SAFE_METHODS:
            return web.HTTPSeeOther(f"/login?next={quote(request.path_qs, safe='')}")
        return web.HTTPUnauthorized(text="send Authorization: Bearer TOKEN", headers={"WWW-Authenticate": "Bearer"})


def is_open(request: web.Request) -> bool:
    """Served to everybody; what needs a secret there has it in its own address."""
    return request.path.startswith(OPEN_PATHS)


async def _csrf(request: web.Request) -> str:
    if header := request.headers.get(CSRF_HEADER):
        return header
    return str((await request.post()).get("csrf", ""))


def from_loopback(request: web.Request) -> bool:
    try:
        return ipaddress.ip_address(request.remote or "").is_loopback
    except ValueError:
        return False


def addressed_plainly(request: web.Request) -> bool:
    """By an address or as localhost. Under another name a foreign page may be asking (DNS rebinding)."""
    host = urlsplit(f"//{request.host}").hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return True


def same_origin(request: web.Request) -> bool:
    """A browser says where a request comes from; what says nothing is no browser."""
    origin = request.headers.get("Origin", "")
    return not origin or urlsplit(origin).netloc == request.host


def wants_html(request: web.Request) -> bool:
    return "text/html" in request.headers.get("Accept", "")


def bearer(request: web.Request) -> str:
    kind, _, value = request.headers.get("Authorization", "").partition(" ")
    return value.strip() if kind.lower() == "bearer" else ""


def matches(given: str, expected: str) -> bool:
    """Constant-time comparison; an empty expectation matches nothing."""
    return bool(expected) and hmac.compare_digest(given.encode(), expected.encode())


GATE: web.AppKey[Gate] = web.AppKey("gate", Gate)
