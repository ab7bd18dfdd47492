"""System prompts: what the line says by itself when ``universals.yaml`` has no words for it. It is never silent."""

from __future__ import annotations

from ivr.dialogue.spoken.languages import LANGUAGES, words_for

SYSTEM_PROMPTS: tuple[str, ...] = tuple(LANGUAGES["en"].prompts)


def system_words(name: str, language: str) -> str:
    return words_for(language).prompts.get(name, "")


def option_answers(language: str) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """How callers pick the first, the second or neither of two."""
    return words_for(language).options


def ask_carriers(slot_type: str, language: str) -> tuple[str, ...]:
    """Short ways around a bare answer; ``{%}`` stands for the slot."""
    return words_for(language).answers.get(slot_type, ("{%}",))
