"""Plain text: what a stranger wrote without what would act on a terminal, a log or a page instead of being read."""

from __future__ import annotations

import re

# C0 and C1 controls; marks and overrides of direction; separators of lines; invisible ones (not the joiners, which
# names need); interlinear and tag characters; halves of surrogate pairs.
_SPACING = re.compile("[\t\n\v\f\r\x1c-\x1f\x85\u2028\u2029]+")
_ACTING = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
_HALF = re.compile("[\ud800-\udfff]")


def plain(text: str) -> str:
    """``text`` on one line; what acts is dropped, what is no text is replaced (U+FFFD)."""
    if text.isascii() and text.isprintable():
        return text
    return _HALF.sub("\ufffd", _ACTING.sub("", _SPACING.sub(" ", text)))


def printable(text: str) -> str:
    """What a terminal may show: whatever would move its cursor, change its colours or turn its text around (callers
    choose their own names and numbers) stands there as its code."""
    return "".join(c if c.isprintable() or c == " " else _code(c) for c in text)


def _code(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
