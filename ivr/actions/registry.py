"""Action registry: runs actions, their arguments parsed by signature, and answers vocabularies, from sets of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import structlog

from ivr.dialogue.flows.assurance import Assurance
from ivr.dialogue.flows.signature import NOT_VERIFIED, ActionSignature, Parameter
from ivr.dialogue.spoken.clock import clock_time, minutes_of_iso
from ivr.dialogue.spoken.date_spans import span_of
from ivr.dialogue.spoken.phone import phone_number
from ivr.errors import ActionError, StoreUnavailable
from ivr.events import CALLER_ID, ActionResult, Term
from ivr.identity import Identity
from ivr.ports import ActionCall

log = structlog.get_logger(__name__)

LAST = -1
"""The position that "last" means, in "number" and "ordinal" arguments."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """``arguments`` hold int (title, number, ordinal, money), str, date, bool or a mapping; optional ones may lack."""

    signature: ActionSignature
    call: ActionCall
    arguments: Mapping[str, Any]

    @property
    def caller_id(self) -> str:
        """Who calls, as the company knows them. Raises ActionError before anybody was identified."""
        identity = str(self.call.facts.get(CALLER_ID) or "")
        if not identity:
            raise ActionError(
                f"{self.signature.name}: nobody has been identified in this call",
                remedy="run an action that identifies the caller first in the flow",
            )
        return identity

    def __getitem__(self, name: str) -> Any:
        return self.arguments[name]

    def get(self, name: str, default: Any = None) -> Any:
        return self.arguments.get(name, default)


Handler = Callable[[Invocation], Awaitable[ActionResult]]


@dataclass(frozen=True, slots=True)
class ActionSet:
    """Actions that belong together: each signature has a handler of its name.

    ``vocabularies`` are word lists that belong to no caller in particular; reading one may raise StoreUnavailable."""

    signatures: Sequence[ActionSignature] = ()
    handlers: Mapping[str, Handler] = field(default_factory=dict)
    vocabularies: Mapping[str, Callable[[], Awaitable[tuple[Term, ...]]]] = field(default_factory=dict)


def parse(signature: ActionSignature, call: ActionCall) -> Invocation:
    """Raises ActionError naming the argument: the checker has let a wrong flow through, or a client is wrong."""
    known = {parameter.name for parameter in signature.parameters}
    if unknown := sorted(set(call.arguments) - known):
        raise ActionError(f"{signature.name} has no argument {', '.join(unknown)}", remedy="mend the flow's action")
    arguments: dict[str, Any] = {}
    for parameter in signature.parameters:
        value = call.arguments.get(parameter.name)
        if value is None or (isinstance(value, str) and not value.strip()):
            if parameter.required:
                raise ActionError(f"{signature.name} needs {parameter.name}", remedy="fill it before the action runs")
            continue
        try:
            arguments[parameter.name] = _parsed(parameter, value)
        except (TypeError, ValueError) as error:
            raise ActionError(
                f"{signature.name}: {parameter.name} is not a {parameter.type}", remedy="mend the flow's action"
            ) from error
    return Invocation(signature, call, arguments)


def _parsed(parameter: Parameter, value: object) -> Any:
    match parameter.type:
        case "title" | "number" | "ordinal" | "money" | "duration":
            return _integer(value)
        case "digits":
            if not (isinstance(value, (str, int)) and str(value).isascii() and str(value).isdigit()):
                raise ValueError
            return str(value)
        case "phone":
            return phone_number(value)
        case "date":
            return value if type(value) is date else date.fromisoformat(str(value))
        case "date_range":
            return span_of(str(value)).text
        case "time":
            return clock_time(minutes_of_iso(value))
        case "boolean":
            if not isinstance(value, bool):
                raise TypeError
            return value
        case "object":
            if not isinstance(value, (Mapping, list, tuple)):
                raise TypeError
            return value
        case _:
            return str(value)


def _integer(value: object) -> int:
    if isinstance(value, bool):
        raise TypeError
    if value == "last":
        return LAST
    if isinstance(value, float):
        if not value.is_integer():
            raise ValueError
        return int(value)
    if isinstance(value, (int, str)):
        return int(value)
    raise TypeError


class ActionRegistry:
    """Implements ``ivr.ports.Actions``. Of two sets with an action of one name, the later one's is run.

    Whatever a flow asks for, nothing is done below the identity level that it needs."""

    def __init__(self, *sets: ActionSet) -> None:
        self._actions = {s.name: (s, each.handlers[s.name]) for each in sets for s in each.signatures}
        self._assurance = Assurance({name: signature for name, (signature, _) in self._actions.items()})
        self._vocabularies = {name: read for each in sets for name, read in each.vocabularies.items()}

    async def perform(self, call: ActionCall) -> ActionResult:
        """Raises ActionError: the back end is gone, or the flow asked for what cannot be."""
        if call.name not in self._actions:
            raise ActionError(f"there is no action {call.name}", remedy="see ivr flow check")
        signature, handler = self._actions[call.name]
        if (identity := Identity.of(call.facts)).level < (needs := self._assurance.of_action(call.name)):
            log.warning("action.refused", action=call.name, needs=needs.word, identity=identity.level.word)
            return ActionResult(NOT_VERIFIED)
        invocation = parse(signature, call)
        try:
            result = await handler(invocation)
        except StoreUnavailable as error:
            raise ActionError(f"{call.name}: the store is not available") from error
        if result.outcome not in (*signature.all_outcomes, NOT_VERIFIED):
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
