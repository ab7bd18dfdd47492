"""The dialogue from outside: events in, effects out."""

from __future__ import annotations

import json

import pytest

from ivr.dialogue.engine.contract import (
    ActionDone,
    ActionSlow,
    Agitated,
    Connect,
    End,
    HandoffDone,
    KeyPressed,
    Listen,
    NoInput,
    PartFailed,
    Record,
    Say,
    SpeechHeard,
)
from ivr.dialogue.engine.dialogue import Dialogue
from ivr.events import Accept, ActionResult, Cause, Hypothesis, Manner, Recognition, Term
from ivr.record import Prompted
from tests.unit.dialogue.talk import NOW, Talk, small, text


def test_a_request_in_one_sentence_is_done_at_once() -> None:
    talk = Talk().say("move Vertigo to the top of my queue")
    assert talk.labels[:2] == ["Vertigo", "Casablanca"]
    assert talk.said == "Done. Vertigo is at the top now. Anything else?"
    assert talk.dialogue.resolved == 1
    assert talk.dialogue.tried == ("queue.move: ok",)


def test_performances_carry_distinct_keys() -> None:
    talk = Talk().say("put Vertigo first").say("put Metropolis first")
    keys = [perform.key for perform in talk.performed]
    assert len(set(keys)) == 2 and all(key.startswith("test/") for key in keys)


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("swap Casablanca and Metropolis", ["Metropolis", "Vertigo", "Casablanca"]),
        ("put Metropolis before Vertigo", ["Casablanca", "Metropolis", "Vertigo"]),
        ("put Casablanca after Metropolis", ["Vertigo", "Metropolis", "Casablanca"]),
        ("put 12 angry men at number 2", ["Casablanca", "12 Angry Men", "Vertigo"]),
        ("could you please put Metropolis at number one", ["Metropolis", "Casablanca", "Vertigo"]),
    ],
)
def test_slots_of_every_kind(sentence: str, expected: list[str]) -> None:
    talk = Talk().say(sentence)
    assert talk.labels[:3] == expected
    assert not talk.errors


def test_an_ask_is_passed_through_when_it_is_answered_already() -> None:
    talk = Talk().say("move a title")
    assert talk.said == "Which title?"
    talk.say("it's Nosferatu")
    assert talk.labels[0] == "Nosferatu"


def test_minimal_pairs_are_always_confirmed() -> None:
    talk = Talk().say("put Aliens first")
    assert talk.said == "Move Aliens to the top?" and not talk.performed
    talk.say("yes please")
    assert talk.labels[0] == "Aliens"


def test_no_and_another_value_is_a_correction() -> None:
    talk = Talk().say("put Aliens first").say("no, Vertigo")
    assert talk.said == "Move Vertigo to the top?" and not talk.performed
    talk.say("yes")
    assert talk.labels[0] == "Vertigo"


def test_no_takes_the_no_edge_and_forgets() -> None:
    talk = Talk().say("put Aliens first").say("no")
    assert talk.said == "Which title?"
    assert "title" not in talk.dialogue.slots


def test_no_without_an_edge_goes_back() -> None:
    talk = Talk().say("swap Alien and Aliens").say("no")
    assert talk.dialogue.state == "titles.menu"
    assert "title" not in talk.dialogue.slots and "other" not in talk.dialogue.slots


def test_irreversible_actions_are_confirmed_however_clearly_heard() -> None:
    talk = Talk().say("remove Vertigo")
    assert talk.said == "Take Vertigo out?" and not talk.performed
    talk.key("1")
    assert "Vertigo" not in talk.labels


def test_a_doubtful_yes_does_not_act() -> None:
    talk = Talk().say("remove Vertigo")
    phrases = talk.listen.grammar.speech.phrases
    doubtful = Hypothesis("yes", 0.5, phrases.index("yes"), Accept.CONFIRM)
    talk.heard(Recognition(Cause.SUCCESS, (doubtful,), "mess"))
    assert not talk.performed and "Take Vertigo out?" in talk.said


def test_a_doubtful_goodbye_is_asked_about() -> None:
    talk = Talk().say("that is all thanks")
    assert not talk.ends and talk.said == "Shall we end this call?"
    talk.say("no")
    assert talk.said == "What would you like?"
    talk.say("goodbye")
    assert talk.ends == [End("goodbye")] and talk.dialogue.ended


