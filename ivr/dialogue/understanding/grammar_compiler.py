"""Grammar compiler: the phrases of a state's intents as a trie of templates. Nothing is ever multiplied out.

A sentence, typed or from a recogniser, is matched against the trie (a few microseconds, whatever the size of the
vocabulary). Recognisers get the same templates and the spoken values of their slots: what does not depend on the
caller's vocabulary is made once per outline, and the values once per vocabulary.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product

from ivr.dialogue.flows.phrases import Template, Variant
from ivr.dialogue.spoken.similarity import unaccented
from ivr.dialogue.understanding.classifier import IntentClassifier
from ivr.dialogue.understanding.code_slot import CodeSlot
from ivr.dialogue.understanding.concepts import Concepts, concepts_of
from ivr.dialogue.understanding.grammar import Meaning, Reading, SlotValue, distinct
from ivr.dialogue.understanding.phone_slot import PhoneSlot
from ivr.dialogue.understanding.slots import DigitSlot, Forms, NumberSlot, Slot, TitleSlot
from ivr.dialogue.understanding.speech_grammar import CharacterRun, Pieces, SpeechGrammar, filled, slot_name, slot_names


@dataclass(frozen=True, slots=True)
class Entry:
    """One phrase template of an intent that is active now. ``rank``: lower wins where two mean different things.

    ``fillings``: the sets of slots with which the intent may come; what a sentence lacks of them is asked for."""

    intent: str
    template: Template
    rank: int = 1
    fillings: frozenset[frozenset[str]] = frozenset()


def comparable(word: str) -> str:
    return unaccented(word).replace("'", "")


@dataclass(slots=True)
class Node:
    words: dict[str, Node] = field(default_factory=dict)
    slots: dict[str, Node] = field(default_factory=dict)
    ends: list[tuple[Entry, Variant]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Fixed:
    """What of a compiled grammar is the outline's alone. ``slots``: those that templates use."""

    phrases: tuple[str, ...]
    meanings: tuple[Meaning, ...]
    templates: tuple[Pieces, ...]
    intents: tuple[str, ...]
    slots: tuple[str, ...]
    means: tuple[int, ...]
    digest: bytes


