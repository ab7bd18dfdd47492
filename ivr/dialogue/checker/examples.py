"""Examples and contrasts: what is learned besides the phrases must be readable, and may not contradict them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ivr.dialogue.checker.findings import Findings
from ivr.dialogue.flows.library import UNIVERSALS_FILE
from ivr.dialogue.flows.model import UNIVERSALS, Contrast
from ivr.dialogue.flows.model_errors import listing, suggestion
from ivr.dialogue.flows.phrases import PhraseError, Variant, parse_phrase
from ivr.dialogue.flows.source import Place
from ivr.dialogue.flows.wording import Wordings
from ivr.dialogue.understanding.classifier import NONE

EXAMPLES, CONTRAST = "examples", "not"
_NOTHING = "nothing here"
Locate = Callable[..., Place]


@dataclass(frozen=True, slots=True)
class _Sentence:
    text: str
    means: str  # an intent, or NONE
    place: Place


def check_examples(findings: Findings) -> None:
    library = findings.library
    for language in library.languages:
        words = Wordings(library, language, "neutral")
        everywhere = _known(words, UNIVERSALS_FILE, (*UNIVERSALS, "yes", "no", *library.universals.risks))
        for owner in (UNIVERSALS_FILE, *library.flows):
            flow = library.flows.get(owner)
            own = _known(words, owner, flow.intents) if flow is not None else {}
            names = {*(flow.intents if flow is not None else ()), *UNIVERSALS, *library.universals.risks, "yes", "no"}
            slots = frozenset(flow.slots) if flow is not None else frozenset()
            for said in _taught(findings, owner, language):
                _check(findings, said, {**everywhere, **own}, names, slots)


def _check(
    findings: Findings, said: _Sentence, known: Mapping[Variant, str], names: set[str], slots: frozenset[str]
) -> None:
    if not findings.first("example", said.place.file, said.place.line, said.place.column):
        return
    if said.means != NONE and said.means not in names:
        if not findings.first("example's intent", said.place.file, said.means):
            return  # told at its first example
        remedy = suggestion(said.means, sorted(names), f"intents here: {listing(sorted(names))}")
        findings.add("unknown-intent", said.place, f"there is no intent {said.means}", remedy, text=said.means)
        return
    try:
        template = parse_phrase(said.text)
    except PhraseError as error:
        findings.add("bad-phrase", said.place, error.message, error.remedy or "correct the brackets", text=said.text)
        return
    for slot in template.slots:
        if slot not in slots:
            remedy = suggestion(slot, sorted(slots), f"variables here: {listing(sorted(slots))}")
            findings.add("unknown-variable", said.place, f"there is no variable {slot}", remedy, text=slot)
    other = next((known[v] for v in template.variants if known.get(v, said.means) != said.means), None)
    if other is not None:
        means = _NOTHING if said.means == NONE else said.means
        why = f"“{said.text}” is to mean {means}, and is a phrase of {other}"
        findings.add("same-phrase", said.place, why, "leave it to one of them", text=said.text)


def _known(words: Wordings, owner: str, intents: Sequence[str] | Mapping[str, object]) -> dict[Variant, str]:
    """Every phrase as it may be said, and the intent that it means."""
    found: dict[Variant, str] = {}
    for intent in intents:
        phrases = words.universal(intent) if owner == UNIVERSALS_FILE else words.phrases(owner, intent)
        for phrase in phrases:
            try:
                for variant in parse_phrase(phrase, words.language).variants:
                    found.setdefault(variant, intent)
            except PhraseError:  # told where the phrases are checked
                continue
    return found


def _taught(findings: Findings, owner: str, language: str) -> Iterator[_Sentence]:
    """The examples and contrasts of a flow, or of the universals, in one language."""
    library = findings.library
    flow = library.flows.get(owner)
    if flow is not None and flow.language == language:
        for intent, spec in flow.intents.items():
            place = _under(findings.at, owner, "intents", intent)
            yield from _sentences(intent, spec.examples, spec.contrast, place)
    if owner == UNIVERSALS_FILE and library.universals.language == language:
        universals = library.universals
        for name in UNIVERSALS:
            spec_of = getattr(universals, name)
            place = _under(findings.universals, name)
            yield from _sentences(name, spec_of.examples, spec_of.contrast, place)
        for name, risk in universals.risks.items():
            yield from _sentences(name, risk.examples, risk.contrast, _under(findings.universals, "risks", name))
    for key, wording in library.wordings.items():
        if key[:2] == (owner, language):
            for intent in dict.fromkeys((*wording.examples, *wording.contrast)):

                def here(part: str, *path: str | int, key: tuple[str, str, str] = key, intent: str = intent) -> Place:
                    return findings.overlay(key, part, intent, *path)

                yield from _sentences(intent, wording.examples.get(intent, ()), wording.contrast.get(intent, ()), here)


def _under(locate: Locate, *head: str) -> Locate:
    return lambda *path: locate(*head, *path)


def _sentences(intent: str, examples: Sequence[str], contrast: Contrast, place: Locate) -> Iterator[_Sentence]:
    for index, text in enumerate(examples):
        yield _Sentence(text, intent, place(EXAMPLES, index))
    if isinstance(contrast, Mapping):
        for other, texts in contrast.items():
            for index, text in enumerate(texts):
                yield _Sentence(text, other, place(CONTRAST, other, index))
    else:
        for index, text in enumerate(contrast):
            yield _Sentence(text, NONE, place(CONTRAST, index))
