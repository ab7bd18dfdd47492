"""Renames: states, intents and flows that went, matched with those that came under another name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel
from rapidfuzz import fuzz

from ivr.dialogue.flows.model import Flow
from ivr.dialogue.flows.state import Path, State
from ivr.workshop.compare.change import spelled

T = TypeVar("T")
ALIKE = 0.6  # below, a state that went and one that came are two different ones
Names = Mapping[str, str]
"""Old name -> new name"""


def renamed_flows(old: Mapping[str, Flow], new: Mapping[str, Flow]) -> dict[str, str]:
    return _matched(old, new, lambda one, other: _overlap(set(one.states), set(other.states)))


def renamed_intents(old: Flow, new: Flow) -> dict[str, str]:
    return _matched(old.intents, new.intents, lambda one, other: _overlap(set(one.phrases), set(other.phrases)))


def renamed_states(old: Flow, new: Flow) -> dict[str, str]:
    into_old, into_new = _sources(old), _sources(new)

    def likeness(name: str, other: str) -> float:
        own = _state_likeness(old.states[name], new.states[other])
        around = _overlap(into_old.get(name, set()), into_new.get(other, set()))
        return own * 0.8 + around * 0.2

    return _matched({n: n for n in old.states}, {n: n for n in new.states}, likeness)


def _matched(old: Mapping[str, T], new: Mapping[str, T], likeness: Callable[[T, T], float]) -> dict[str, str]:
    """The likeliest pairs first, each name once."""
    gone = [n for n in old if n not in new]
    come = [n for n in new if n not in old]
    scored = [(likeness(old[a], new[b]), -i, -j, a, b) for i, a in enumerate(gone) for j, b in enumerate(come)]
    found: dict[str, str] = {}
    for score, _, _, a, b in sorted(scored, reverse=True):
        if score >= ALIKE and a not in found and b not in found.values():
            found[a] = b
    return found


def _state_likeness(old: State, new: State) -> float:
    if old.kinds != new.kinds or old.action != new.action or old.call != new.call:
        return 0.0
    words = fuzz.ratio(spelled(old.prompt), spelled(new.prompt)) / 100 if old.prompt or new.prompt else None
    onward = _overlap(*({(w.kind, w.name, w.target) for w in state.transitions()} for state in (old, new)))
    rest = {"prompt", "goto", "on", "choices", "when"}
    same = 1.0 if old.model_dump(exclude=rest) == new.model_dump(exclude=rest) else 0.4
    parts = [onward, same] if words is None else [words, words, onward, same]
    return sum(parts) / len(parts)


def _sources(flow: Flow) -> dict[str, set[tuple[str, str, str]]]:
    found: dict[str, set[tuple[str, str, str]]] = {}
    for name, state in flow.states.items():
        for transition in state.transitions():
            found.setdefault(transition.target, set()).add((name, transition.kind, transition.name))
    return found


def _overlap(one: set[Any], other: set[Any]) -> float:
    return len(one & other) / len(one | other) if one or other else 1.0


# --- the old flow, told in the new names -------------------------------------------------------------------------


def retold(flow: Flow, name: str, flows: Names, states: Names, intents: Names) -> Flow:
    """``flow`` with everything called what it is called now."""

    def state_of(state: State) -> State:
        told: State = state.model_copy(update={"call": flows.get(state.call, state.call)})
        for transition in state.transitions():
            to = transition.target
            told = _placed(told, (*transition.path, "goto"), to if state.reserves(to) else states.get(to, to))
            if transition.kind == "choice":
                told = _placed(told, (*transition.path, "intent"), intents.get(transition.name, transition.name))
        return told

    return flow.model_copy(
        update={
            "flow": name,
            "start": states.get(flow.start, flow.start),
            "intents": {intents.get(k, k): v for k, v in flow.intents.items()},
            "states": {states.get(k, k): state_of(s) for k, s in flow.states.items()},
        }
    )


def _placed(where: Any, path: Path, value: str) -> Any:
    """The same model, mapping or list with ``value`` at ``path``."""
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(where, BaseModel):
        return where.model_copy(update={str(step): _placed(getattr(where, str(step)), rest, value)})
    if isinstance(where, Mapping):
        return {**where, step: _placed(where[step], rest, value)}
    return tuple(_placed(inner, rest, value) if index == step else inner for index, inner in enumerate(where))


def retold_id(prompt_id: str, states: Names, intents: Names) -> str:
    """A wording's prompt or label id ("state", "state.part", "state.choice.intent") in the new names."""
    state, *rest = prompt_id.split(".")
    if rest:
        rest[-1] = intents.get(rest[-1], rest[-1]) if rest[0] == "choice" or len(rest) == 1 else rest[-1]
    return ".".join((states.get(state, state), *rest))


def in_order(names: Sequence[str], others: Sequence[str]) -> bool:
    """Whether what both have comes in the same order in both."""
    both = set(names) & set(others)
    return [n for n in names if n in both] == [n for n in others if n in both]
