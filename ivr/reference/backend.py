"""What the actions need of whoever keeps members and queues: a database (``sql/``), or this process (``memory``).

Everything here raises StoreUnavailable when the back end is gone, and ActionError when it refuses what no flow should
have asked. Every change is made once per ``key``, audited, and all or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Protocol

from ivr.reference.records import DiscReport, MemberProfile, Note, QueueEdit, Title

Edit = Callable[[tuple[int, ...]], tuple[str, Sequence[int]]]
"""From the title ids in order to (outcome, the new order). Pure; an unchanged order changes nothing."""

UNDO = "queue.undo"
QUEUE_SCOPE = "queue."  # changes by actions of these names can be undone


class Membership(Protocol):
    async def profile(self, number: str) -> MemberProfile | None:
        """None when there is no such member."""
        ...

    async def numbers_by_phone(self, phone: str) -> Sequence[str]:
        """Membership numbers of everybody who gave this phone number."""
        ...

    async def titles(self) -> Sequence[Title]:
        """The whole catalogue, by name."""
        ...

    async def title(self, title_id: int) -> Title | None: ...
    async def count(self) -> int: ...


class Queues(Protocol):
    async def rearrange(
        self, member: str, edit: Edit, *, key: str, action: str, call_id: str, actor: str = "caller"
    ) -> QueueEdit:
        """Apply ``edit`` to the member's queue. ValueError when it doubles a title."""
        ...

    async def undo(self, member: str, *, key: str, call_id: str, actor: str = "caller") -> QueueEdit:
        """Take back this call's last change that is not taken back yet.

        Outcomes: "ok", "nothing_to_undo", and "changed_since" when the queue is not as that change left it."""
        ...


class Services(Protocol):
    async def report_disc(
        self, member: str, title_id: int, kind: str, *, key: str, call_id: str, actor: str = "caller"
    ) -> DiscReport:
        """The member's copy of the title is ``kind`` (damaged, missing): note that and ship another copy."""
        ...

    async def notes(self, member: str) -> Sequence[Note]:
        """Oldest first."""
        ...

    async def add_note(
        self, member: str, text: str, *, kind: str, key: str, call_id: str, actor: str = "caller"
    ) -> None: ...
    async def delete_notes(self, member: str, *, key: str, call_id: str, actor: str = "caller") -> int:
        """How many there were."""
        ...

    async def hold_deliveries(self, member: str, until: date, *, key: str, call_id: str, actor: str = "caller") -> None:
        """Nothing is shipped before ``until``; a later hold replaces the earlier one."""
        ...


class Backend(Protocol):
    """The whole of it."""

    @property
    def membership(self) -> Membership: ...
    @property
    def queues(self) -> Queues: ...
    @property
    def services(self) -> Services: ...