class Outline:
    """The templates active in a state, independent of any vocabulary. Shared by all calls."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = tuple(entries)
        self.root = Node()
        self.paraphrases: object = None  # what their reader keeps of this outline,
        self.inferable: object = None  # and what inference does
        self.slots = tuple(dict.fromkeys(slot for entry in entries for slot in entry.template.slots))
        for entry in self.entries:
            for variant in entry.template.variants:
                node = self.root
                for piece in variant:
                    if (name := slot_name(piece)) is not None:
                        node = node.slots.setdefault(name, Node())
                    else:
                        node = node.words.setdefault(comparable(piece), Node())
                if all(end.intent != entry.intent for end, _ in node.ends):
                    node.ends.append((entry, variant))

    @cached_property
    def fixed(self) -> _Fixed:
        phrases: dict[str, Meaning] = {}
        templates: dict[Pieces, str] = {}
        for entry in sorted(self.entries, key=lambda e: e.rank):
            for variant in entry.template.variants:
                names = slot_names(variant)
                if not names:
                    phrases.setdefault(" ".join(variant), Meaning(entry.intent))
                elif len(set(names)) == len(names):  # a slot that is filled twice is never read
                    templates.setdefault(variant, entry.intent)
        asked = [*(meaning.intent for meaning in phrases.values()), *templates.values()]
        numbers = {intent: number for number, intent in enumerate(dict.fromkeys(asked))}
        means = tuple(numbers[intent] for intent in asked)
        text = "\n".join((repr(means), *phrases, "", *(" ".join(template) for template in templates)))
        return _Fixed(
            tuple(phrases),
            tuple(phrases.values()),
            tuple(templates),
            tuple(templates.values()),
            tuple(name for name in self.slots if any(f"{{{name}}}" in template for template in templates)),
            means,
            hashlib.blake2s(text.encode(), digest_size=12).digest(),
        )

    def read(self, words: Sequence[str], slots: Mapping[str, Slot]) -> list[Reading]:
        """Readings of exactly these words; several only if they are equally specific, by rank and by carrier words."""
        found = list(self._walk(self.root, words, 0, slots, {}, (), 0))
        first = min((specificity for specificity, _ in found), default=None)
        return distinct(reading for specificity, readings in found if specificity == first for reading in readings)

    def _walk(
        self,
        node: Node,
        words: Sequence[str],
        at: int,
        slots: Mapping[str, Slot],
        values: dict[str, SlotValue],
        doubts: tuple[tuple[str, tuple[SlotValue, ...], bool], ...],
        literals: int,
    ) -> Iterator[tuple[tuple[int, int], list[Reading]]]:
        """Each way through the trie: how specific it is, lowest first, and its readings with what they leave open."""
        if at == len(words):
            for entry, variant in node.ends:
                text, doubtful = rendered(variant, values), frozenset(name for name, _, _ in doubts)
                shared = [({**values, name: rival}, asked) for name, rivals, asked in doubts for rival in rivals]
                yield (
                    (entry.rank, -literals),
                    [
                        Reading(Meaning(entry.intent, meant), text, 1.0, sure, doubtful)
                        for meant, sure in ((dict(values), True), *shared)
                    ],
                )
            return
        if (following := node.words.get(words[at])) is not None:
            yield from self._walk(following, words, at + 1, slots, values, doubts, literals + 1)
        for name, following in node.slots.items():
            slot = slots.get(name)
            if slot is None or name in values:
                continue
            for fill in slot.fills(words, at):
                sure = fill.sure and not (isinstance(slot, TitleSlot) and _goes_on(words, at, fill.end, slots))
                more = doubts if sure else (*doubts, (name, fill.rivals, fill.open))
                yield from self._walk(following, words, fill.end, slots, {**values, name: fill.value}, more, literals)


def _shaped(fixed: _Fixed, spoken: Mapping[str, Forms]) -> tuple[tuple[Pieces, ...], tuple[int, ...]]:
    """The templates with the slots that are put together from parts, in every shape of these; and what each means."""
    plain = len(fixed.phrases)
    if not any(forms.parts for forms in spoken.values()):
        return fixed.templates, fixed.means
    made: list[Pieces] = []
    means = list(fixed.means[:plain])
    for template, meant in zip(fixed.templates, fixed.means[plain:], strict=True):
        for pieces in product(*(_shapes(piece, spoken) for piece in template)):
            made.append(tuple(word for piece in pieces for word in piece))
            means.append(meant)
    return tuple(made), tuple(means)


def _shapes(piece: str, spoken: Mapping[str, Forms]) -> list[Pieces]:
    name = slot_name(piece)
    if name is None or name not in spoken:
        return [(piece,)]
    return [tuple(f"{{{name}.{part}}}" if part else piece for part in shape) for shape in spoken[name].shapes]


def _goes_on(words: Sequence[str], at: int, end: int, slots: Mapping[str, Slot]) -> bool:
    """Whether what follows a title could belong to another one: "Toy Story | number two", with a Toy Story 2 known."""
    titles = (slot for slot in slots.values() if isinstance(slot, TitleSlot))
    return any(slot.vocabulary.sequel(words, at, end) for slot in titles)


def _run(slot: DigitSlot | PhoneSlot | CodeSlot) -> CharacterRun:
    if not isinstance(slot, CodeSlot):
        return CharacterRun(slot.minimum, slot.maximum)
    rows = tuple(dict.fromkeys(row for pattern in slot.patterns for row in pattern.rows))
    return CharacterRun(min(map(len, rows)), max(map(len, rows)), rows)


def rendered(variant: Variant, values: Mapping[str, SlotValue], something: str = "") -> str:
    """The phrase as it would be said, slots by their labels; ``something``: for those that are not known."""
    labels = [values[name].label if name in values else something for name in slot_names(variant)]
    return filled(variant, labels)


class StateGrammar:
    """An outline bound to this call's vocabularies: what the understanding matches against."""

    def __init__(
        self,
        outline: Outline,
        slots: Mapping[str, Slot],
        language: str,
        concepts: Concepts | None = None,
        classifier: IntentClassifier | None = None,
    ) -> None:
        self.outline = outline
        self.slots = dict(slots)
        self.language = language
        self.concepts = concepts or concepts_of(language)
        self.classifier = classifier  # of what no phrase covers; None: by its words alone

    def read(self, words: Sequence[str]) -> list[Reading]:
        return self.outline.read(words, self.slots) if words else []

    def title_end(self, words: Sequence[str], at: int) -> int:
        """Where the longest exact title that begins at ``at`` ends; ``at`` when none begins there."""
        titles = (slot for slot in self.slots.values() if isinstance(slot, TitleSlot))
        return max((fill.end for slot in titles for fill in slot.fills(words, at)), default=at)

    @cached_property
    def run_slot(self) -> tuple[str, str, DigitSlot | PhoneSlot | CodeSlot] | None:
        """(intent, name, slot) of a bare slot of digits, a telephone number or a code: what spoken characters fill."""
        for entry in self.outline.entries:
            for variant in entry.template.variants:
                if len(variant) == 1 and (name := slot_name(variant[0])) is not None:
                    slot = self.slots.get(name)
                    if isinstance(slot, DigitSlot | PhoneSlot | CodeSlot):
                        return entry.intent, name, slot
        return None

    @cached_property
    def _forms(self) -> dict[str, Forms]:
        return {name: self.slots[name].forms() for name in self.outline.fixed.slots if name in self.slots}

    @cached_property
    def speech(self) -> SpeechGrammar:
        """What a recogniser gets. Made when it is first asked for."""
        fixed, spoken = self.outline.fixed, self._forms
        run = _run(self.run_slot[2]) if self.run_slot else None
        content = hashlib.blake2s(fixed.digest, digest_size=12)
        values = (name + self.slots[name].type + forms.digest for name, forms in spoken.items())
        content.update("\n".join((self.language, repr(run), *values)).encode())
        templates, means = _shaped(fixed, spoken)
        parts = ((f"{name}.{part}", said) for name, forms in spoken.items() for part, said in forms.parts.items())
        return SpeechGrammar(
            content.hexdigest(),
            self.language,
            fixed.phrases,
            run,
            templates,
            (*((name, forms.said) for name, forms in spoken.items()), *parts),
            frozenset(name for name in spoken if isinstance(self.slots[name], NumberSlot)),
            means,
        )

    def ways(self, intent: str, labels: Mapping[str, str]) -> Iterator[str]:
        """Every phrase that means ``intent`` with slots of these labels."""
        fixed = self.outline.fixed
        for phrase, meaning in zip(fixed.phrases, fixed.meanings, strict=True):
            if meaning.intent == intent and not labels:
                yield phrase
        known = {
            name: [said for said, value in forms.pairs() if value.label == labels.get(name)]
            or ([labels[name]] if forms.parts and name in labels else [])
            for name, forms in self._forms.items()
        }
        for template, asked in zip(fixed.templates, fixed.intents, strict=True):
            names = slot_names(template)
            if asked == intent and set(names) == set(labels):
                for combination in product(*(known.get(name, ()) for name in names)):
                    yield filled(template, combination)
