"""A flow as a graph of what can happen next, compiled once for all walks.

Nodes are states; a ``Step`` is one way on. A step is *heard* when the caller had a say on the way (a
question answered, a confirmation given, silence or nonsense three times over) and *silent* when it happens whatever the
caller does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ivr.dialogue.checker.condition import Test
from ivr.dialogue.flows.model import Flow, State, TaperedPrompt
from ivr.dialogue.flows.signature import IMPLICIT_OUTCOMES
from ivr.dialogue.flows.wording import SLOT

HUMAN, END, BACK = -1, -2, -3
CALLBACK = "callback.request"
HTTP_OUTCOMES = ("ok", "refused", *IMPLICIT_OUTCOMES)
HANDOFF_OUTCOMES = ("closed", "failed", "dropped")

# What a step does to the debt of a human owed to the caller.
KEEP, OWE, SETTLE, TRIED, CALLBACK_FAILED = range(5)

UsePath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Use:
    """Variables that must be filled here: in ``overlay`` (None: the flow itself) at ``path``."""

    need: int
    path: UsePath
    overlay: tuple[str, str, str] | None = None
    guard: Test | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One way on. ``before`` is filled by what led here (slots, returned values) when ``uses`` are resolved."""

    target: int
    label: str
    heard: bool
    before: int = 0
    gen: int = 0
    kill: int = 0
    debt: int = KEEP
    guard: Test | None = None
    uses: tuple[Use, ...] = ()
    lost: int = 0  # emptied by what led here, before ``uses``


@dataclass(slots=True)
class Node:
    """One state. ``steps`` for every kind but calls, whose ways on depend on the sub-flow's results."""

    name: str
    state: State
    kind: str
    fills: int = 0  # by ``set``, on entering
    ask: int = 0
    uses: list[Use] = field(default_factory=list)  # once entered
    asks: list[Use] = field(default_factory=list)  # only where the caller is really asked
    steps: list[Step] = field(default_factory=list)
    passed: Step | None = None  # an ask that is filled already
    call: str = ""
    given: frozenset[str] = frozenset()
    perhaps: frozenset[str] = frozenset()  # parameters given from facts, which may be missing
    steps_by_result: dict[str, Step] = field(default_factory=dict)
    otherwise: Step | None = None
    returned: frozenset[str] = frozenset()


@dataclass(slots=True)
class FlowGraph:
    flow: Flow
    names: list[str]
    index: dict[str, int]
    bits: dict[str, int]
    nodes: list[Node]
    tracked: int
    start: int

    def variables(self, mask: int) -> list[str]:
        return [v for v, bit in self.bits.items() if mask & bit]


def spoken(state: State) -> Iterator[tuple[str, TaperedPrompt, UsePath]]:
    """Everything a state can say: the id its wording goes by ("" for the state's own prompt), the prompt, its path."""
    if state.prompt:
        yield "", state.prompt, ("prompt",)
    for part in ("noinput", "nomatch", "help", "wait"):
        prompt = getattr(state, part)
        if prompt:
            yield part, prompt, (part,)
    if state.confirm is not None:
        if state.confirm.prompt:
            yield "confirm", state.confirm.prompt, ("confirm", "prompt")
        if state.confirm.no is not None and state.confirm.no.say:
            yield "no", state.confirm.no.say, ("confirm", "no", "say")
    for outcome, edge in state.on.items():
        if edge.say:
            yield f"on.{outcome}", edge.say, ("on", outcome, "say")
    for index, choice in enumerate(state.choices):
        if choice.say:
            yield f"choice.{choice.intent}", choice.say, ("choices", index, "say")
    for index, case in enumerate(state.when):
        if case.say:
            yield f"when.{index}", case.say, ("when", index, "say")
    if state.goto is not None and state.goto.say:
        yield "goto", state.goto.say, ("goto", "say")
    for name, override in state.universals.items():
        if override.prompt:
            yield f"universal.{name}", override.prompt, ("universals", name, "prompt")


def names_in(text: str) -> Iterator[str]:
    """The variables and facts that a text's {slots} name."""
    for match in SLOT.finditer(text):
        yield match.group(1).strip()
