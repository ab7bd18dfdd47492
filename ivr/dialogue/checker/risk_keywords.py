"""Risk keywords: none takes what callers say for an ordinary intent or value away to a human."""

from __future__ import annotations

from collections.abc import Iterator

from ivr.dialogue.checker.findings import Findings
from ivr.dialogue.flows.library import UNIVERSALS_FILE
from ivr.dialogue.flows.wording import Wordings
from ivr.dialogue.spoken.normalisation import fold


def check_risk_keywords(findings: Findings) -> None:
    library = findings.library
    for language in library.languages:
        words = Wordings(library, language, "neutral")
        for risk in library.universals.risks:
            for index, keyword in enumerate(words.risk_keywords(risk)):
                said = tuple(fold(keyword, language))
                for owner, phrases in _ordinary(words):
                    taken = [phrase for phrase in phrases if said and _within(said, tuple(fold(phrase, language)))]
                    for phrase in taken[:1] if 2 * len(taken) >= len(phrases) else ():
                        own = findings.translated(UNIVERSALS_FILE, language, "keywords", risk, index)
                        place = own or findings.universals("risks", risk, "keywords", index)
                        if findings.first("risk-keyword", place):
                            why = f"“{phrase}” ({owner}) has “{keyword}” in it: who says more than that is asked about"
                            remedy = f"make the keyword of {risk} a longer phrase, or take it out"
                            why = f"{why} {risk}, and doesn't get what they want"
                            findings.add("risk-keyword", place, why, remedy, severity="warning", text=keyword)


def _ordinary(words: Wordings) -> Iterator[tuple[str, list[str]]]:
    """What callers say, by what it means. A keyword in one phrase of many takes nothing: phrases are matched first."""
    for name, flow in words.library.flows.items():
        for intent in dict.fromkeys(c.intent for s in flow.states.values() for c in s.choices):
            if intent in flow.intents and not flow.intents[intent].risk:
                yield intent, [phrase.replace("[", "").replace("]", "") for phrase in words.phrases(name, intent)]
        for variable, spec in flow.slots.items():
            for value, phrases in words.values(name, variable, spec.values).items():
                yield f"{variable}: {value}", list(phrases)


def _within(keyword: tuple[str, ...], phrase: tuple[str, ...]) -> bool:
    size = len(keyword)
    return any(phrase[at : at + size] == keyword for at in range(len(phrase) - size + 1))
