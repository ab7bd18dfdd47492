"""Every edge, condition and value of a state, with its path in the model."""

from __future__ import annotations

from collections.abc import Iterator

from ivr.dialogue.flows.model import EdgeSpec, State


def edges_of(state: State) -> Iterator[tuple[tuple[str | int, ...], EdgeSpec]]:
    """Every edge of a state, with its path."""
    if state.goto is not None:
        yield ("goto",), state.goto
    for outcome, edge in state.on.items():
        yield ("on", outcome), edge
    for index, choice in enumerate(state.choices):
        yield ("choices", index), choice
    for index, case in enumerate(state.when):
        yield ("when", index), case
    if state.confirm is not None and state.confirm.no is not None:
        yield ("confirm", "no"), state.confirm.no


def conditions_in(prompt: object, path: tuple[str | int, ...]) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    """The ``if`` of each item of a tapered prompt."""
    if isinstance(prompt, dict):
        for count, items in prompt.items():
            for place, item in enumerate(items):
                if item.condition:
                    yield item.condition, (*path, count, place, "if")


def leaves(value: object, path: tuple[str | int, ...]) -> Iterator[tuple[object, tuple[str | int, ...]]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*path, index))
    else:
        yield value, path
