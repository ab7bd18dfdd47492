"""The ``company:`` file as data: what a company brings without Python. Facts about a caller, actions that its own HTTP
services do, and vocabularies. Flows use them by name, as they use those of a Python package.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from ivr.dialogue.flows.prompt import Node, seconds, short_for
from ivr.dialogue.flows.signature import IMPLICIT_OUTCOMES, NOT_VERIFIED, ActionSignature, Parameter, Risk
from ivr.events import Term
from ivr.identity import Identity, IdentityLevel, LevelWord

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
FactType = Literal["text", "number", "digits", "phone", "date", "time", "duration", "boolean", "money"]
ParameterType = Literal[
    "title", "number", "ordinal", "digits", "phone", "date", "date_range", "time", "duration", "money", "code",
    "text", "boolean", "choice",
]  # fmt: skip

FACT_TYPES: tuple[str, ...] = get_args(FactType)
BODILESS = ("GET", "DELETE")


def _of_one_value(kind: object) -> object:
    if kind == "date_range":
        raise ValueError(
            "what a service brings is one value: declare the first day and the last, two of type date, "
            "such as stay.first and stay.last"
        )
    return kind


OneValue = Annotated[FactType, BeforeValidator(_of_one_value)]
Dotted = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$")]
Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


def _pointer(value: str) -> str:
    if value and not value.startswith("/"):
        raise ValueError(f"{value!r} is no place in a JSON answer: write /name, /address/city or /items/0")
    return value


At = Annotated[str, AfterValidator(_pointer)]
"""A place in a JSON answer: a JSON pointer (RFC 6901); "" is all of it."""


class FactSpec(Node):
    """Something that is known about a caller once an action has brought it. ``blank``: it may be "" for some. A
    ``secret`` one is there for conditions and services, and shown nowhere."""

    type: OneValue
    about: str = ""
    blank: bool = False
    secret: bool = False


Fact = Annotated[FactSpec, short_for("type", str)]


class ParameterSpec(Node):
    """What an action is given under ``with:``. A ``secret`` one is shown nowhere."""

    type: ParameterType
    required: bool = True
    secret: bool = False


class ReturnSpec(Node):
    """A value of an answer, by its place and its type."""

    at: At
    type: OneValue = "text"


class TermsAt(Node):
    """Where an answer has a list of terms: ``list`` is its place, the others are places within each of its items.

    ``spoken``: other ways to say it, a list or a text with semicolons; "" where there are none."""

    list: At = ""
    id: At
    label: At
    spoken: At = ""


def _path(value: str) -> str:
    if not value.startswith("/") or "?" in value or "#" in value or value != value.strip():
        raise ValueError(f"{value!r} is no path: begin it with /, and name what stands behind a ? under query:")
    return value


ServicePath = Annotated[str, AfterValidator(_path)]


def _statuses(value: object) -> object:
    return value if isinstance(value, list | tuple) else (value,)


def _status(value: object) -> object:
    if value == "4xx" or (isinstance(value, int) and not isinstance(value, bool) and 400 <= value < 500):
        return str(value)
    raise ValueError(f"{value!r} is no status that a service says no with: write 404, or 4xx for all that are left")


Statuses = Annotated[tuple[Annotated[str, BeforeValidator(_status)], ...], BeforeValidator(_statuses)]


class ServiceAction(Node):
    """An action that is one request to a service. ``query`` and ``body`` hold expressions over its parameters and the
    call's facts; without a body it is all its parameters.

    "ok" is a 2xx with everything in it that is named here; ``outcomes`` name what else the service may say, by status.
    Every other answer is ``failed``. ``gives``: how surely the caller is known after "ok", ``by`` what proved it."""

    about: str = ""
    service: str
    method: Method = "POST"
    path: ServicePath
    parameters: dict[Word, Annotated[ParameterSpec, short_for("type", str)]] = Field(default_factory=dict)
    query: dict[str, Any] = Field(default_factory=dict)
    body: dict[str, Any] | None = None
    outcomes: dict[Word, Statuses] = Field(default_factory=dict)
    returns: dict[Word, Annotated[ReturnSpec, short_for("at", str)]] = Field(default_factory=dict)
    facts: dict[Dotted, At] = Field(default_factory=dict)
    vocabularies: dict[Word, TermsAt] = Field(default_factory=dict)
    risk: Risk | Literal[""] = ""  # "": none for what only reads (GET), else reversible
    undo: str = ""
    promises: Literal["", "callback", "message"] = ""
    needs: LevelWord | Literal[""] = ""
    gives: Literal["", "unverified", "likely", "verified"] = ""
    by: str = ""

    @field_validator("outcomes")
    @classmethod
    def _declarable(cls, outcomes: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for name in outcomes:
            if name in ("ok", NOT_VERIFIED, *IMPLICIT_OUTCOMES):
                raise ValueError(f"every action has the outcome {name}: declare only what else the service says")
        named = [status for statuses in outcomes.values() for status in statuses]
        if twice := [status for status in dict.fromkeys(named) if named.count(status) > 1]:
            raise ValueError(f"two outcomes have the status {twice[0]}")
        return outcomes

    def signature(self, name: str, facts: Mapping[str, FactSpec]) -> ActionSignature:
        return ActionSignature(
            name=name,
            parameters=tuple(
                Parameter(p, spec.type, spec.required, spec.secret) for p, spec in self.parameters.items()
            ),
            outcomes=("ok", *self.outcomes),
            returns={value: spec.type for value, spec in self.returns.items()},
            facts=tuple(self.facts),
            blank=tuple(fact for fact in self.facts if fact in facts and facts[fact].blank),
            vocabularies=tuple(self.vocabularies),
            risk=self.risk or ("none" if self.method == "GET" else "reversible"),
            about=self.about,
            undo=self.undo,
            promises=self.promises,
            needs=IdentityLevel.of_word(self.needs) if self.needs else None,
            gives={"ok": Identity(IdentityLevel.of_word(self.gives), self.by or self.service)} if self.gives else {},
        )


class VocabularySpec(Node):
    """Names that callers say: ``terms`` as they stand here, by id, each with its name and other ways to say it; a
    ``file`` beside this one (CSV: id, label, spoken); or what a ``service`` answers, asked again every ``refresh``."""

    about: str = ""
    terms: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    file: str = Field("", pattern=r"^([A-Za-z0-9][A-Za-z0-9_.-]*\.csv)?$")
    service: str = ""
    path: Annotated[str, AfterValidator(lambda path: path and _path(path))] = ""
    query: dict[str, str] = Field(default_factory=dict)
    list: At = ""
    id: At = "/id"
    label: At = "/label"
    spoken: At = ""
    refresh: Annotated[float, BeforeValidator(seconds), Field(ge=5, le=86_400)] = 900.0

    @model_validator(mode="after")
    def _one_source(self) -> VocabularySpec:
        if sum(map(bool, (self.terms, self.file, self.service))) != 1:
            raise ValueError("a vocabulary has either terms:, a file: or a service:")
        for name, said in self.terms.items():
            if not said or not all(way.strip() for way in said):
                raise ValueError(f"{name} has a name that is blank: write {name}: [NAME, OTHER NAME]")
        return self

    @property
    def here(self) -> tuple[Term, ...]:
        """Its terms, where they stand in the file itself."""
        return tuple(Term(name, said[0], said[1:]) for name, said in self.terms.items())

    @property
    def places(self) -> TermsAt:
        return TermsAt(list=self.list, id=self.id, label=self.label, spoken=self.spoken)


class CompanyFile(Node):
    """A ``company:`` file, one per directory at most."""

    company: str = Field(min_length=1)
    about: str = ""
    facts: dict[Dotted, Fact] = Field(default_factory=dict)
    actions: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$")], ServiceAction] = Field(
        default_factory=dict
    )
    vocabularies: dict[Word, Annotated[VocabularySpec, short_for("file", str)]] = Field(default_factory=dict)

    @cached_property
    def secrets(self) -> frozenset[str]:
        """The facts that are secret."""
        return frozenset(name for name, spec in self.facts.items() if spec.secret)

    @cached_property
    def signatures(self) -> Mapping[str, ActionSignature]:
        """What flows may know of its actions."""
        return {name: action.signature(name, self.facts) for name, action in self.actions.items()}
