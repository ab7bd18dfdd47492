"""The API tokens port: what programs show, what they may do with it, and what is kept of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

Scope = Literal[
    "calls:read",
    "calls:control",
    "flows:read",
    "flows:publish",
    "recordings:read",
    "members:read",
    "metrics:read",
    "admin",
]
SCOPES: Mapping[Scope, str] = {
    "calls:read": "calls, live and past, with what was said",
    "calls:control": "the desk and the board, and what they do",
    "flows:read": "flows, and trying them",
    "flows:publish": "rolling flows back",
    "recordings:read": "listening to recordings",
    "members:read": "what the company keeps of its members",
    "metrics:read": "figures",
    "admin": "accounts, tokens, the audit log, and changing what the company keeps",
}


@dataclass(frozen=True, slots=True)
class ApiToken:
    """``id``: in the token, and where it is told of. ``by``: who made it. None for no end, not used yet, and not
    revoked."""

    id: str
    label: str
    scopes: frozenset[Scope]
    by: str
    created_at: datetime
    expires_at: datetime | None = None
    used_at: datetime | None = None
    revoked_at: datetime | None = None

    def counts_at(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class TokenStore(Protocol):
    """Tokens are kept as SHA-256. Methods raise StoreUnavailable."""

    async def add(self, token: ApiToken, digest: str) -> None: ...
    async def find(self, identity: str) -> tuple[ApiToken, str] | None:
        """With its digest."""

    async def all(self) -> Sequence[ApiToken]:
        """The latest first, revoked ones too."""

    async def revoke(self, identity: str, by: str) -> None:
        """Raises AccountError where there is none, or it was revoked."""

    async def used(self, identity: str) -> None: ...
    async def refused(self, identity: str, why: str) -> None:
        """Note in the audit log that a token was shown in vain; "" for one that names none."""
