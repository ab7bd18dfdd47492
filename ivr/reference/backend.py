"""Back ends: what keeps members and their queues for the actions, a database (``sql``) or this process (``memory``).

Everything here raises StoreUnavailable when the back end is gone, and ActionError when it refuses what no flow should
have asked. What a change means is the actions' to say; a back end keeps it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from ivr.errors import ActionError
from ivr.numbering import NumberingPlan
from ivr.ports import ActionCall
from ivr.store.ledger import Json

UNDO = "queue.undo"
QUEUE_SCOPE = "queue."  # changes by actions of these names can be undone

Order = tuple[int, ...]
"""Title ids."""


@dataclass(frozen=True, slots=True)
class Title:
    """A film. ``spoken`` are further ways people say it, beyond what can be derived from the name."""

    id: int
    name: str
    year: int
    director: str
    spoken: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MemberProfile:
    """Everything a call needs of one member, read at one moment. ``queue`` and ``discs`` are in order."""

    number: str
    name: str
    first_name: str
    plan: str
    since: date
    language: str
    credit_cents: int
    queue_version: int
    queue: tuple[Title, ...]
    discs: tuple[Title, ...]
    damaged_reports: int
    notes: int
    hold_until: date | None


@dataclass(frozen=True, slots=True)
class Note:
    """``by``: who wrote it; ``changed_by``: who corrected it last, "" for nobody, and when."""

    kind: str
    text: str
    by: str
    created_at: datetime
    changed_by: str = ""
    changed_at: datetime | None = None


def digits_of(number: str) -> str:
    """A phone number as its national digits: "+1 (503) 555-0101", "15035550101" and "5035550101" are one. A number of
    another country keeps its plus: "+65 6123 4567" is not 656-123-4567.

    "" when it is no number (withheld, or a SIP user name)."""
    known = NumberingPlan().number(number).removeprefix("+1")
    return known if known.removeprefix("+").isdecimal() else ""


@dataclass(frozen=True, slots=True)
class QueueEdit:
    """A change of a queue by its line in the audit trail: title ids in order."""

    line: int
    before: Order
    after: Order


class MemberRecords(Protocol):
    """What one member has, while the change of one call is made; nobody else changes it meanwhile."""

    async def queue(self) -> Order:
        """Title ids."""

    async def put_queue(self, order: Order) -> None:
        """Audited. ``order`` names no title twice."""

    async def last_edit(self) -> QueueEdit | None:
        """This call's last change of the queue that is not taken back yet."""

    async def mark_undone(self, edit: QueueEdit) -> None: ...
    async def replace_disc(self, title_id: int, kind: str) -> bool:
        """The member's copy is ``kind`` (damaged, missing): keep that, and ship another. False when none is out."""

    async def damaged_reports(self) -> int: ...
    async def add_note(self, text: str, kind: str, by: str = "") -> None:
        """``by``: who wrote it, as others read it; "" for whoever acts."""

    async def correct_note(self, place: int, text: str) -> bool:
        """The note at ``place``, oldest first from 1 (-1: the last), says ``text`` now. False: there is none."""

    async def delete_notes(self) -> int:
        """How many there were."""

    async def hold(self, until: date) -> None:
        """Nothing is shipped before ``until``; a later hold replaces the earlier one."""


Change = Callable[[MemberRecords], Awaitable[Json]]


class Backend(Protocol):
    async def profile(self, number: str) -> MemberProfile | None:
        """None when there is no such member."""

    async def numbers_by_phone(self, phone: str) -> Sequence[str]:
        """Membership numbers of everybody who gave this phone number."""

    async def pin_hash(self, number: str) -> str | None:
        """As ``ivr.reference.pins`` reads it; None for a member without a PIN, and for nobody."""

    async def titles(self) -> Sequence[Title]:
        """The whole catalogue, by name."""

    async def title(self, title_id: int) -> Title | None: ...
    async def count(self) -> int:
        """How many members there are."""

    async def notes(self, member: str) -> Sequence[Note]:
        """Oldest first."""

    async def change(self, member: str, call: ActionCall, change: Change) -> Json:
        """What ``change`` makes of the member's records, once per ``call.key``, all of it or nothing."""


def no_such_member() -> ActionError:
    return ActionError("no such member", remedy="identify the caller first")
