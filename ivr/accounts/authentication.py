"""Authentication: who logs in, with what, and which session that begins."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import structlog

from ivr.accounts import passwords
from ivr.accounts.guesses import PasswordGuesses, browser_of, counted_as, known_browser
from ivr.accounts.oidc import PENDING_S, SKEW_S, Oidc, names_of
from ivr.accounts.passwords import Hashing, digest, name_of
from ivr.accounts.provider_client import OidcRefused
from ivr.accounts.sessions import Sessions
from ivr.accounts.tokens import Tokens
from ivr.errors import AccountError, StoreUnavailable
from ivr.limits.throttle import FREE_GUESSES, CountedLog, Guesses, wait_after
from ivr.ports import Account, AccountRecord, AccountStore, Role, Session, TokenStore

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

ONE_TIME = timedelta(hours=24)
FIRST_LINK = timedelta(minutes=15)
ANSWERED = timedelta(seconds=PENDING_S + SKEW_S)  # so long it is remembered that an answer came
FRESH_S = 1.0
FIRST = "first link"  # who it was, in the audit log


@dataclass(frozen=True, slots=True)
class Browser:
    """Who asks: an address as ``limits.throttle.source_of`` counts it, what the browser calls itself, and what it kept
    of an earlier log-in to the account that is asked for."""

    source: str
    program: str = ""
    kept: str = ""


@dataclass(frozen=True, slots=True)
class LogIn:
    """``secret`` is the browser's session cookie, ``kept`` what it keeps beyond."""

    secret: str
    session: Session
    kept: str


