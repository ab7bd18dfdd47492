"""The record of a contact: what was said, keyed, understood, done and decided, in order. To and from JSON here only.

An ``Entry`` is one thing that happened, with when and where in the flows. The journal writes entries, the store keeps
their JSON, and whoever shows a call (API, console, simulator, graphs, a live agent's screen) reads entries again.

JSON of an entry: ``kind``, ``at`` (ISO 8601), ``state`` ("flow.state"), and the fields of what happened beside them
under their own names; a name that one of those three has taken gets ``to_`` before it. Rows of earlier versions read
the same: fields they lack have their defaults, kinds that nobody knows any more come back as ``Other``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal

NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Prompted:
    """The line said something; ``ids`` are the prompts it came from."""

    kind: ClassVar[str] = "prompt"
    text: str = ""
    ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Understood:
    """The caller said something (masked where secret), and what was made of it.

    ``cause`` is MRCP's, ``slots`` labels by name, ``confidence`` 0..1, ``how`` what led to the intent ("grammar",
    "transcript", …), ``question`` what was being listened for ("question", "confirm", …)."""

    kind: ClassVar[str] = "heard"
    renamed: ClassVar[Mapping[str, str]] = {"question": "in"}
    text: str = ""
    cause: str = ""
    intent: str = ""
    slots: Mapping[str, str] = field(default_factory=dict)
    confidence: float = 0.0
    doubt: bool = False
    how: str = ""
    question: str = ""


@dataclass(frozen=True, slots=True)
class Keyed:
    """The caller pressed a key (DTMF); masked where secret."""

    kind: ClassVar[str] = "key"
    key: str = ""


@dataclass(frozen=True, slots=True)
class Entered:
    """The call entered a state ("flow.state"); ``verb`` is the state's kind ("question", "action", "handoff", …)."""

    kind: ClassVar[str] = "state"
    renamed: ClassVar[Mapping[str, str]] = {"state": "to_state", "verb": "to_kind"}
    state: str = ""
    verb: str = ""


Decision = Literal[
    "to",  # "human", with reason and from
    "handoff",  # its outcome
    "failed",  # "silent" or "not understood", with count
    "agitated",  # the evidence, with level
    "taken_up",  # what was said before the question came, with intent
    "did_you_mean",  # the options
    "filled",  # a variable
    "choice",  # an intent
    "confirmed",
    "corrected",  # variables
    "resume",  # to go on where a dropped call stopped
    "goodbye",
    "language",  # chosen, with persona and keys_led; or whether the offered one is wanted
]
_DECISIONS: tuple[str, ...] = Decision.__args__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Decided:
    """The dialogue decided something: ``what`` says which, ``value`` how, ``detail`` why."""

    kind: ClassVar[str] = "decision"
    what: Decision
    value: object = True
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Performed:
    """An action ended. ``took_s`` seconds; ``arguments`` and ``values`` where a simulation shows them."""

    kind: ClassVar[str] = "action"
    action: str = ""
    outcome: str = ""
    took_s: float | None = None
    error: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HandedOver:
    """A human got the call, or (``outcome``) why none did."""

    kind: ClassVar[str] = "handoff"
    destination: str = ""
    reason: str = ""
    skill: str = ""
    priority: int | None = None
    outcome: str = ""
    tried: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """Something inside broke: ``part`` is "recogniser", "synthesiser", "store", "engine", …"""

    kind: ClassVar[str] = "error"
    part: str = ""
    error: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class CallerActed:
    """A simulated caller did something: ``do`` is "say", "key", "silence", "hangup", "call", "fail", …"""

    kind: ClassVar[str] = "caller"
    do: str = ""
    text: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ResumeAsked:
    """A dropped call's place was looked for."""

    kind: ClassVar[str] = "resume"
    found: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """The line hung up, or the caller did."""

    kind: ClassVar[str] = "end"
    outcome: str = ""


@dataclass(frozen=True, slots=True)
class Other:
    """An entry of another version, whose kind is not known here."""

    kind: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


