"""What the actions need of whoever keeps members and queues. ``ivr.store`` fits; so would a company's own system.

Records are read-only Protocols, so that neither side imports the other. Everything here raises StoreUnavailable when
the back end is gone, and ActionError when it refuses what no flow should have asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Protocol

from ivr.actions.titles import Named

Edit = Callable[[tuple[int, ...]], tuple[str, Sequence[int]]]
"""From the title ids in order to (outcome, the new order)."""


class ProfileRecord(Protocol):
    """One member, read at one moment."""

    @property
    def number(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def first_name(self) -> str: ...
    @property
    def plan(self) -> str: ...
    @property
    def since(self) -> date: ...
    @property
    def language(self) -> str: ...
    @property
    def credit_cents(self) -> int: ...
    @property
    def queue(self) -> Sequence[Named]: ...
    @property
    def discs(self) -> Sequence[Named]: ...
    @property
    def damaged_reports(self) -> int: ...
    @property
    def notes(self) -> int: ...
    @property
    def hold_until(self) -> date | None: ...


class EditRecord(Protocol):
    """What became of an edit: title ids in order, before and after."""

    @property
    def outcome(self) -> str: ...
    @property
    def before(self) -> tuple[int, ...]: ...
    @property
    def after(self) -> tuple[int, ...]: ...


class ReportRecord(Protocol):
    @property
    def outcome(self) -> str: ...
    @property
    def damaged_reports(self) -> int: ...


class NoteRecord(Protocol):
    @property
    def text(self) -> str: ...


class Membership(Protocol):
    async def profile(self, number: str) -> ProfileRecord | None: ...
    async def numbers_by_phone(self, phone: str) -> Sequence[str]: ...
    async def titles(self) -> Sequence[Named]: ...
    async def title(self, title_id: int) -> Named | None: ...


class Queues(Protocol):
    async def rearrange(
        self, member: str, edit: Edit, *, key: str, action: str, call_id: str, actor: str = "caller"
    ) -> EditRecord: ...
    async def undo(self, member: str, *, key: str, call_id: str, actor: str = "caller") -> EditRecord: ...


class Services(Protocol):
    async def report_disc(
        self, member: str, title_id: int, kind: str, *, key: str, call_id: str, actor: str = "caller"
    ) -> ReportRecord: ...
    async def notes(self, member: str) -> Sequence[NoteRecord]: ...
    async def add_note(
        self, member: str, text: str, *, kind: str, key: str, call_id: str, actor: str = "caller"
    ) -> None: ...
    async def delete_notes(self, member: str, *, key: str, call_id: str, actor: str = "caller") -> int: ...
    async def request_callback(
        self,
        number: str,
        *,
        name: str,
        member: str,
        skill: str,
        wanted: str,
        key: str,
        call_id: str,
        actor: str = "caller",
    ) -> int: ...
    async def hold_deliveries(
        self, member: str, until: date, *, key: str, call_id: str, actor: str = "caller"
    ) -> None: ...


class Backend(Protocol):
    """The whole of it."""

    @property
    def membership(self) -> Membership: ...
    @property
    def queues(self) -> Queues: ...
    @property
    def services(self) -> Services: ...
