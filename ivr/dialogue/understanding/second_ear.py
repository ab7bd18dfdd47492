"""Agreement of two recognisers: what the first one's interpretation becomes once a second, independent one was asked.

Both read the same audio with different models: what both understand word for word is sure, numbers too. What only the
second understands is a question, never an act; and what the first understood is never dropped for it.
"""

from __future__ import annotations

from dataclasses import replace

from ivr.dialogue.understanding.grammar import Interpretation, Reading

AGREED = "two-ears"
SECOND = "second-ear"
_HEARD = 0.7  # confidence in what only the second ear understands


def weighed(first: Interpretation, second: Interpretation, *, denied: bool = False) -> Interpretation:
    """``second``: the second transcript, understood as if it were typed, so that its best is sure where the grammar has
    it word for word. ``denied``: the first transcript denies something, which its interpretation does not.

    | first | second | is |
    |---|---|---|
    | sure | whatever | the first |
    | nothing | whatever | the second, in doubt |
    | in doubt | guessed, or nothing | the first |
    | in doubt | the same, word for word | sure |
    | guessed by likeness | the same, word for word | the same, in doubt |
    | leads to a human | something else, word for word | the first |
    | in doubt | word for word: leads to a human | the second, in doubt |
    | in doubt | its rival, word for word | the rival, and the first as its rival |
    | guessed by likeness | something else, word for word | the second in doubt, and the first as its rival |
    | in doubt | something else, word for word | the first, and the second as its rival |
    """
    best, other = first.best, second.best
    if other is None or (best is not None and best.sure):
        return first
    word_for_word = second.how == "grammar"
    heard = other.doubted(min(other.confidence, _HEARD))
    if best is None:
        return Interpretation(heard, second.rival, SECOND if word_for_word else second.how)
    if not word_for_word:
        return first
    if other.meaning == best.meaning:
        if denied or first.how not in ("grammar", "transcript"):
            return first
        return Interpretation(replace(other, text=best.text, confidence=best.confidence), second.rival, AGREED)
    if best.leads_out:
        return first
    if other.leads_out:
        return Interpretation(heard, how=SECOND)
    rival = first.rival
    if (rival is not None and rival.meaning == other.meaning) or first.how == "likeness":
        return Interpretation(_close(heard, best), best, SECOND)
    return replace(first, rival=_close(heard, best))


def _close(reading: Reading, to: Reading) -> Reading:
    """As likely as what it is offered beside."""
    return replace(reading, confidence=to.confidence)
