"""One state of a flow as data: its kinds, its edges (``State.transitions``) and its words (``State.prompts``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import Discriminator, Field, Tag

from ivr.dialogue.flows.prompt import Duration, Node, PromptItem, TaperedPrompt, short_for
from ivr.dialogue.flows.prompt import Path as Path
from ivr.dialogue.flows.signature import IMPLICIT_OUTCOMES
from ivr.identity import LevelWord

# Targets that exist in every flow: a live human, a polite goodbye, the previous question, repeat, this state anew.
HUMAN = "human"
RESERVED_TARGETS = frozenset({HUMAN, "goodbye", "back", "repeat", "again"})
# And in a wait: where the caller stands, without music, with it, back to the dialogue with the place kept.
WAIT_TARGETS = frozenset({"place", "quiet", "music", "machine"})
STAYING_TARGETS = WAIT_TARGETS - {"machine"}  # the caller goes on waiting

ConfirmPolicy = Literal["auto", "none", "implicit", "explicit"]


class EdgeSpec(Node):
    """Where to go next: a state of this flow or a reserved target.

    ``reason``, ``skill`` and ``priority`` go with the target ``human``. ``language`` and ``persona``: how the call is
    spoken and listened to from here on, to its end."""

    goto: str
    say: TaperedPrompt | None = None
    set: dict[str, Any] = Field(default_factory=dict)
    clear: tuple[str, ...] = ()
    reason: str = ""
    skill: str = ""
    priority: int | None = Field(None, ge=0, le=10)
    language: str = ""
    persona: str = ""


Edge = Annotated[EdgeSpec, short_for("goto", str)]


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
    ``clear``ed variables asked again. ``unanswered``: "no" takes silence, and whatever isn't a clear yes, for a no at
    once, so that nobody has to answer to go on."""

    policy: ConfirmPolicy = "auto"
    prompt: TaperedPrompt | None = None
    unanswered: Literal["", "no"] = ""
    no: Edge | None = None


class Handoff(Node):
    """Connect to a live agent. Texts may carry {slots}; an empty reason takes the one that led here."""

    reason: str = ""
    skill: str = ""
    priority: int | None = Field(None, ge=0, le=10)


class Wait(Node):
    """Wait in the line for a live agent, listened to all the while. An empty reason takes the one that led here.

    ``told``: where the caller stands, said at first, ``every`` so often, when it gets better and when they ask, with
    {wait.position} and {wait.minutes} where these are known. ``again``: they are back at a place that was kept.
    ``music``: a recording; "" is quiet, none the line's own."""

    reason: str = ""
    skill: str = ""
    priority: int | None = Field(None, ge=0, le=10)
    told: TaperedPrompt = Field(default_factory=dict)
    again: TaperedPrompt = Field(default_factory=dict)
    every: Duration | None = None
    music: str | None = None


WAIT_TAGS = ("wait as a verb", "wait as a prompt")  # what the model's errors have on the way into either
_SAID = frozenset(PromptItem.model_fields) | {"if"}


def _waits(value: object) -> str:
    """Which of its two meanings ``wait`` has: keys of the verb, or what an action says that takes long."""
    prompt = not isinstance(value, Mapping) or any(str(key).isdigit() or key in _SAID for key in value)
    return WAIT_TAGS[isinstance(value, Wait) is False and prompt]


class Http(Node):
    """Call the company's own service, named in config.toml under [[flows.services]]. ``returns``: name -> JSON path;
    ``facts``: the company file's facts that it brings, each with its place in the answer.

    ``needs``: the identity level below which it is not called; "" is what ``assurance`` says. ``gives``: the level that
    its "ok" gives the caller, ``by`` what proved it ("PIN")."""

    service: str
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    path: str
    query: dict[str, Any] = Field(default_factory=dict)
    body: dict[str, Any] = Field(default_factory=dict)
    returns: dict[str, str] = Field(default_factory=dict)
    facts: dict[str, str] = Field(default_factory=dict)
    refused: tuple[int, ...] = ()  # statuses that mean "no", not "broken"; default: 4xx
    risk: Literal["none", "reversible", "irreversible"] = "reversible"
    needs: LevelWord | Literal[""] = ""
    gives: LevelWord | Literal[""] = ""
    by: str = ""


class UniversalOverride(Node):
    """Change what a universal says or does here. ``human`` may only gain words, never lose its way out."""

    prompt: TaperedPrompt | None = None
    goto: str = ""


TransitionKind = Literal["answer", "choice", "case", "outcome", "result", "then", "no", "universal"]


class Transition(NamedTuple):
    """One way on from a state.

    ``trigger`` is unique in the state: "goto", "on.OUTCOME", "choice.N", "when.N", "no", "universal.NAME".
    ``name``: the variable answered, the intent, outcome, result, condition or universal that takes it. ``path``: of
    the edge below the state. ``implied``: not written in the file, but it happens."""

    trigger: str
    path: Path
    edge: EdgeSpec
    kind: TransitionKind
    name: str = ""
    implied: bool = False

    @property
    def target(self) -> str:
        return self.edge.goto

    @property
    def key(self) -> str:
        return self.edge.key if isinstance(self.edge, Choice) else ""

    @property
    def label(self) -> str:
        return self.edge.label if isinstance(self.edge, Choice) else ""

    @property
    def condition(self) -> str:
        """When it can be taken at all; "" is always."""
        return self.edge.condition if isinstance(self.edge, Choice | Case) else ""

    @property
    def failure(self) -> bool:
        """Something of ours broke: nothing the caller did."""
        return self.kind == "outcome" and self.name in IMPLICIT_OUTCOMES

    @property
    def prompt_id(self) -> str:
        """What wordings call the edge's ``say``, below the state."""
        return f"choice.{self.name}" if self.kind == "choice" else self.trigger


