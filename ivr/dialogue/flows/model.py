"""The flow language as data: what one YAML file in flows/ may say. Words are VoiceXML 2.1's where it has one.

Five kinds of file, told apart by their first key: ``flow:`` (states), ``fragment:`` (shared intents, variables and
prompts), ``wording:`` (the same prompts in another language or persona), ``universals:`` (what works in every state
of every flow), ``company:`` (its facts, its services' actions, its vocabularies: ``company_file.py``). Unknown keys are
errors. Positions in the file are kept beside the model, by path (``source.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from ivr.dialogue.flows.company_file import CompanyFile
from ivr.dialogue.flows.prompt import Duration, Node, TaperedPrompt, short_for
from ivr.dialogue.flows.state import HUMAN, Confirm, State

# What callers can say and key in every state, besides yes and no, the risks and the choice of a language.
UNIVERSALS = (HUMAN, "repeat", "help", "back", "start_over", "goodbye")
YES_NO = ("yes", "no")  # which have phrases of their own everywhere, too
AGITATION = "agitation"  # the risk that a caller's manner stands for

SlotType = Literal[
    "title", "number", "ordinal", "digits", "phone", "date", "date_range", "time", "duration", "money", "code",
    "boolean", "choice", "text",
]  # fmt: skip
RANGE_PARTS: Mapping[str, SlotType] = {"start": "date", "end": "date", "nights": "number"}


class VariableSpec(Node):
    """Something a flow remembers.

    title: a Term id of the vocabularies in ``from`` (tried in order). number, ordinal: int within min..max. digits: a
    string of ``length`` (a count, or [min, max]). phone: the same, a "+" before it where the country was said. date:
    ISO 8601 day, in ``direction`` and ``within`` so many days ("90d") of today. date_range: two such days, "A/B"; its
    ``.start``, ``.end`` and ``.nights`` are known too. time: HH:MM within earliest..latest. duration: minutes, and
    money: hundredths, an int within min..max. code: letters and digits by ``pattern`` (see ``spoken.codes``). boolean.
    choice: a key of ``values``, whose phrases mean it. text: whatever is said where a state asks for it."""

    type: SlotType
    about: str = ""
    vocabularies: tuple[str, ...] = Field((), alias="from")
    minimum: int | None = Field(None, alias="min")
    maximum: int | None = Field(None, alias="max")
    earliest: str = ""
    latest: str = ""
    direction: Literal["", "future", "past"] = ""
    within: str = ""
    length: int | tuple[int, int] | None = None
    pattern: str | tuple[str, ...] = ()
    values: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    survive: bool = False  # kept for the caller's next call when this one drops
    secret: bool = False  # never shown in logs, even unredacted

    @property
    def patterns(self) -> tuple[str, ...]:
        return (self.pattern,) if isinstance(self.pattern, str) else self.pattern


Variable = Annotated[VariableSpec, short_for("type", str)]


def _word(value: str) -> str:
    if len(value.split()) != 1:
        raise ValueError(f"{value!r} is not one word: sentences are phrases of an intent")
    return value


Concepts = dict[str, tuple[Annotated[str, AfterValidator(_word)], ...]]


Contrast = tuple[str, ...] | dict[str, tuple[str, ...]]
"""Sentences that are like an intent's and mean nothing here; or, by the name of another intent, that one."""


class IntentSpec(Node):
    """What callers say: example phrases with {variable} slots and [optional] words.

    ``examples``: more of it, to learn from; no recogniser expects them. ``not``: what is like it and isn't."""

    phrases: tuple[str, ...]
    examples: tuple[str, ...] = ()
    contrast: Contrast = Field((), alias="not")
    about: str = ""
    risk: str = ""  # one that the universals define: such an intent is a sign of it, and may only lead to a human


Intent = Annotated[IntentSpec, short_for("phrases", list, tuple)]


DefaultConfirm = Annotated[Confirm, short_for("policy", str)]


