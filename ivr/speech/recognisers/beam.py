"""The beam search along a grammar's lattice. Finished paths are ranked by log-probability divided by length. Pure.

The lattice is a grammar's trunk and its slots' values, put together only where a beam goes. A place inside a slot's
value is a pair: the node of the values' trie, and the node of the trunk where it leads on. Such pairs are made when
they are first looked at, so that time and memory grow with what was visited and not with the product of templates and
values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ivr.speech.recognisers.trie import Ending, Node, Tokens


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
    """Ready for the beam. Each search goes through one of its own (``unvisited``): what it makes on the way costs a
    millisecond, and kept for every caller's grammar it would be most of a recogniser's memory."""

    def __init__(self, trunk: Node, slots: Mapping[str, Node] | None = None) -> None:
        self._slots = dict(slots or {})
        self._places: dict[tuple[Node, Node | None], Place] = {}
        self.root = self.place(trunk, None)

    def unvisited(self) -> Lattice:
        """The same, with nothing made yet."""
        return Lattice(self.root.node, self._slots)

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


@dataclass(frozen=True, slots=True)
class Path:
    """A finished path: its ending and whole text, the values (or digits) chosen, its total log-probability, its end
    included, and its tokens without that."""

    ending: Ending
    text: str
    emitted: tuple[str, ...]
    logprob: float
    tokens: Tokens

    @property
    def length(self) -> int:
        return len(self.tokens) + 1

    @property
    def v(self) -> float:
        return self.logprob / self.length


class Scores(Protocol):
    """Log-probabilities of the vocabulary, a row a live hypothesis; a row, or tokens of one, are asked for by index."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: Any, /) -> Any: ...


class Scorer(Protocol):
    """A decoder over one utterance: rows of log-probabilities, one a live hypothesis."""

    def first(self) -> Scores:
        """One row: after the beginning-of-sequence token."""

    def advance(self, parents: Sequence[int], tokens: Sequence[int]) -> Scores:
        """Row i: the hypothesis ``parents[i]`` of the last call, extended by ``tokens[i]``."""


class Unled:
    """A Scorer of what was ``heard``, less a ``share`` of what would be said ``unheard``: it follows what sounds right
    past words that nobody would write."""

    def __init__(self, heard: Scorer, unheard: Scorer, share: float) -> None:
        self._heard, self._unheard, self._share = heard, unheard, np.float32(share)

    def first(self) -> Scores:
        return self._less(self._heard.first(), self._unheard.first())

    def advance(self, parents: Sequence[int], tokens: Sequence[int]) -> Scores:
        return self._less(self._heard.advance(parents, tokens), self._unheard.advance(parents, tokens))

    def _less(self, heard: Scores, unheard: Scores) -> Scores:
        return [_Less(heard[row], unheard[row], self._share) for row in range(len(heard))]


@dataclass(frozen=True, slots=True)
class _Less:
    """A row of Unled's: few of its tokens are ever asked for."""

    heard: Scores
    unheard: Scores
    share: np.float32

    def __len__(self) -> int:
        return len(self.heard)

    def __getitem__(self, tokens: Any, /) -> Any:
        return self.heard[tokens] - self.share * self.unheard[tokens]


def search(
    scorer: Scorer,
    lattice: Lattice,
    end: int,
    *,
    width: int = 8,
    patience: float = 1.0,
    spread: float = 8.0,
    longest: int = 48,
    cancelled: Callable[[], bool] | None = None,
) -> list[Path]:
    """Finished paths, best ``v`` first, each phrase once. ``end`` is the end-of-sequence token.

    ``patience``: how far below the best finished path, per token, a live prefix may lie and still be followed;
    ``spread``: how far below the best live one, in all. Clear speech then costs few rows, and noise all of them."""
    lattice = lattice.unvisited()
    live: list[tuple[float, Place, tuple[str, ...], Tokens]] = [(0.0, lattice.root, (), ())]
    rows = scorer.first()
    finished: dict[str, Path] = {}
    best = -math.inf
    for length in range(1, longest + 1):
        if cancelled is not None and cancelled():
            return []
        candidates: dict[tuple[Place, tuple[str, ...]], tuple[float, int, int, Place, tuple[str, ...]]] = {}
        for row, (score, place, chosen_so_far, spelt) in enumerate(live):
            state = lattice.opened(place)
            for ending, emitted in state.ends:
                values = chosen_so_far + emitted
                if ending.repeats(values):
                    continue
                path = Path(ending, ending.text(values), values, score + float(rows[row][end]), spelt)
                known = finished.get(path.text)
                if known is None or path.v > known.v:
                    finished[path.text] = path
                best = max(best, path.v)
            if not len(state.tokens):
                continue
            scores = rows[row][state.tokens] + score
            order = np.argpartition(-scores, width)[: width + 1] if len(scores) > width else range(len(scores))
            for i in order:
                value = float(scores[i])
                if value / length <= best - patience:
                    continue
                # two spellings that meet again: only the better goes on
                key = (lattice.place(*state.children[i]), chosen_so_far + state.emits[i])
                if key not in candidates or value > candidates[key][0]:
                    candidates[key] = (value, row, int(state.tokens[i]), *key)
        chosen = sorted(candidates.values(), key=lambda c: -c[0])[:width]
        chosen = [c for c in chosen if c[0] > chosen[0][0] - spread]
        if not chosen or length == longest:
            break
        rows = scorer.advance([c[1] for c in chosen], [c[2] for c in chosen])
        live = [(c[0], c[3], c[4], (*live[c[1]][3], c[2])) for c in chosen]
    return sorted(finished.values(), key=lambda p: -p.v)
