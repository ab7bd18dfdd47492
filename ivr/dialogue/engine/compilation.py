"""What all calls of one library share: the transition table, wordings, and grammars compiled so far."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from transitions import Machine

from ivr.dialogue.flows.assurance import Assurance
from ivr.dialogue.flows.library import FlowLibrary
from ivr.dialogue.flows.mixed_initiative import fillings
from ivr.dialogue.flows.model import Flow
from ivr.dialogue.flows.phrases import PhraseError, parse_phrase
from ivr.dialogue.flows.secrets import secret_names
from ivr.dialogue.flows.state import RESERVED_TARGETS, WAIT_TARGETS
from ivr.dialogue.flows.wording import Wordings
from ivr.dialogue.spoken.languages import words_for
from ivr.dialogue.spoken.normalisation import ordinal_forms
from ivr.dialogue.understanding.classifier import Classifiers, IntentClassifier, TrainingSet
from ivr.dialogue.understanding.concepts import Concepts
from ivr.dialogue.understanding.grammar import ANSWER, HUMAN, LANGUAGE, OPTION, PICK, RISK, UNIVERSALS
from ivr.dialogue.understanding.grammar_compiler import Entry, Outline, StateGrammar
from ivr.dialogue.understanding.risk import RiskWords
from ivr.dialogue.understanding.slots import Slot
from ivr.dialogue.understanding.training import training_set

_NO_MARKS = str.maketrans("[]{}", "    ")
FEW_CHOICES = 5  # are also called by their place among them
PICK_RANK = 3  # after whatever else has these words
MOST_GRAMMARS = 256  # the widest takes about a megabyte once it is expanded
RESERVED = "@"  # "@human", "@back", …: targets the engine resolves itself


class TransitionTable:
    """Every edge of every flow. States are named "flow.state".

    It is `transitions`' synchronous Machine, used as nothing but a table: no callbacks, so no name from a file can ever
    be called. Each call brings its own cursor as the model."""

    def __init__(self, flows: Mapping[str, Flow]) -> None:
        names = [f"{name}.{sid}" for name, flow in flows.items() for sid in flow.states]
        names += [RESERVED + target for target in sorted(RESERVED_TARGETS | WAIT_TARGETS)]
        self._machine: Any = Machine(
            model=None, states=names, initial=None, auto_transitions=False, ignore_invalid_triggers=False
        )
        for name, flow in flows.items():
            for sid, state in flow.states.items():
                for way in state.transitions():
                    dest = RESERVED + way.target if state.reserves(way.target) else f"{name}.{way.target}"
                    self._machine.add_transition(way.trigger, f"{name}.{sid}", dest)

    def take(self, cursor: Cursor, trigger: str) -> str:
        """Follow an edge; the state's name, or "@" and a reserved target. Raises MachineError where there is none."""
        self._machine.events[trigger].trigger(cursor)
        return cursor.state

    def place(self, cursor: Cursor, state: str) -> None:
        """Put the cursor somewhere without an edge (a sub-flow's start, a resumed call). ValueError if unknown."""
        self._machine.set_state(state, cursor)


@dataclass(slots=True)
class Cursor:
    """The machine's model: which state a call is in."""

    state: str = ""


class SpokenWordings(Wordings):
    """The words of one language and persona, and what the understanding makes of them. Calls that speak so share it."""

    def __init__(
        self, library: FlowLibrary, language: str, persona: str, classifiers: Classifiers | None = None
    ) -> None:
        super().__init__(library, language, persona)
        self._classifiers = classifiers
        self._outlines: dict[Hashable, Outline] = {}

    @cached_property
    def risks(self) -> RiskWords:
        names = self.library.universals.risks
        return RiskWords.of(
            {name: self.universal(name) for name in names},
            {name: self.risk_keywords(name) for name in names},
            self.universal(HUMAN),
            self.language,
            {name: risk.priority for name, risk in names.items()},
            [name for name, risk in names.items() if risk.at_once],
        )

    @cached_property
    def single_words(self) -> Concepts:
        return Concepts(self.language, self.concepts())

    @cached_property
    def training(self) -> TrainingSet:
        """What a classifier learns of this language. Takes tenths of a second: not for the event loop."""
        return training_set(self, self.single_words)

    @property
    def classifier(self) -> IntentClassifier | None:
        """The one that was fitted on it before; None where none was."""
        return self._classifiers.of(self.training) if self._classifiers is not None else None

    @cached_property
    def universals(self) -> tuple[Entry, ...]:
        """Entries that every state has."""
        found = [
            entry
            for name in self.library.universals.risks
            for entry in entries(f"{RISK}{name}", self.universal(name), self.language, rank=0)
        ]
        for name in UNIVERSALS:
            found += entries(name, self.universal(name), self.language, rank=0 if name == HUMAN else 1)
        for name, spec in self.library.universals.languages.items():
            found += entries(f"{LANGUAGE}{name}", spec.phrases, self.language)
        return tuple(found)

    def outline(self, key: Hashable, build: Callable[[], Iterable[Entry]]) -> Outline:
        if key not in self._outlines:
            self._outlines[key] = Outline((*self.universals, *build()))
        return self._outlines[key]