# -- universals -------------------------------------------------------------------------------------------------

PLACES = {
    "a menu": [],
    "an ask": ["move a title"],
    "a confirmation": ["remove Vertigo"],
    "a sub-flow": ["look it up"],
    "digits": ["my pin"],
    "a date": ["hold my deliveries"],
}


@pytest.mark.parametrize("way", ["0", "*0", "#0", "agent", "operator", "representative", "a real person", "human"])
@pytest.mark.parametrize("place", PLACES)
def test_a_human_is_one_word_or_key_away_everywhere(place: str, way: str) -> None:
    talk = Talk()
    for sentence in PLACES[place]:
        talk.say(sentence)
    if way[-1] == "0":
        talk.key(way)
    else:
        talk.say(way)
    assert [c.reason for c in talk.connects] == ["asked"]
    assert talk.said.endswith("Connecting.")


def test_a_human_while_an_action_runs_and_its_late_answer() -> None:
    talk = Talk(perform=False).say("put Vertigo first")
    running = talk.performed[0]
    talk.key("0")
    assert talk.connects and talk.dialogue.tried == ("queue.move: under way",)
    assert talk.dialogue.handle(ActionDone(running.token, ActionResult("ok")), NOW) == []
    assert talk.dialogue.tried == ("queue.move: ok, after the caller had moved on",)
    assert talk.dialogue.left_at == "titles.move"


def test_zero_again_while_connecting_changes_nothing() -> None:
    talk = Talk().key("0000")
    assert len(talk.connects) == 1 and not talk.ends


def test_zero_inside_an_entry_is_a_digit_and_star_zero_a_human() -> None:
    talk = Talk().say("my pin").key("102")
    assert not talk.connects
    talk.key("*0")
    assert len(talk.connects) == 1


def test_repeat_help_and_back() -> None:
    talk = Talk().say("move a title")
    assert talk.say("say that again").said == "Which title?"
    assert talk.key("**").said == "Which title?"
    assert talk.key("*p").said == "Which title?"
    assert "first letters" in talk.say("help").said
    assert talk.say("go back").dialogue.state == "titles.menu"
    assert "nothing to go back to" in talk.key("*2").said
    assert talk.say("help").said == "Say, for example: move Casablanca to the top."


def test_back_forgets_the_answer_it_goes_back_to() -> None:
    talk = Talk().say("look it up").say("Vertigo")
    assert talk.dialogue.state == "place.position" and talk.dialogue.slots == {"title": "vertigo"}
    talk.say("back")
    assert talk.dialogue.state == "place.title" and talk.dialogue.slots == {}
    talk.say("back")
    assert talk.dialogue.state == "titles.menu"


def test_risks_go_to_a_human_with_their_reason() -> None:
    talk = Talk().say("well I guess I would rather cancel the whole thing")
    assert (talk.connect.reason, talk.connect.skill, talk.connect.priority) == (
        "thinking of cancelling",
        "retention",
        9,
    )


def test_the_edge_that_led_to_a_human_gives_the_reason() -> None:
    talk = Talk(perform=False).say("put Vertigo first")
    talk.send(ActionDone(talk.performed[0].token, ActionResult("failed")))
    assert talk.connect.reason == "the queue is broken"


# -- silence and misunderstanding ---------------------------------------------------------------------------------


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


# -- close calls ----------------------------------------------------------------------------------------------------


def spoken(talk: Talk, *heard: tuple[str, float, Accept], transcript: str = "") -> Talk:
    speech = talk.listen.grammar.speech
    assert all(speech.covers(said) for said, _, _ in heard)
    nbest = tuple(
        Hypothesis(said, sure, speech.phrases.index(said) if said in speech.phrases else None, verdict)
        for said, sure, verdict in heard
    )
    return talk.heard(Recognition(Cause.SUCCESS, nbest, transcript, engine="test"))


def test_close_hypotheses_are_offered() -> None:
    talk = Talk()
    spoken(talk, ("put casablanca first", 0.71, Accept.ACCEPT), ("put metropolis first", 0.70, Accept.ACCEPT))
    assert talk.said == "Did you mean Casablanca, or Metropolis?" and not talk.performed
    talk.say("the second one")
    assert talk.labels[0] == "Metropolis"


