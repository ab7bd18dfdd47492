"""Action ports: what flows have done, promises to call back, tries to prove who one is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ivr.events import ActionResult, Term


@dataclass(frozen=True, slots=True)
class ActionCall:
    """One invocation. ``key`` is unique per intended effect: repeating it must not repeat the effect. ``actor``: who
    does it, for the audit trail."""

    name: str
    arguments: Mapping[str, object]
    key: str
    call_id: str
    facts: Mapping[str, object]
    language: str = "en-US"
    actor: str = "caller"


class Actions(Protocol):
    """Runs actions by name. Declared outcomes are returned; a broken back end raises ActionError."""

    async def perform(self, call: ActionCall) -> ActionResult: ...
    async def vocabularies(self) -> Mapping[str, tuple[Term, ...]]:
        """The word lists that belong to no caller in particular, by name. Raises ActionError."""


class ServiceAnswers(Protocol):
    """A company's own services."""

    async def vocabulary(
        self, service_name: str, path: str, query: Mapping[str, str], places: Mapping[str, str], key: str
    ) -> tuple[Term, ...]:
        """What a service has callers say. ``places``: of the list in its JSON answer, of ``id``, ``label`` and
        ``spoken`` in an item. Raises UnavailableError, ActionError."""


@dataclass(frozen=True, slots=True)
class Callback:
    """Somebody who was promised a call back.

    ``caller_id``: as the company knows them, "" unknown. ``wanted`` is when, in the caller's words or ISO 8601; ""
    means as soon as possible. ``state``: waiting or done."""

    id: int
    number: str
    name: str
    caller_id: str
    skill: str
    wanted: str
    call_id: str
    state: str
    created_at: datetime


class Callbacks(Protocol):
    """Promises to call back. All methods raise StoreUnavailable."""

    async def request(
        self, number: str, *, name: str, caller_id: str, skill: str, wanted: str, key: str, call_id: str
    ) -> int:
        """The callback's id; the same one for the same ``key``. 0 for one that is kept for a database that is away."""

    async def waiting(self) -> Sequence[Callback]:
        """In the order they were asked for."""

    async def close(self, callback_id: int) -> bool:
        """They were called. False when it was not waiting (any more): somebody else took it."""


class VerificationTries(Protocol):
    """Tries to prove who one is, counted across calls. Both methods raise StoreUnavailable."""

    async def begin(self, claimed: str, caller: str) -> int | None:
        """A try by calling number ``caller`` ("" withheld) to be ``claimed``: its id, and it counts as wrong until
        ``passed``. None: there were too many; nothing may be checked now."""

    async def passed(self, identity: int) -> None:
        """It was right: what the same number got wrong before for the same person is forgiven."""
