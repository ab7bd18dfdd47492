"""What all calls of one library share: the transition table, wordings, and grammars compiled so far."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import lru_cache

from ivr.dialogue.engine.cursor import TransitionTable
from ivr.dialogue.flows.library import FlowLibrary
from ivr.dialogue.flows.phrases import PhraseError, parse_phrase
from ivr.dialogue.flows.wording import Wordings
from ivr.dialogue.spoken.languages import words_for
from ivr.dialogue.understanding.concepts import Concepts
from ivr.dialogue.understanding.grammar_compiler import Entry, Outline, StateGrammar
from ivr.dialogue.understanding.reading import ANSWER, HUMAN, LANGUAGE, OPTION, RISK, UNIVERSALS
from ivr.dialogue.understanding.risk import RiskWords
from ivr.dialogue.understanding.slots import Slot

MOST_GRAMMARS = 256  # the widest takes about a megabyte once it is expanded


class Compilation:
    def __init__(self, library: FlowLibrary) -> None:
        self.library = library
        self.table = TransitionTable(library.flows)
        self._wordings: dict[tuple[str, str], Wordings] = {}
        self._risks: dict[tuple[str, str], RiskWords] = {}
        self._concepts: dict[tuple[str, str], Concepts] = {}
        self._universal: dict[tuple[str, str], tuple[Entry, ...]] = {}
        self._outlines: dict[Hashable, Outline] = {}
        self._grammars: OrderedDict[Hashable, tuple[StateGrammar, object]] = OrderedDict()

    def wordings(self, language: str, persona: str) -> Wordings:
        key = (language, persona)
        if key not in self._wordings:
            self._wordings[key] = Wordings(self.library, language, persona)
        return self._wordings[key]

    def risks(self, words: Wordings) -> RiskWords:
        key = (words.language, words.persona)
        if key not in self._risks:
            names = self.library.universals.risks
            self._risks[key] = RiskWords.of(
                {name: words.universal(name) for name in names},
                {name: words.risk_keywords(name) for name in names},
                words.universal(HUMAN),
                words.language,
            )
        return self._risks[key]

    def concepts(self, words: Wordings) -> Concepts:
        key = (words.language, words.persona)
        if key not in self._concepts:
            self._concepts[key] = Concepts(words.language, words.concepts())
        return self._concepts[key]

    def sequences(self) -> Mapping[str, str]:
        """Universals by their keys."""
        universals = self.library.universals
        named = {key: name for name in UNIVERSALS for key in getattr(universals, name).keys}
        chosen = {key: f"{LANGUAGE}{name}" for name, spec in universals.languages.items() for key in spec.keys}
        return {**chosen, **named}

    def universals(self, words: Wordings) -> tuple[Entry, ...]:
        """Entries that every state has."""
        key = (words.language, words.persona)
        if key not in self._universal:
            found = [
                entry
                for name in self.library.universals.risks
                for entry in entries(f"{RISK}{name}", words.universal(name), words.language, rank=0)
            ]
            for name in UNIVERSALS:
                found += entries(name, words.universal(name), words.language, rank=0 if name == HUMAN else 1)
            for name, spec in self.library.universals.languages.items():
                found += entries(f"{LANGUAGE}{name}", spec.phrases, words.language)
            self._universal[key] = tuple(found)
        return self._universal[key]

    def outline(self, key: Hashable, build: Callable[[], Iterable[Entry]], words: Wordings) -> Outline:
        whole = (key, words.language, words.persona)
        if whole not in self._outlines:
            self._outlines[whole] = Outline((*self.universals(words), *build()))
        return self._outlines[whole]

    def grammar(self, outline: Outline, slots: Mapping[str, Slot], identity: Hashable, words: Wordings) -> StateGrammar:
        """``identity`` tells one binding of the slots from another; ``slots`` are kept so that identities stay true."""
        key = (id(outline), identity, words.language)
        if key in self._grammars:
            self._grammars.move_to_end(key)
            return self._grammars[key][0]
        made = StateGrammar(outline, slots, words.language, self.concepts(words))
        self._grammars[key] = (made, outline)
        if len(self._grammars) > MOST_GRAMMARS:
            self._grammars.popitem(last=False)
        return made


class _Identity:
    """A library by identity: libraries hold mappings and have no hash."""

    __slots__ = ("library",)

    def __init__(self, library: FlowLibrary) -> None:
        self.library = library

    def __hash__(self) -> int:
        return id(self.library)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and other.library is self.library


@lru_cache(maxsize=16)
def _compiled(identity: _Identity) -> Compilation:
    return Compilation(identity.library)


def compiled(library: FlowLibrary) -> Compilation:
    return _compiled(_Identity(library))


# -- entries ----------------------------------------------------------------------------------------------------


def entries(intent: str, phrases: Sequence[str], language: str, rank: int = 1) -> list[Entry]:
    """Phrases that can't be read are left out: the checker has refused them, and a call must go on."""
    found = []
    for phrase in phrases:
        try:
            found.append(Entry(intent, parse_phrase(phrase, language), rank))
        except PhraseError:
            continue
    return found


def answer_entries(variable: str, slot_type: str, language: str, intent: str = ANSWER, prefix: str = "") -> list[Entry]:
    """The bare value, and short ways around it."""
    ways = words_for(language).answers.get(slot_type, ("{%}",))
    return entries(intent, [prefix + way.replace("%", variable) for way in ways], language)


def yes_no_entries(words: Wordings) -> list[Entry]:
    return entries("yes", words.universal("yes"), words.language) + entries("no", words.universal("no"), words.language)


def correction_entries(variables: Mapping[str, str], language: str) -> list[Entry]:
    """ "no, Vertigo" and plain "Vertigo" while confirming: a no that brings the right value."""
    found: list[Entry] = []
    for variable, slot_type in variables.items():
        found += answer_entries(variable, slot_type, language, intent="no", prefix="no ")
        found += answer_entries(variable, slot_type, language, intent="no")
        more = words_for(language).corrections
        found += entries("no", [phrase.replace("%", variable) for phrase in more], language)
    return found


def option_entries(labels: Sequence[Sequence[str]], language: str) -> list[Entry]:
    """Ways to pick one of two: by its words, "the first", "the second", "neither"."""
    first, second, neither = words_for(language).options
    found: list[Entry] = []
    for index, (own, ordinal) in enumerate(zip(labels, (first, second), strict=False)):
        found += entries(f"{OPTION}{index}", [*(_bare(text) for text in own), *ordinal], language)
    return found + entries(f"{OPTION}none", neither, language)


def _bare(text: str) -> str:
    return "".join(" " if c in "[]{}" else c for c in text)
