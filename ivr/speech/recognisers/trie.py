"""Grammars as tries of token ids. Pure: no model in here.

Words form a trie over phrases; each word can be spelt several ways (cased, lower, figures), and all spellings lead to
the same next node, so that the trie stays small and a recogniser may pick the casing that it would write itself.
Templates are words and slots in the same trie; a slot's values are a trie of their own, made once and shared by every
grammar and every place that takes the slot (``ivr.speech.recognisers.beam`` puts them together, as far as it goes
there). Digit strings are a chain of counting nodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from ivr.dialogue.understanding.grammar import Pieces, filled, slot_name
from ivr.ports import DigitRun
from ivr.speech.recognisers.spelling import CARRIERS, DIGITS, MULTIPLES, runs, spellings

Tokens = tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Ending:
    """What a path that ends here says: a template filled, a phrase in words, or (neither) a digit string."""

    template: Pieces = ()
    words: str = ""

    @property
    def digits(self) -> bool:
        return not self.template and not self.words

    def text(self, emitted: Sequence[str]) -> str:
        """``emitted``: the values chosen on the way, or the digits."""
        if self.digits:
            return "".join(emitted)
        return filled(self.template, emitted) if self.template else self.words

    def repeats(self, emitted: Sequence[str]) -> bool:
        """Nobody moves a title before itself."""
        return bool(self.template) and len(set(emitted)) < len(emitted)


class Node:
    """A state. ``edges`` consume a token; ``arcs`` lead on without one and may emit a digit; ``slots`` lead on past
    any value of the slot. ``value``: what a slot's value that ends here is. ``words``: for building only. Most nodes
    of the tens of thousands have one edge or one arc and nothing else: they hold no empty containers."""

    __slots__ = ("arcs", "edges", "ending", "pause", "slots", "value", "words")

    def __init__(self, *, pause: bool = False) -> None:
        self.edges: Mapping[int, Node] = _NO_EDGES
        self.arcs: tuple[tuple[str, Node], ...] = ()
        self.words: dict[str, Node] | None = None
        self.slots: tuple[tuple[str, Node], ...] = ()
        self.ending: Ending | None = None
        self.value: str | None = None
        self.pause = pause

    def put(self, token: int, child: Node) -> None:
        if self.edges is _NO_EDGES:
            self.edges = {}
        assert isinstance(self.edges, dict)
        self.edges[token] = child

    def past(self, slot: str) -> Node:
        """The node behind the slot, made where it is missing."""
        for name, node in self.slots:
            if name == slot:
                return node
        node = Node()
        self.slots = (*self.slots, (slot, node))
        return node


_NO_EDGES: Mapping[int, Node] = MappingProxyType({})


class Encoder(Protocol):
    def word(self, word: str) -> Tokens:
        """Token ids of a word that follows a space."""
        ...

    def glued(self, text: str) -> Tokens:
        """Token ids of text that follows without a space (punctuation, a further digit)."""
        ...


class Tries:
    """Makes tries for one encoder. What it makes is never changed again and may be shared between threads."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._comma, self._hyphen = encoder.glued(","), encoder.glued("-")
        self._stops = [encoder.glued(mark) for mark in (".", "?", "!")]
        self._spelt: dict[str, tuple[Tokens, ...]] = {}

    def trunk(self, phrases: Sequence[str], templates: Sequence[Pieces] = (), digits: DigitRun | None = None) -> Node:
        """A grammar without the values of its slots."""
        root = Node()
        for phrase in phrases:
            if phrase.strip():
                self._finish(self._follow(root, phrase.split()), Ending(words=phrase))
        for template in templates:
            node, words = root, list[str]()
            for piece in template:
                if (name := slot_name(piece)) is None:
                    words.append(piece)
                else:
                    node = self._follow(node, words).past(name)
                    words = []
            self._finish(self._follow(node, words), Ending(template=template))
        if digits is not None:
            self._count(root, digits)
        return root

    def values(self, values: Sequence[str]) -> Node:
        """A slot's values."""
        root = Node()
        for value in values:
            if value.strip():
                node = self._follow(root, value.split())
                node.value = node.value or value
        return root

    def _follow(self, node: Node, words: Sequence[str]) -> Node:
        """The node behind ``words``, made where it is missing; words that are also written as one lead there, too."""
        nodes = [node]
        for word in words:
            nodes.append(self._step(nodes[-1], word, self._word(word)))
        for start, end, written in runs(words):
            key = f"{start - end} {written}"  # no word contains a space: cannot collide
            known = nodes[start].words
            assert known is not None  # the next word was put there
            if key not in known:
                known[key] = nodes[end]
                self._link(nodes[start], self._encoder.word(written), "", nodes[end])
        return nodes[-1]

    def _word(self, word: str) -> tuple[Tokens, ...]:
        if word not in self._spelt:
            forms = dict.fromkeys(self._encoder.word(form) for form in spellings(word))
            self._spelt[word] = tuple(forms)
        return self._spelt[word]

    def _step(self, node: Node, word: str, forms: Iterable[Tokens]) -> Node:
        if node.words is None:
            node.words = {}
        target = node.words.get(word)
        if target is None:
            target = node.words[word] = Node()
            for tokens in forms:
                self._link(node, tokens, "", target)
            self._pause(target, self._comma)
        return target

    @staticmethod
    def _pause(node: Node, mark: Tokens) -> None:
        rest = Node(pause=True)
        rest.arcs = (("", node),)
        node.put(mark[0], rest)

    def _finish(self, node: Node, ending: Ending) -> None:
        if node.ending is not None:  # the first of two equal phrases wins
            return
        node.ending = ending
        for stop in self._stops:
            end = Node()
            end.ending = ending
            node.put(stop[0], end)

    @staticmethod
    def _link(node: Node, tokens: Tokens, emit: str, target: Node) -> None:
        for token in tokens:
            child = node.edges.get(token)
            if child is None:
                child = Node()
                node.put(token, child)
            node = child
        if (emit, target) not in node.arcs:
            node.arcs = (*node.arcs, (emit, target))

    def _count(self, root: Node, run: DigitRun) -> None:
        counts = [Node() for _ in range(run.maximum + 1)]
        root.arcs = (*root.arcs, ("", counts[0]))
        for carrier in CARRIERS:
            node = root
            for word in carrier.split():
                node = self._step(node, word, self._word(word))
            node.arcs = (*node.arcs, ("", counts[0]))
        for n, node in enumerate(counts):
            if n:
                self._pause(node, self._comma)
                self._pause(node, self._hyphen)
            if n >= max(1, run.minimum):
                self._finish(node, Ending())
            for digit, forms in DIGITS.items():
                for form in forms:
                    if n < run.maximum:
                        self._link(node, self._encoder.word(form), digit, counts[n + 1])
                        if form.isdigit() and n:
                            self._link(node, self._encoder.glued(form), digit, counts[n + 1])
                    for times, words in MULTIPLES:
                        if n + times <= run.maximum and form.islower():
                            for first in words:
                                both = self._encoder.word(first) + self._encoder.word(form)
                                self._link(node, both, digit * times, counts[n + times])
        for n in range(1, run.maximum):  # "5-0" and "5, 0" glue the next digit without a space
            for rest in [e for e in counts[n].edges.values() if e.pause]:
                for digit, forms in DIGITS.items():
                    for form in forms:
                        if form.isdigit():
                            self._link(rest, self._encoder.glued(form), digit, counts[n + 1])
