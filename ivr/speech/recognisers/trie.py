"""Grammars as tries of token ids, with every spelling of their words. Pure: no model in here.

Words form a trie over phrases; each word can be spelt several ways (cased, lower, figures), and all spellings lead to
the same next node, so that the trie stays small and a recogniser may pick the casing that it would write itself.
Templates are words and slots in the same trie; a slot's values are a trie of their own, made once and shared by every
grammar and every place that takes the slot (``ivr.speech.recognisers.beam`` puts them together, as far as it goes
there). Digit strings are a chain of counting nodes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Protocol

from ivr.dialogue.spoken.english import ENGLISH
from ivr.dialogue.spoken.normalisation import roman_numeral
from ivr.dialogue.understanding.speech_grammar import CharacterRun, Pieces, filled, slot_name

# What people put in front of a number they were asked for.
CARRIERS = (
    *("it's", "it is", "that's"),
    *("my number is", "the number is", "my membership number is", "my member number is"),
)
MULTIPLES = ((2, ("double", "Double")), (3, ("triple", "Triple")))
_ONES = {ENGLISH.cardinal(n): n for n in range(20)}
# "5": ("5", "five", "Five"), …; zero is also "oh"
DIGITS: dict[str, tuple[str, ...]] = {str(n): (str(n), word, word.capitalize()) for word, n in _ONES.items() if n < 10}
DIGITS["0"] += ("oh", "Oh", "O", "o")
_SPELLING = ENGLISH.spelling
_TENS = {ENGLISH.cardinal(n): n for n in range(20, 100, 10)}
_ORDINALS = {ENGLISH.ordinal(n): n for n in (*range(1, 20), *range(20, 100, 10))}
_WRITTEN = {
    "doctor": ("Dr.", "Dr"), "dr": ("Dr.", "doctor", "Doctor"),
    "mister": ("Mr.", "Mr"), "mr": ("Mr.", "mister", "Mister"), "mrs": ("Mrs.",),
    "saint": ("St.", "St"), "st": ("St.", "saint", "Saint"),
    "okay": ("OK", "Ok", "ok"), "ok": ("okay", "Okay"),
    "versus": ("vs.", "vs"), "vs": ("vs.", "versus"),
    "and": ("&",), "number": ("#",),
}  # fmt: skip
_CAPITALS = frozenset({"tv", "dvd", "usa", "uk", "et", "ok", "id", "la", "ny"})


def ordinal_figure(n: int) -> str:
    """21 -> "21st"."""
    suffix = "th" if 10 <= n % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{suffix}"


@lru_cache(maxsize=20_000)
def spellings(word: str) -> tuple[str, ...]:
    """Every way ``word`` (lower case) may be written, itself first."""
    forms = [word, word[:1].upper() + word[1:]]
    if len(word) == 1 or word in _CAPITALS or (len(word) <= 4 and not set(word) & set("aeiouy'0123456789")):
        forms.append(word.upper())
    if word in _ONES or word in _TENS:
        forms.append(str(_ONES.get(word, _TENS.get(word))))
    if word in _ORDINALS:
        forms.append(ordinal_figure(_ORDINALS[word]))
    if word.isdigit() and len(word) <= 2:
        forms.extend(_in_words(int(word)))
    if 2 <= _ONES.get(word, 0) <= 8:
        forms.append(roman_numeral(_ONES[word]))
    if "-" in word:
        forms.append("-".join(part.capitalize() for part in word.split("-")))
    forms.extend(_WRITTEN.get(word, ()))
    return tuple(dict.fromkeys(forms))


def _in_words(n: int) -> tuple[str, ...]:
    """One-word numbers only: the lattice steps by words."""
    return tuple(form for w, m in (_ONES | _TENS).items() if m == n for form in (w, w.capitalize()))


def runs(words: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """(start, end, written) for runs of words that are also written as one: "twenty one" -> "21", "e t" -> "ET"."""
    for i in range(len(words) - 1):
        tens, unit = _TENS.get(words[i]), words[i + 1]
        if tens is not None:
            if 0 < _ONES.get(unit, 0) < 10:
                yield i, i + 2, str(tens + _ONES[unit])
                yield i, i + 2, f"{words[i]}-{unit}"
                yield i, i + 2, f"{words[i].capitalize()}-{unit}"
            elif 0 < _ORDINALS.get(unit, 0) < 10:
                yield i, i + 2, ordinal_figure(tens + _ORDINALS[unit])
                yield i, i + 2, f"{words[i]}-{unit}"
        if not (words[i].isdigit() or unit.isdigit()) and words[i].isalpha() and unit.isalpha():
            yield i, i + 2, f"{words[i].capitalize()}-{unit.capitalize()}"
    i = 0
    while i < len(words):
        j = i
        while j < len(words) and len(words[j]) == 1 and words[j].isalpha():
            j += 1
        if j - i >= 2:
            letters = [w.upper() for w in words[i:j]]
            yield i, j, "".join(letters)
            yield i, j, ".".join(letters) + "."
        i = max(j, i + 1)


def in_figures(phrase: str) -> str:
    """Numbers as they are written: "the twenty first" -> "the 21st", "number three" -> "number 3"."""
    words = phrase.split()
    out: list[str] = []
    i = 0
    while i < len(words):
        unit = words[i + 1] if i + 1 < len(words) else ""
        tens = _TENS.get(words[i])
        if tens is not None and 0 < _ONES.get(unit, 0) < 10:
            out.append(str(tens + _ONES[unit]))
            i += 1
        elif tens is not None and 0 < _ORDINALS.get(unit, 0) < 10:
            out.append(ordinal_figure(tens + _ORDINALS[unit]))
            i += 1
        elif (n := _ONES.get(words[i], tens)) is not None:
            out.append(str(n))
        elif (n := _ORDINALS.get(words[i])) is not None:
            out.append(ordinal_figure(n))
        else:
            out.append(words[i])
        i += 1
    return " ".join(out)


def digits_in(text: str) -> tuple[str, bool]:
    """The digits that ``text`` writes, in figures or words ("Eight double two, 7" -> "8227"), and whether it holds
    nothing else but what people put in front of a number ("two to five" holds a word that may be a digit)."""
    out: list[str] = []
    times = 1
    strange = False
    in_front = {word for carrier in CARRIERS for word in re.findall(r"[a-z]+", carrier)}
    named = {form.lower(): digit for digit, forms in DIGITS.items() for form in forms}
    repeats = {word.lower(): n for n, words in MULTIPLES for word in words}
    for word in re.findall(r"[a-z]+|\d", text.lower()):
        if word in repeats:
            times = repeats[word]
            continue
        if word in named:
            out.append(named[word] * times)
        else:
            strange = strange or word not in in_front or bool(out)
        times = 1
    return "".join(out), not strange


@cache
def _forms(character: str) -> tuple[str, ...]:
    """How a digit or a letter is written: "B", "b", "Bravo", "B as in bravo"."""
    if character in DIGITS:
        return DIGITS[character]
    assert _SPELLING is not None
    words = [form for word in _SPELLING.alphabet[character.lower()] for form in (word, word.title())]
    likened = [f"{character} {link} {word}" for link in ("as in", "for") for word in words]
    return (character, character.lower(), *words, *likened)


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

    def glued(self, text: str) -> Tokens:
        """Token ids of text that follows without a space (punctuation, a further digit)."""


class Tries:
    """Makes tries for one encoder. What it makes is never changed again and may be shared between threads."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._comma, self._hyphen = encoder.glued(","), encoder.glued("-")
        self._stops = [encoder.glued(mark) for mark in (".", "?", "!")]
        self._word = cache(lambda word: tuple(dict.fromkeys(encoder.word(form) for form in spellings(word))))

    def trunk(self, phrases: Sequence[str], templates: Sequence[Pieces] = (), run: CharacterRun | None = None) -> Node:
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
        if run is not None:
            for places, enough in run.rows:
                self._count(root, places, enough)
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

    def _count(self, root: Node, places: Sequence[str], enough: int) -> None:
        """A run of characters, one of those that each place takes after the other."""
        last = len(places)
        counts = [Node() for _ in range(last + 1)]
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
            if n >= max(1, enough):
                self._finish(node, Ending())
            for character in places[n] if n < last else ():
                forms = _forms(character)
                for form in forms:
                    self._link(node, self._words(form), character, counts[n + 1])
                    if len(form) == 1 and (form.isdigit() or form.isupper()) and n:
                        self._link(node, self._encoder.glued(form), character, counts[n + 1])
                for times, words in MULTIPLES:
                    if all(character in place for place in places[n : n + times]) and n + times <= last:
                        for first in words:
                            for form in forms[:2] if character.isalpha() else filter(str.islower, forms):
                                both = self._encoder.word(first) + self._words(form)
                                self._link(node, both, character * times, counts[n + times])
        for n in range(1, last):  # "5-0" and "5, 0" glue the next character without a space
            for rest in [e for e in counts[n].edges.values() if e.pause]:
                for character in places[n]:
                    self._link(rest, self._encoder.glued(character), character, counts[n + 1])

    def _words(self, text: str) -> Tokens:
        return tuple(token for word in text.split() for token in self._encoder.word(word))
