"""The flow language as data: what one YAML file in flows/ may say. Words are VoiceXML 2.1's where it has one.

Four kinds of file, told apart by their first key: ``flow:`` (states), ``fragment:`` (shared intents, variables and
prompts), ``wording:`` (the same prompts in another language or persona), ``universals:`` (what works in every state
of every flow). Unknown keys are errors. Positions in the file are kept beside the model, by path (``source.py``).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

# Targets that exist in every flow: a live human, a polite goodbye, the previous question, repeat, this state anew.
RESERVED_TARGETS = frozenset({"human", "goodbye", "back", "repeat", "again"})

SlotType = Literal["title", "number", "ordinal", "digits", "date", "boolean", "choice", "money", "text"]
ConfirmPolicy = Literal["auto", "none", "implicit", "explicit"]


class Node(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        populate_by_name=True,
        coerce_numbers_to_str=True,  # key: 1, label: 1984
    )


def _duration(value: object) -> object:
    """``6s``, ``800ms``, ``2m`` or plain seconds -> seconds."""
    if isinstance(value, str):
        for suffix, factor in (("ms", 0.001), ("s", 1.0), ("m", 60.0)):
            if value.endswith(suffix):
                try:
                    return float(value[: -len(suffix)]) * factor
                except ValueError:
                    break
        raise ValueError(f"{value!r} is not a duration: write 6s, 800ms or 2m")
    return value


Duration = Annotated[float, BeforeValidator(_duration), Field(gt=0, le=600)]


class PromptItem(Node):
    """One piece of a prompt: ``say`` with {slots}, or one of ``variants``; ``audio`` names a recording that wins.

    ``language``: said by a voice of that language; left out where the line has none.
    """

    say: str = ""
    variants: tuple[str, ...] = ()
    audio: str = ""
    language: str = ""
    condition: str = Field("", alias="if")


def _prompt(value: object) -> object:
    if isinstance(value, str):
        return ({"say": value},)
    if isinstance(value, dict):
        return (value,)
    if isinstance(value, list | tuple):
        return tuple({"say": v} if isinstance(v, str) else v for v in value)
    return value


Prompt = Annotated[tuple[PromptItem, ...], BeforeValidator(_prompt)]


def _tapered(value: object) -> object:
    """A prompt, or prompts by ``count`` (VoiceXML 6.1): {1: first time, 3: from the third time on}."""
    if isinstance(value, dict) and value and all(str(k).isdigit() for k in value):
        return {int(str(k)): v for k, v in value.items()}
    return {1: value}


TaperedPrompt = Annotated[dict[Annotated[int, Field(ge=1, le=9)], Prompt], BeforeValidator(_tapered)]


def _edge(value: object) -> object:
    return {"goto": value} if isinstance(value, str) else value


class EdgeSpec(Node):
    """Where to go next: a state of this flow or a reserved target.

    ``reason``, ``skill`` and ``priority`` go with the target ``human``. ``language`` and ``persona``: how the call is
    spoken and listened to from here on, to its end.
    """

    goto: str
    say: TaperedPrompt | None = None
    set: dict[str, Any] = Field(default_factory=dict)
    clear: tuple[str, ...] = ()
    reason: str = ""
    skill: str = ""
    priority: int | None = Field(None, ge=0, le=10)
    language: str = ""
    persona: str = ""


Edge = Annotated[EdgeSpec, BeforeValidator(_edge)]


def _variable(value: object) -> object:
    return {"type": value} if isinstance(value, str) else value


class VariableSpec(Node):
    """Something a flow remembers.

    title: a Term id of the vocabularies in ``from`` (tried in order). number, ordinal: int within min..max. digits: a
    string of ``length`` (a count, or [min, max]). date: ISO 8601 day. boolean. choice: a key of ``values``, whose
    phrases mean it. text, money: only from actions, never spoken.
    """

    type: SlotType
    about: str = ""
    vocabularies: tuple[str, ...] = Field((), alias="from")
    minimum: int | None = Field(None, alias="min")
    maximum: int | None = Field(None, alias="max")
    length: int | tuple[int, int] | None = None
    values: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    survive: bool = False  # kept for the caller's next call when this one drops
    secret: bool = False  # never shown in logs, even unredacted


Variable = Annotated[VariableSpec, BeforeValidator(_variable)]


def _word(value: str) -> str:
    if len(value.split()) != 1:
        raise ValueError(f"{value!r} is not one word: sentences are phrases of an intent")
    return value


Concepts = dict[str, tuple[Annotated[str, AfterValidator(_word)], ...]]


def _intent(value: object) -> object:
    return {"phrases": value} if isinstance(value, list | tuple) else value


class IntentSpec(Node):
    """What callers say: example phrases with {variable} slots and [optional] words."""

    phrases: tuple[str, ...]
    about: str = ""
    risk: Literal["", "cancellation", "anger"] = ""  # such an intent may only lead to a human


Intent = Annotated[IntentSpec, BeforeValidator(_intent)]


class Choice(EdgeSpec):
    """One way on from a question: an intent, the key that means the same, and how the key menu names it."""

    intent: str
    key: str = Field("", pattern=r"^[1-9]?$")
    label: str = ""
    condition: str = Field("", alias="if")


class Case(EdgeSpec):
    """One arm of ``when``: the first whose condition holds is taken; one without ``if`` is the rest."""

    condition: str = Field("", alias="if")


class Confirm(Node):
    """Ask before acting. auto: explicit when anything used was heard with doubt; irreversible actions always explicit.

    implicit: the next prompt must name what was understood (the checker looks). ``no``: where a "no" goes, with
    ``clear``ed variables asked again.
    """

    policy: ConfirmPolicy = "auto"
    prompt: TaperedPrompt | None = None
    no: Edge | None = None


def _confirm(value: object) -> object:
    return {"policy": value} if isinstance(value, str) else value


class Handoff(Node):
    """Connect to a live agent. Texts may carry {slots}; an empty reason takes the one that led here."""

    reason: str = ""
    skill: str = ""
    priority: int | None = Field(None, ge=0, le=10)


class Http(Node):
    """Call the company's own service, named in config.toml under [[flows.services]]. ``returns``: name -> JSON path."""

    service: str
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    path: str
    body: dict[str, Any] = Field(default_factory=dict)
    returns: dict[str, str] = Field(default_factory=dict)
    refused: tuple[int, ...] = ()  # statuses that mean "no", not "broken"; default: every 4xx
    risk: Literal["none", "reversible", "irreversible"] = "reversible"


