"""Which transcripts are what the line says itself."""

from __future__ import annotations

import pytest

from ivr.call.own_words import own_words
from ivr.events import Accept, Cause, Hypothesis, Recognition

PROMPT = "Your queue has eight titles. You can say things like, what's in my queue, or move a title to the top."


@pytest.mark.parametrize(
    ("transcript", "verdict", "ours"),
    [
        ("Has eight titles.", Accept.REJECT, False),
        ("Your queue has eight titles.", Accept.REJECT, True),
        ("You can say, things like what's in", Accept.REJECT, True),
        ("What's in my queue?", Accept.ACCEPT, False),  # as they were told
        ("Move a title to the top.", Accept.REJECT, True),
        ("You can say things like what's in my queue.", Accept.ACCEPT, True),
        ("I want to talk to a person.", Accept.REJECT, False),
        ("", Accept.REJECT, False),
        ("Queue.", Accept.CONFIRM, False),
    ],
)
def test_own_words(transcript: str, verdict: Accept, ours: bool) -> None:
    heard = Recognition(Cause.SUCCESS, (Hypothesis(transcript.lower(), 0.9, 0, verdict),), transcript)
    assert own_words(PROMPT, heard) is ours


def test_while_nothing_is_said_nothing_is_ours() -> None:
    assert not own_words("", Recognition(Cause.NO_MATCH, (), "your queue has eight titles"))
