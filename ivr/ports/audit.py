"""The audit port: who did what, from where, on what, and how that came out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

DONE = "done"


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """``actor``: an account's name, "token:ID", "shell:USER", or the part of the line that did it by itself.
    ``action``: noun.verb. ``target``: what it was done on, a call's id rather than anybody's number. ``result``: DONE,
    or why not."""

    actor: str
    action: str
    target: str = ""
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    result: str = DONE


@dataclass(frozen=True, slots=True)
class AuditRow:
    """An event as it is kept. ``source``: from where; ``hash``: of this row and the one before."""

    id: int
    at: datetime
    source: str
    event: AuditEvent
    hash: str


@dataclass(frozen=True, slots=True)
class AuditSearch:
    """What is looked for; "" and None are everything. ``what``: an action, or how it begins. ``who``, ``on``: parts of
    the actor or the source, of the target."""

    who: str = ""
    what: str = ""
    on: str = ""
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 50
    offset: int = 0


@dataclass(frozen=True, slots=True)
class AuditFound:
    """The newest first; ``count`` of all that match."""

    rows: Sequence[AuditRow]
    count: int


class AuditLog(Protocol):
    """Append-only; each row has the hash of the one before. Both methods raise StoreUnavailable."""

    async def note(self, event: AuditEvent) -> None:
        """What must not happen unnoticed is noted first, and not done where that fails."""

    async def find(self, asked: AuditSearch) -> AuditFound: ...
