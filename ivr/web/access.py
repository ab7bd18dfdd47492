"""Access: a bearer token from programs, a session from browsers; from loopback anybody, while nobody has an account
and no token is set."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import math
import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

import structlog
from aiohttp import web

from ivr.accounts.authentication import Authentication
from ivr.accounts.oidc import Oidc
from ivr.accounts.tokens import FORM
from ivr.limits.throttle import Budgets, CountedLog, source_of
from ivr.origin import asked_from
from ivr.ports import SCOPES, Account, Scope, Session
from ivr.ports.accounts import LOCAL, PROGRAM, STRANGER
from ivr.web.bodies import Handler, form
from ivr.web.connection import TrustedProxies, prove
from ivr.web.held_connections import HeldConnections
from ivr.web.rules import ACCOUNT, SCOPES_SHOWN, rule_of

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

REFUSED_RATE, REFUSED_BURST = 20.0, 100.0  # refusals a source; beyond, each takes SLOWLY_S
OPENED_RATE, OPENED_BURST = 100.0, 500.0  # what is served to everybody, likewise
SLOWLY_S = 1.0

OPEN_PATHS = ("/healthz", "/readyz", "/metrics", "/handoff/", "/login", "/static/")
COOKIE = "ivr_session"
HOST_PREFIX = "__Host-"  # by TLS: no other host, path or plain connection can set such a cookie (RFC 6265bis)
HOST_COOKIE = f"{HOST_PREFIX}{COOKIE}"
SESSION: web.RequestKey[Session] = web.RequestKey("session", Session)
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
FORWARDED = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP")
CSRF_HEADER = "X-CSRF-Token"
STALE = "this is from no page of ours, or from one that is too old: load it again; programs show an API token"
COMMAND_HEADER = "X-IVR-Command"  # of `ivr` commands on this machine; no browser sends it for another site's page
OWN_ACCOUNT = "/account"  # where one chooses a password
ALWAYS = frozenset({OWN_ACCOUNT, "/logout"})  # also before one has


def _anybody() -> Session:
    """What stands for everybody while there are neither accounts nor a token."""
    at = datetime.now(UTC)
    return Session(
        "", LOCAL, secrets.token_urlsafe(24), created_at=at, seen_at=at, expires_at=datetime.max.replace(tzinfo=UTC)
    )


@dataclass(frozen=True, slots=True)
class Shown:
    """What a program showed. ``scopes``: None where that opens nothing. ``void``: it looks like one of ours, and counts
    no more or never did: then nothing else of the request counts. ``wait_s``: until a token is looked at again, because
    too many wrong ones came."""

    account: Account = STRANGER
    scopes: frozenset[Scope] | None = None
    void: bool = False
    wait_s: float = 0.0


NOTHING = Shown()
EVERYTHING = Shown(PROGRAM, frozenset(SCOPES))
FLOWS = Shown(PROGRAM, frozenset(SCOPES))
"""What flows may reach of this process's own: a company's resources, and nothing of the line's."""


