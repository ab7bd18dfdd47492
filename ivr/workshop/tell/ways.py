"""The ways on from a state, one by one, as designers think of them. What diff, graph and explain all look at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ivr.dialogue.flows.library import FlowLibrary
from ivr.dialogue.flows.model import RESERVED_TARGETS, Choice, EdgeSpec, Flow, State
from ivr.dialogue.flows.signature import IMPLICIT_OUTCOMES

WayKind = Literal["answer", "choice", "outcome", "result", "case", "then", "no", "universal"]
HUMAN = "human"


@dataclass(frozen=True, slots=True)
class Way:
    """One way on. ``name``: the variable answered, the intent, outcome, result, condition or universal that takes it.

    ``path`` is where it stands below the state; ``implied`` ways are not written in the file but happen.
    """

    kind: WayKind
    name: str
    edge: EdgeSpec
    path: tuple[str | int, ...]
    key: str = ""
    label: str = ""
    condition: str = ""
    implied: bool = False

    @property
    def target(self) -> str:
        return self.edge.goto

    @property
    def failure(self) -> bool:
        """Something of ours broke: nothing the caller did."""
        return self.kind == "outcome" and self.name in IMPLICIT_OUTCOMES

    @property
    def short(self) -> str:
        """A few words for a picture."""
        match self.kind:
            case "answer":
                return f"{self.name} given"
            case "case":
                return f"if {self.name}" if self.name else "otherwise"
            case "then":
                return "then"
            case "no":
                return "said no"
            case "universal":
                return f"asks for {self.name}" if self.name != "back" else "goes back"
            case _:
                return self.name

    @property
    def told(self) -> str:
        """When it is taken, as the beginning of a sentence about callers."""
        match self.kind:
            case "answer":
                return f"once {self.name} is known"
            case "choice":
                return f"callers who choose {self.name}" + (f" (if {self.condition})" if self.condition else "")
            case "outcome":
                return f"after '{self.name}'"
            case "result":
                return f"when the sub-flow returns '{self.name}'"
            case "case":
                return f"if {self.name}" if self.name else "otherwise"
            case "then":
                return "then"
            case "no":
                return "callers who say no"
            case "universal":
                return f"callers who ask for {self.name}"


def ways(state: State) -> Iterator[Way]:
    """Every way on that the state itself has, in the order of the file. Universals everybody has are left out."""
    kind = state.kinds[0]
    if state.ask and state.goto is not None:
        yield Way("answer", state.ask, state.goto, ("goto",))
    for index, choice in enumerate(state.choices):
        yield _choice(choice, index)
    for index, case in enumerate(state.when):
        yield Way("case", case.condition, case, ("when", index))
    for outcome, edge in state.on.items():
        way_kind: WayKind = "result" if kind == "call" else "outcome"
        yield Way(way_kind, outcome, edge, ("on", outcome))
    if state.goto is not None and not state.ask:
        yield Way("then", "", state.goto, ("goto",))
    if state.confirm is not None:
        if state.confirm.no is not None:
            yield Way("no", "", state.confirm.no, ("confirm", "no"))
        elif state.confirm.policy in ("explicit", "auto"):
            yield Way("no", "", EdgeSpec(goto="back"), ("confirm",), implied=True)
    for name, override in state.universals.items():
        if override.goto:
            yield Way("universal", name, EdgeSpec(goto=override.goto), ("universals", name, "goto"))


def _choice(choice: Choice, index: int) -> Way:
    return Way(
        "choice", choice.intent, choice, ("choices", index), choice.key, choice.label, choice.condition
    )  # fmt: skip


def is_state(flow: Flow, target: str) -> bool:
    return target in flow.states and target not in RESERVED_TARGETS


def leads_to_human(flow: Flow, target: str) -> bool:
    """Whether ``target`` is a human, or says a sentence and then gets one."""
    seen: set[str] = set()
    while target in flow.states and target not in seen:
        seen.add(target)
        state = flow.states[target]
        if state.kinds != ("say",) or state.goto is None:
            return False
        target = state.goto.goto
    return target == HUMAN


def callers_of(library: FlowLibrary, flow: str) -> Iterator[tuple[str, str]]:
    """(flow, state) of each state that calls ``flow``."""
    for other in library.flows.values():
        for name, state in other.states.items():
            if state.call == flow:
                yield other.flow, name


def entries_of(library: FlowLibrary) -> tuple[str, ...]:
    """The flows that answer calls by themselves: those that no other calls, the human flow left out."""
    called = {s.call for f in library.flows.values() for s in f.states.values() if s.call}
    return tuple(n for n in library.flows if n not in called and n != library.universals.human_flow)