class UniversalOverride(Node):
    """Change what a universal says or does here. ``human`` may only gain words, never lose its way out."""

    prompt: TaperedPrompt | None = None
    goto: str = ""


class State(Node):
    """One state. Exactly one kind: choices and/or ask | action | http | when | call | handoff | return | end | resume |
    say-and-go (just ``prompt`` + ``goto``)."""

    about: str = ""
    prompt: TaperedPrompt = Field(default_factory=dict)
    set: dict[str, Any] = Field(default_factory=dict)  # variable -> expression text or literal, before all else
    clear: tuple[str, ...] = ()
    # a question
    ask: str = ""  # the variable to fill; passed through silently when it is filled already
    choices: tuple[Choice, ...] = ()
    noinput: TaperedPrompt | None = None
    nomatch: TaperedPrompt | None = None
    help: TaperedPrompt | None = None
    timeout: Duration | None = None
    hangover: Duration | None = None
    bargein: bool | None = None
    universals: dict[str, UniversalOverride] = Field(default_factory=dict)
    # an action
    action: str = ""
    http: Http | None = None
    arguments: dict[str, Any] = Field(default_factory=dict, alias="with")  # parameter -> expression
    confirm: Annotated[Confirm, BeforeValidator(_confirm)] | None = None
    wait: TaperedPrompt | None = None  # said when the action takes longer than a second
    # a branch
    when: tuple[Case, ...] = ()
    # a sub-flow
    call: str = ""
    returns: dict[str, str] = Field(default_factory=dict)  # our variable -> name in the sub-flow's or action's values
    # the end of one
    result: str = Field("", alias="return")
    values: dict[str, Any] = Field(default_factory=dict)
    # a human, the end, a dropped call taken up again
    handoff: Handoff | None = None
    end: str = ""
    resume: bool = False
    # ways on
    goto: Edge | None = None
    on: dict[str, Edge] = Field(default_factory=dict)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds this state has; the checker wants exactly one ("ask" and "choices" count as one question)."""
        found = [
            name
            for name, present in (
                ("question", bool(self.ask or self.choices)),
                ("action", bool(self.action)),
                ("http", self.http is not None),
                ("branch", bool(self.when)),
                ("call", bool(self.call)),
                ("return", bool(self.result)),
                ("handoff", self.handoff is not None),
                ("end", bool(self.end)),
                ("resume", self.resume),
            )
            if present
        ]
        return tuple(found) or ("say",)


class Defaults(Node):
    """Per-flow defaults of what states may say themselves."""

    timeout: Duration = 6.0
    hangover: Duration = 0.5
    bargein: bool = True
    action_timeout: Duration = 3.0


class Flow(Node):
    """A ``flow:`` file: one call flow, or a sub-flow that others ``call``."""

    flow: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    about: str = ""
    use: tuple[str, ...] = ()  # fragments
    language: str = "en-US"
    persona: str = "neutral"
    start: str
    parameters: dict[str, Variable] = Field(default_factory=dict)  # what a caller of this sub-flow passes
    variables: dict[str, Variable] = Field(default_factory=dict)
    intents: dict[str, Intent] = Field(default_factory=dict)
    defaults: Defaults = Defaults()
    states: dict[str, State]

    @property
    def results(self) -> tuple[str, ...]:
        """What this flow can return to its caller, in order of appearance."""
        return tuple(dict.fromkeys(s.result for s in self.states.values() if s.result))


class Fragment(Node):
    """A ``fragment:`` file: reusable pieces that flows take in with ``use``."""

    fragment: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    about: str = ""
    variables: dict[str, Variable] = Field(default_factory=dict)
    intents: dict[str, Intent] = Field(default_factory=dict)
    states: dict[str, State] = Field(default_factory=dict)


class Wording(Node):
    """A ``wording:`` file: the words of a flow (or of the universals) in another language or persona.

    ``prompts`` by id: ``<state>``, ``<state>.noinput|nomatch|help|confirm|wait``, ``<state>.on.<outcome>``,
    ``<state>.choice.<intent>``, or a system prompt's name. ``labels``: ``<state>.<intent>``. ``keywords``: by risk.
    ``concepts``: as in the universals.
    """

    wording: str
    language: str
    persona: str = "neutral"
    voice: str = ""
    prompts: dict[str, TaperedPrompt] = Field(default_factory=dict)
    intents: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    values: dict[str, dict[str, tuple[str, ...]]] = Field(default_factory=dict)  # choice variables' phrases
    labels: dict[str, str] = Field(default_factory=dict)
    keywords: dict[str, tuple[str, ...]] = Field(default_factory=dict)  # of the universals' risks, by name
    concepts: Concepts = Field(default_factory=dict)


class Universal(Node):
    """One universal: its words and keys. Keys may be one or two symbols ("0", "*0", "#0")."""

    phrases: tuple[str, ...]
    keys: tuple[str, ...] = ()


class Risk(Node):
    """Words that only ever bring a human sooner, in every state: whole phrases, and keywords spotted in free speech."""

    phrases: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    reason: str
    skill: str = "retention"
    priority: int = Field(9, ge=0, le=10)


class Universals(Node):
    """The ``universals:`` file, one per directory: what every state of every flow understands, and system words.

    ``concepts``: single words of the company that mean the same in a request, by a name for what they mean ("filler":
    nothing). Names of the language's own (move, top, up, down, end, swap, before, after, remove, add, hear, undo, hold)
    add to them.
    """

    universals: Literal[True] | str
    language: str = "en-US"
    persona: str = "neutral"
    human_flow: str = "human"  # the flow that hands over; every road ends there
    human: Universal
    repeat: Universal
    help: Universal
    back: Universal
    goodbye: Universal
    yes: tuple[str, ...]
    no: tuple[str, ...]
    languages: dict[str, Universal] = Field(default_factory=dict)  # how callers choose one, in whichever they speak
    risks: dict[str, Risk] = Field(default_factory=dict)
    concepts: Concepts = Field(default_factory=dict)
    prompts: dict[str, TaperedPrompt] = Field(default_factory=dict)


FlowFile = Flow | Fragment | Wording | Universals
