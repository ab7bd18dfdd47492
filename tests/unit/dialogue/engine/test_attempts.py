"""A question asked again: both attempts count, and what the caller said no to is not offered again."""

from __future__ import annotations

from ivr.events import Accept, Cause, Hypothesis, Recognition
from tests.unit.dialogue.talk import Talk


def unsure(*nbest: tuple[str, float], verdict: Accept = Accept.CONFIRM) -> Recognition:
    made = tuple(Hypothesis(text, confidence, None, verdict) for text, confidence in nbest)
    cause = Cause.NO_MATCH if verdict is Accept.REJECT else Cause.SUCCESS
    return Recognition(cause, made, "mumble")


def test_twice_half_heard_is_asked_about() -> None:
    half = unsure(("put vertigo first", 0.34), ("put nosferatu first", 0.33), verdict=Accept.REJECT)
    talk = Talk().heard(half)
    assert "get that" in talk.said
    again = unsure(("put nosferatu first", 0.42), ("put metropolis first", 0.4), verdict=Accept.REJECT)
    assert "Nosferatu" in talk.heard(again).said and not talk.performed


def test_what_was_denied_at_the_confirmation_is_not_offered_again() -> None:
    heard = unsure(("put alien first", 0.8), ("put aliens first", 0.5))
    talk = Talk().heard(heard)
    assert "Move Alien to the top" in talk.said
    talk.say("no")
    assert "Which title" in talk.said
    assert "Aliens" in talk.heard(unsure(("alien", 0.8), ("aliens", 0.6))).said


def test_neither_of_two_is_offered_again() -> None:
    close = unsure(("put alien first", 0.8), ("put aliens first", 0.78))
    talk = Talk().heard(close)
    assert "Did you mean Alien, or Aliens" in talk.said
    talk.say("neither")
    again = unsure(("put alien first", 0.8), ("put aliens first", 0.78), ("put vertigo first", 0.6))
    assert "Vertigo" in talk.heard(again).said


def test_what_is_keyed_in_between_is_no_attempt() -> None:
    talk = Talk().heard(unsure(("remove vertigo", 0.4), verdict=Accept.REJECT))
    talk.key("1")
    assert "Which title" in talk.said
    assert "Vertigo" in talk.heard(unsure(("vertigo", 0.8))).said
