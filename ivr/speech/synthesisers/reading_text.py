"""Text normalisation for English text-to-speech: spelt-out keys, letters and numbers that voices stumble over. Pure."""

from __future__ import annotations

import re

_KEYS = {"*": "star", "#": "pound"}
_TELEPHONE = re.compile(r"(?<![\d-])(?:1-)?(?:(\d{3})-)?(\d{3})-(\d{4})(?![\d-])")
_LONG_DIGITS = re.compile(r"(?<![\d.,:$])(?:\d{5,}|0\d+)(?![\d.,:]*\d)")  # "0199" is not one hundred ninety-nine
_INITIALS = re.compile(r"\b(?:[A-Z]\.){2,}")
_HASH_NUMBER = re.compile(r"#(\d+)")
_LONE_KEY = re.compile(r"(?<!\w)([*#])(?!\w)")


def said(text: str) -> str:
    """``text`` with long digit strings and initials read one by one, and ``*`` and ``#`` as keys."""
    text = _HASH_NUMBER.sub(r"number \1", text)
    text = _LONE_KEY.sub(lambda m: _KEYS[m.group(1)], text)
    text = _TELEPHONE.sub(lambda m: ", ".join(" ".join(g) for g in m.groups() if g), text)
    text = _INITIALS.sub(lambda m: " ".join(m.group().replace(".", " ").split()), text)
    return _LONG_DIGITS.sub(lambda m: ", ".join(" ".join(g) for g in _groups(m.group())), text)


def _groups(digits: str) -> list[str]:
    size = 2 if len(digits) == 4 else 3
    return [digits[i : i + size] for i in range(0, len(digits), size)]
