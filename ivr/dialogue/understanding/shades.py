"""Shades between a yes and a no: "I think so" and "I don't know" are answers, though nothing may be done on them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from ivr.dialogue.spoken.languages import words_for
from ivr.dialogue.spoken.normalisation import fold
from ivr.dialogue.understanding.concepts import without_politeness
from ivr.dialogue.understanding.grammar_compiler import StateGrammar
from ivr.dialogue.understanding.slots import ChoiceSlot

SOFT_YES, UNDECIDED = "soft_yes", "undecided"  # sentences of the line's are named so
SOFT_NO = "soft_no"  # nothing is done on a no, so that it needs no sentence


def shade_of(words: Sequence[str], grammar: StateGrammar) -> str:
    """Which of these the words are where a yes or a no is listened for; "" for anything else."""
    if not words or not _wants_yes(grammar):
        return ""
    known = _known(grammar.language)
    fluent = tuple(word for word in words if word not in words_for(grammar.language).hesitations)
    said = (tuple(words), fluent, without_politeness(fluent, grammar.language))
    return next((known[each] for each in said if each in known), "")


def _wants_yes(grammar: StateGrammar) -> bool:
    if any(slot.type == "boolean" for slot in grammar.slots.values() if isinstance(slot, ChoiceSlot)):
        return True
    return {"yes", "no"} <= {entry.intent for entry in grammar.outline.entries}


@lru_cache(maxsize=4)
def _known(language: str) -> dict[tuple[str, ...], str]:
    spoken = words_for(language).shades
    named = ((SOFT_YES, "yes"), (SOFT_NO, "no"), (UNDECIDED, "undecided"))
    return {fold(phrase, language): shade for shade, name in named for phrase in spoken.get(name, ())}
