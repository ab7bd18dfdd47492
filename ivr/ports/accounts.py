"""The accounts port: who is at a console, what they may do there, and what is kept of both."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from ivr.ports.audit import AuditRow

Role = Literal["agent", "supervisor", "designer", "translator", "ops"]
ROLES: tuple[Role, ...] = ("agent", "supervisor", "designer", "translator", "ops")
MEANING: Mapping[Role, str] = {
    "agent": "takes calls at the desk",
    "supervisor": "sees the board and the calls, manages accounts",
    "designer": "tries, publishes and rolls back flows",
    "translator": "reads, hears and rewrites what the line says",
    "ops": "looks at calls, flows and accounts; drains the line",
}


@dataclass(frozen=True, slots=True)
class Account:
    """``name`` logs in and stands in audits; ``display`` is what others see and callers hear."""

    name: str
    roles: frozenset[Role] = frozenset()
    display: str = ""

    def may(self, *roles: Role) -> bool:
        """Whether one of ``roles`` is theirs."""
        return not self.roles.isdisjoint(roles)


LOCAL = Account("local", frozenset(ROLES), "Local")
"""Whoever is at this machine, while there are neither accounts nor a token."""
PROGRAM = Account("api", frozenset(ROLES), "API")
"""Whatever shows a bearer token."""
STRANGER = Account("")
"""Whoever has shown nothing."""
SOMEBODY = "somebody"
"""Who it was, in the audit log, where nobody showed who they are."""


@dataclass(frozen=True, slots=True)
class AccountRecord:
    """``password``: its Argon2id hash in PHC string format; "" where none is set. ``must_change``: they may do nothing
    before they chose a password. ``issuer``: the identity provider that vouches for them and says what their roles
    are; "" where we do."""

    account: Account
    password: str
    disabled: bool
    must_change: bool
    created_at: datetime
    entered_at: datetime | None = None
    sessions: int = 0
    issuer: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """``id`` is the SHA-256 of what the browser shows, "" where nobody has to show anything; ``csrf`` goes into every
    form and every request that changes something. ``source`` and ``program``: the address it began from, and what the
    browser calls itself."""

    id: str
    account: Account
    csrf: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    source: str = ""
    program: str = ""
    must_change: bool = False


class AccountStore(Protocol):
    """What is kept of accounts and their sessions. ``by`` is who does it, for the audit trail. All methods raise
    StoreUnavailable; those that change an account also AccountError, when that can't be done, with why.

    Sessions of an account end with every change of its roles, its password or whether it is disabled."""

    async def exist(self) -> bool:
        """Whether there is any account."""

    async def all(self) -> Sequence[AccountRecord]:
        """By name."""

    async def find(self, name: str) -> AccountRecord | None: ...

    async def add(self, account: Account, by: str, *, password: str = "", first: str = "") -> None:
        """``password``: a hash. ``first``: only while there is no other, and by this link, which ends with it."""

    async def offer_first(self, digest: str, until: datetime) -> None:
        """A link, kept as SHA-256, by which the first account is made until then."""

    async def offered_first(self, digest: str) -> bool:
        """Whether there is such a link now."""

    async def set_roles(self, name: str, roles: frozenset[Role], by: str) -> None: ...
    async def set_disabled(self, name: str, disabled: bool, by: str) -> None: ...
    async def set_password(self, name: str, password: str, by: str) -> None: ...

    async def set_one_time(self, name: str, digest: str, until: datetime, by: str) -> None:
        """Only this one-time password, kept as SHA-256, lets them in now, once; then they choose a new one."""

    async def take_one_time(self, name: str, digest: str) -> bool:
        """Whether it was that; it is no more."""

    async def guessed(self, who: str) -> None:
        """Another wrong password, in whatever process."""

    async def guesses(self, who: str) -> tuple[int, datetime | None]:
        """How many there were without a pause of FORGOTTEN_AFTER_S, and when the last one was."""

    async def rehash(self, name: str, known: str, renewed: str) -> None:
        """The same password, hashed anew; nothing where ``known`` is not its hash any more."""

    async def vouched(
        self, issuer: str, subject: str, names: Sequence[str], display: str, roles: frozenset[Role]
    ) -> AccountRecord | None:
        """Whoever ``issuer`` knows as ``subject``, brought up to date, or made with the first of ``names`` that is
        nobody's; None for a stranger without a role."""

    async def first_use(self, state: str, until: datetime) -> bool:
        """Whether the log-in of this state (kept as SHA-256, until then) had not come back before."""

    async def remove(self, name: str, by: str, *, last: bool = False) -> None:
        """``last``: even where nobody has an account then, and whoever is at the machine may do everything."""

    async def begin_session(self, session: Session) -> None: ...
    async def find_session(self, identity: str) -> Session | None: ...
    async def find_sessions(self, identities: Collection[str]) -> Sequence[Session]:
        """Those of them that there are."""

    async def touch_session(self, identity: str, expires_at: datetime) -> None: ...
    async def end_session(self, identity: str, by: str) -> None: ...
    async def end_sessions(self, name: str, by: str) -> int: ...
    async def sessions(self, name: str = "") -> Sequence[Session]:
        """Those of ``name``, or everybody's; the latest first."""

    async def refused(self, name: str, why: str) -> None:
        """Note in the audit log that somebody was not let in as ``name``; "" for a name that is nobody's."""

    async def trail(self, limit: int = 50) -> Sequence[AuditRow]:
        """What happened to accounts, the latest first."""
