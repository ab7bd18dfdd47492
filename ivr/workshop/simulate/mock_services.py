"""Mock services: what a company's HTTP services answer where there are none, for simulations, scripts and the demo.

``SERVICE.mock.yaml`` beside the flows says it for all of them, the key ``http:`` of a script for its own calls. Of the
answers to one request, the first that fits is given.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qsl, unquote

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from ivr.actions import http_answer
from ivr.actions.http import METHODS, SIGNATURES, result_of
from ivr.actions.registry import parse
from ivr.dialogue.flows.company_file import VocabularySpec
from ivr.dialogue.flows.finding import Finding, ordered
from ivr.dialogue.flows.library import FlowLibrary
from ivr.dialogue.flows.model_errors import fault_of
from ivr.dialogue.flows.signature import TIMEOUT
from ivr.dialogue.flows.source import read_file
from ivr.dialogue.flows.yaml_tree import MAX_FAULTS, read_tree
from ivr.errors import ActionError
from ivr.events import ActionResult, Term
from ivr.ports import ActionCall

SUFFIX = ".mock.yaml"
SHORTEST_NUMBER = 7  # digits of a telephone number without its country

_PART = re.compile(r"\{[^{}]*\}")


class Exchange(BaseModel):
    """One request, and what comes of it. ``on`` is "GET /patients/{number}": a part in braces is anything. What
    ``query`` and ``body`` name the request must have; it may have more."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    on: str = Field("", description="method and path, such as GET /patients/{number}; without it: every request")
    query: Mapping[str, str] = Field(default_factory=dict, description="what the address must have behind the ?")
    body: Mapping[str, Any] = Field(default_factory=dict, description="what the JSON sent must hold")
    status: int = Field(200, ge=100, le=599, description="the status answered")
    answer: Any = Field(None, alias="json", description="the JSON answered")
    silent: bool = Field(False, description="nothing comes in time")

    @field_validator("query", mode="before")
    @classmethod
    def _texts(cls, query: Any) -> Any:
        return {name: _text(value) for name, value in query.items()} if isinstance(query, Mapping) else query

    @field_validator("on")
    @classmethod
    def _request(cls, on: str) -> str:
        method, _, path = on.partition(" ")
        if on and (method not in METHODS or not path.startswith("/") or " " in path or "?" in path):
            raise ValueError(f"{on!r} is no request: write a method and a path, such as GET /patients/{{number}}")
        return on

    @cached_property
    def _path(self) -> re.Pattern[str]:
        parts = _PART.split(self.on.partition(" ")[2])
        return re.compile("[^/]+".join(map(re.escape, parts)))

    def fits(self, method: str, path: str, query: Mapping[str, str], body: object) -> bool:
        if self.on and (self.on.partition(" ")[0] != method or not self._path.fullmatch(path)):
            return False
        asked = all(_same(value, query.get(name)) for name, value in self.query.items())
        return asked and (not self.body or _within(self.body, body))


def _text(value: object) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _same(wanted: str, found: str | None) -> bool:
    """A telephone number is one, written as at home or in E.164: the line asks by +15035550101."""
    if found is None or wanted == found:
        return wanted == found
    short, long = sorted((wanted, found), key=len)
    return long[0] == "+" and len(short) >= SHORTEST_NUMBER and short.isdecimal() and long.endswith(short)


def _within(wanted: object, found: object) -> bool:
    """Whether everything that is wanted is found, as deep as it goes; 7 and "7" are one, as callers say both."""
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(_within(value, found.get(name)) for name, value in wanted.items())
    if isinstance(wanted, list):
        if not isinstance(found, list) or len(found) != len(wanted):
            return False
        return all(_within(one, other) for one, other in zip(wanted, found, strict=True))
    return found is not None and _same(_text(wanted), _text(found)) if wanted is not None else found is None


def _exchanges(value: object) -> object:
    """One is a list of one."""
    return (value,) if isinstance(value, Mapping) else value


Exchanges = Annotated[tuple[Exchange, ...], BeforeValidator(_exchanges)]
ByService = dict[str, Exchanges]


