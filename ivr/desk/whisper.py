"""Whisper: the sentence an agent hears before being joined with the caller, who does not hear it."""

from __future__ import annotations

import re

from ivr.dialogue.spoken.languages import words_for
from ivr.events import CALLER_NAME
from ivr.ports import HandoffContext

URGENT = 7  # priorities go from 0 to 10
ASKED = "asked"


def whisper(context: HandoffContext) -> str:
    """For instance "Urgent: Ada Moreno: thinking of cancelling.", or just the name of somebody who asked.

    It stands between two people who want to talk: a second for those who just asked, two or three for the rest."""
    spoken = words_for(context.language)
    who = str(context.facts.get(CALLER_NAME) or "") or spoken.somebody
    about = _in_words(context.reason)
    sentence = f"{who}." if about in ("", ASKED) else f"{who}: {about}."
    return (spoken.urgent if context.priority >= URGENT else "") + sentence


def _in_words(reason: str) -> str:
    """ "cancellation-risk" -> "cancellation risk"; at most a dozen words."""
    return " ".join(re.sub(r"[_\-.]+", " ", reason).split()[:12]).rstrip(".!?,;: ")
