"""Access: a bearer token from programs, a session from browsers; from loopback anybody, when no token is set."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from aiohttp import web

from ivr.web.bodies import Handler, form

LIFE_S = 12 * 3600.0
MOST_SESSIONS = 500
ATTEMPTS = 5
WITHIN_S = 60.0
MOST_ASKERS = 2000


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


class Guesses:
    """At most ATTEMPTS wrong tokens a minute from one address."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def wait_s(self, address: str) -> int:
        """Seconds until ``address`` may try again; 0 = now."""
        recent = self._failures.get(address)
        if recent is None:
            return 0
        now = self._clock()
        while recent and recent[0] <= now - WITHIN_S:
            recent.popleft()
        return 0 if len(recent) < ATTEMPTS else max(1, round(recent[0] + WITHIN_S - now))

    def failed(self, address: str) -> None:
        self._failures.setdefault(address, deque(maxlen=ATTEMPTS)).append(self._clock())
        self._failures.move_to_end(address)
        while len(self._failures) > MOST_ASKERS:
            self._failures.popitem(last=False)


OPEN_PATHS = ("/healthz", "/readyz", "/handoff/", "/login", "/static/")
COOKIE = "ivr_session"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
CSRF_HEADER = "X-CSRF-Token"


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
            return web.HTTPSeeOther(f"/login?next={quote(request.path_qs, safe='', errors='replace')}")
        return web.HTTPUnauthorized(text="send Authorization: Bearer TOKEN", headers={"WWW-Authenticate": "Bearer"})


def is_open(request: web.Request) -> bool:
    """Served to everybody; what needs a secret there has it in its own address."""
    return request.path.startswith(OPEN_PATHS)


async def _csrf(request: web.Request) -> str:
    if header := request.headers.get(CSRF_HEADER):
        return header
    return (await form(request)).get("csrf", "")


def from_loopback(request: web.Request) -> bool:
    try:
        return ipaddress.ip_address(request.remote or "").is_loopback
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


def matches(given: str, expected: str) -> bool:
    """Constant-time comparison; an empty expectation matches nothing."""
    return bool(expected) and hmac.compare_digest(given.encode(errors="surrogatepass"), expected.encode())


GATE: web.AppKey[Gate] = web.AppKey("gate", Gate)
