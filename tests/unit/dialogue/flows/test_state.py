"""Whatever the model can hold, ``State.transitions`` and ``State.prompts`` list: a new kind of edge is one edit."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Annotated, Any, Union, get_args, get_origin

import pytest
from pydantic import BaseModel

from ivr.dialogue.flows.prompt import PromptItem
from ivr.dialogue.flows.state import EdgeSpec, Path, State, UniversalOverride


def places(annotation: Any, wanted: type[BaseModel]) -> Iterator[tuple[Path, type[BaseModel]]]:
    """Where a value of this type may hold a ``wanted``: paths through mappings, lists and models, and what is there."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from places(arguments[0], wanted)
    elif origin in (Union, types.UnionType):
        for argument in arguments:
            yield from places(argument, wanted)
    elif origin is tuple:
        yield from (((0, *path), kind) for path, kind in places(arguments[0], wanted))
    elif origin is dict:
        key: str | int = "k" if arguments[0] is str else 1
        yield from (((key, *path), kind) for path, kind in places(arguments[1], wanted))
    elif isinstance(annotation, type) and issubclass(annotation, wanted):
        yield (), annotation
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            yield from (((name, *path), kind) for path, kind in places(field.annotation, wanted))


EDGES = sorted((path for path, _ in places(State, EdgeSpec)), key=str)
PROMPTS = sorted((path[:-2] for path, _ in places(State, PromptItem)), key=str)


def holding(path: Path, value: object) -> State:
    """A state with ``value`` at ``path``, and whatever the models on the way demand."""
    body: Any = value
    for depth in range(len(path), 0, -1):
        step = path[depth - 1]
        if step == 0:
            body = [body]
            continue
        body = {step: body}
        if path[: depth - 1] in EDGES and step != "goto":
            body["goto"] = "there"
        if path[: depth - 1] == ("choices", 0):
            body["intent"] = "i"
    return State.model_validate(body)


def test_the_model_has_edges_and_prompts_to_look_for() -> None:
    assert {path[0] for path in EDGES} >= {"goto", "on", "choices", "when", "confirm"}
    assert {path[0] for path in PROMPTS} >= {"prompt", "noinput", "nomatch", "help", "wait", "confirm", "goto", "on"}


@pytest.mark.parametrize("path", EDGES, ids=str)
def test_every_edge_is_a_transition(path: Path) -> None:
    state = holding(path, {"goto": "there"} | ({"intent": "i"} if path[0] == "choices" else {}))
    transition = next(iter(state.transitions()))
    assert (transition.path, transition.target) == (path, "there")
    assert found(state, path) is transition.edge
    assert len(list(state.transitions())) == 1


def test_an_answer_leads_on_by_goto_too() -> None:
    state = State.model_validate({"ask": "title", "goto": "there"})
    assert [(t.kind, t.name, t.trigger) for t in state.transitions()] == [("answer", "title", "goto")]


def test_a_universal_led_elsewhere_is_a_transition() -> None:
    """The only target that is no edge: nothing can be said or set on the way."""
    bare = {kind for _, kind in places(State, BaseModel) if "goto" in kind.model_fields and kind is not State}
    assert {kind for kind in bare if not issubclass(kind, EdgeSpec)} == {UniversalOverride}
    state = State.model_validate({"universals": {"back": {"goto": "there"}}})
    assert [(t.trigger, t.path, t.target) for t in state.transitions()] == [
        ("universal.back", ("universals", "back"), "there")
    ]


@pytest.mark.parametrize("path", PROMPTS, ids=str)
def test_every_prompt_is_listed(path: Path) -> None:
    state = holding(path, "words")
    said = list(state.prompts())
    assert [prompt.path for prompt in said] == [path]
    assert said[0].prompt is found(state, path)


def test_triggers_and_prompts_are_told_apart() -> None:
    state = State.model_validate(
        {
            "prompt": "a",
            "choices": [{"intent": i, "goto": "x", "say": "b"} for i in ("one", "two")],
            "on": {"ok": {"goto": "x", "say": "c"}, "no": "y"},
            "when": [{"if": "a", "goto": "x"}, {"goto": "y", "say": "d"}],
            "goto": {"goto": "z", "say": "e"},
            "confirm": {"policy": "auto", "prompt": "f", "no": {"goto": "x", "say": "g"}},
            "universals": {"help": {"prompt": "h"}, "back": {"goto": "x"}},
        }
    )
    triggers = [t.trigger for t in state.transitions()]
    assert len(set(triggers)) == len(triggers) == 9
    parts = [part for part, _, _ in state.prompts()]
    assert sorted(parts) == sorted(
        ["", "choice.one", "choice.two", "on.ok", "when.1", "goto", "confirm", "no", "universal.help"]
    )


@pytest.mark.parametrize(("policy", "implied"), [("auto", ["back"]), ("explicit", ["back"]), ("none", [])])
def test_a_no_that_leads_nowhere_goes_back(policy: str, implied: list[str]) -> None:
    state = State.model_validate({"action": "a", "confirm": policy})
    assert list(state.transitions()) == []
    assert [t.target for t in state.transitions(implied=True) if t.implied] == implied


def found(state: State, path: Path) -> object:
    """What stands at ``path``."""
    here: Any = state
    for step in path:
        here = getattr(here, str(step)) if isinstance(here, BaseModel) else here[step]
    return here


def test_a_copy_knows_its_own_transitions() -> None:
    state = State.model_validate({"prompt": "Hello.", "goto": "here"})
    assert [way.target for way in state.transitions()] == ["here"] and state.kinds == ("say",)
    moved = state.model_copy(update={"goto": EdgeSpec(goto="there"), "end": "done"})
    assert [way.target for way in moved.transitions()] == ["there"] and moved.kinds == ("end",)