class Defaults(Node):
    """Per-flow defaults of what states may say themselves."""

    timeout: Duration = 6.0
    hangover: Duration = 0.5
    bargein: bool = True
    action_timeout: Duration = 3.0
    confirm: DefaultConfirm | None = None  # of each state that changes something, as far as it says nothing itself


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
    def slots(self) -> Mapping[str, VariableSpec]:
        """Everything it remembers: its parameters and its own variables."""
        return {**self.parameters, **self.variables}

    @property
    def parts(self) -> Mapping[str, VariableSpec]:
        """What else its ranges tell: "stay.start", "stay.end", "stay.nights"."""
        ranges = [name for name, spec in self.slots.items() if spec.type == "date_range"]
        return {f"{name}.{part}": VariableSpec(type=kind) for name in ranges for part, kind in RANGE_PARTS.items()}

    @property
    def secrets(self) -> frozenset[str]:
        """Its variables that are secret. They never outlive a call: one that drops in here once any is known goes on at
        the flow's start."""
        return frozenset(name for name, spec in self.slots.items() if spec.secret)

    @property
    def results(self) -> tuple[str, ...]:
        """What this flow can return to its caller, in order of appearance."""
        return tuple(dict.fromkeys(s.result for s in self.states.values() if s.result))

    def leads_to_human(self, target: str) -> bool:
        """Whether ``target`` is a human, or says a sentence and then gets one."""
        seen: set[str] = set()
        while target in self.states and target not in seen:
            seen.add(target)
            state = self.states[target]
            if state.kinds != ("say",) or state.goto is None:
                return False
            target = state.goto.goto
        return target == HUMAN


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
    ``concepts``: as in the universals; of these, ``risk.<risk>`` is a
    risk's question, and its label."""

    wording: str
    language: str
    persona: str = "neutral"
    voice: str = ""
    prompts: dict[str, TaperedPrompt] = Field(default_factory=dict)
    intents: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    values: dict[str, dict[str, tuple[str, ...]]] = Field(default_factory=dict)  # choice variables' phrases
    labels: dict[str, str] = Field(default_factory=dict)
    examples: dict[str, tuple[str, ...]] = Field(
        default_factory=dict
    )  # of intents, universals and risks, to learn from
    contrast: dict[str, Contrast] = Field(default_factory=dict, alias="not")
    keywords: dict[str, tuple[str, ...]] = Field(default_factory=dict)  # of the universals' risks, by name
    concepts: Concepts = Field(default_factory=dict)


class Universal(Node):
    """One universal: its words and keys. Keys may be one or two symbols ("0", "*0", "#0")."""

    phrases: tuple[str, ...]
    examples: tuple[str, ...] = ()
    contrast: Contrast = Field((), alias="not")
    keys: tuple[str, ...] = ()


class Risk(Node):
    """Words that only ever bring a human sooner, in every state: whole phrases at once; keywords spotted in free
    speech, and whatever is merely like a phrase, by the ``question``, of which ``label`` names the yes.

    ``at_once``: a phrase needs no question however the sentence goes on. The risk called ``agitation`` stands for a
    manner (loud, fast, mashed keys) and may do without words."""

    phrases: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    question: TaperedPrompt = Field(default_factory=dict)
    label: str = ""
    at_once: bool = False
    examples: tuple[str, ...] = ()
    contrast: Contrast = Field((), alias="not")
    reason: str
    skill: str = "retention"
    priority: int = Field(9, ge=0, le=10)


class Universals(Node):
    """The ``universals:`` file, one per directory: what every state of every flow understands, and system words.

    ``concepts``: single words of the company that mean the same in a request, by a name for what they mean ("filler":
    nothing). Names of the language's own (move, top, up, down, end, swap, before, after, remove, add, hear, undo, hold)
    add to them."""

    universals: Literal[True] | str
    language: str = "en-US"
    persona: str = "neutral"
    human_flow: str = "human"  # the flow that hands over; every road ends there
    human: Universal
    repeat: Universal
    help: Universal
    back: Universal
    start_over: Universal = Universal(phrases=())
    goodbye: Universal
    yes: tuple[str, ...]
    no: tuple[str, ...]
    languages: dict[str, Universal] = Field(default_factory=dict)  # how callers choose one, in whichever they speak
    one_language: str = ""  # the company's word that it serves in this one alone
    risks: dict[str, Risk] = Field(default_factory=dict)
    concepts: Concepts = Field(default_factory=dict)
    prompts: dict[str, TaperedPrompt] = Field(default_factory=dict)

    @property
    def agitation(self) -> Risk:
        """To whom callers go whose manner says that they are upset."""
        return self.risks.get(AGITATION) or Risk(reason="upset", priority=8)


FlowFile = Flow | Fragment | Wording | Universals | CompanyFile
