"""Confusable phrases and titles: what means different things and sounds the same to a recogniser."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from rapidfuzz import fuzz, process

from ivr.dialogue.checker.findings import Findings
from ivr.dialogue.flows.model import UNIVERSALS, Flow, VariableSpec
from ivr.dialogue.flows.phrases import PhraseError, parse_phrase
from ivr.dialogue.flows.source import Place
from ivr.dialogue.flows.wording import Wordings
from ivr.dialogue.spoken.normalisation import fold
from ivr.dialogue.spoken.similarity import confusable, sound
from ivr.dialogue.understanding.speech_grammar import filled, slot_names
from ivr.events import Term

_THE_RISK = "the risk "
_FAINT = 60.0  # phrases less alike than this by letters are not looked at, unless they sound the same
_FEW = 3  # titles named in a note
_SAMPLES: Mapping[str, str] = {
    "title": "casablanca", "number": "three", "ordinal": "third", "digits": "one two three four", "date": "july fourth",
    "boolean": "yes", "time": "three thirty", "date_range": "from july fourth to july sixth",
    "phone": "six one seven five five five zero one three four", "duration": "ninety minutes",
    "money": "twelve dollars", "code": "bravo kilo one two three four",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Said:
    """One phrase as it may be heard. ``owner`` is an intent, a universal or a risk."""

    text: str
    owner: str
    phrase: str
    place: tuple[str | int, ...] = ()


def check_confusable(findings: Findings) -> None:
    library = findings.library
    for language in library.languages:
        words = Wordings(library, language, "neutral")
        everywhere = list(_everywhere(findings, words, language))
        _among(findings, everywhere)
        for name, flow in library.flows.items():
            _Flow(findings, name, flow, words, language, everywhere).check()
        if language == library.universals.language:
            for vocabulary, terms in {**(findings.facts.vocabularies or {}), **library.vocabularies}.items():
                _titles(findings, vocabulary, terms, language, everywhere)


def _titles(
    findings: Findings, vocabulary: str, terms: Sequence[Term], language: str, everywhere: Sequence[Said]
) -> None:
    """Titles that cannot be told apart by ear, or sound like what is understood everywhere: the line has to ask."""
    if (place := _user_of(findings, vocabulary)) is None:
        return
    universal = {sound(said.text, language): said.phrase for said in everywhere}
    by_sound: dict[str, list[str]] = {}
    for term in terms:
        heard = sound(" ".join(fold(term.label, language)), language)
        by_sound.setdefault(heard, [universal[heard]] if heard in universal else []).append(term.label)
    alike = [tuple(dict.fromkeys(texts)) for texts in by_sound.values() if len(texts) > 1]
    if alike:
        few = "; ".join(" and ".join(f"“{text}”" for text in texts[:_FEW]) for texts in alike[:_FEW])
        more = f"; and {len(alike) - _FEW} more" if len(alike) > _FEW else ""
        why = f"titles of the {vocabulary} cannot be told by ear, so callers are asked what they mean: {few}{more}"
        remedy = "leave it so, or let the vocabulary name them otherwise"
        findings.add("alike-titles", place, why, remedy, severity="note", text=vocabulary)


def _user_of(findings: Findings, vocabulary: str) -> Place | None:
    """Where a variable says that its titles come from there; None where none does."""
    for name, flow in findings.library.flows.items():
        for variable, spec in flow.slots.items():
            if vocabulary in spec.vocabularies:
                section = "parameters" if variable in flow.parameters else "variables"
                return findings.at(name, section, variable, "from")
    return None


def _everywhere(findings: Findings, words: Wordings, language: str) -> Iterator[Said]:
    """What is understood in every state: universals and risks."""
    spoken = [(name, words.universal(name)) for name in UNIVERSALS]
    spoken += [(f"the language {name}", spec.phrases) for name, spec in findings.library.universals.languages.items()]
    spoken += [(f"{_THE_RISK}{name}", words.universal(name)) for name in findings.library.universals.risks]
    for owner, phrases in spoken:
        for phrase in phrases:
            for text in _expand(phrase, {}, language):
                yield Said(text, owner, phrase)


def _among(findings: Findings, everywhere: Sequence[Said]) -> None:
    known: dict[str, Said] = {}
    for said in everywhere:
        other = known.setdefault(said.text, said)
        if other.owner != said.owner and not (other.owner.startswith(_THE_RISK) and said.owner.startswith(_THE_RISK)):
            kind, _, name = said.owner.removeprefix("the ").rpartition(" ")
            path = (f"{kind}s", name, "phrases") if kind else (name, "phrases")
            place = findings.universals(*path)
            why = f"“{said.phrase}” means both {other.owner} and {said.owner}, everywhere"
            findings.add("same-phrase", place, why, "leave it to one of them", text=said.phrase)


class _Flow:
    def __init__(
        self, findings: Findings, name: str, flow: Flow, words: Wordings, language: str, everywhere: Sequence[Said]
    ) -> None:
        self.findings, self.name, self.flow, self.words, self.language = findings, name, flow, words, language
        self.everywhere = everywhere
        self.variables = flow.slots
        self.said: dict[str, list[Said]] = {}
        self.risks = {intent: spec.risk for intent, spec in flow.intents.items()}

    def phrases(self, intent: str) -> list[Said]:
        if intent not in self.said:
            self.said[intent] = [
                Said(text, intent, phrase, ("intents", intent, "phrases", index))
                for index, phrase in enumerate(self.words.phrases(self.name, intent))
                for text in _expand(phrase, self.variables, self.language)
            ]
        return self.said[intent]

    def check(self) -> None:
        used = dict.fromkeys(c.intent for s in self.flow.states.values() for c in s.choices)
        mine = [said for intent in used if intent in self.flow.intents for said in self.phrases(intent)]
        self._compare(mine, self.everywhere)
        together: set[tuple[str, ...]] = set()
        for state in self.flow.states.values():
            intents = tuple(dict.fromkeys(c.intent for c in state.choices if c.intent in self.flow.intents))
            if len(intents) > 1 and intents not in together:
                together.add(intents)
                here = [said for intent in intents for said in self.phrases(intent)]
                self._compare(here, here)

    def _signs(self, one: Said, other: Said) -> bool:
        """Whether both mean the same risk: an intent that is a sign of it, and the risk itself or another such."""
        mine, theirs = (
            said.owner.removeprefix(_THE_RISK) if said.owner.startswith(_THE_RISK) else self.risks.get(said.owner, "")
            for said in (one, other)
        )
        return bool(mine) and mine == theirs

    def _compare(self, ours: Sequence[Said], theirs: Sequence[Said]) -> None:
        texts = [said.text for said in theirs]
        sounding: dict[str, list[int]] = {}
        for column, text in enumerate(texts):
            sounding.setdefault(sound(text, self.language), []).append(column)
        for row, one in enumerate(ours):
            near = process.extract(one.text, texts, scorer=fuzz.ratio, score_cutoff=_FAINT, limit=None)
            for column in sorted({*(index for _, _, index in near), *sounding.get(sound(one.text, self.language), ())}):
                other = theirs[column]
                if one.owner == other.owner or (ours is theirs and column < row) or self._signs(one, other):
                    continue
                if one.text == other.text:
                    self._report("same-phrase", one, other)
                elif confusable(one.text, other.text, self.language):
                    self._report("near-phrases", one, other)

    def _report(self, code: str, one: Said, other: Said) -> None:
        pair = frozenset({(one.owner, one.phrase), (other.owner, other.phrase)})
        if not self.findings.first("confusable", self.name, self.language, pair):
            return
        if one.place and other.place and other.place > one.place:
            one, other = other, one
        add = partial(self.findings.add, code, self._place(one), text=one.phrase)
        if code == "same-phrase":
            add(f"“{one.phrase}” means both {one.owner} and {other.owner}", "leave it to one of them")
        else:
            why = f"“{one.phrase}” ({one.owner}) sounds like “{other.phrase}” ({other.owner})"
            add(why, "say one of them in other words", severity="warning")

    def _place(self, said: Said) -> Place:
        _, intent, _, index = said.place
        own = self.findings.translated(self.name, self.language, "intents", intent, index)
        return own or self.findings.at(self.name, *said.place)


def _expand(phrase: str, variables: Mapping[str, VariableSpec], language: str) -> Iterator[str]:
    """A phrase with its options and a sample value in each slot."""
    try:
        template = parse_phrase(phrase, language)
    except PhraseError:
        return
    for variant in template.variants[:8]:
        text = " ".join(fold(filled(variant, [_sample(name, variables) for name in slot_names(variant)]), language))
        if text:
            yield text


def _sample(name: str, variables: Mapping[str, VariableSpec]) -> str:
    spec = variables.get(name)
    if spec is None:
        return "something"
    if spec.type == "choice":
        return next((p for phrases in spec.values.values() for p in phrases), "this")
    return _SAMPLES.get(spec.type, "something")
