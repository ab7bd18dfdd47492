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
