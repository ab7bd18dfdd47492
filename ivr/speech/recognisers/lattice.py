"""A grammar's trunk and its slots' values, put together only where a beam goes.

A place inside a slot's value is a pair: the node of the values' trie, and the node of the trunk where it leads on. Such
pairs are made when they are first looked at, so that time and memory grow with what was visited and not with the
product of templates and values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ivr.speech.recognisers.trie import Ending, Node


class Place:
    """Where a path may be: at ``node``, inside a value when ``onward`` says where it leads on. One object a pair."""

    __slots__ = ("node", "onward", "opened")

    def __init__(self, node: Node, onward: Node | None) -> None:
        self.node = node
        self.onward = onward
        self.opened: Opened | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """A place with its arcs followed: which tokens may come next, and what may end here. ``emits``: values or digits
    that were completed before the token."""

    tokens: NDArray[np.int64]
    children: tuple[tuple[Node, Node | None], ...]
    emits: tuple[tuple[str, ...], ...]
    ends: tuple[tuple[Ending, tuple[str, ...]], ...]


class Lattice:
    """Ready for the beam; may be shared between threads (two that meet do the same work twice at worst)."""

    def __init__(self, trunk: Node, slots: Mapping[str, Node] | None = None) -> None:
        self._slots = dict(slots or {})
        self._places: dict[tuple[Node, Node | None], Place] = {}
        self.root = self.place(trunk, None)

    def place(self, node: Node, onward: Node | None) -> Place:
        known = self._places.get((node, onward))
        return known if known is not None else self._places.setdefault((node, onward), Place(node, onward))

    def opened(self, place: Place) -> Opened:
        if place.opened is None:
            place.opened = self._open(place)
        return place.opened

    def _open(self, place: Place) -> Opened:
        pause = place.node.pause
        tokens: list[int] = []
        children: list[tuple[Node, Node | None]] = []
        emits: list[tuple[str, ...]] = []
        ends: list[tuple[Ending, tuple[str, ...]]] = []
        pending: list[tuple[Node, Node | None, tuple[str, ...]]] = [(place.node, place.onward, ())]
        seen: set[tuple[Node, Node | None, tuple[str, ...]]] = set()
        while pending:
            step = pending.pop()
            if step in seen:
                continue
            seen.add(step)
            at, onward, emitted = step
            if at.ending is not None and not pause:
                ends.append((at.ending, emitted))
            for token, child in at.edges.items():
                if not (pause and child.pause):  # one comma, not a row of them
                    tokens.append(token)
                    children.append((child, onward))
                    emits.append(emitted)
            pending.extend((target, onward, (*emitted, emit) if emit else emitted) for emit, target in at.arcs)
            for name, after in at.slots:
                if (values := self._slots.get(name)) is not None:
                    pending.append((values, after, emitted))
            if at.value is not None and onward is not None:
                pending.append((onward, None, (*emitted, at.value)))
        return Opened(np.array(tokens, np.int64), tuple(children), tuple(emits), tuple(ends))
