"""Phrase templates of intents: words, [optional words] and {slots}, expanded into their variants."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from ivr.dialogue.spoken.normalisation import speech_form
from ivr.errors import FlowError

MOST_VARIANTS = 64

_PIECES = re.compile(r"\{([^{}]*)\}|(\[)|(\])|([^{}\[\]]+)|([{}])")
_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")


class PhraseError(FlowError):
    """A template that cannot be read. ``column`` counts from 1."""

    def __init__(self, message: str, column: int, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.message = message
        self.column = column


Variant = tuple[str, ...]  # words (as recognisers take them), and slots as "{name}", in order


@dataclass(frozen=True, slots=True)
class SlotValue:
    """A filled slot: ``value`` for actions (a Term's id, an int, an ISO date, digits), ``label`` to say it back."""

    value: str | int | bool | float
    label: str


@dataclass(frozen=True, slots=True)
class Template:
    """``variants``: the longest first. ``slots`` in order of appearance."""

    text: str
    variants: tuple[Variant, ...]
    slots: tuple[str, ...]


@lru_cache(maxsize=8192)
def parse_phrase(text: str, language: str = "en-US") -> Template:
    """Raises PhraseError. At most MOST_VARIANTS variants are kept, longest first."""
    stack: list[list[Variant]] = [[()]]
    opened: list[int] = []
    slots: list[str] = []
    for match in _PIECES.finditer(text):
        slot, opening, closing, words, stray = match.groups()
        column = match.start() + 1
        if slot is not None:
            name = slot.strip()
            if not _NAME.match(name):
                raise PhraseError(f"{slot!r} is not the name of a variable", column, "write {title}")
            if name not in slots:
                slots.append(name)
            stack[-1] = [(*variant, f"{{{name}}}") for variant in stack[-1]]
        elif opening:
            opened.append(column)
            stack.append([()])
        elif closing:
            if len(stack) < 2:
                raise PhraseError("a ] without its [", column, "write [optional words]")
            inner = stack.pop()
            opened.pop()
            stack[-1] = [(*head, *tail) for head in stack[-1] for tail in (*inner, ())][: MOST_VARIANTS * 4]
        elif words:
            spoken = tuple(speech_form(words, language).split())
            stack[-1] = [(*variant, *spoken) for variant in stack[-1]]
        elif stray:
            raise PhraseError(f"a stray {stray}", column, "slots are written {title}")
    if len(stack) > 1:
        raise PhraseError("a [ without its ]", opened[-1], "write [optional words]")
    variants = sorted(dict.fromkeys(v for v in stack[0] if v), key=len, reverse=True)[:MOST_VARIANTS]
    if not variants:
        raise PhraseError("an empty phrase", 1, "write what callers say")
    return Template(text, tuple(variants), tuple(slots))
