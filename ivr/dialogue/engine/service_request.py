"""Service requests: what an http state, or an action of the company file, asks of a service of the company's own.

As arguments of ``http.call``: everything is filled in here, so that whoever sends it needs to know no flow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ivr.dialogue.engine.conversation import Conversation
from ivr.dialogue.engine.next import Broken
from ivr.dialogue.flows.company_file import BODILESS, CompanyFile, ServiceAction
from ivr.dialogue.flows.expression import parse_expression
from ivr.dialogue.flows.state import Http
from ivr.dialogue.flows.uri_template import EmptyPart, expanded
from ivr.dialogue.understanding.grammar import SlotValue

LEFT_OUT = object()


class _Given(Mapping[str, object]):
    """What an action's expressions see: its arguments, and the call's facts."""

    def __init__(self, call: Conversation, arguments: Mapping[str, object]) -> None:
        self._call, self._arguments = call, arguments

    def __getitem__(self, name: str) -> object:
        return plain(self._call.look(name)) if "." in name else self._arguments.get(name)

    def get(self, name: str, default: object = None) -> object:
        return default if (value := self[name]) is None else value

    def __iter__(self) -> Iterator[str]:
        return iter(self._arguments)

    def __len__(self) -> int:
        return len(self._arguments)


def plain(value: object) -> object:
    return value.value if isinstance(value, SlotValue) else value


def evaluated(call: Conversation, values: Mapping[str, object]) -> dict[str, object]:
    """By the current state's variables, also inside lists and mappings. What is optional and isn't known is left out.
    Raises Broken for a variable that has no value."""
    return _evaluated(call, call.scope, values)


def of_state(call: Conversation, http: Http) -> dict[str, object]:
    """Raises Broken where a part of the path isn't known."""
    facts = {fact: _place(call.library.company, fact, at) for fact, at in http.facts.items()}
    return {
        "service": http.service,
        "method": http.method,
        "path": _path(call, http.path, call.scope),
        "query": evaluated(call, http.query),
        "body": evaluated(call, http.body),
        "returns": dict(http.returns),
        "refused": list(http.refused),
        **({"facts": facts} if facts else {}),
    }


def of_action(call: Conversation, action: ServiceAction, arguments: Mapping[str, object]) -> dict[str, object]:
    """``arguments``: as the state passes them. Raises Broken as ``of_state`` does."""
    given = _Given(call, arguments)
    return {
        "service": action.service,
        "method": action.method,
        "path": _path(call, action.path, given),
        "query": _evaluated(call, given, action.query),
        "body": _body(call, action, given),
        "returns": {name: spec.at for name, spec in action.returns.items()},
        "outcomes": {name: list(statuses) for name, statuses in action.outcomes.items()},
        "facts": {fact: _place(call.library.company, fact, at) for fact, at in action.facts.items()},
        "vocabularies": {name: places.model_dump() for name, places in action.vocabularies.items()},
        "types": {name: spec.type for name, spec in action.returns.items()},
    }


def _body(call: Conversation, action: ServiceAction, given: _Given) -> dict[str, object]:
    """As it is written; or each parameter by its name (which may be a word of the expressions', such as "from"), left
    out while it has no value."""
    if action.body is not None:
        return _evaluated(call, given, action.body)
    sent = {} if action.method in BODILESS else {name: given.get(name) for name in action.parameters}
    if missing := [n for n, value in sent.items() if value is None and action.parameters[n].required]:
        raise Broken(f"{call.here}: nothing is known for {missing[0]}")
    return {n: value for n, value in sent.items() if action.parameters[n].required or value not in (None, "")}


def _place(company: CompanyFile | None, fact: str, at: str) -> dict[str, object]:
    spec = company.facts.get(fact) if company is not None else None
    return {"at": at, "type": spec.type if spec else "text", "blank": spec.blank if spec else False}


def _path(call: Conversation, template: str, scope: Mapping[str, object]) -> str:
    try:
        return expanded(template, scope.get)
    except EmptyPart as error:
        raise Broken(f"{call.here}: {error}") from error


def _evaluated(call: Conversation, scope: Mapping[str, object], values: Mapping[str, object]) -> dict[str, object]:
    found = ((name, _value(call, scope, name, value)) for name, value in values.items())
    return {name: value for name, value in found if value is not LEFT_OUT}


def _value(call: Conversation, scope: Mapping[str, object], name: str, value: object) -> Any:
    if isinstance(value, Mapping):
        return _evaluated(call, scope, value)
    if isinstance(value, list | tuple):
        return [each for inner in value if (each := _value(call, scope, name, inner)) is not LEFT_OUT]
    if not isinstance(value, str):
        return value
    expression = parse_expression(value)
    found = expression.evaluate(scope)
    if found in (None, "") and expression.optional:
        return LEFT_OUT
    if found is None and "." not in value:
        raise Broken(f"{call.here}: nothing is known for {name}")
    return found
