"""What a state listens for: phrases of its intents, kept as a trie of templates and expanded only for recognisers.

A typed sentence is matched against the trie (a few microseconds, whatever the size of the vocabulary); the thousands of
phrases that a recogniser wants are expanded when somebody looks at them, once per state and vocabulary.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import prod

from ivr.dialogue.grammar import CompiledGrammar, DigitRun, Meaning, SlotValue, SpeechGrammar
from ivr.dialogue.numerals import plain
from ivr.dialogue.phrases import SlotMark, Template, Variant
from ivr.dialogue.slots import DigitSlot, Slot

MOST_PHRASES = 8000
SLACK = 2  # how much more than its equal share a way of saying something may take, if that completes it


@dataclass(frozen=True, slots=True)
class Entry:
    """One phrase template of an intent that is active now. ``rank``: lower wins where two mean different things."""

    intent: str
    template: Template
    rank: int = 1


@dataclass(frozen=True, slots=True)
class Match:
    """A reading of a whole sentence. ``literals`` counts its carrier words: more of them is more specific."""

    meaning: Meaning
    text: str
    literals: int
    rank: int
    doubtful: frozenset[str] = frozenset()
    rivals: tuple[Meaning, ...] = ()


def comparable(word: str) -> str:
    return plain(word).replace("'", "")


@dataclass(slots=True)
class _Node:
    words: dict[str, _Node] = field(default_factory=dict)
    slots: dict[str, _Node] = field(default_factory=dict)
    ends: list[tuple[Entry, Variant]] = field(default_factory=list)


class Outline:
    """The templates active in a state, independent of any vocabulary. Shared by all calls."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = tuple(entries)
        self.root = _Node()
        self.memo: dict[str, object] = {}  # what readers of this outline computed once
        self.slots = tuple(dict.fromkeys(slot for entry in entries for slot in entry.template.slots))
        for entry in self.entries:
            for variant in entry.template.variants:
                node = self.root
                for piece in variant:
                    if isinstance(piece, SlotMark):
                        node = node.slots.setdefault(piece.name, _Node())
                    else:
                        node = node.words.setdefault(comparable(piece), _Node())
                if all(end.intent != entry.intent for end, _ in node.ends):
                    node.ends.append((entry, variant))

    def read(self, words: Sequence[str], slots: Mapping[str, Slot]) -> list[Match]:
        """Every reading of exactly these words, the most specific first."""
        found = list(self._walk(self.root, words, 0, slots, {}, (), 0))
        found.sort(key=lambda m: (m.rank, -m.literals))
        return found

    def _walk(
        self,
        node: _Node,
        words: Sequence[str],
        at: int,
        slots: Mapping[str, Slot],
        filled: dict[str, SlotValue],
        doubts: tuple[tuple[str, tuple[SlotValue, ...]], ...],
        literals: int,
    ) -> Iterator[Match]:
        if at == len(words):
            for entry, variant in node.ends:
                meaning = Meaning(entry.intent, dict(filled))
                rivals = tuple(
                    Meaning(entry.intent, {**filled, name: value}) for name, values in doubts for value in values
                )
                text = rendered(variant, filled)
                yield Match(meaning, text, literals, entry.rank, frozenset(n for n, _ in doubts), rivals)
            return
        if (following := node.words.get(words[at])) is not None:
            yield from self._walk(following, words, at + 1, slots, filled, doubts, literals + 1)
        for name, following in node.slots.items():
            slot = slots.get(name)
            if slot is None or name in filled:
                continue
            for fill in slot.fills(words, at):
                more = doubts if fill.sure else (*doubts, (name, fill.rivals))
                yield from self._walk(following, words, fill.end, slots, {**filled, name: fill.value}, more, literals)


def rendered(variant: Variant, filled: Mapping[str, SlotValue]) -> str:
    """The phrase as it would be said, slots by their labels."""
    return " ".join(
        (filled[piece.name].label if piece.name in filled else "something") if isinstance(piece, SlotMark) else piece
        for piece in variant
    )


class DeferredGrammar(CompiledGrammar):
    """A CompiledGrammar that expands its phrases when they are first looked at. Pickles as a plain one."""

    __slots__ = ("_made", "_make")

    _make: Callable[[], CompiledGrammar]
    _made: CompiledGrammar | None

    def __init__(self, make: Callable[[], CompiledGrammar]) -> None:
        object.__setattr__(self, "_make", make)
        object.__setattr__(self, "_made", None)

    def _compiled(self) -> CompiledGrammar:
        if self._made is None:
            object.__setattr__(self, "_made", self._make())
        made = self._made
        assert made is not None
        return made

    @property
    def speech(self) -> SpeechGrammar:
        return self._compiled().speech

    @property
    def meanings(self) -> tuple[Meaning, ...]:
        return self._compiled().meanings

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"DeferredGrammar({self._made.speech.key if self._made else '…'})"

    def __reduce__(self) -> tuple[object, ...]:
        return (CompiledGrammar, (self.speech, self.meanings))


