"""The contract between a dialogue and its driver: effects, tokens, grammars, facts."""

from __future__ import annotations

from ivr.dialogue.engine.contract import (
    Connect,
    KeyPressed,
    Listen,
    Say,
    Start,
)
from ivr.dialogue.engine.dialogue import Dialogue
from ivr.events import Accept, Cause, Hypothesis, Recognition, Term
from tests.unit.dialogue.talk import NOW, Talk, small, text


def test_what_the_caller_does_cuts_what_is_being_said() -> None:
    talk = Talk()
    assert not next(e for e in talk.last if isinstance(e, Say)).cut
    talk.say("move a title")
    assert next(e for e in talk.last if isinstance(e, Say)).cut


def test_entries_wait_between_digits_and_single_keys_do_not() -> None:
    talk = Talk()
    assert talk.listen.interdigit_s == 0
    assert talk.key("1").listen.interdigit_s == 3.0
    assert Talk().key("*").listen.interdigit_s == 3.0


def test_the_grammar_covers_what_can_be_said_and_means_what_it_says() -> None:
    grammar = Talk().listen.grammar
    assert len(grammar.speech.phrases) == len(grammar.outline.fixed.meanings)
    assert all(
        grammar.speech.covers(text)
        for text in (
            "move vertigo to the top of my queue",
            "agent",
            "move alien to number nine",
            "swap alien and vertigo",
        )
    )
    assert "put vertigo first" in grammar.ways("move_to_top", {"title": "Vertigo"})
    assert "agent" in grammar.speech.phrases and "cancel my membership" in grammar.speech.phrases


def test_two_calls_in_the_same_state_share_a_grammar() -> None:
    assert Talk().listen.grammar is Talk().listen.grammar
    talk = Talk()
    before = talk.listen.grammar
    assert talk.say("put Vertigo first").listen.grammar is before  # the queue's order changes no phrase


def test_digit_asks_listen_for_digits() -> None:
    talk = Talk().say("my pin")
    run = talk.listen.grammar.speech.run
    assert run is not None and (run.minimum, run.maximum) == (4, 4) and talk.listen.hangover_s >= 0.8
    talk.heard(Recognition(Cause.SUCCESS, (Hypothesis("4071", 0.9, None, Accept.ACCEPT),), "four oh seven one"))
    assert talk.dialogue.state == "titles.menu"


def test_a_dialogue_is_deterministic() -> None:
    def run() -> list[object]:
        talk = Talk(seed=3).say("put Aliens first").say("no, Vertigo").key("1").silence().key("0")
        return [e for e in talk.effects if not isinstance(e, Listen)]

    assert run() == run()


def test_after_the_end_there_is_nothing() -> None:
    talk = Talk().say("goodbye")
    assert talk.dialogue.handle(text("agent"), NOW) == []


def test_facts_from_a_source_are_asked_at_each_use() -> None:
    hours = {"open": False}
    start = Start(
        "x",
        entry="titles",
        vocabularies={"queue": (Term("v", "Vertigo"),)},
        fact_source=lambda name: hours["open"] if name == "hours.open" else None,
    )
    dialogue = Dialogue(small(), start)
    dialogue.begin(NOW)
    hours["open"] = True
    assert any(isinstance(effect, Connect) for effect in dialogue.handle(KeyPressed("0"), NOW))
