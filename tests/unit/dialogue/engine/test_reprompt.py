"""Re-prompting after noinput and nomatch, and being led by keys."""

from __future__ import annotations

from ivr.dialogue.engine.contract import (
    NoInput,
)
from tests.unit.dialogue.talk import NOW, Talk


def test_three_failures_bring_keys_and_then_a_human() -> None:
    talk = Talk().silence()
    assert talk.said.startswith("I didn't hear anything.") and talk.said.endswith("What would you like?")
    talk.say("colourless green ideas")
    assert "For move a title to the top, press one." in talk.said and "press zero" in talk.said
    talk.silence()
    assert talk.connect.reason == "silent" and not talk.ends


def test_progress_resets_the_count() -> None:
    talk = Talk().silence().silence().say("move a title").silence().silence()
    assert not talk.connects


def test_keys_led_calls_hear_the_menu_at_once() -> None:
    talk = Talk(keys_led=True)
    assert "For hear your queue, press two." in talk.said


def test_noinput_of_an_old_listen_is_ignored() -> None:
    talk = Talk()
    old = talk.listen.token
    talk.say("move a title")
    assert talk.dialogue.handle(NoInput(old), NOW) == []


def test_a_reprompt_asks_again_but_does_not_tell_again() -> None:
    talk = Talk().say("put Vertigo first")
    assert talk.said == "Done. Vertigo is at the top now. Anything else?"
    assert talk.silence().said == "I didn't hear anything. Anything else?"
    assert talk.say("repeat").said == "Done. Vertigo is at the top now. Anything else?"