@pytest.mark.parametrize(("answer", "first"), [("1", "Casablanca"), ("2", "Metropolis")])
def test_close_hypotheses_by_keys(answer: str, first: str) -> None:
    talk = Talk()
    spoken(talk, ("put casablanca first", 0.71, Accept.ACCEPT), ("put metropolis first", 0.70, Accept.ACCEPT))
    talk.key(answer)
    assert talk.labels[0] == first


def test_neither_asks_again() -> None:
    talk = Talk()
    spoken(talk, ("put casablanca first", 0.71, Accept.ACCEPT), ("put metropolis first", 0.70, Accept.ACCEPT))
    talk.key("3")
    assert not talk.performed and talk.said == "What would you like?"


def test_an_accepted_hypothesis_acts_and_a_doubtful_one_asks() -> None:
    talk = spoken(Talk(), ("put casablanca first", 0.9, Accept.ACCEPT))
    assert len(talk.performed) == 1
    talk = spoken(Talk(), ("put casablanca first", 0.6, Accept.CONFIRM), transcript="put a bucket first")
    assert not talk.performed and talk.said == "Move Casablanca to the top?"


def test_two_ears_that_agree_need_no_question() -> None:
    talk = spoken(Talk(), ("put casablanca first", 0.6, Accept.CONFIRM), transcript="Put Casablanca first.")
    assert len(talk.performed) == 1


def test_a_risk_in_the_transcript_wins_over_doubt_but_not_over_certainty() -> None:
    talk = spoken(Talk(), ("put casablanca first", 0.6, Accept.CONFIRM), transcript="I want to cancel it")
    assert talk.connect.skill == "retention"
    talk = spoken(Talk(), ("put casablanca first", 0.9, Accept.ACCEPT), transcript="put cancel blanca first")
    assert not talk.connects


def test_a_denial_in_the_transcript_makes_certainty_doubt() -> None:
    talk = spoken(Talk(), ("put casablanca first", 0.9, Accept.ACCEPT), transcript="don't put Casablanca first")
    assert not talk.performed and talk.said == "Move Casablanca to the top?"


def test_a_rejected_hypothesis_falls_back_to_the_transcript() -> None:
    talk = spoken(Talk(), ("read my queue", 0.2, Accept.REJECT), transcript="I'd like Vertigo to be put first")
    assert talk.said == "Move Vertigo to the top?"


# -- keys -----------------------------------------------------------------------------------------------------------


def test_titles_by_place_and_by_letters() -> None:
    assert Talk().key("1").key("3#").labels[0] == "Metropolis"
    assert Talk().key("1").key("6676p").labels[0] != "Nosferatu"  # NORM..: no such title
    assert Talk().key("1").key("6673#").labels[0] == "Nosferatu"  # NOSF
    talk = Talk().key("1").key("2543#")  # ALIE: two of them
    assert talk.said.endswith("Did you mean Alien, or Aliens?")
    assert talk.key("2").labels[0] == "Aliens"


def test_positions_by_keys_end_by_themselves_or_by_pound() -> None:
    talk = Talk().key("3")
    assert talk.said == "Which one?"
    assert talk.key("2#").said == "Where to?"
    assert talk.key("7").said == ""
    assert "Vertigo is seventh." in talk.key("#").said
    assert "Vertigo is first." in Talk().key("3").key("2#").key("1p").said
    assert "Vertigo is twelfth." in Talk().key("3").key("2#").key("12").said
    assert "between one and fifty" in Talk().key("3").key("2#").key("99").said


def test_digits_end_at_their_length_and_secrets_stay_secret() -> None:
    talk = Talk().key("5").key("1234")
    assert talk.said == "Thanks. Anything else?"
    talk = Talk().say("my pin").say("one two three four")
    assert talk.said == "Thanks. Anything else?"
    kept = json.dumps([utterance.to_json() for utterance in talk.dialogue.transcript])
    records = [e.what for e in talk.effects if isinstance(e, Record) and not isinstance(e.what, Prompted)]
    assert "one two three four" not in kept + repr(records) and "1234" not in kept + repr(records)


@pytest.mark.parametrize(
    ("keys", "day"), [("1225", "December twenty fifth"), ("105p", "January fifth"), ("704", "July")]
)
def test_dates_by_keys(keys: str, day: str) -> None:
    assert day in Talk().key("4").key(keys).said


def test_dates_by_voice() -> None:
    assert "Saturday, July fourth" in Talk().say("hold until july 4th").said
    assert "Wednesday, March fourth" in Talk().say("hold until tomorrow").said