class StatePrompt(NamedTuple):
    """Something a state can say: the id wordings know it by below the state ("" is the state's own prompt)."""

    part: str
    prompt: TaperedPrompt
    path: Path

    def id_in(self, state: str) -> str:
        """The whole id: "state", or "state.part"."""
        return f"{state}.{self.part}" if self.part else state


class State(Node):
    """One state. Exactly one kind: choices and/or ask | action | http | when | call | handoff | wait (with choices) |
    return | end | resume | say-and-go (just ``prompt`` + ``goto``)."""

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
    key_entry: TaperedPrompt | None = None  # how the answer is keyed in, where the line's own words say it badly
    timeout: Duration | None = None
    hangover: Duration | None = None
    bargein: bool | None = None
    universals: dict[str, UniversalOverride] = Field(default_factory=dict)
    # an action
    action: str = ""
    http: Http | None = None
    arguments: dict[str, Any] = Field(default_factory=dict, alias="with")  # parameter -> expression
    confirm: Annotated[Confirm, short_for("policy", str)] | None = None
    # said when the action takes longer than a second; or, with keys of its own, the verb: a place in the line
    wait: Annotated[
        Annotated[Wait, Tag(WAIT_TAGS[0])] | Annotated[TaperedPrompt | None, Tag(WAIT_TAGS[1])], Discriminator(_waits)
    ] = None
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

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """The kinds this state has; the checker wants exactly one ("ask" and "choices" count as one question)."""
        present = {
            "question": self.ask or (self.choices and self.line is None), "action": self.action, "http": self.http,
            "branch": self.when, "call": self.call, "return": self.result, "handoff": self.handoff,
            "wait": self.line is not None, "end": self.end, "resume": self.resume,
        }  # fmt: skip
        return tuple(kind for kind, value in present.items() if value) or ("say",)

    @property
    def line(self) -> Wait | None:
        """Where the caller waits here for a live agent."""
        return self.wait if isinstance(self.wait, Wait) else None

    @property
    def one_moment(self) -> TaperedPrompt | None:
        """What is said when the action takes longer than a second."""
        return None if isinstance(self.wait, Wait) else self.wait

    def reserves(self, target: str) -> bool:
        """Whether ``target`` is no state's name here."""
        return target in RESERVED_TARGETS or (self.line is not None and target in WAIT_TARGETS)

    def transitions(self, *, implied: bool = False) -> Iterator[Transition]:
        """Every way on that the state names, in the order of the file; with ``implied`` also what a "no" does where
        nothing is written. What callers can say everywhere is left out, unless the state leads it elsewhere."""
        return (transition for transition in self._all_transitions if implied or not transition.implied)

    def transition(self, *kinds: TransitionKind, name: str | None = None) -> Transition | None:
        """The first way on that the file names of these kinds, and of this name where one is given."""
        return next((each for each in self.transitions() if each.kind in kinds and name in (None, each.name)), None)

    @cached_property
    def _all_transitions(self) -> tuple[Transition, ...]:
        return tuple(self._listed())

    def _listed(self) -> Iterator[Transition]:
        if self.ask and self.goto is not None:
            yield Transition("goto", ("goto",), self.goto, "answer", self.ask)
        for index, choice in enumerate(self.choices):
            yield Transition(f"choice.{index}", ("choices", index), choice, "choice", choice.intent)
        for index, case in enumerate(self.when):
            yield Transition(f"when.{index}", ("when", index), case, "case", case.condition)
        for outcome, edge in self.on.items():
            yield Transition(f"on.{outcome}", ("on", outcome), edge, "result" if self.call else "outcome", outcome)
        if self.goto is not None and not self.ask:
            yield Transition("goto", ("goto",), self.goto, "then")
        if self.confirm is not None:
            if self.confirm.no is not None:
                yield Transition("no", ("confirm", "no"), self.confirm.no, "no")
            elif self.confirm.policy in ("explicit", "auto"):
                yield Transition("no", ("confirm",), EdgeSpec(goto="back"), "no", implied=True)
        for name, override in self.universals.items():
            if override.goto:
                edge = EdgeSpec(goto=override.goto)
                yield Transition(f"universal.{name}", ("universals", name), edge, "universal", name)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        copied = super().model_copy(update=update, deep=deep)
        for cached in ("kinds", "_all_transitions"):  # they may be others in the copy
            copied.__dict__.pop(cached, None)
        return copied

    def prompts(self) -> Iterator[StatePrompt]:
        """Everything the state can say itself."""
        if self.prompt:
            yield StatePrompt("", self.prompt, ("prompt",))
        own = {
            "noinput": self.noinput,
            "nomatch": self.nomatch,
            "help": self.help,
            "key_entry": self.key_entry,
            "wait": self.one_moment,
        }
        for part, prompt in own.items():
            if prompt:
                yield StatePrompt(part, prompt, (part,))
        if self.line is not None:
            for part, prompt in (("told", self.line.told), ("again", self.line.again)):
                if prompt:
                    yield StatePrompt(part, prompt, ("wait", part))
        if self.confirm is not None and self.confirm.prompt:
            yield StatePrompt("confirm", self.confirm.prompt, ("confirm", "prompt"))
        for transition in self.transitions():
            if transition.edge.say:
                yield StatePrompt(transition.prompt_id, transition.edge.say, (*transition.path, "say"))
        for name, override in self.universals.items():
            if override.prompt:
                yield StatePrompt(f"universal.{name}", override.prompt, ("universals", name, "prompt"))