class StateGrammar:
    """An outline bound to this call's vocabularies: what the understanding matches against."""

    def __init__(self, outline: Outline, slots: Mapping[str, Slot], language: str) -> None:
        self.outline = outline
        self.slots = dict(slots)
        self.language = language
        self.compiled: CompiledGrammar = DeferredGrammar(self._compile)

    def read(self, words: Sequence[str]) -> list[Match]:
        return self.outline.read(words, self.slots) if words else []

    @property
    def digit_slot(self) -> tuple[str, str] | None:
        """(intent, slot) of a bare digits slot: what spoken digit strings fill."""
        for entry in self.outline.entries:
            for variant in entry.template.variants:
                if len(variant) == 1 and isinstance(variant[0], SlotMark):
                    slot = self.slots.get(variant[0].name)
                    if isinstance(slot, DigitSlot):
                        return entry.intent, variant[0].name
        return None

    def _compile(self) -> CompiledGrammar:
        phrases: dict[str, Meaning] = {}
        slotted: list[tuple[Entry, Variant]] = []
        for entry in sorted(self.outline.entries, key=lambda e: e.rank):
            for variant in entry.template.variants:
                if any(isinstance(piece, SlotMark) for piece in variant):
                    slotted.append((entry, variant))
                else:
                    phrases.setdefault(" ".join(str(piece) for piece in variant), Meaning(entry.intent))
        for phrase, meaning in _expanded(slotted, self.slots, MOST_PHRASES - len(phrases)):
            phrases.setdefault(phrase, meaning)
        digits = None
        if (bare := self.digit_slot) is not None:
            slot = self.slots[bare[1]]
            assert isinstance(slot, DigitSlot)
            digits = DigitRun(slot.minimum, slot.maximum)
        ordered = tuple(phrases)[:MOST_PHRASES]
        key = hashlib.blake2s("\n".join((self.language, repr(digits), *ordered)).encode(), digest_size=12).hexdigest()
        return CompiledGrammar(
            SpeechGrammar(key, self.language, ordered, digits), tuple(phrases[phrase] for phrase in ordered)
        )


def _expanded(
    slotted: Sequence[tuple[Entry, Variant]], slots: Mapping[str, Slot], room: int
) -> Iterator[tuple[str, Meaning]]:
    """Every slotted variant times its slots' forms, within ``room`` phrases.

    Trimmed where it doesn't fit, in rounds. First each intent's shortest way of saying it, with one form of every
    value, so that as much as possible can be said at all; then the other variants, likewise; then other forms of the
    values. Within a round small variants go first, up to twice an equal share; the large get what is left, and their
    widest slot is narrowed from the end: the first vocabulary comes before the second, small numbers before large.
    """
    forms = {name: slot.forms() for name, slot in slots.items()}
    essential = {name: slot.essential for name, slot in slots.items()}
    jobs = [_job(entry, variant, forms, essential) for entry, variant in slotted]
    jobs = sorted((job for job in jobs if prod(job.full)), key=lambda job: (prod(job.essential), prod(job.full)))
    meanings: dict[tuple[object, ...], Meaning] = {}
    seen: set[str] = set()
    shortest: dict[str, _Job] = {}
    for job in jobs:
        known = shortest.get(job.entry.intent)
        if known is None or (len(job.names), -len(job.variant)) > (len(known.names), -len(known.variant)):
            shortest[job.entry.intent] = job
    first = [job for job in jobs if job is shortest[job.entry.intent]]
    rest = [job for job in jobs if job is not shortest[job.entry.intent]]
    rounds = [(first, False), (rest, False), (jobs, True)]
    if sum(prod(job.full) for job in jobs) <= room:
        rounds = rounds[2:]
    for batch, whole in rounds:
        for done, job in enumerate(batch):
            left = max(room - len(seen), 0)
            share = min(left, SLACK * left // (len(batch) - done))
            sizes = job.within(share, job.full if whole else job.essential)
            for phrase, meaning in job.phrases(sizes, forms, meanings):
                if phrase not in seen:
                    seen.add(phrase)
                    yield phrase, meaning


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    entry: Entry
    variant: Variant
    names: tuple[str, ...]
    full: tuple[int, ...]  # forms of each slot
    essential: tuple[int, ...]  # those that say every value once

    def within(self, share: int, wanted: Sequence[int]) -> list[int]:
        """How much of each slot's forms fits; [] when nothing does."""
        sizes = list(wanted)
        while prod(sizes) > share and max(sizes) > 1:
            widest = sizes.index(max(sizes))
            sizes[widest] = max(1, min(sizes[widest] - 1, sizes[widest] * 9 // 10))
        return sizes if prod(sizes) <= share else []

    def phrases(
        self,
        sizes: Sequence[int],
        forms: Mapping[str, Sequence[tuple[str, SlotValue]]],
        known: dict[tuple[object, ...], Meaning],
    ) -> Iterator[tuple[str, Meaning]]:
        """``known``: meanings made so far; ways to say the same share one."""
        if not sizes:
            return
        pieces = [None if isinstance(piece, SlotMark) else piece for piece in self.variant]
        intent, names = self.entry.intent, self.names
        for combination in product(*(forms[name][:size] for name, size in zip(names, sizes, strict=True))):
            key = (intent, names, *(id(value) for _, value in combination))
            if (meaning := known.get(key)) is None:
                values = {name: value for name, (_, value) in zip(names, combination, strict=True)}
                meaning = known[key] = Meaning(intent, values)
            if len(names) > 1 and len({(type(v.value), v.value) for v in meaning.slots.values()}) < len(names):
                continue  # nobody moves a title before itself
            said = iter(combination)
            yield " ".join([next(said)[0] if piece is None else piece for piece in pieces]), meaning


def _job(
    entry: Entry,
    variant: Variant,
    forms: Mapping[str, Sequence[tuple[str, SlotValue]]],
    essential: Mapping[str, int],
) -> _Job:
    names = tuple(piece.name for piece in variant if isinstance(piece, SlotMark))
    full = tuple(len(forms.get(name, ())) for name in names)
    alone = len(names) == 1
    few = tuple(
        size if alone and size <= 100 else essential.get(name, 0) for name, size in zip(names, full, strict=True)
    )
    return _Job(entry, variant, names, full, few)
