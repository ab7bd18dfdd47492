"""Record ports: what is kept of calls, and which versions of the flows there are."""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from ivr.call_search import CallSearch, CallsFound
from ivr.record import Entry


class ResumePoints(Protocol):
    """Where dropped calls stopped, by the caller's id as the company knows them."""

    def save_resume_point(
        self, caller_id: str, snapshot: Mapping[str, Any], at: datetime, *, call_id: str = ""
    ) -> Awaitable[None]:
        """Where ``call_id`` is now; it replaces where that call was before."""

    def forget_resume_point(self, call_id: str) -> Awaitable[None]: ...
    async def take_resume_point(self, caller_id: str, not_before: datetime) -> Mapping[str, Any] | None:
        """The newest snapshot after ``not_before`` of a call that is over, removed so that it is used once."""


@dataclass(frozen=True, slots=True)
class CallOpening:
    """Who called whom, when (aware), and what else came to be known of the call."""

    caller: str
    called: str
    at: datetime
    details: Mapping[str, Any]


class CallRecords(ResumePoints, Protocol):
    """What is kept about calls, in the order in which it is asked for, waited for or not. Methods raise
    StoreUnavailable, once they are awaited, when something is not kept and never will be."""

    def begin(
        self, call_id: str, caller: str, called: str, at: datetime, extra: Mapping[str, Any]
    ) -> Awaitable[None]: ...
    def append_all(self, call_id: str, entries: Sequence[Entry], first: int | None = None) -> Awaitable[None]:
        """Entries of the call's record, in order, in one transaction; ``first``: the number of the first in its call.
        One that comes again is there once."""

    def update(self, call_id: str, **changes: Any) -> Awaitable[None]: ...
    def finish(
        self,
        call_id: str,
        outcome: str,
        at: datetime,
        canonical: Mapping[str, Any],
        opening: CallOpening | None = None,
    ) -> Awaitable[None]:
        """``opening``: for a call whose beginning was not kept."""

    async def get(self, call_id: str) -> Mapping[str, Any] | None: ...
    async def find(self, asked: CallSearch, without: Collection[str] = ()) -> CallsFound:
        """``without``: calls that are left out of list and totals."""


class PastCalls(Protocol):
    """What earlier calls were about."""

    async def calls_about(self, flow: str, *, caller_id: str, number: str, since: datetime, but: str) -> int:
        """How many calls since then, other than ``but``, came to ``flow``: by the caller known as ``caller_id`` ("":
        not known) or from ``number`` ("": withheld). Raises StoreUnavailable."""


@dataclass(frozen=True, slots=True)
class Passages:
    """The states that calls passed: (call id, "flow.state"), by call, each call's in order; and of those calls the ones
    whose callers hung up with nothing done."""

    visits: Sequence[tuple[str, str]]
    abandoned: frozenset[str]


class PassedStates(Protocol):
    """Where calls were in the flows."""

    async def passages(self, since: datetime, most: int) -> Passages:
        """Of calls begun since then; of more than ``most``, the newest. Raises StoreUnavailable."""


class Messages(Protocol):
    """Where it is kept what callers said who left a message; see ``Recordings``."""

    async def keep(self, call_id: str, wav: bytes, caller_id: str = "") -> str:
        """Its name, which nobody can guess. Raises StoreUnavailable."""


@dataclass(frozen=True, slots=True)
class FlowVersion:
    """``version`` is the hash of the content. ``state``: recorded, live, canary or retired.

    A canary serves ``canary_percent`` of the calls, and all calls to or from ``canary_numbers``."""

    flow: str
    version: str
    source: str
    by: str
    at: datetime
    state: str
    canary_percent: int = 0
    canary_numbers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Publication:
    """One line of a flow's history. ``kind``: publish, canary, withdraw or rollback; ``previous`` "" at the start.

    ``why``: what who did it said, "" for nothing."""

    flow: str
    version: str
    previous: str
    kind: str
    by: str
    at: datetime
    why: str = ""
