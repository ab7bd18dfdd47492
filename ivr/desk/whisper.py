"""Whisper: the sentence an agent hears before being joined with the caller, who does not hear it."""

from __future__ import annotations

import re

from ivr.events import CALLER_NAME
from ivr.ports import HandoffContext

URGENT = 7  # priorities go from 0 to 10
ASKED = "asked"

# The whisper stands between two people who want to talk: a second for those who just asked, two or three for the rest.
_PHRASES = {
    "en": ("{who}: {about}.", "{who}.", "Urgent: ", "A caller we could not identify"),
    "es": ("{who}: {about}.", "{who}.", "Urgente: ", "Una persona sin identificar"),
}


def whisper(context: HandoffContext) -> str:
    """For instance "Urgent: Ada Moreno: thinking of cancelling.", or just the name of somebody who asked."""
    full, bare, urgent, nobody = _PHRASES.get(context.language.partition("-")[0].lower(), _PHRASES["en"])
    who = str(context.facts.get(CALLER_NAME) or "") or nobody
    about = _in_words(context.reason)
    sentence = bare.format(who=who) if about in ("", ASKED) else full.format(who=who, about=about)
    return (urgent if context.priority >= URGENT else "") + sentence


def _in_words(reason: str) -> str:
    """ "cancellation-risk" -> "cancellation risk"; at most a dozen words."""
    return " ".join(re.sub(r"[_\-.]+", " ", reason).split()[:12]).rstrip(".!?,;: ")
