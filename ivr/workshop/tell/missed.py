"""Missed sentences: what real callers said that was not understood, from the entries of their calls.

Missed is what had no meaning, what was asked about and denied, and what was followed by the wish for a person.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from ivr.dialogue.flows.wording import MASK
from ivr.dialogue.spoken.normalisation import fold
from ivr.dialogue.understanding.classifier import TrainingSet
from ivr.dialogue.understanding.grammar import HUMAN, RISK
from ivr.record import Entered, Entry, Understood

NOTHING, DENIED, PERSON = "not understood", "denied", "followed by a person"
HIDDEN = "•"
ASKING = ("confirm", "meant")  # questions about what was understood
_WITHHELD = re.compile(r"\[\d+ words?\]")
_MARK = re.compile(r"(\{[^{}]*\})")
Nearest = Callable[[str], tuple[str, str, float]]
"""A sentence -> the phrase nearest to it, its intent, and how near, 0..1; of no intent ("") where nothing is near."""


@dataclass(frozen=True, slots=True)
class Missed:
    """``text`` as it was said, titles and other values as {slots}."""

    text: str
    why: str


@dataclass(frozen=True, slots=True)
class Group:
    """Sentences nearest to one intent, the most frequent first: (text, times, why, phrase, how near)."""

    intent: str
    sentences: tuple[tuple[str, int, str, str, float], ...]


def missed(entries: Sequence[Entry], flow: str) -> Iterator[Missed]:
    """Of one call, in order: what was said in the states of ``flow``."""
    told: list[tuple[str, Understood]] = []
    state = ""
    for entry in entries:
        match entry.what:
            case Entered():
                state = entry.what.state
            case Understood():  # its entry's state may be the one that it led to
                told.append((state or entry.state, entry.what))
    for place, (where, what) in enumerate(told):
        if not what.text.strip() or MASK in what.text or where.partition(".")[0] != flow:
            continue
        after = told[place + 1][1] if place + 1 < len(told) else None
        if why := _why(what, after):
            yield Missed(_slotted(what), why)


def _why(what: Understood, after: Understood | None) -> str:
    if what.question in ASKING or what.intent in (HUMAN, "yes", "no") or what.intent.startswith(RISK):
        return NOTHING if not what.intent and what.cause == "no-match" else ""
    if not what.intent:
        return NOTHING
    if after is not None:
        if after.question in ASKING and after.intent == "no" and what.doubt:
            return DENIED
        if after.intent == HUMAN:
            return PERSON
    return ""


def _slotted(what: Understood) -> str:
    if withheld(what.text):
        return what.text  # and its slots are masked as well
    text = " ".join(what.text.lower().split())
    for name, label in sorted(what.slots.items(), key=lambda slot: -len(slot[1])):
        if label:
            text = re.sub(rf"\b{re.escape(label.lower())}\b", f"{{{name}}}", text, count=1)
    return text.strip(" .,;:!?¡¿")


def withheld(text: str) -> bool:
    """Whether the log kept only how many words it was."""
    return _WITHHELD.fullmatch(text) is not None


def redacted(text: str, training: TrainingSet) -> str:
    """Words hidden that none of the flows' phrases and no everyday sentence has: names, numbers, addresses."""
    known = {word for each in training.examples for word in fold(each.phrase, training.language)}
    parts = _MARK.split(text)
    shown = (p if p.startswith("{") else " ".join(w if _plain(w, known) else HIDDEN for w in p.split()) for p in parts)
    return " ".join(part for part in shown if part)


def _plain(word: str, known: Iterable[str]) -> bool:
    return not any(c.isdigit() for c in word) and all(part in known for part in fold(word))


def grouped(found: Iterable[Missed], nearest: Nearest, show: Callable[[str], str] = str) -> list[Group]:
    """By the intent that each is nearest to, the largest group first. ``show``: what may be shown of a sentence."""
    counted = Counter(found)
    groups: dict[str, list[tuple[str, int, str, str, float]]] = {}
    for each, times in counted.most_common():
        phrase, intent, near = nearest(each.text)
        groups.setdefault(intent, []).append((show(each.text), times, each.why, phrase, near))
    made = [Group(intent, tuple(rows)) for intent, rows in groups.items()]
    return sorted(made, key=lambda group: -sum(row[1] for row in group.sentences))


def report(groups: Sequence[Group]) -> Iterator[str]:
    """YAML: under each intent the sentences as ``examples``, and in comments how often, why, and what they are near.
    Those of no intent, which nothing is to be pasted under, are comments as a whole."""
    for group in groups:
        if not group.intent:
            yield from (f'# - "{text}"  # {times}×, {why}' for text, times, why, *_ in group.sentences)
            continue
        yield f"{group.intent}:"
        yield "  examples:"
        for text, times, why, phrase, near in group.sentences:
            note = f"  # {times}×, {why}; nearest: {phrase} ({near:.0%})"
            yield f'    {"# " if HIDDEN in text else ""}- "{text}"{note}'
