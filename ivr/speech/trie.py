"""A grammar compiled into a lattice of token ids, and the beam search along it. Pure: no model in here.

Words form a trie over phrases; each word can be spelt several ways (cased, lower, figures), and all spellings lead to
the same next node, so that the lattice stays small and a recogniser may pick the casing that it would write itself.
Digit strings are a chain of counting nodes. Finished paths are ranked by log-probability divided by length.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ivr.ports import DigitRun
from ivr.speech.spelling import CARRIERS, digit_spellings, multiples, runs, spellings

Tokens = tuple[int, ...]
DIGITS = -2  # the "phrase" that a digit string ends in


class Node:
    """A state. ``edges`` consume a token; ``arcs`` lead on without one and may emit a digit."""

    __slots__ = ("arcs", "edges", "opened", "pause", "phrase", "words")

    def __init__(self, *, pause: bool = False) -> None:
        self.edges: dict[int, Node] = {}
        self.arcs: list[tuple[str, Node]] = []
        self.words: dict[str, Node] = {}
        self.phrase: int | None = None
        self.pause = pause
        self.opened: Opened | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """A node with its arcs followed: what may come next, and what may end here."""

    tokens: NDArray[np.int64]
    children: tuple[Node, ...]
    emits: tuple[str, ...]
    ends: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Path:
    """A finished path: ``phrase`` (or DIGITS with ``digits``), total log-probability, tokens including the end."""

    phrase: int
    digits: str
    logprob: float
    length: int

    @property
    def v(self) -> float:
        return self.logprob / self.length


class Encoder(Protocol):
    def word(self, word: str) -> Tokens:
        """Token ids of a word that follows a space."""
        ...

    def glued(self, text: str) -> Tokens:
        """Token ids of text that follows without a space (punctuation, a further digit)."""
        ...


class Lattice:
    """Phrases and digit strings, ready for the beam. Build it once, share it between threads."""

    def __init__(self, encoder: Encoder, phrases: Sequence[str], digits: DigitRun | None = None) -> None:
        self._encoder = encoder
        self.root = Node()
        self._comma = encoder.glued(",")
        self._stops = [encoder.glued(mark) for mark in (".", "?", "!")]
        self._spelt: dict[str, tuple[Tokens, ...]] = {}
        for index, phrase in enumerate(phrases):
            self._add(index, phrase.split())
        if digits is not None:
            self._count(digits)

    def _add(self, index: int, words: Sequence[str]) -> None:
        if not words:
            return
        nodes = [self.root]
        for word in words:
            nodes.append(self._step(nodes[-1], word, self._word(word)))
        for start, end, written in runs(words):
            key = f"{start - end} {written}"  # no word contains a space: cannot collide
            if key not in nodes[start].words:
                nodes[start].words[key] = nodes[end]
                self._link(nodes[start], self._encoder.word(written), "", nodes[end])
        if nodes[-1].phrase is None:  # the first of two equal phrases wins
            self._finish(nodes[-1], index)

    def _word(self, word: str) -> tuple[Tokens, ...]:
        if word not in self._spelt:
            forms = dict.fromkeys(self._encoder.word(form) for form in spellings(word))
            self._spelt[word] = tuple(forms)
        return self._spelt[word]

    def _step(self, node: Node, word: str, forms: Iterable[Tokens]) -> Node:
        target = node.words.get(word)
        if target is None:
            target = node.words[word] = Node()
            for tokens in forms:
                self._link(node, tokens, "", target)
            self._pause(target)
        return target

    def _pause(self, node: Node) -> None:
        rest = Node(pause=True)
        rest.arcs.append(("", node))
        node.edges[self._comma[0]] = rest

    def _finish(self, node: Node, phrase: int) -> None:
        node.phrase = phrase
        for stop in self._stops:
            end = Node()
            end.phrase = phrase
            node.edges[stop[0]] = end

    @staticmethod
    def _link(node: Node, tokens: Tokens, emit: str, target: Node) -> None:
        for token in tokens:
            node = node.edges.setdefault(token, Node())
        if (emit, target) not in node.arcs:
            node.arcs.append((emit, target))

    def _count(self, run: DigitRun) -> None:
        counts = [Node() for _ in range(run.maximum + 1)]
        self.root.arcs.append(("", counts[0]))
        for carrier in CARRIERS:
            node = self.root
            for word in carrier.split():
                node = self._step(node, word, self._word(word))
            node.arcs.append(("", counts[0]))
        for n, node in enumerate(counts):
            if n:
                self._pause(node)
                rest = Node(pause=True)
                rest.arcs.append(("", node))
                node.edges[self._encoder.glued("-")[0]] = rest
            if n >= max(1, run.minimum):
                self._finish(node, DIGITS)
            for digit, forms in digit_spellings():
                for form in forms:
                    if n < run.maximum:
                        self._link(node, self._encoder.word(form), digit, counts[n + 1])
                        if form.isdigit() and n:
                            self._link(node, self._encoder.glued(form), digit, counts[n + 1])
                    for times, words in multiples():
                        if n + times <= run.maximum and form.islower():
                            for first in words:
                                both = self._encoder.word(first) + self._encoder.word(form)
                                self._link(node, both, digit * times, counts[n + times])
        for n in range(1, run.maximum):  # "5-0" and "5, 0" glue the next digit without a space
            for rest in [e for e in counts[n].edges.values() if e.pause]:
                for digit, forms in digit_spellings():
                    for form in forms:
                        if form.isdigit():
                            self._link(rest, self._encoder.glued(form), digit, counts[n + 1])


def opened(node: Node) -> Opened:
    """``node`` with its arcs followed; computed once (twice at worst, when two threads meet: harmless)."""
    if node.opened is None:
        tokens: list[int] = []
        children: list[Node] = []
        emits: list[str] = []
        ends: list[tuple[int, str]] = []
        pending: list[tuple[Node, str]] = [(node, "")]
        seen: set[tuple[int, str]] = set()
        while pending:
            at, emitted = pending.pop()
            if (id(at), emitted) in seen:
                continue
            seen.add((id(at), emitted))
            if at.phrase is not None and not node.pause:
                ends.append((at.phrase, emitted))
            for token, child in at.edges.items():
                if not (node.pause and child.pause):  # one comma, not a row of them
                    tokens.append(token)
                    children.append(child)
                    emits.append(emitted)
            pending.extend((target, emitted + emit) for emit, target in at.arcs)
        node.opened = Opened(np.array(tokens, np.int64), tuple(children), tuple(emits), tuple(ends))
    return node.opened


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
    live: list[tuple[float, Node, str]] = [(0.0, lattice.root, "")]
    rows = scorer.first()
    finished: dict[tuple[int, str], Path] = {}
    best = -math.inf
    for length in range(1, longest + 1):
        if cancelled is not None and cancelled():
            return []
        candidates: dict[tuple[int, str], tuple[float, int, int, Node, str]] = {}
        for row, (score, node, digits) in enumerate(live):
            state = opened(node)
            for phrase, emitted in state.ends:
                path = Path(phrase, digits + emitted, score + float(rows[row, end]), length)
                known = finished.get((phrase, path.digits))
                if known is None or path.v > known.v:
                    finished[phrase, path.digits] = path
                best = max(best, path.v)
            if not len(state.tokens):
                continue
            scores = rows[row, state.tokens] + score
            order = np.argpartition(-scores, width)[: width + 1] if len(scores) > width else range(len(scores))
            for i in order:
                value = float(scores[i])
                if value / length <= best - patience:
                    continue
                child, text = state.children[i], digits + state.emits[i]
                key = (id(child), text)  # two spellings that meet again: only the better goes on
                if key not in candidates or value > candidates[key][0]:
                    candidates[key] = (value, row, int(state.tokens[i]), child, text)
        chosen = sorted(candidates.values(), key=lambda c: -c[0])[:width]
        chosen = [c for c in chosen if c[0] > chosen[0][0] - spread]
        if not chosen or length == longest:
            break
        rows = scorer.advance([c[1] for c in chosen], [c[2] for c in chosen])
        live = [(c[0], c[3], c[4]) for c in chosen]
    return sorted(finished.values(), key=lambda p: -p.v)
