"""Widths of texts in a picture, without asking any font: wide enough for those that systems use."""

from __future__ import annotations

_NARROW = frozenset("iljtfr.,:;'!|() ")
_WIDE = frozenset("mwMW@—…")


def measured(text: str) -> float:
    """Pixels at a size of 11."""
    return sum(3.7 if c in _NARROW else 9.6 if c in _WIDE else 7.6 if c.isupper() else 6.6 for c in text)


def fitted(text: str, room: float) -> str:
    """``text``, its end left out where it is wider than ``room``."""
    if measured(text) <= room:
        return text
    while text and measured(text) + 10 > room:
        text = text[:-1]
    return text.rstrip(" ·,") + "…"


def wrapped(text: str, room: float, most: int) -> tuple[str, ...]:
    """``text`` in at most ``most`` lines no wider than ``room``."""
    lines: list[str] = []
    words = text.split()
    while words and len(lines) < most:
        line = words.pop(0)
        while words and measured(f"{line} {words[0]}") <= room:
            line += f" {words.pop(0)}"
        lines.append(line)
    if words:
        lines[-1] = fitted(" ".join((lines[-1], *words)), room)
    return tuple(fitted(line, room) for line in lines)