class MockFile(BaseModel):
    """``SERVICE.mock.yaml``: what one service answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mock: str = Field(description="the service's name, as flows and config.toml have it")
    about: str = Field("", description="what this is for")
    answers: Exchanges = Field(description="requests and their answers; of those that fit, the first is given")


@dataclass(frozen=True, slots=True)
class ReadMock:
    """A file as read. ``file`` is None when there is any finding."""

    file: MockFile | None
    findings: tuple[Finding, ...] = ()


def read_mocks(folder: Path) -> list[ReadMock]:
    """Those of a folder, sorted. Raises OSError."""
    names = (path for path in sorted(folder.iterdir()) if path.name.endswith(SUFFIX) and path.name[0] != ".")
    return [parse_mock(path.name, read_file(path)) for path in names]


def parse_mock(name: str, text: str) -> ReadMock:
    tree = read_tree(text)
    faults = list(tree.faults)
    file = None
    if not faults:
        try:
            file = MockFile.model_validate(tree.data if tree.data is not None else {}, by_alias=True, by_name=False)
        except ValidationError as error:
            faults += [fault_of(each, MockFile, tree.root)[1] for each in error.errors(include_url=False)]
    findings = ordered(fault.finding(name) for fault in faults[:MAX_FAULTS])
    return ReadMock(file if not findings else None, findings)


@dataclass(slots=True)
class MockServices:
    """What services answer, by their names. One that nothing is said of is content with every http state, and tells
    nothing; an action of the company file fails then."""

    answers: Mapping[str, Sequence[Exchange]] = field(default_factory=dict)

    @classmethod
    def of(cls, files: Iterable[ReadMock]) -> MockServices:
        found: dict[str, list[Exchange]] = {}
        for read in files:
            if read.file is not None:
                found.setdefault(read.file.mock, []).extend(read.file.answers)
        return cls(found)

    def before(self, answers: Mapping[str, Sequence[Exchange]]) -> MockServices:
        """These first, then ours."""
        names = (*answers, *self.answers)
        return MockServices({name: (*answers.get(name, ()), *self.answers.get(name, ())) for name in names})

    def exchange(
        self, service: str, method: str, path: str, query: Mapping[str, str] | None = None, body: object = None
    ) -> Exchange | None:
        plain, _, asked = path.partition("?")
        values = {**dict(parse_qsl(asked)), **(query or {})}
        fitting = (e for e in self.answers.get(service, ()) if e.fits(method, unquote(plain), values, body))
        return next(fitting, None)

    def perform(self, call: ActionCall, given: Callable[[Exchange], None] = lambda exchange: None) -> ActionResult:
        """An ``http.call``; ``given`` is told which answer it gets. Raises ActionError where no answer is said."""
        invocation = parse(SIGNATURES[0], call)
        service, method = invocation["service"], str(invocation.get("method", "POST"))
        path = invocation.get("path", "")
        declared = invocation.get("outcomes") is not None
        if service not in self.answers and not declared:
            return ActionResult("ok")  # content with everything
        query = {name: _text(value) for name, value in invocation.get("query", {}).items()}
        found = self.exchange(service, method, path, query, invocation.get("body", {}))
        if found is None:
            raise ActionError(
                f"nothing is said of {service}: {method} {path}",
                remedy=f"say it in {service}{SUFFIX}, under http: of the script, or by /http {service} JSON",
            )
        given(found)
        if found.silent:
            return ActionResult(TIMEOUT)
        return result_of(invocation, service, found.status, found.answer)

    def vocabularies(self, library: FlowLibrary) -> Mapping[str, tuple[Term, ...]]:
        """Those that the company's services have, as far as something is said of them."""
        return {name: terms for name, spec in library.sourced if (terms := self._terms(spec)) is not None}

    def _terms(self, spec: VocabularySpec) -> tuple[Term, ...] | None:
        found = self.exchange(spec.service, "GET", spec.path, spec.query)
        if found is None or found.silent or not 200 <= found.status < 300:
            return None
        try:
            return http_answer.terms(found.answer, spec.places.model_dump())
        except ValueError:
            return None


def services_of(library: FlowLibrary) -> frozenset[str]:
    """Every service that the flows or the company file name."""
    states = (state for flow in library.flows.values() for state in flow.states.values())
    named = {state.http.service for state in states if state.http is not None}
    if (company := library.company) is not None:
        named |= {action.service for action in company.actions.values()}
        named |= {spec.service for _, spec in library.sourced}
    return frozenset(named)
