"""All actions by name: what ``ivr.ports.Actions`` promises, and the signatures that flows are checked against."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from ivr.actions.backend import Backend
from ivr.actions.http import HttpActions
from ivr.actions.invocation import Action, parse
from ivr.actions.members import MemberActions
from ivr.actions.queue import QueueActions
from ivr.actions.services import ServiceActions
from ivr.actions.titles import terms
from ivr.config import HttpService
from ivr.dialogue.signature import ActionSignature
from ivr.errors import ActionError, StoreUnavailable
from ivr.events import ActionResult, Term
from ivr.ports import ActionCall

CATALOGUE = "catalogue"


class StoreActions:
    """The actions on a member store and on the company's HTTP services. ``close`` it at the end.

    ``now`` is an aware clock; together with ``time_zone`` (IANA) it says what day it is for the company."""

    def __init__(
        self,
        backend: Backend,
        services: Sequence[HttpService] = (),
        *,
        time_zone: str = "UTC",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._membership = backend.membership
        self._http = HttpActions(services)
        zone = ZoneInfo(time_zone)
        self._actions = _by_name(
            (
                *MemberActions(backend.membership).actions(),
                *QueueActions(backend.membership, backend.queues).actions(),
                *ServiceActions(backend.membership, backend.services, lambda: now().astimezone(zone).date()).actions(),
                *self._http.actions(),
            )
        )

    def signatures(self) -> Mapping[str, ActionSignature]:
        return {name: action.signature for name, action in self._actions.items()}

    async def perform(self, call: ActionCall) -> ActionResult:
        """Raises ActionError: the back end is gone, or the flow asked for what cannot be."""
        action = self._actions.get(call.name)
        if action is None:
            raise ActionError(f"there is no action {call.name}", remedy="see ivr flow check")
        invocation = parse(action.signature, call)
        try:
            result = await action.handler(invocation)
        except StoreUnavailable as error:
            raise ActionError(f"{call.name}: the member store is not available") from error
        if result.outcome not in action.signature.all_outcomes:
            raise ActionError(f"{call.name} ended in the undeclared outcome {result.outcome}")
        return result

    async def vocabulary(self, name: str) -> tuple[Term, ...]:
        """``catalogue``: every title. Raises ActionError for other names, or when the store is gone."""
        if name != CATALOGUE:
            raise ActionError(f"there is no vocabulary {name}", remedy=f"use {CATALOGUE}, or one an action sets")
        try:
            return terms(await self._membership.titles())
        except StoreUnavailable as error:
            raise ActionError("the catalogue is not available") from error

    async def close(self) -> None:
        await self._http.close()


def _by_name(actions: Iterable[Action]) -> Mapping[str, Action]:
    found: dict[str, Action] = {}
    for action in actions:
        if action.signature.name in found:
            raise ValueError(f"two actions are called {action.signature.name}")
        found[action.signature.name] = action
    return found


class _NoBackend:
    """For reading signatures where there is no store; none of it is ever called."""

    def __getattr__(self, name: str) -> None:
        return None


def signatures() -> Mapping[str, ActionSignature]:
    """Every action's signature, by name, without a store: for the checker and the schema."""
    membership = queues = services = _NoBackend()
    found = _by_name(
        (
            *MemberActions(membership).actions(),  # type: ignore[arg-type]
            *QueueActions(membership, queues).actions(),  # type: ignore[arg-type]
            *ServiceActions(membership, services, date.today).actions(),  # type: ignore[arg-type]
            *HttpActions(()).actions(),
        )
    )
    return {name: action.signature for name, action in found.items()}
