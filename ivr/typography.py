"""Typography in configuration: characters that word processors and web pages put where a keyboard has others."""

from __future__ import annotations

CURLY = "“”„‟‘’‚‛«»"
_UNSEEN = "\u00a0\u00ad\u200b\u200c\u200d\u200e\u200f\u202f\u2060\u3000\ufeff"


def retyped(*lines: str) -> str:
    """What to do about such characters in ``lines``; "" where there are none."""
    text = "".join(lines)
    if quotes := " ".join(dict.fromkeys(c for c in text if c in CURLY)):
        return f"replace the curly quotes {quotes} by straight ones (\" or ')"
    if hidden := next((c for c in text if c in _UNSEEN), ""):
        return f"type the spaces here anew: there is a U+{ord(hidden):04X}, which only looks like one, or like nothing"
    return ""
