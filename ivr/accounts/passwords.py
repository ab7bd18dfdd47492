"""Passwords: which are good enough, and their Argon2id hashes (RFC 9106), made in threads, a few at once."""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
import unicodedata

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from ivr.errors import AccountError, UnavailableError

# OWASP's least parameters for Argon2id, about 20 ms: the processors are the callers'. What they leave to wish for the
# throttle and the length of passwords make up. Change them here: each hash is renewed at its owner's next log-in.
HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, hash_len=32, salt_len=16, type=Type.ID)
AT_ONCE = 2
MOST_WAITING = 40

SHORTEST, LONGEST = 10, 128
FEWEST_DIFFERENT = 5
_COMMON = frozenset(
    [
        "password",
        "passwort",
        "passw",
        "iloveyou",
        "letmein",
        "welcome",
        "qwerty",
        "qwertyuiop",
        "qwertz",
        "asdfghjkl",
        "zxcvbnm",
        "admin",
        "administrator",
        "changeme",
        "secret",
        "supervisor",
        "telephone",
        "agent",
        "default",
        "football",
        "baseball",
        "monkey",
        "dragon",
        "sunshine",
        "princess",
    ]
)
_RUNS = ("0123456789012345678901234567890", "abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm")
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
_ONE_TIME = re.compile(rf"[{_LETTERS}]{{5}}(?:-[{_LETTERS}]{{5}}){{3}}")
NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,38}[a-z0-9])?")
RESERVED = frozenset({"local", "api", "line", "console", "shell", "caller"})  # those who stand in audits without one


def name_of(text: str) -> str:
    """A name as it is kept: capitals make no difference. "" for what can be none."""
    name = text.strip().lower()
    return name if NAME.fullmatch(name) else ""


def new_name(text: str) -> str:
    """Raises AccountError."""
    name = name_of(text)
    if not name:
        raise AccountError("that is no name", remedy="up to 40 of a-z, 0-9 and . _ - with letters or digits around")
    if name in RESERVED:
        raise AccountError(f"{name} means something else in audits", remedy="take another name")
    return name


def check(password: str, *personal: str) -> None:
    """Raises AccountError for a password that is easily guessed. ``personal``: the account's name and the like."""
    text = _normal(password)
    if len(text) < SHORTEST:
        raise AccountError(f"the password has {len(text)} characters", remedy=f"take {SHORTEST} or more; words will do")
    if len(text) > LONGEST:
        raise AccountError(f"the password has {len(text)} characters", remedy=f"take at most {LONGEST}")
    plain = text.casefold()
    if len(set(plain)) < FEWEST_DIFFERENT or any(plain in run or plain[::-1] in run for run in _RUNS):
        raise AccountError("the password repeats a few characters or runs along the keys", remedy="take some words")
    core = plain.strip("0123456789!?.,;:-_*#+$%&@ ")
    if core in _COMMON or not core or any(len(each) > 2 and core == each.casefold() for each in personal):
        raise AccountError("the password is a common word or a name, with a number at most", remedy="take some words")


def digest(secret: str) -> str:
    """How secrets of ours, that nobody can guess, are kept: SHA-256."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def one_time() -> str:
    """A password for once: 99 bits, easily read out."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(5)) for _ in range(4))


def typed_one_time(text: str) -> str:
    """The one-time password that was typed; "" for what can be none."""
    given = text.strip().lower()
    return given if _ONE_TIME.fullmatch(given) else ""


def _normal(password: str) -> str:
    """One password however a keyboard composes it (NIST SP 800-63B)."""
    return unicodedata.normalize("NFKC", password)


class Hashing:
    """Hashes off the event loop, AT_ONCE at once; whoever finds MOST_WAITING before them is refused
    (UnavailableError)."""

    def __init__(self, hasher: PasswordHasher = HASHER) -> None:
        self._hasher = hasher
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._nobody = ""

    async def hash(self, password: str) -> str:
        return await self._aside(_normal(password))

    async def verify(self, password: str, kept: str) -> bool:
        """Whether ``kept`` is its hash. "" is nobody's, and takes as long."""
        text = _normal(password)[: LONGEST + 1]
        if not kept:
            self._nobody = self._nobody or await self._aside(secrets.token_urlsafe())
        return await self._aside(text, kept or self._nobody) == "right" and bool(kept)

    def stale(self, kept: str) -> bool:
        """Whether it was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(kept)

    async def _aside(self, text: str, kept: str = "") -> str:
        if self._waiting >= MOST_WAITING:
            raise UnavailableError("too many people log in at once", remedy="try again in a moment")
        self._waiting += 1
        try:
            async with self._turn:
                return await asyncio.to_thread(self._work, text.encode("utf-8", "surrogatepass"), kept)
        finally:
            self._waiting -= 1

    def _work(self, text: bytes, kept: str) -> str:
        if not kept:
            return self._hasher.hash(text)
        try:
            self._hasher.verify(kept, text)
        except (VerificationError, InvalidHashError):
            return "wrong"
        return "right"
