"""Action registry: runs actions and answers vocabularies by name (``ivr.ports.Actions``), from the sets it is given."""

from __future__ import annotations

from collections.abc import Mapping

from ivr.actions import callbacks, http
from ivr.actions.invocation import ActionSet, parse
from ivr.errors import ActionError, StoreUnavailable
from ivr.events import ActionResult, Term
from ivr.ports import ActionCall

EVERYWHERE = (*callbacks.SIGNATURES, *http.SIGNATURES)
"""Signatures of the actions that every company has."""


class ActionRegistry:
    """Implements ``ivr.ports.Actions``. Of two sets with an action of one name, the later one's is run."""

    def __init__(self, *sets: ActionSet) -> None:
        self._actions = {s.name: (s, each.handlers[s.name]) for each in sets for s in each.signatures}
        self._vocabularies = {name: read for each in sets for name, read in each.vocabularies.items()}

    async def perform(self, call: ActionCall) -> ActionResult:
        """Raises ActionError: the back end is gone, or the flow asked for what cannot be."""
        if call.name not in self._actions:
            raise ActionError(f"there is no action {call.name}", remedy="see ivr flow check")
        signature, handler = self._actions[call.name]
        invocation = parse(signature, call)
        try:
            result = await handler(invocation)
        except StoreUnavailable as error:
            raise ActionError(f"{call.name}: the store is not available") from error
        if result.outcome not in signature.all_outcomes:
            raise ActionError(f"{call.name} ended in the undeclared outcome {result.outcome}")
        return result

    async def vocabularies(self) -> Mapping[str, tuple[Term, ...]]:
        return {name: await self.vocabulary(name) for name in self._vocabularies}

    async def vocabulary(self, name: str) -> tuple[Term, ...]:
        """Raises ActionError for a name that nobody has, or when the back end is gone."""
        if name not in self._vocabularies:
            known = ", ".join(self._vocabularies)
            raise ActionError(f"there is no vocabulary {name}", remedy=f"use {known or 'one an action sets'}")
        try:
            return await self._vocabularies[name]()
        except StoreUnavailable as error:
            raise ActionError(f"the vocabulary {name} is not available") from error
