"""What a caller said while an action ran and nobody could take it up: an answer to the question that comes?"""

from __future__ import annotations

from ivr.dialogue.engine.conversation import Conversation
from ivr.dialogue.engine.gather import Listening
from ivr.dialogue.understanding.reading import LANGUAGE, UNIVERSALS, Reading
from ivr.dialogue.understanding.understand import understand
from ivr.events import Cause, Recognition


def answer_in(call: Conversation, kept: Recognition, listening: Listening) -> Reading | None:
    """``kept`` as an answer to what is listened for now; None unless it is one word for word, and only one.

    Heard with doubt all the same, since it was recognised without this question's grammar: what changes anything is
    asked about first. A bare yes or no answers what nobody had asked.
    """
    said = Recognition(Cause.NO_MATCH, transcript=kept.transcript)
    found = understand(said, listening.grammar, call.shared.risks(call.words))
    best = found.best
    if best is None or found.rival is not None or found.how != "transcript" or best.leads_out:
        return None
    intent = best.meaning.intent
    return None if intent in (*UNIVERSALS, "yes", "no") or intent.startswith(LANGUAGE) else best