Happening = (
    Prompted
    | Understood
    | Keyed
    | Entered
    | Decided
    | Performed
    | HandedOver
    | Failed
    | CallerActed
    | ResumeAsked
    | Ended
    | Other
)
_TYPES: Mapping[str, type[Any]] = {
    cls.kind: cls
    for cls in (Prompted, Understood, Keyed, Entered, Performed, HandedOver, Failed, CallerActed, ResumeAsked, Ended)
}
_ENVELOPE = ("kind", "at", "state")
_BESIDE = frozenset({*_ENVELOPE, "event"})  # names that an entry's own words give way to


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened: ``at`` aware, ``state`` "flow.state" as it was then ("" before the first)."""

    what: Happening
    at: datetime
    state: str = ""

    @property
    def kind(self) -> str:
        return self.what.kind

    def to_json(self) -> dict[str, Any]:
        return {**attributes(self.what), "kind": self.what.kind, "at": self.at.isoformat(), "state": self.state}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Entry:
        """Never raises for what an earlier version wrote; an entry without a readable time has the epoch's."""
        try:
            at = datetime.fromisoformat(str(value.get("at", "")))
        except ValueError:
            at = datetime.fromtimestamp(0, UTC)
        own = {key: given for key, given in value.items() if key not in _ENVELOPE}
        return cls(_happening(str(value.get("kind", "")), own), at, str(value.get("state") or ""))


def attributes(what: Happening) -> dict[str, Any]:
    """What happened as flat attributes, for JSON and for log lines: no name collides with an entry's own."""
    if isinstance(what, Decided):
        return {_key(key): given for key, given in {what.what: what.value, **what.detail}.items()}
    renamed: Mapping[str, str] = getattr(what, "renamed", NOTHING)
    found: dict[str, Any] = {}
    for spec in fields(what):
        given = getattr(what, spec.name)
        if isinstance(what, Other) and spec.name == "kind":
            continue
        if spec.name == "detail" and isinstance(given, Mapping):
            found.update({_key(key): one for key, one in given.items()})
        elif given not in _EMPTY.get(what.kind, ()):
            found[renamed.get(spec.name, spec.name)] = list(given) if isinstance(given, tuple) else given
    return found


# What is left out of which kind: the rest is written even when it is empty, so that readers find it.
_EMPTY: Mapping[str, tuple[object, ...]] = {
    "action": (None, "", {}),
    "handoff": (None, "", ()),
    "error": ("",),
    "caller": ("",),
}


def _key(key: str) -> str:
    return f"to_{key}" if key in _BESIDE else key


def _happening(kind: str, own: Mapping[str, Any]) -> Happening:
    if kind == Decided.kind:
        what = next((one for one in _DECISIONS if one in own), None)
        if what is None:
            return Other(kind, own)
        return Decided(what, own[what], {key: given for key, given in own.items() if key != what})  # type: ignore[arg-type]
    cls = _TYPES.get(kind)
    if cls is None:
        return Other(kind, own)
    renamed: Mapping[str, str] = getattr(cls, "renamed", NOTHING)
    given: dict[str, Any] = {}
    left = dict(own)
    for spec in fields(cls):
        key = renamed.get(spec.name, spec.name)
        if spec.name == "detail" and cls is not Failed:
            continue
        if key in left:
            found = left.pop(key)
            given[spec.name] = tuple(found) if isinstance(found, list) else found
    if cls is CallerActed:
        given["detail"] = left
    happening: Happening = cls(**given)
    return happening


# --- the transcript ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Utterance:
    """One line of the transcript. ``by``: "prompt" (the line), "heard" (the caller, spoken) or "key" (keyed)."""

    by: Literal["prompt", "heard", "key"]
    text: str
    state: str = ""
    intent: str = ""

    def to_json(self) -> dict[str, Any]:
        found = {"kind": self.by, "state": self.state, "text": self.text}
        return {**found, "intent": self.intent} if self.by == "heard" else found

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Utterance:
        return cls(value["kind"], str(value.get("text", "")), str(value.get("state", "")), str(value.get("intent", "")))


# --- what a human gets -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Party:
    """One end of a call: ``number`` is the user part of the URI ("" when withheld), ``display`` the quoted name."""

    number: str
    display: str = ""
    uri: str = ""


@dataclass(frozen=True, slots=True)
class HandoffContext:
    """Everything the human gets with the call, so that nobody repeats anything: a screen pop's content."""

    call_id: str
    reason: str
    skill: str
    priority: int
    caller: Party
    language: str
    facts: Mapping[str, object] = field(default_factory=dict)
    transcript: tuple[Utterance, ...] = ()
    tried: tuple[str, ...] = ()
    flow: str = ""
    state: str = ""

    def to_json(self) -> dict[str, Any]:
        """The one shape that agents, API and console see."""
        return {
            "call_id": self.call_id,
            "reason": self.reason,
            "skill": self.skill,
            "priority": self.priority,
            "caller": {"number": self.caller.number, "display": self.caller.display, "uri": self.caller.uri},
            "language": self.language,
            "facts": dict(self.facts),
            "transcript": [utterance.to_json() for utterance in self.transcript],
            "tried": list(self.tried),
            "flow": self.flow,
            "state": self.state,
        }
