"""What is taken of an utterance, and whose voice it is."""

from __future__ import annotations

import numpy as np

from ivr.events import Accept, Cause, Hypothesis, Recognition
from ivr.speech.worker.attempt import Outcome
from ivr.speech.worker.foreground import CallerLoudness, foreground
from ivr.speech.worker.manner import Measured


def tone(seconds: float, db: float) -> bytes:
    """At this level below full scale."""
    at = np.arange(round(seconds * 8000)) / 8000
    return (np.sin(2 * np.pi * 200 * at) * 32767 * 10 ** (db / 20)).astype("<i2").tobytes()


def seconds(pcm: bytes) -> float:
    return len(pcm) / 16000


def test_talk_in_the_room_before_and_after_the_caller_is_left_out() -> None:
    caller = tone(1.0, -20)
    kept = foreground(tone(2.0, -38) + caller + tone(1.5, -38))
    assert caller[2000:-2000] in kept and 1.5 < seconds(kept) < 1.75


def test_soft_beginnings_and_ends_stay_with_their_words() -> None:
    for whole in (
        tone(0.3, -45) + tone(1.0, -20) + tone(0.25, -45),  # a consonant, and a breath
        tone(0.8, -32) + tone(0.6, -20) + tone(0.8, -32),  # a loud word between softer ones
        tone(1.0, -20) + bytes(8000) + tone(0.5, -30),  # a pause in between
    ):
        assert foreground(whole) == whole


def test_one_bang_is_not_how_loud_somebody_is() -> None:
    whole = tone(0.5, -24) + tone(0.1, -3) + tone(1.0, -24)
    assert foreground(whole) == whole


def test_silence_and_what_is_short_stay_as_they_are() -> None:
    for pcm in (b"", bytes(320), tone(0.3, -20), bytes(32000)):
        assert foreground(pcm) == pcm


def outcome(verdict: Accept, level_db: float, text: str = "no", speech_s: float = 1.0) -> Outcome:
    cause = Cause.NO_MATCH if verdict is Accept.REJECT else Cause.SUCCESS
    return Outcome(
        Recognition(cause, (Hypothesis(text, 0.6, None, verdict),), "No, the other one."),
        Measured(level_db, 20.0, 120.0, speech_s),
    )


def test_who_is_far_fainter_than_the_caller_must_say_a_sentence_beyond_doubt_while_they_are_there() -> None:
    caller = CallerLoudness()
    assert caller.may_be(outcome(Accept.CONFIRM, -40.0), 1.0)  # nobody was heard yet
    caller.heard(outcome(Accept.REJECT, -20.0), 2.0)  # loud, though not understood
    assert caller.outdoes(-33.0, 30.0) and not caller.outdoes(-27.0, 30.0)
    assert not caller.may_be(outcome(Accept.CONFIRM, -40.0), 3.0)
    assert not caller.may_be(outcome(Accept.ACCEPT, -40.0, "yeah"), 3.0)  # what murmur sounds like
    assert caller.may_be(outcome(Accept.ACCEPT, -40.0, "what's next"), 3.0)
    assert caller.may_be(outcome(Accept.CONFIRM, -40.0), 18.0)  # they have been silent for long


def test_a_television_does_not_become_the_caller_by_going_on() -> None:
    caller = CallerLoudness()
    caller.heard(outcome(Accept.ACCEPT, -20.0), 2.0)
    for began in (3.0, 5.0, 8.0, 11.0):
        assert not caller.may_be(outcome(Accept.REJECT, -40.0), began)
    assert caller.outdoes(-33.0, 30.0)


def test_a_caller_who_moved_away_is_heard_again_in_the_end() -> None:
    caller = CallerLoudness()
    caller.heard(outcome(Accept.ACCEPT, -20.0), 2.0)
    for began in (18.0, 22.0):
        assert not caller.may_be(outcome(Accept.REJECT, -40.0), began)
    assert not caller.outdoes(-36.0, 30.0)


def test_what_is_as_loud_as_the_room_was_is_the_room_unless_it_is_as_loud_as_the_caller() -> None:
    caller = CallerLoudness()
    caller.heard(outcome(Accept.ACCEPT, -20.0), 2.0)
    assert caller.outdoes(-24.0, 5.0) and not caller.outdoes(-16.0, 5.0)
