"""All actions by name: what ``ivr.ports.Actions`` promises, and the signatures that flows are checked against."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from ivr.actions import http, members, queue, services
from ivr.actions.backend import Backend
from ivr.actions.http import HttpActions
from ivr.actions.invocation import Action, parse
from ivr.actions.members import MemberActions
from ivr.actions.queue import QueueActions
from ivr.actions.services import ServiceActions
from ivr.actions.titles import terms
from ivr.config import HttpService
from ivr.dialogue.flows.signature import ActionSignature
from ivr.errors import ActionError, StoreUnavailable
from ivr.events import ActionResult, Term
from ivr.ports import ActionCall

CATALOGUE = "catalogue"
CATALOGUE_AGE = timedelta(minutes=5)
SIGNATURES = (*members.SIGNATURES, *queue.SIGNATURES, *services.SIGNATURES, *http.SIGNATURES)


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
        self._now = now
        self._catalogue: tuple[Term, ...] = ()
        self._stale_at = now()
        zone = ZoneInfo(time_zone)
        handlers = {
            **MemberActions(backend.membership).handlers(),
            **QueueActions(backend.membership, backend.queues).handlers(),
            **ServiceActions(backend.membership, backend.services, lambda: now().astimezone(zone).date()).handlers(),
            **self._http.handlers(),
        }
        self._actions = {signature.name: Action(signature, handlers[signature.name]) for signature in SIGNATURES}

    def signatures(self) -> Mapping[str, ActionSignature]:
        return signatures()

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
        """``catalogue``: every title, at most CATALOGUE_AGE old; older when the store is gone.

        Raises ActionError for other names, or when the store is gone and never answered before."""
        if name != CATALOGUE:
            raise ActionError(f"there is no vocabulary {name}", remedy=f"use {CATALOGUE}, or one an action sets")
        if self._catalogue and self._now() < self._stale_at:
            return self._catalogue
        try:
            self._catalogue = terms(await self._membership.titles())
        except StoreUnavailable as error:
            if not self._catalogue:
                raise ActionError("the catalogue is not available") from error
        else:
            self._stale_at = self._now() + CATALOGUE_AGE
        return self._catalogue

    async def close(self) -> None:
        await self._http.close()


def signatures() -> Mapping[str, ActionSignature]:
    """Every action's signature, by name: for the checker and the schema, where there is no store."""
    return {signature.name: signature for signature in SIGNATURES}