def test_a_stray_key_is_told() -> None:
    assert "no meaning here" in Talk().key("9").said


# -- what breaks ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["recogniser", "store", "engine", "synthesiser"])
def test_a_broken_part_brings_a_human(part: str) -> None:
    talk = Talk().send(PartFailed(part))
    assert talk.said.startswith("Sorry, something on our side") and talk.connect.reason == f"{part} failed"


def test_a_loop_without_listening_brings_a_human() -> None:
    talk = Talk().say("go round in circles")
    assert talk.connects and talk.errors[0].error == "Broken"


def test_an_undeclared_outcome_takes_the_failed_edge() -> None:
    talk = Talk(perform=False).say("put Vertigo first")
    talk.send(ActionDone(talk.performed[0].token, ActionResult("what")))
    assert talk.connect.reason == "the queue is broken"


def test_closed_hours_lead_on_and_zero_tries_again() -> None:
    talk = Talk(facts={"hours.open": False}).key("0")
    assert "call you back" in talk.said and not talk.connects
    assert "call you back" in talk.key("0").said
    assert talk.key("1").ends == [End("closed")]


def test_a_failed_handoff_goes_on_in_the_human_flow() -> None:
    talk = Talk().key("0").answer("failed")
    assert "call you back" in talk.said
    talk.key("0").answer("connected")
    assert talk.dialogue.ended and talk.dialogue.outcome == "handoff"
    talk.send(HandoffDone(talk.connect.token, "dropped"))
    assert not talk.dialogue.ended and "call you back" in talk.said


def test_when_the_human_flow_breaks_the_caller_is_connected_directly_and_never_left() -> None:
    talk = Talk(facts={"hours.open": False}).key("0").send(PartFailed("store"))
    assert talk.connect.skill == "general"
    talk.answer("failed")
    assert "Stay on the line" in talk.said and not talk.ends
    talk.silence()
    assert len(talk.connects) == 2
    talk.answer("failed").key("0")
    assert "call you back" in talk.said or len(talk.connects) == 3


def test_agitation_needs_company() -> None:
    talk = Talk().send(Agitated("loud"))
    assert not talk.connects
    talk.send(Agitated("mashed keys"))
    assert talk.connect.reason.startswith("upset") and talk.connect.skill == "retention"


def test_manner_counts_only_on_a_clean_line() -> None:
    def shout(snr: float) -> SpeechHeard:
        manner = Manner(loudness_db=9.0, snr_db=snr)
        return SpeechHeard(Recognition(Cause.SUCCESS, transcript="mumble jumble", manner=manner))

    assert not Talk().send(shout(3.0)).send(shout(3.0)).connects
    loud = Talk().send(shout(20.0)).send(shout(20.0)).send(Agitated("loud"))
    assert loud.connect.reason.startswith("upset")


# -- dropped calls -------------------------------------------------------------------------------------------------


def test_a_snapshot_is_taken_up_again_and_asks_before_it_acts() -> None:
    first = Talk(entry="resume").say("remove Vertigo")
    snapshot = json.loads(json.dumps(first.dialogue.snapshot()))
    second = Talk(entry="resume", snapshot=snapshot)
    assert second.said == "Shall we go on?"
    second.say("yes")
    assert second.said == "Good. Here's where we were. Take Vertigo out?"
    second.say("yes")
    assert "Vertigo" not in second.labels


def test_what_survives_is_doubted() -> None:
    first = Talk(perform=False, entry="resume").say("put Vertigo first")
    second = Talk(entry="resume", snapshot=first.dialogue.snapshot()).say("yes")
    assert second.said.endswith("Move Vertigo to the top?")


def test_a_snapshot_may_be_left_behind() -> None:
    first = Talk(entry="resume").say("remove Vertigo")
    second = Talk(entry="resume", snapshot=first.dialogue.snapshot()).say("no")
    assert second.dialogue.state == "titles.menu" and second.dialogue.slots == {}