class Compilation:
    """``table``: the transitions; ``sequences``: universals by their keys; ``secrets``: what is
    secret, by flow; ``assurance``: which identity levels are needed."""

    def __init__(self, library: FlowLibrary, classifiers: Classifiers | None = None) -> None:
        self.library = library
        self._classifiers = classifiers
        self.table = TransitionTable(library.flows)
        self.secrets = secret_names(library)
        self.assurance = Assurance(library.signatures, library.flows.values())
        universals = library.universals
        self.sequences = {key: f"{LANGUAGE}{name}" for name, spec in universals.languages.items() for key in spec.keys}
        self.sequences |= {key: name for name in UNIVERSALS for key in getattr(universals, name).keys}
        self._wordings: dict[tuple[str, str], SpokenWordings] = {}
        self._grammars: OrderedDict[Hashable, StateGrammar] = OrderedDict()
        self._fillings: dict[Hashable, frozenset[frozenset[str]]] = {}

    def fillings(
        self, flow: str, state: str, intent: str, phrased: frozenset[frozenset[str]]
    ) -> frozenset[frozenset[str]]:
        """``mixed_initiative.fillings`` of these flows, worked out once: it follows every way on."""
        key = (flow, state, intent, phrased)
        if key not in self._fillings:
            self._fillings[key] = fillings(self.library.flows, flow, state, intent, phrased)
        return self._fillings[key]

    def wordings(self, language: str, persona: str) -> SpokenWordings:
        key = (language, persona)
        if key not in self._wordings:
            self._wordings[key] = SpokenWordings(self.library, language, persona, self._classifiers)
        return self._wordings[key]

    def grammar(
        self, outline: Outline, slots: Mapping[str, Slot], identity: Hashable, words: SpokenWordings
    ) -> StateGrammar:
        """``identity`` tells one binding of the slots from another."""
        key = (id(outline), identity)  # outlines live as long as their grammars
        if key in self._grammars:
            self._grammars.move_to_end(key)
            return self._grammars[key]
        made = self._grammars[key] = StateGrammar(outline, slots, words.language, words.single_words, words.classifier)
        if len(self._grammars) > MOST_GRAMMARS:
            self._grammars.popitem(last=False)
        return made


@lru_cache(maxsize=16)
def compiled(library: FlowLibrary, classifiers: Classifiers | None = None) -> Compilation:
    return Compilation(library, classifiers)


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


def pick_entries(keys: Sequence[int], language: str) -> list[Entry]:
    """Ways to call a choice by its place: by the number of its key (``keys``, in order); where there are few, by its
    ordinal too, and the last one."""
    spoken = words_for(language)
    found: list[Entry] = []
    for index, key in enumerate(keys):
        said = [way.format(spoken.cardinal(key)) for way in spoken.picks.get("number", ())]
        if len(keys) <= FEW_CHOICES:
            nth = ordinal_forms(index + 1, language)
            said += [way.format(form) for way in spoken.picks.get("ordinal", ()) for form in nth]
            said += spoken.picks.get("last", ()) if index == len(keys) - 1 > 0 else ()
        found += entries(f"{PICK}{index}", said, language, rank=PICK_RANK)
    return found


def option_entries(labels: Sequence[Sequence[str]], language: str) -> list[Entry]:
    """Ways to pick one of two: by its words, "the first", "the second", "neither"."""
    first, second, neither = words_for(language).options
    found: list[Entry] = []
    for index, (own, ordinal) in enumerate(zip(labels, (first, second), strict=False)):
        found += entries(f"{OPTION}{index}", [*(text.translate(_NO_MARKS) for text in own), *ordinal], language)
    return found + entries(f"{OPTION}none", neither, language)
