"""Access: a bearer token from programs, a session from browsers; from loopback anybody, when no token is set."""

from __future__ import annotations

import asyncio
import functools
import hmac
import ipaddress
import math
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

import structlog
from aiohttp import web

from ivr.limits.throttle import Budgets, CountedLog, Guesses, source_of
from ivr.ports import Account, Role
from ivr.ports.accounts import LOCAL
from ivr.web.bodies import Handler, form
from ivr.web.connection import TrustedProxies, prove

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

LIFE_S = 12 * 3600.0
MOST_SESSIONS = 500
REFUSED_RATE, REFUSED_BURST = 20.0, 100.0  # refusals a source; beyond, each takes SLOWLY_S
OPENED_RATE, OPENED_BURST = 100.0, 500.0  # what is served to everybody, likewise
SLOWLY_S = 1.0


@dataclass(frozen=True, slots=True)
class Session:
    """``csrf`` goes into every form and every request that changes something. ``until`` is monotonic."""

    id: str
    csrf: str
    until: float


class Sessions:
    """Kept on the server, in memory: a restart logs everybody out."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    def begin(self) -> Session:
        session = Session(secrets.token_urlsafe(32), secrets.token_urlsafe(24), self._clock() + LIFE_S)
        self._sessions[session.id] = session
        while len(self._sessions) > MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return session

    def find(self, session_id: str) -> Session | None:
        session = self._sessions.get(session_id)
        if session is not None and session.until <= self._clock():
            del self._sessions[session_id]
            return None
        return session

    def end(self, session_id: str) -> None:
        self._sessions.pop(session_id, None)


OPEN_PATHS = ("/healthz", "/readyz", "/handoff/", "/login", "/static/")
COOKIE = "ivr_session"
ACCOUNT = "account"  # the request's
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
CSRF_HEADER = "X-CSRF-Token"


@dataclass(slots=True)
class Gate:
    """``token``: what a bearer shows and a person types at /login; "" admits loopback and nobody else.

    ``own``: what this process shows when it calls itself; "" for nothing."""

    token: str
    own: str = ""
    proxies: TrustedProxies = field(default_factory=TrustedProxies)
    sessions: Sessions = field(default_factory=Sessions)
    guesses: Guesses = field(default_factory=lambda: Guesses(time.monotonic))
    refused: Budgets = field(default_factory=lambda: Budgets(REFUSED_RATE, REFUSED_BURST, time.monotonic))
    opened: Budgets = field(default_factory=lambda: Budgets(OPENED_RATE, OPENED_BURST, time.monotonic))
    guessed: CountedLog = field(default_factory=lambda: CountedLog(log, "http.token_refused", time.monotonic))
    anybody: Session = field(default_factory=lambda: Sessions().begin())  # stands for everybody while there is no token

    def session(self, request: web.Request) -> Session | None:
        if not self.token:
            return self.anybody if from_loopback(self.source(request)) and addressed_plainly(request) else None
        return self.sessions.find(request.cookies.get(COOKIE, ""))

    @web.middleware
    async def __call__(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if is_open(request):
            if not self.opened.take(self.source(request)):
                await asyncio.sleep(SLOWLY_S)
            return await handler(request)
        if matches(bearer(request), self.own):
            prove(request)
            return await handler(request)
        wait_s = self.try_token(request, bearer(request)) if self.token and bearer(request) else -1.0
        if wait_s == 0.0:
            prove(request)
            return await handler(request)
        session = self.session(request)
        if session is None:
            if not self.refused.take(self.source(request)):
                await asyncio.sleep(SLOWLY_S)  # whoever is refused all the time: the loop is the callers'
            raise _too_many(wait_s) if wait_s > 0 else self._refusal(request)
        prove(request)
        upgrading = request.headers.get("Upgrade", "").lower() == "websocket"
        if (request.method not in SAFE_METHODS or upgrading) and not same_origin(request):
            raise web.HTTPForbidden(text="this request came from another site")
        if request.method not in SAFE_METHODS and not matches(await _csrf(request), session.csrf):
            raise web.HTTPForbidden(text="the page is too old: load it again")
        return await handler(request)

    def source(self, request: web.Request) -> str:
        """Who asks: the client, behind whatever proxies of ours. Refusals and guesses are counted by it."""
        return source_of(self.proxies.client(request.remote or "", request.headers.getall("X-Forwarded-For", ())))

    def try_token(self, request: web.Request, given: str) -> float:
        """Return 0.0 where ``given`` is the token, -1.0 where it is not, and the seconds to wait where it was not
        looked at, because too many wrong ones came."""
        source = self.source(request)
        if wait_s := self.guesses.wait_s(source):
            self.guessed.note(source, reason="too many wrong tokens")
            return wait_s
        if matches(given, self.token):
            self.guesses.passed(source)
            return 0.0
        self.guesses.failed(source, given)
        self.guessed.note(source, reason="wrong token")
        return -1.0

    def _refusal(self, request: web.Request) -> web.HTTPException:
        if self.token and wants_html(request) and request.method in SAFE_METHODS:
            return web.HTTPSeeOther(f"/login?next={quote(request.path_qs, safe='', errors='replace')}")
        return web.HTTPUnauthorized(text="send Authorization: Bearer TOKEN", headers={"WWW-Authenticate": "Bearer"})


def _too_many(wait_s: float) -> web.HTTPException:
    seconds = math.ceil(wait_s)
    return web.HTTPTooManyRequests(
        text=f"too many wrong tokens: try again in {seconds} s", headers={"Retry-After": str(seconds)}
    )


def is_open(request: web.Request) -> bool:
    """Served to everybody; what needs a secret there has it in its own address."""
    return request.path.startswith(OPEN_PATHS)


async def _csrf(request: web.Request) -> str:
    if header := request.headers.get(CSRF_HEADER):
        return header
    return (await form(request)).get("csrf", "")


def from_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def addressed_plainly(request: web.Request) -> bool:
    """By an address or as localhost. Under another name a foreign page may be asking (DNS rebinding)."""
    try:
        host = urlsplit(f"//{request.host}").hostname or ""
    except ValueError:
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return True


def same_origin(request: web.Request) -> bool:
    """A browser says where a request comes from; what says nothing is no browser."""
    origin = request.headers.get("Origin", "")
    try:
        return not origin or urlsplit(origin).netloc == request.host
    except ValueError:
        return False


def wants_html(request: web.Request) -> bool:
    return "text/html" in request.headers.get("Accept", "")


def bearer(request: web.Request) -> str:
    kind, _, value = request.headers.get("Authorization", "").partition(" ")
    return value.strip() if kind.lower() == "bearer" else ""


def account_of(request: web.Request) -> Account:
    """Who asks. Whoever got past the gate is somebody."""
    account: Account = request.get(ACCOUNT, LOCAL)
    return account


def needs(*roles: Role) -> Callable[[Handler], Handler]:
    """A handler that only people with one of ``roles`` reach; 403 for others."""

    def only(handler: Handler) -> Handler:
        @functools.wraps(handler)
        async def checked(request: web.Request) -> web.StreamResponse:
            if not account_of(request).may(*roles):
                raise web.HTTPForbidden(text=f"this needs the role {' or '.join(roles)}; ask a supervisor")
            return await handler(request)

        return checked

    return only


def matches(given: str, expected: str) -> bool:
    """Constant-time comparison; an empty expectation matches nothing."""
    return bool(expected) and hmac.compare_digest(given.encode(errors="surrogatepass"), expected.encode())


GATE: web.AppKey[Gate] = web.AppKey("gate", Gate)
