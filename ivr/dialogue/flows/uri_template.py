"""URI templates of http states (RFC 6570, level 1): what is known goes into a path as one segment, never as nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote

_EXPRESSION = re.compile(r"\{([^{}|]+)(?:\|[^{}]*)?\}")
# No letter, no digit: services trim it, or read it as the collection above. Hangul has letters that are blank.
_NOTHING = re.compile(r"[\W_\u115f\u1160\u3164\uffa0]*")


class EmptyPart(ValueError):
    """A part of a path that nothing, or nothing that names anything, is known for."""


def expanded(template: str, look: Callable[[str], object]) -> str:
    """``template`` with each {name} filled by what ``look`` knows for it. Raises EmptyPart."""

    def segment(match: re.Match[str]) -> str:
        name = match[1].strip()
        return quote(part(name, look(name)), safe="")

    return _EXPRESSION.sub(segment, template)


def part(name: str, value: object) -> str:
    """``value`` as text that names something. Raises EmptyPart: without it a request would mean everything."""
    text = ("true" if value else "false") if isinstance(value, bool) else "" if value is None else str(value)
    if _NOTHING.fullmatch(text) or not text.isprintable():
        raise EmptyPart(f"nothing is known for {name}")
    return text
