"""Own words: what the line says itself, coming back through the caller's loudspeaker and microphone (acoustic echo).

The media process keeps echoes out by their loudness; this is for those that got through: a loud room, a conference.
"""

from __future__ import annotations

from rapidfuzz import fuzz

from ivr.dialogue.spoken.similarity import bare_words
from ivr.events import Accept, Recognition

MANY = 6  # words of ours in a row that no caller repeats,
SOME = 4  # and those that a caller may say after us, as where examples are given
ALIKE = 85.0  # 0..100


def own_words(said: str, recognition: Recognition) -> bool:
    """Whether what was heard while ``said`` was being said is a part of that, rather than the caller."""
    heard, ours = bare_words(recognition.transcript), bare_words(said)
    count = heard.count(" ") + 1 if heard else 0
    accepted = bool(recognition.nbest) and recognition.nbest[0].verdict is Accept.ACCEPT
    if count < (MANY if accepted else SOME) or len(heard) > len(ours):
        return False
    return fuzz.partial_ratio(heard, ours) >= ALIKE
