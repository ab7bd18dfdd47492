"""The member panel's port: what a live agent sees of the person they talk with, and what they may do for them.

Whatever a company keeps is told in these few shapes; consoles know no other. See ``ivr.company.OpenCompany``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class PanelItem:
    """``about``: what else is to say of it, "" for nothing."""

    text: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class PanelList:
    """Things that a member has. ``ordered``: their order means something (a queue). ``more``: how many are left out."""

    title: str
    items: tuple[PanelItem, ...] = ()
    ordered: bool = False
    more: int = 0


@dataclass(frozen=True, slots=True)
class PanelNote:
    """``by``: who wrote it, as agents read it; ``changed_by``: who corrected it since, "" for nobody."""

    text: str
    by: str
    at: datetime
    kind: str = ""
    changed_by: str = ""
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Goodwill:
    """What an agent may give with one click. ``limit``: what the policy leaves, in words; ``why_not``: "" where it may
    be given now. ``choices``: (value, label) to choose among; none where there is nothing to choose."""

    name: str
    label: str
    limit: str = ""
    why_not: str = ""
    choices: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Granted:
    """A goodwill that was given. ``undo_until``: None where it can't be taken back (any more)."""

    id: str
    label: str
    by: str
    at: datetime
    undo_until: datetime | None = None
    undone: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """One member. ``about``: a line below the name; ``facts``: (label, text); ``takes_notes``: agents may add some."""

    caller_id: str
    name: str
    about: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    lists: tuple[PanelList, ...] = ()
    notes: tuple[PanelNote, ...] = ()
    goodwill: tuple[Goodwill, ...] = ()
    granted: tuple[Granted, ...] = ()
    takes_notes: bool = False


@dataclass(frozen=True, slots=True)
class ByAgent:
    """Whose hand it was, for the audit: the account's name, what others read, and the call it was in. ``key``: the same
    for the same click, which counts once."""

    name: str
    display: str
    call_id: str
    key: str


class MemberPanel(Protocol):
    """Methods raise StoreUnavailable, and ActionError for what the policy refuses, with why in words for the agent."""

    async def panel(self, caller_id: str) -> Panel | None:
        """None for a stranger."""

    async def grant(self, caller_id: str, goodwill: str, choice: str, by: ByAgent) -> Granted: ...
    async def undo(self, caller_id: str, grant_id: str, by: ByAgent) -> None: ...
    async def add_note(self, caller_id: str, text: str, by: ByAgent) -> None: ...


@dataclass(frozen=True, slots=True)
class EarlierCall:
    """A call of the same person. ``reason``: why a human was wanted, "" where none was."""

    call_id: str
    at: datetime
    outcome: str
    reason: str = ""
    seconds: float | None = None


class EarlierCalls(Protocol):
    async def __call__(self, number: str, but: str) -> Sequence[EarlierCall]:
        """Those from ``number``, without the call ``but``, the newest first. Raises StoreUnavailable."""
