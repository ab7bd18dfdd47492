"""The beam search along a grammar's lattice. Finished paths are ranked by log-probability divided by length. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ivr.speech.recognisers.lattice import Lattice, Place
from ivr.speech.recognisers.trie import Ending


@dataclass(frozen=True, slots=True)
class Path:
    """A finished path: its ending and whole text, the values (or digits) chosen, its total log-probability, and its
    tokens including the end."""

    ending: Ending
    text: str
    emitted: tuple[str, ...]
    logprob: float
    length: int

    @property
    def v(self) -> float:
        return self.logprob / self.length


class Scorer(Protocol):
    """A decoder over one utterance: rows of log-probabilities, one a live hypothesis."""

    def first(self) -> NDArray[np.float32]:
        """[1, vocabulary]: after the beginning-of-sequence token."""
        ...

    def advance(self, parents: Sequence[int], tokens: Sequence[int]) -> NDArray[np.float32]:
        """Row i: the hypothesis ``parents[i]`` of the last call, extended by ``tokens[i]``."""
        ...


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
    ``spread``: how far below the best live one, in all. Clear speech then costs few rows, and noise all of them.
    """
    live: list[tuple[float, Place, tuple[str, ...]]] = [(0.0, lattice.root, ())]
    rows = scorer.first()
    finished: dict[str, Path] = {}
    best = -math.inf
    for length in range(1, longest + 1):
        if cancelled is not None and cancelled():
            return []
        candidates: dict[tuple[Place, tuple[str, ...]], tuple[float, int, int, Place, tuple[str, ...]]] = {}
        for row, (score, place, chosen_so_far) in enumerate(live):
            state = lattice.opened(place)
            for ending, emitted in state.ends:
                values = chosen_so_far + emitted
                if ending.repeats(values):
                    continue
                path = Path(ending, ending.text(values), values, score + float(rows[row, end]), length)
                known = finished.get(path.text)
                if known is None or path.v > known.v:
                    finished[path.text] = path
                best = max(best, path.v)
            if not len(state.tokens):
                continue
            scores = rows[row, state.tokens] + score
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
        live = [(c[0], c[3], c[4]) for c in chosen]
    return sorted(finished.values(), key=lambda p: -p.v)
