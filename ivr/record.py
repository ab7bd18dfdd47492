"""The record of a contact: what was said, keyed, understood, done and decided, in order. To and from JSON here only.

An ``Entry`` is one thing that happened, with when and where in the flows. The journal writes entries, the store keeps
their JSON, and whoever shows a call (API, console, simulator, graphs, a live agent's screen) reads entries again.

JSON of an entry: ``kind``, ``at`` (ISO 8601), ``state`` ("flow.state"), and the fields of what happened beside them
under their own names; a name that one of those three has taken gets ``to_`` before it. Rows of earlier versions read
the same: fields they lack have their defaults, kinds that nobody knows any more come back as ``Other``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal, get_args

from ivr.identity import IDENTITY_FACTS, Identity

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
class Spoken:
    """Somebody said something in the conversation with a person, as it was written down live. ``by``: "caller", or
    whose account; ``late``: long after it was said."""

    kind: ClassVar[str] = "said"
    by: str = ""
    text: str = ""
    unsure: bool = False
    late: bool = False


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
    "to",  # "human", with reason and from; or "machine", from the line
    "handoff",  # its outcome
    "place",  # the position that was told (0: none), with minutes, asked and again
    "failed",  # "silent" or "not understood", with count
    "agitated",  # the evidence, with level
    "taken_up",  # what was said before the question came, with intent
    "did_you_mean",  # the options
    "filled",  # a variable
    "choice",  # an intent
    "confirmed",
    "corrected",  # variables
    "set_aside",  # the question that a request left open, with intent
    "resume",  # to go on where a dropped call stopped
    "identity",  # the level at which the caller is known from here on, with by; or refused, with needs and action
    "goodbye",
    "meant",  # "asked", then whether what was inferred is meant, with intent
    "risk",  # "asked", then whether the caller wants to talk to somebody about it, with risk
    "language",  # chosen, with persona and keys_led; or whether the offered one is wanted
]
_DECISIONS: tuple[Decision, ...] = get_args(Decision)


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
    """A human got the call, or (``outcome``) why none did. ``reason`` is the most important, ``also`` the others;
    ``encryption`` of their media: a suite, "DTLS" or "none"."""

    kind: ClassVar[str] = "handoff"
    destination: str = ""
    reason: str = ""
    skill: str = ""
    priority: int | None = None
    outcome: str = ""
    tried: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    encryption: str = ""


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
class TakenOver:
    """The call's process died and another goes on with it, which the caller didn't hear for ``gap_s`` seconds.
    ``node``: the service that had it."""

    kind: ClassVar[str] = "taken_over"
    node: str = ""
    gap_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Other:
    """An entry of another version, whose kind is not known here."""

    kind: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


Happening = (
    Prompted | Understood | Spoken | Keyed | Entered | Decided | Performed | HandedOver | Failed
    | CallerActed | ResumeAsked | Ended | TakenOver | Other
)  # fmt: skip
_TYPES: Mapping[str, type[Any]] = {cls.kind: cls for cls in get_args(Happening) if cls not in (Decided, Other)}
_EMPTY: tuple[object, ...] = (None, "", {}, ())
_ENVELOPE = ("kind", "at", "state")
_BESIDE = frozenset({*_ENVELOPE, "event"})  # names that an entry's own words give way to
# Of these what is empty is left out; of the rest it is written too, so that readers find it.
_SPARSE = frozenset({Performed.kind, HandedOver.kind, Failed.kind, CallerActed.kind})


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
    match what:
        case Decided():
            return _beside({what.what: what.value, **what.detail})
        case Other():
            return _beside(what.detail)
    found: dict[str, Any] = {}
    for name, key in _KEYS[type(what)].items():
        given = getattr(what, name)
        if not (what.kind in _SPARSE and given in _EMPTY):
            found[key] = list(given) if isinstance(given, tuple) else given
    return found | _beside(what.detail) if isinstance(what, CallerActed) else found


def _keys(cls: type[Any]) -> Mapping[str, str]:
    """Under which name each field is written; CallerActed's detail is written without one."""
    renamed: Mapping[str, str] = getattr(cls, "renamed", {})
    written = (each.name for each in fields(cls) if (cls, each.name) != (CallerActed, "detail"))
    return {name: renamed.get(name, name) for name in written}


