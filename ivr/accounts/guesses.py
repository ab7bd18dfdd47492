"""Guessed passwords, throttled by source and by account, and by neither for a browser that its owner has logged in
from: nobody locks out the office behind one proxy, and no stranger locks an agent out of their own browser."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from ivr.limits.throttle import Guesses
from ivr.ports import AccountRecord


def known_browser(record: AccountRecord) -> str:
    """What a browser keeps from which ``record``'s owner has logged in. It is worth nothing once the password changes,
    and no process need remember it."""
    nonce = secrets.token_urlsafe(16)
    return f"{nonce}.{_seal(record, nonce)}"


def browser_of(record: AccountRecord | None, kept: str) -> str:
    """The known browser that shows ``kept``; "" for any other."""
    nonce, _, seal = kept.partition(".")
    if record is None or not record.password or not nonce:
        return ""
    right = hmac.compare_digest(seal.encode(errors="replace"), _seal(record, nonce).encode())
    return nonce if right else ""


def _seal(record: AccountRecord, nonce: str) -> str:
    text = f"{record.account.name}\n{nonce}".encode(errors="replace")
    return hmac.new(record.password.encode(), text, hashlib.sha256).hexdigest()


def counted_as(name: str) -> str:
    """Under what all processes count guesses at ``name``, somebody's or nobody's: a table of these stays small,
    whatever names are made up, and who shares one with a guessed name has a browser of their own."""
    return hashlib.sha256(f"log-in\n{name}".encode(errors="replace")).hexdigest()[:4]


@dataclass(slots=True)
class PasswordGuesses:
    """``sources`` are shared with whatever else is guessed at this server."""

    sources: Guesses
    accounts: Guesses
    browsers: Guesses

    @classmethod
    def beside(cls, sources: Guesses, clock: Callable[[], float]) -> PasswordGuesses:
        return cls(sources, Guesses(clock), Guesses(clock))

    def wait_s(self, name: str, source: str, browser: str) -> float:
        """Seconds until a password for ``name`` is looked at again; 0.0 = now."""
        if browser:
            return self.browsers.wait_s(browser)
        return max(self.sources.wait_s(source), self.accounts.wait_s(name))

    def failed(self, name: str, source: str, browser: str, password: str) -> bool:
        """Whether it was a guess that counts against the account."""
        if browser:
            self.browsers.failed(browser, password)
            return False
        self.sources.failed(source, f"{name}\n{password}")
        return self.accounts.failed(name, password)

    def passed(self, source: str) -> None:
        """Others behind the same address may have more tries; the account has no more for it."""
        self.sources.passed(source)