class LogInRefused(AccountError):
    """``wait_s``: seconds until a password is looked at again, where too many were wrong."""

    def __init__(self, message: str, wait_s: float = 0.0) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class Authentication:
    def __init__(
        self,
        store: AccountStore,
        tokens: TokenStore,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
        hashing: Hashing | None = None,
    ) -> None:
        self.store = store
        self.guesses = Guesses(clock)
        self.sessions = Sessions(store, now, clock)
        self.tokens = Tokens(tokens, now, clock)
        self.now, self._clock = now, clock
        self._hashing = hashing or Hashing()
        self._passwords = PasswordGuesses.beside(self.guesses, clock)
        self._refused = CountedLog(log, "account.login_refused", clock)
        self._exist: tuple[bool, float] | None = None
        self._noting: set[asyncio.Task[None]] = set()

    async def exist(self) -> bool:
        """Whether there are accounts; while the store is away, whether there were. Raises StoreUnavailable."""
        clock = self._clock()
        if self._exist is None or clock - self._exist[1] >= FRESH_S:
            try:
                self._exist = (await self.store.exist(), clock)
            except StoreUnavailable:
                if self._exist is None:
                    raise
                self._exist = (self._exist[0], clock)
        return self._exist[0]

    async def log_in(self, name: str, password: str, browser: Browser) -> LogIn:
        """Raises LogInRefused, StoreUnavailable, UnavailableError."""
        asked = name_of(name)
        record = await self.store.find(asked) if asked else None
        known = browser_of(record, browser.kept)
        wait_s = self._passwords.wait_s(asked, browser.source, known)
        if not known:
            wait_s = max(wait_s, await self._wait_elsewhere_s(asked))
        if await self._took_one_time(asked, password, browser) and record is not None:
            return await self._entered(replace(record, must_change=True), browser)
        if not wait_s:
            right = await self._hashing.verify(password, record.password if record is not None else "")
            wait_s = self._passwords.wait_s(asked, browser.source, known)  # others may have guessed meanwhile
            if not wait_s and right and record is not None:
                return await self._right(record, password, browser)
        if wait_s:
            self._refuse(record, browser, "too many wrong passwords")
            raise LogInRefused("too many attempts", wait_s)
        if self._passwords.failed(asked, browser.source, known, password):
            self._beside(self.store.guessed(counted_as(asked)))
        self._refuse(record, browser, "wrong name or password")
        raise LogInRefused("that is not the name or not the password")

    async def _wait_elsewhere_s(self, name: str) -> float:
        """Because of what was guessed in any process, or before this one began."""
        count, last = await self.store.guesses(counted_as(name))
        if last is None:
            return 0.0
        return max(0.0, wait_after(count - FREE_GUESSES) - (self.now() - last).total_seconds())

    async def _took_one_time(self, name: str, password: str, browser: Browser) -> bool:
        """Nobody guesses 99 bits: whoever a stranger keeps out comes in so. Only their source has to wait, and a name
        that is nobody's is looked for as long."""
        given = passwords.typed_one_time(password)
        if not given or self.guesses.wait_s(browser.source):
            return False
        return await self.store.take_one_time(name, digest(given))

    async def _right(self, record: AccountRecord, password: str, browser: Browser) -> LogIn:
        if record.disabled:
            self._refuse(record, browser, "disabled")
            raise LogInRefused("this account is disabled; ask a supervisor")
        if self._hashing.stale(record.password):
            renewed = await self._hashing.hash(password)
            await self.store.rehash(record.account.name, record.password, renewed)
            record = replace(record, password=renewed)
        return await self._entered(record, browser)

    async def _entered(self, record: AccountRecord, browser: Browser) -> LogIn:
        self._passwords.passed(browser.source)
        secret, session = await self.sessions.begin(record, browser.source, browser.program)
        log.info("account.login", account=record.account.name, source=browser.source)
        return LogIn(secret, session, known_browser(record) if record.password else "")

    async def log_in_vouched(
        self, oidc: Oidc, query: Mapping[str, str], kept: str, browser: Browser
    ) -> tuple[LogIn, str]:
        """By the identity provider's answer in ``query``, in the browser that ``kept`` what ``oidc`` began; and where
        they wanted to go. Raises LogInRefused, StoreUnavailable, UnavailableError."""
        if wait_s := self.guesses.wait_s(browser.source):
            raise LogInRefused("too many attempts", wait_s)
        try:
            pending = oidc.pending(query, kept)
            if not await self.store.first_use(digest(pending.state), self.now() + ANSWERED):
                raise OidcRefused("an answer that came before")
            vouched = await oidc.finish(query, pending)
        except OidcRefused as error:
            self.guesses.failed(browser.source, query.get("state", ""))
            self._refuse(None, browser, f"identity provider: {error}")
            raise LogInRefused("that did not work; try once more") from error
        names, display = names_of(vouched), vouched.display or vouched.name
        record = await self.store.vouched(vouched.issuer, vouched.subject, names, display, vouched.roles)
        if record is not None:
            self.sessions.forget(record.account.name)
        if record is None or not record.account.roles:
            self._refuse(record, browser, "no role")
            raise LogInRefused("your company account has no role here; ask whoever manages it")
        if record.disabled:
            self._refuse(record, browser, "disabled")
            raise LogInRefused("this account is disabled; ask a supervisor")
        return await self._entered(record, browser), vouched.onwards

    def _refuse(self, record: AccountRecord | None, browser: Browser, reason: str) -> None:
        """Names that are nobody's are told nowhere: people type their passwords there, too. It is noted beside the
        answer, which must take no longer; once a minute for a source and name, which fills no database."""
        name = record.account.name if record is not None else ""
        if self._refused.note(f"{browser.source} {name}".strip(), reason=reason, account=name):
            self._beside(self.store.refused(name, reason))

    def provider_refused(self, source: str, reason: str) -> None:
        """Nobody could even begin to log in by the identity provider."""
        self._refuse(None, Browser(source), f"identity provider: {reason}")

    def token_refused(self, identity: str, reason: str) -> None:
        """``identity``: the token that it claims to be; "" for none."""
        self._beside(self.tokens.store.refused(identity, reason))

    def _beside(self, note: Coroutine[None, None, None]) -> None:
        async def noted() -> None:
            try:
                await note
            except StoreUnavailable as error:
                log.warning("account.not_noted", error=str(error))

        noting = asyncio.create_task(noted())
        self._noting.add(noting)
        noting.add_done_callback(self._noting.discard)

    async def settle(self) -> None:
        """What happened is in the audit trail now."""
        await asyncio.gather(*self._noting)

    async def first_secret(self) -> str:
        """What makes the first account, once, within FIRST_LINK, in every process. Raises AccountError where there is
        one, StoreUnavailable."""
        secret = secrets.token_urlsafe(32)
        await self.store.offer_first(digest(secret), self.now() + FIRST_LINK)
        return secret

    async def first(self, secret: str, name: str, password: str, browser: Browser) -> LogIn:
        """The first account. Raises LogInRefused, AccountError, StoreUnavailable."""
        if wait_s := self.guesses.wait_s(browser.source):
            raise LogInRefused("too many attempts", wait_s)
        shown = digest(secret.strip().rpartition("#first=")[2])
        if not await self.store.offered_first(shown):
            self.guesses.failed(browser.source, secret)
            self._refuse(None, browser, "wrong link for the first account")
            raise LogInRefused("that link is not right, or it is over: ivr accounts link prints a new one")
        roles: frozenset[Role] = frozenset(("supervisor", "ops", "designer"))
        account = await self.add(Account(name, roles), FIRST, password, first=shown)
        record = await self.store.find(account.name)
        if record is None:
            raise LogInRefused("the account is gone again")
        return await self._entered(record, browser)

    async def add(self, account: Account, by: str, password: str = "", *, first: str = "") -> Account:
        """As it is kept then. ``first``: as the store's. Raises AccountError, StoreUnavailable."""
        name = passwords.new_name(account.name)
        made = replace(account, name=name, display=" ".join(account.display.split())[:100] or name)
        hashed = ""
        if password:
            passwords.check(password, name, made.display)
            hashed = await self._hashing.hash(password)
        await self.store.add(made, by, password=hashed, first=first)
        self._exist = None
        return made

    async def set_password(self, name: str, password: str, by: str) -> None:
        """Ends their sessions. Raises AccountError, StoreUnavailable."""
        record = await self.store.find(name)
        passwords.check(password, name, record.account.display if record is not None else "")
        await self.store.set_password(name, await self._hashing.hash(password), by)
        self.sessions.forget(name)

    async def change_own(self, session: Session, current: str, password: str, browser: Browser) -> LogIn:
        """Ends every session of theirs and begins a new one. ``current``: not asked for after a one-time password.

        Raises LogInRefused, AccountError, StoreUnavailable, UnavailableError."""
        name, key = session.account.name, session.id
        record = await self.store.find(name)
        if record is None or record.disabled:
            raise LogInRefused("this account is gone")
        if not session.must_change:
            if wait_s := self._passwords.browsers.wait_s(key):
                raise LogInRefused("too many attempts", wait_s)
            if not await self._hashing.verify(current, record.password):
                self._passwords.browsers.failed(key, current)
                raise LogInRefused("that is not your present password")
            if current == password:
                raise AccountError("the new password is the old one", remedy="take another")
        await self.set_password(name, password, name)
        record = await self.store.find(name)
        if record is None:
            raise LogInRefused("this account is gone")
        return await self._entered(record, browser)

    async def set_one_time(self, name: str, by: str) -> str:
        """A one-time password, for its owner. Ends their sessions. Raises AccountError, StoreUnavailable."""
        secret = passwords.one_time()
        await self.store.set_one_time(name, digest(secret), self.now() + ONE_TIME, by)
        self.sessions.forget(name)
        return secret

    async def log_out_everywhere(self, name: str, by: str) -> int:
        """How many sessions ended. Raises StoreUnavailable."""
        self.sessions.forget(name)
        return await self.store.end_sessions(name, by)
