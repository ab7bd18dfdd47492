"""Choices by ear: values of a choice, labels of a menu and spoken letters that no recogniser or caller tells apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from ivr.dialogue.checker.findings import Findings
from ivr.dialogue.flows.model import Flow
from ivr.dialogue.flows.wording import Wordings
from ivr.dialogue.spoken.normalisation import fold
from ivr.dialogue.spoken.similarity import confusable

LETTERS: Mapping[str, Sequence[str]] = {
    "en": ("bcdegptvz", "mn", "fsx", "ajk", "iy", "quw", "o0"),
    "es": ("bcdegptv", "mn", "fs", "lr", "o0"),
}
"""By language: letters whose names a telephone makes one."""
NATO = (
    "alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliett", "kilo", "lima",
    "mike", "november", "oscar", "papa", "quebec", "romeo", "sierra", "tango", "uniform", "victor", "whiskey",
    "x-ray", "yankee", "zulu",
)  # fmt: skip


def check_alike_values(findings: Findings) -> None:
    library = findings.library
    for language in library.languages:
        words = Wordings(library, language, "neutral")
        for name, flow in library.flows.items():
            _values(findings, name, flow, words)
            _labels(findings, name, flow, words)


def _values(findings: Findings, name: str, flow: Flow, words: Wordings) -> None:
    for variable, spec in flow.slots.items():
        if spec.type != "choice":
            continue
        said = [
            (value, phrase, index)
            for value, phrases in words.values(name, variable, spec.values).items()
            for index, phrase in enumerate(phrases)
        ]
        for (one, mine, _), (other, theirs, index) in combinations(said, 2):
            if one == other:
                continue
            a, b = (" ".join(fold(text, words.language)) for text in (mine, theirs))
            letters = _letters(a, b, words.language)
            if not (a and b) or not (letters or a == b or confusable(a, b, words.language)):
                continue
            if not findings.first("alike-values", name, variable, words.language, mine, theirs):
                continue
            section = "parameters" if variable in flow.parameters else "variables"
            own = findings.translated(name, words.language, "values", variable, other, index)
            place = own or findings.at(name, section, variable, "values", other, index)
            if a == b:
                why = f"“{theirs}” means both {one} and {other} of {variable}"
                findings.add("same-phrase", place, why, "leave it to one of them", text=theirs)
            elif letters:
                why = f"“{mine}” and “{theirs}” ({one} and {other}) sound alike over a telephone, as letters do"
                better = f"{_nato(mine)} and {_nato(theirs)}"
                remedy = f"let callers say words for letters: {better}, or key it"
                findings.add("alike-letters", place, why, remedy, severity="warning", text=theirs)
            else:
                why = f"“{theirs}” ({other}) sounds like “{mine}” ({one}), so callers get what they didn't say"
                findings.add("alike-values", place, why, "say one in other words", severity="warning", text=theirs)


def _labels(findings: Findings, name: str, flow: Flow, words: Wordings) -> None:
    for sid, state in flow.states.items():
        offered = [
            (index, choice.intent, words.label(name, sid, choice.intent, choice.label))
            for index, choice in enumerate(state.choices)
            if choice.label
        ]
        for (_, _, mine), (index, intent, theirs) in combinations(offered, 2):
            a, b = (" ".join(fold(text, words.language)) for text in (mine, theirs))
            if not (a and b) or not (a == b or confusable(a, b, words.language)):
                continue
            own = findings.translated(name, words.language, "labels", f"{sid}.{intent}")
            place = own or findings.at(name, "states", sid, "choices", index, "label")
            if not findings.first("alike-labels", place):
                continue
            if a == b:
                why = f"two choices are both called “{theirs}”, and callers can't know which key does what"
            else:
                why = f"“{mine}” and “{theirs}” are offered side by side and sound alike"
            findings.add("alike-labels", place, why, "name one by what it does otherwise", severity="warning")


def _letters(one: str, other: str, language: str) -> bool:
    groups = LETTERS.get(language.partition("-")[0], ())
    short = len(one) == len(other) == 1
    return short and one != other and any(one in group and other in group for group in groups)


def _nato(letter: str) -> str:
    at = ord(letter.strip().lower()) - ord("a")
    return NATO[at] if 0 <= at < len(NATO) else "zero"
