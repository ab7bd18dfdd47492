"""Risk keywords: none takes what callers say for an ordinary intent or value away to a human."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ivr.dialogue.checker.findings import Findings
from ivr.dialogue.flows.library import UNIVERSALS_FILE
from ivr.dialogue.flows.wording import Wordings
from ivr.dialogue.spoken.normalisation import fold

Meant = tuple[str, list[tuple[str, str]]]
"""What a caller means, and how it is said: as it is written, and its words."""


def check_risk_keywords(findings: Findings) -> None:
    library = findings.library
    for language in library.languages:
        words = Wordings(library, language, "neutral")
        ordinary = list(_ordinary(words))
        for risk, spec in library.universals.risks.items():
            _among(findings, words, ordinary, risk, "keywords", words.risk_keywords(risk))
            if spec.at_once:
                _among(findings, words, ordinary, risk, "phrases", words.universal(risk))


def _among(
    findings: Findings, words: Wordings, ordinary: Sequence[Meant], risk: str, key: str, texts: Sequence[str]
) -> None:
    """Keywords are asked about, and so count where most of what callers say has one in it; a phrase of a risk that is
    taken at once counts wherever it stands."""
    language, phrase_of = words.language, "intents" if key == "phrases" else key
    for index, text in enumerate(texts):
        said = _folded(text, language)
        if not said.strip():
            continue
        for owner, phrases in ordinary:
            taken = [phrase for phrase, folded in phrases if said in folded]
            if not taken or (key == "keywords" and 2 * len(taken) < len(phrases)):
                continue
            own = findings.translated(UNIVERSALS_FILE, language, phrase_of, risk, index)
            place = own or findings.universals("risks", risk, key, index)
            if findings.first("risk-keyword", place):
                what = f"asked about {risk}" if key == "keywords" else f"taken to a human for {risk}"
                why = f"“{taken[0]}” ({owner}) has “{text}” in it: who says more than that is {what}"
                why = f"{why}, and doesn't get what they want"
                remedy = f"make the {key[:-1]} of {risk} a longer one, or take it out"
                findings.add("risk-keyword", place, why, remedy, severity="warning", text=text)


def _ordinary(words: Wordings) -> Iterator[Meant]:
    """What callers say, by what it means. A keyword in one phrase of many takes nothing: phrases are matched first."""
    for name, flow in words.library.flows.items():
        for intent in dict.fromkeys(c.intent for s in flow.states.values() for c in s.choices):
            if intent in flow.intents and not flow.intents[intent].risk:
                plain = [phrase.replace("[", "").replace("]", "") for phrase in words.phrases(name, intent)]
                yield intent, [(phrase, _folded(phrase, words.language)) for phrase in plain]
        for variable, spec in flow.slots.items():
            for value, phrases in words.values(name, variable, spec.values).items():
                yield f"{variable}: {value}", [(phrase, _folded(phrase, words.language)) for phrase in phrases]


def _folded(text: str, language: str) -> str:
    """Whole words between blanks, so that words are looked for as text."""
    return f" {' '.join(fold(text, language))} "