@pytest.mark.parametrize(
    "broken",
    [
        {"stack": []},
        {"stack": "titles"},
        {"stack": [{"flow": "gone", "state": "menu", "variables": {}}]},
        {"stack": [{"flow": "titles", "state": "gone", "variables": {}}]},
        {"stack": [{"flow": "place", "state": "title", "variables": {}}, {"flow": "titles", "state": "x"}]},
        {"stack": [{"flow": "human", "state": "connect", "variables": {}}]},
    ],
)
def test_a_snapshot_of_other_flows_starts_anew(broken: dict[str, object]) -> None:
    talk = Talk(entry="resume", snapshot=broken).say("yes")
    assert talk.dialogue.state == "titles.menu" and not talk.errors


def test_nothing_is_kept_when_nothing_was_said() -> None:
    assert Talk().dialogue.snapshot() is None
    assert Talk().say("remove Vertigo").key("0").dialogue.snapshot() is None


# -- the contract -------------------------------------------------------------------------------------------------


def test_an_action_that_takes_long_is_bridged() -> None:
    talk = Talk(perform=False).say("read my queue")
    running = talk.performed[0]
    assert talk.send(ActionSlow(running.token)).said == "One moment."
    assert talk.listen.timeout_s is None
    talk.send(ActionDone(running.token, ActionResult("ok", {"titles": ("A", "B")})))
    assert talk.said == "A and B. Anything else?"


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
    assert len(grammar.speech.phrases) == len(grammar.meanings)
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


def test_what_came_through_a_template_is_read_by_its_text() -> None:
    talk = Talk()
    talk.heard(Recognition(Cause.SUCCESS, (Hypothesis("move nosferatu to the top", 0.95, None, Accept.ACCEPT),), ""))
    assert talk.performed[-1].arguments["title"] == "nosferatu"
    talk.heard(Recognition(Cause.SUCCESS, (Hypothesis("swap alien and vertigo", 0.95, None, Accept.ACCEPT),), ""))
    assert "swap" not in [p.name.partition(".")[2] for p in talk.performed]  # Alien may be Aliens: asked first
    assert talk.say("yes").performed[-1].name == "queue.swap"


def test_two_calls_in_the_same_state_share_a_grammar() -> None:
    assert Talk().listen.grammar is Talk().listen.grammar
    talk = Talk()
    before = talk.listen.grammar
    assert talk.say("put Vertigo first").listen.grammar is before  # the queue's order changes no phrase


def test_digit_asks_listen_for_digits() -> None:
    talk = Talk().say("my pin")
    run = talk.listen.grammar.speech.digits
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


def test_spanish_calls_speak_spanish() -> None:
    talk = Talk(language="es-ES").say("mueve la luna")
    assert "Perd" in talk.said or "no le" in talk.said.lower() or "entend" in talk.said
    assert Talk(language="es-ES").say("quiero hablar con una persona").connects


def test_facts_from_a_source_are_asked_at_each_use() -> None:
    hours = {"open": False}
    dialogue = Dialogue(
        small(),
        entry="titles",
        language="en-US",
        persona="neutral",
        facts={},
        vocabularies={"queue": (Term("v", "Vertigo"),)},
        fact_source=lambda name: hours["open"] if name == "hours.open" else None,
        call_id="x",
    )
    dialogue.begin(NOW)
    hours["open"] = True
    assert any(isinstance(effect, Connect) for effect in dialogue.handle(KeyPressed("0"), NOW))


def test_an_accepted_hypothesis_is_not_questioned_by_a_doubtful_one() -> None:
    talk = Talk()
    spoken(talk, ("put casablanca first", 0.95, Accept.ACCEPT), ("put metropolis first", 0.95, Accept.CONFIRM))
    assert len(talk.performed) == 1
    talk = Talk()
    spoken(talk, ("put casablanca first", 0.95, Accept.ACCEPT), ("agent", 0.95, Accept.CONFIRM))
    assert len(talk.performed) == 1 and not talk.connects
    talk = Talk()
    spoken(talk, ("put casablanca first", 0.7, Accept.CONFIRM), ("agent", 0.68, Accept.CONFIRM))
    assert talk.connects


def test_a_reprompt_asks_again_but_does_not_tell_again() -> None:
    talk = Talk().say("put Vertigo first")
    assert talk.said == "Done. Vertigo is at the top now. Anything else?"
    assert talk.silence().said == "I didn't hear anything. Anything else?"
    assert talk.say("repeat").said == "Done. Vertigo is at the top now. Anything else?"


def test_a_very_long_utterance_costs_nothing() -> None:
    talk = Talk().say("vertigo metropolis " * 50_000)
    assert not talk.performed and talk.said