_KEYS: Mapping[type[Any], Mapping[str, str]] = {cls: _keys(cls) for cls in _TYPES.values()}


def _beside(own: Mapping[str, Any]) -> dict[str, Any]:
    return {f"to_{key}" if key in _BESIDE else key: given for key, given in own.items()}


def _happening(kind: str, own: Mapping[str, Any]) -> Happening:
    if kind == Decided.kind:
        what: Decision | None = next((one for one in _DECISIONS if one in own), None)
        rest = {key: given for key, given in own.items() if key != what}
        return Other(kind, own) if what is None else Decided(what, own[what], rest)
    cls = _TYPES.get(kind)
    if cls is None:
        return Other(kind, own)
    names = {key: name for name, key in _KEYS[cls].items()}
    known = {names[key]: tuple(v) if isinstance(v, list) else v for key, v in own.items() if key in names}
    if cls is CallerActed:
        known["detail"] = {key: given for key, given in own.items() if key not in names}
    happening: Happening = cls(**known)
    return happening


# --- the transcript ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Utterance:
    """One line of the transcript. ``by``: "prompt" (the line), "heard" (the caller, spoken) or "key" (keyed).

    ``unsure``: words of ``text`` that may have been misheard; its whole where all of it may."""

    by: Literal["prompt", "heard", "key"]
    text: str
    state: str = ""
    intent: str = ""
    unsure: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {"kind": self.by, "state": self.state, "text": self.text}
        if self.unsure:
            found["unsure"] = list(self.unsure)
        return {**found, "intent": self.intent} if self.by == "heard" else found

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Utterance:
        unsure = tuple(str(word) for word in value.get("unsure", ()))
        text, state, intent = (str(value.get(name, "")) for name in ("text", "state", "intent"))
        return cls(value["kind"], text, state, intent, unsure)


# --- what a human gets -------------------------------------------------------------------------------------

URGENT = 8  # from this priority on; they go from 0 to 10


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a human was wanted, and what the caller ``said`` for it ("" where it was not said)."""

    reason: str
    said: str = ""


@dataclass(frozen=True, slots=True)
class Party:
    """One end of a call: ``number`` is the user part of the URI ("" when withheld), ``display`` the quoted name."""

    number: str
    display: str = ""
    uri: str = ""


@dataclass(frozen=True, slots=True)
class HandoffContext:
    """Everything the human gets with the call, so that nobody repeats anything: a screen pop's content.

    ``reason`` is the most important one and ``said`` the caller's words for it; ``also``: the others, by importance."""

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
    said: str = ""
    also: tuple[Reason, ...] = ()

    @property
    def urgent(self) -> bool:
        return self.priority >= URGENT

    def to_json(self) -> dict[str, Any]:
        """The one shape that agents, API and console see. ``identity``: how surely the caller is known, in words."""
        return {
            **{each.name: getattr(self, each.name) for each in fields(self)},
            "caller": asdict(self.caller),
            "identity": Identity.of(self.facts).told,
            "facts": {name: value for name, value in self.facts.items() if name not in IDENTITY_FACTS},
            "transcript": [utterance.to_json() for utterance in self.transcript],
            "tried": list(self.tried),
            "also": [asdict(reason) for reason in self.also],
            "urgent": self.urgent,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> HandoffContext:
        """What ``to_json`` gave, also one of an earlier version: what it lacks is empty."""
        caller = value.get("caller") or {}
        identity = Identity.of_told(str(value.get("identity", "")))
        words = {name: str(value.get(name) or "") for name in ("flow", "state", "said")}
        return cls(
            call_id=str(value.get("call_id", "")),
            reason=str(value.get("reason", "")),
            skill=str(value.get("skill", "")),
            priority=int(value.get("priority") or 0),
            caller=Party(*(str(caller.get(name) or "") for name in ("number", "display", "uri"))),
            language=str(value.get("language", "")),
            facts={**(value.get("facts") or {}), **(identity.facts if identity.level else {})},
            transcript=tuple(Utterance.from_json(line) for line in value.get("transcript") or ()),
            tried=tuple(str(each) for each in value.get("tried") or ()),
            also=tuple(Reason(str(r["reason"]), str(r.get("said") or "")) for r in value.get("also") or ()),
            **words,
        )