@dataclass(slots=True)
class Gate:
    """``token``: what a bearer shows; "" for nothing. ``own``: what this process shows when a flow has it call itself,
    which opens what is served by ``company`` alone.

    ``secure``: browsers come by TLS, whatever a request says of itself."""

    token: str
    authentication: Authentication
    own: str = ""
    proxies: TrustedProxies = field(default_factory=TrustedProxies)
    secure: bool = False
    company: frozenset[Handler] = frozenset()
    refused: Budgets = field(default_factory=lambda: Budgets(REFUSED_RATE, REFUSED_BURST, time.monotonic))
    opened: Budgets = field(default_factory=lambda: Budgets(OPENED_RATE, OPENED_BURST, time.monotonic))
    guessed: CountedLog = field(default_factory=lambda: CountedLog(log, "http.token_refused", time.monotonic))
    anybody: Session = field(default_factory=_anybody)
    held: HeldConnections = field(init=False)

    def __post_init__(self) -> None:
        self.held = HeldConnections(self.authentication.sessions.look_again)

    def cookie(self, request: web.Request) -> str:
        """The name of the session's cookie."""
        return HOST_COOKIE if self.by_tls(request) else COOKIE

    def secret(self, request: web.Request) -> str:
        """What the browser shows; "" for nothing."""
        return request.cookies.get(self.cookie(request), "")

    async def session(self, request: web.Request) -> Session | None:
        """Whose session it is, if anybody's. Raises StoreUnavailable where nobody can say."""
        if secret := self.secret(request):
            session = await self.authentication.sessions.find(secret)
            if session is not None:
                return session
        if self.token or not self.local(request):
            return None
        return self.anybody if not await self.authentication.exist() else None

    @web.middleware
    async def __call__(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        with asked_from(self.source(request)):
            return await self._let_in(request, handler)

    async def _let_in(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if is_open(request):
            if not self.opened.take(self.source(request)):
                await asyncio.sleep(SLOWLY_S)
            return await handler(request)
        shown = await self.shown(request)
        if shown.scopes is not None:
            if shown is FLOWS and request.match_info.handler not in self.company:
                raise web.HTTPForbidden(text="flows reach a company's resources, and nothing of the line's own")
            request[SCOPES_SHOWN] = shown.scopes
            with self.held.open(request, lambda: self._still_shown(request)):
                return await self._served(request, handler, shown.account)
        wait_s = shown.wait_s
        if shown.void:
            raise _refused_token()
        session = await self.session(request)
        if session is None:
            if not self.refused.take(self.source(request)):
                await asyncio.sleep(SLOWLY_S)  # whoever is refused all the time: the loop is the callers'
            raise _too_many(wait_s) if wait_s > 0 else self._refusal(request)
        request[SESSION] = session
        upgrading = request.headers.get("Upgrade", "").lower() == "websocket"
        if (request.method not in SAFE_METHODS or upgrading) and not same_origin(request):
            raise web.HTTPForbidden(text="this request came from another site")
        command = session is self.anybody and COMMAND_HEADER in request.headers
        if request.method not in SAFE_METHODS and not command and not matches(await _csrf(request), session.csrf):
            raise web.HTTPForbidden(text=STALE)
        if session.must_change and request.path not in ALWAYS:
            raise web.HTTPSeeOther(OWN_ACCOUNT) if wants_html(request) else _choose_first()
        await self.authentication.sessions.touch(session)
        with self.held.open(request, lambda: self._still_in(request, touching=upgrading), session.id):
            return await self._served(request, handler, session.account)

    async def _served(self, request: web.Request, handler: Handler, account: Account) -> web.StreamResponse:
        """What has no rule is nobody's."""
        request[ACCOUNT] = account
        prove(request)
        match = request.match_info
        if match.http_exception is None and rule_of(match.handler) is None:
            raise web.HTTPForbidden(text="nobody may: there is no rule for it")
        return await handler(request)

    async def _still_in(self, request: web.Request, *, touching: bool) -> bool:
        """Whether the session goes on; ``touching``: a conversation is use of it. Raises StoreUnavailable."""
        session = await self.session(request)
        if session is not None and touching:
            await self.authentication.sessions.touch(session)
        return session is not None

    async def _still_shown(self, request: web.Request) -> bool:
        """Whether what a program showed counts still. Raises StoreUnavailable."""
        given = bearer(request)
        fixed = matches(given, self.own) or matches(given, self.token)
        return fixed or await self.authentication.tokens.find(given) is not None

    def source(self, request: web.Request) -> str:
        """Who asks: the client, behind whatever proxies of ours. Refusals and guesses are counted by it."""
        return source_of(self.proxies.client(request.remote or "", request.headers.getall("X-Forwarded-For", ())))

    def local(self, request: web.Request) -> bool:
        """Whether it comes from this machine, from no page of another site, and by no proxy for somebody elsewhere: one
        that nobody told us of, or that does not say for whom."""
        proxied = any(name in request.headers for name in FORWARDED)
        if proxied and not self.proxies.told(request.remote or "", request.headers.getall("X-Forwarded-For", ())):
            return False
        return from_loopback(self.source(request)) and addressed_plainly(request)

    def by_tls(self, request: web.Request) -> bool:
        """Whether the browser's own connection is encrypted: as far as we see, or a proxy of ours says."""
        said = request.headers.get("X-Forwarded-Proto", "") if (request.remote or "") in self.proxies else ""
        return self.secure or (said or request.scheme) == "https"

    async def shown(self, request: web.Request) -> Shown:
        """What the request bears: an API token, ``token``, or what this process shows when it calls itself. Raises
        StoreUnavailable."""
        given = bearer(request)
        if matches(given, self.own):
            return FLOWS
        ours = FORM.fullmatch(given)
        if not given or not (self.token or ours):
            return NOTHING
        source, guesses = self.source(request), self.authentication.guesses
        if wait_s := guesses.wait_s(source):
            self._refuse(source, "", "too many wrong tokens")
            return Shown(wait_s=wait_s)
        if matches(given, self.token):
            guesses.passed(source)
            return EVERYTHING
        if (token := await self.authentication.tokens.find(given)) is not None:
            guesses.passed(source)
            return Shown(Account(f"token:{token.id}", display=token.label), token.scopes)
        guesses.failed(source, given)
        self._refuse(source, ours[1] if ours else "", "wrong token")
        return Shown(void=ours is not None)

    def _refuse(self, source: str, identity: str, reason: str) -> None:
        if self.guessed.note(source, reason=reason):
            self.authentication.token_refused(identity, reason)

    def _refusal(self, request: web.Request) -> web.HTTPException:
        if wants_html(request) and request.method in SAFE_METHODS:
            return web.HTTPSeeOther(f"/login?next={quote(request.path_qs, safe='', errors='replace')}")
        return web.HTTPUnauthorized(
            text="log in, or send Authorization: Bearer TOKEN (ivr token add, or http.token)",
            headers={"WWW-Authenticate": "Bearer"},
        )


def _too_many(wait_s: float) -> web.HTTPException:
    seconds = math.ceil(wait_s)
    return web.HTTPTooManyRequests(
        text=f"too many wrong tokens: try again in {seconds} s", headers={"Retry-After": str(seconds)}
    )


def _refused_token() -> web.HTTPException:
    return web.HTTPUnauthorized(
        text="this token counts no more, or never did: ivr token list has those that do",
        headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
    )


def _choose_first() -> web.HTTPException:
    return web.HTTPForbidden(text=f"choose a password first, at {OWN_ACCOUNT}")


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
    """By an address of the loopback or as localhost. Under another name a foreign page may be asking (DNS rebinding),
    under another address a proxy that says nothing of its clients."""
    try:
        host = urlsplit(f"//{request.host}").hostname or ""
    except ValueError:
        return False
    return host == "localhost" or from_loopback(host)


def same_origin(request: web.Request) -> bool:
    """A browser says where a request comes from, old ones by Origin alone; what says nothing is no browser."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        return False
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
OIDC: web.AppKey[Oidc] = web.AppKey("oidc", Oidc)
