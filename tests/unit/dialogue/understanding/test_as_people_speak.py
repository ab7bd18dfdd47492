"""Fillers, repairs, yes and no in all shades, ordinals, dates, slots that are missing: typed and as n-best lists."""

from __future__ import annotations

from datetime import date

import pytest

from ivr.dialogue.spoken.normalisation import dates_heard, fold
from ivr.dialogue.understanding.grammar_compiler import StateGrammar
from ivr.dialogue.understanding.paraphrase import titles_in
from ivr.dialogue.understanding.slots import DateSlot, NumberSlot
from ivr.events import Accept, Cause, Hypothesis, Recognition
from tests.unit.dialogue.talk import Talk
from tests.unit.dialogue.understanding.test_n_best import Slots, heard, open_question

TUESDAY = date(2026, 3, 3)

SPOKEN: list[tuple[str, str, Slots]] = [
    ("um, uh, well, okay so move Vertigo to the top", "move_to_top", {"title": "Vertigo"}),
    ("put, um, Vertigo, uh, first", "move_to_top", {"title": "Vertigo"}),
    ("move Casablanca to the top, no wait, move Vertigo to the top", "move_to_top", {"title": "Vertigo"}),
    ("move Casablanca, no, I mean Vertigo to the top", "move_to_top", {"title": "Vertigo"}),
    ("move Casablanca to the top, I mean to the bottom", "move_to_end", {"title": "Casablanca"}),
    ("actually, move Vertigo to the end please", "move_to_end", {"title": "Vertigo"}),
    ("swap the first and the third", "swap_places", {"position": "one", "other_position": "three"}),
    ("swap two and five", "swap_places", {"position": "two", "other_position": "five"}),
    ("swap Nosferatu with number three", "swap_with_place", {"title": "Nosferatu", "other_position": "three"}),
    ("cancel the last change", "undo", {}),
]


@pytest.mark.parametrize(("sentence", "intent", "slots"), SPOKEN)
def test_what_is_said_around_a_request_changes_nothing(sentence: str, intent: str, slots: Slots) -> None:
    assert heard(open_question().say(sentence)) == (intent, slots)


LACKING: list[tuple[str, str, Slots, str]] = [
    ("move that to the top", "move_to_top", {}, "Which title?"),
    ("put blorbo before Vertigo", "move_before", {"other": "Vertigo"}, "Which title?"),
    ("swap Casablanca", "swap", {"title": "Casablanca"}, "With which title?"),
    ("move Casablanca to number blah", "move_to_position", {"title": "Casablanca"}, "To which place?"),
    ("add blorbo to my queue", "add", {}, "Which title should I add?"),
]


@pytest.mark.parametrize(("sentence", "intent", "slots", "question"), LACKING)
def test_a_missing_slot_is_asked_for_and_the_request_kept(
    sentence: str, intent: str, slots: Slots, question: str
) -> None:
    talk = open_question().say(sentence)
    assert heard(talk) == (intent, slots) and question in talk.said and not talk.performed


def test_words_that_two_lists_know_are_the_title_that_they_are_most_like() -> None:
    grammar = open_question(["Metropolis"], discs=["Megalopolis"]).silence().listen.grammar
    for slots in (grammar.slots, dict(reversed(grammar.slots.items()))):
        (title,) = titles_in(("before", "metropolis"), StateGrammar(grammar.outline, slots, "en-US", grammar.concepts))
        assert title.score == 1.0 and {value.label for value in title.values.values()} == {"Metropolis"}
    grammar = open_question(["Casablanca"], discs=["Casablanca"]).silence().listen.grammar
    (title,) = titles_in(("casablanca",), grammar)
    assert {"title", "disc"} <= title.values.keys()


@pytest.mark.parametrize("sentence", ["the end", "first", "the top", "before after", "my dog ate it"])
def test_scraps_are_no_requests(sentence: str) -> None:
    assert heard(open_question().say(sentence))[0] == ""


def test_a_repair_of_a_denial_is_none() -> None:
    talk = open_question().say("don't actually put Vertigo first")
    assert not talk.performed


YES = [
    "yep that's right",
    "uh-huh",
    "sure go ahead",
    "correct",
    "yes, that's correct",
    "yeah, do it",
    "um, yes",
    "definitely",
    "absolutely, do it",
    "yes, sure, go ahead",
]
NO = [
    "not really",
    "I don't think so",
    "nah",
    "that's wrong",
    "no, that's not right",
    "not quite",
    "cancel it",
    "no, not really",
]
UNCLEAR = ["I guess", "I guess yes", "maybe yes", "well, perhaps", "I suppose so"]


@pytest.mark.parametrize("answer", YES)
def test_a_yes(answer: str) -> None:
    assert Talk().say("remove Vertigo").say(answer).performed[-1].name == "queue.remove"


def test_a_yes_in_doubt_is_one_where_the_transcript_has_it_but_for_politeness() -> None:
    doubted = Hypothesis("that's the one", 0.5, None, Accept.CONFIRM)

    def asked(transcript: str) -> Talk:
        return Talk().say("remove Vertigo").heard(Recognition(Cause.SUCCESS, (doubted,), transcript))

    assert asked("Well, that's the one, please.").performed[-1].name == "queue.remove"
    assert not asked("Well, that's the sun, please.").performed
    assert not asked("Oh, yeah.").performed, "in other words: noise has a yes in it"


@pytest.mark.parametrize("answer", NO)
def test_a_no(answer: str) -> None:
    talk = Talk().say("remove Vertigo").say(answer)
    assert not talk.performed and talk.dialogue.state != "titles.remove" and not talk.connects


@pytest.mark.parametrize("answer", UNCLEAR)
def test_what_is_neither_is_asked_again(answer: str) -> None:
    talk = Talk().say("remove Vertigo").say(answer)
    assert not talk.performed and talk.dialogue.state == "titles.remove"


@pytest.mark.parametrize(
    "said", ["three", "the third", "third", "number three", "the third one", "third place", "to the third"]
)
def test_numbers_take_ordinals(said: str) -> None:
    talk = Talk().say("look it up").say("Vertigo")
    assert talk.dialogue.state == "place.position"
    assert talk.say(said).performed[-1].arguments["position"] == 3


@pytest.mark.parametrize(
    ("said", "language", "end"),
    [("the third one please", "en-US", 3), ("the third", "en-US", 2), ("el tercer lugar", "es-ES", 2)],
)
def test_a_number_is_said_by_its_ordinal_with_its_article(said: str, language: str, end: int) -> None:
    fill = next(NumberSlot(1, 99, language).fills(said.split(), 0))
    assert (fill.value.value, fill.end) == (3, end)


@pytest.mark.parametrize(
    ("said", "language", "day"),
    [
        ("on the tenth of june", "en-US", "2026-06-10"),
        ("on june tenth", "en-US", "2026-06-10"),
        ("twelfth of may", "en-US", "2026-05-12"),
        ("twelve may", "en-US", "2026-05-12"),
        ("the tenth of next month", "en-US", "2026-04-10"),
        ("el diez del mes que viene", "es-ES", "2026-04-10"),
    ],
)
def test_a_day_is_taken_with_its_month(said: str, language: str, day: str) -> None:
    fill = next(DateSlot(TUESDAY, language).fills(said.split(), 0))
    assert (fill.value.value, fill.end) == (day, len(said.split()))


def test_a_recogniser_expects_the_usual_days_only() -> None:
    assert "twelfth of may" not in DateSlot(TUESDAY, "en-US").forms().said


def test_a_recogniser_expects_ordinals_of_numbers() -> None:
    said = NumberSlot(1, 99, "en-US").forms().said
    assert {"three", "third", "twentieth"} <= set(said) and "thirtieth" not in said


def test_a_number_has_no_second_ear() -> None:
    def confirmed(said: str) -> Talk:
        nbest = (Hypothesis(said, 0.6, None, Accept.CONFIRM),)
        return Talk().heard(Recognition(Cause.SUCCESS, nbest, said, engine="test"))

    assert not confirmed("move vertigo to number three").performed
    assert "number three" in confirmed("move vertigo to number three").said
    assert confirmed("put vertigo first").performed


@pytest.mark.parametrize(
    ("said", "day"),
    [
        ("in two weeks", "2026-03-17"),
        ("a week from Friday", "2026-03-13"),
        ("the fifth", "2026-03-05"),
        ("the 3rd of May", "2026-05-03"),
        ("Christmas", "2026-12-25"),
        ("next Monday", "2026-03-09"),
        ("tomorrow", "2026-03-04"),
        ("the day after tomorrow", "2026-03-05"),
        ("in ten days", "2026-03-13"),
        ("in a couple of weeks", "2026-03-17"),
        ("Friday week", "2026-03-13"),
        ("three weeks from Monday", "2026-03-30"),
        ("this weekend", "2026-03-07"),
        ("in a month", "2026-04-03"),
        ("in three months", "2026-06-03"),
        ("next month", "2026-04-01"),
        ("the end of the month", "2026-03-31"),
        ("Easter", "2026-04-05"),
        ("Good Friday", "2026-04-03"),
        ("the week after Easter", "2026-04-12"),
        ("Mother's Day", "2026-05-10"),
        ("Memorial Day", "2026-05-25"),
        ("Thanksgiving", "2026-11-26"),
        ("the day after Thanksgiving", "2026-11-27"),
        ("Presidents' Day", "2027-02-15"),
        ("New Year's", "2027-01-01"),
        ("for two weeks", "2026-03-17"),
        ("for the next ten days", "2026-03-13"),
        ("for a week", "2026-03-10"),
        ("for a couple of weeks", "2026-03-17"),
        ("for a month", "2026-04-03"),
        ("for three months", "2026-06-03"),
    ],
)
def test_dates(said: str, day: str) -> None:
    assert dates_heard(TUESDAY, "en-US")[" ".join(fold(said, "en-US"))] == date.fromisoformat(day)


@pytest.mark.parametrize(
    ("said", "day"),
    [
        ("en dos semanas", "2026-03-17"),
        ("el cinco", "2026-03-05"),
        ("Navidad", "2026-12-25"),
        ("el lunes que viene", "2026-03-09"),
        ("este viernes", "2026-03-06"),
        ("el viernes en ocho", "2026-03-13"),
        ("de hoy en ocho", "2026-03-10"),
        ("en un par de días", "2026-03-05"),
        ("dentro de tres meses", "2026-06-03"),
        ("el mes que viene", "2026-04-01"),
        ("fin de mes", "2026-03-31"),
        ("el primero", "2026-04-01"),
        ("el uno", "2026-04-01"),
        ("Semana Santa", "2026-03-29"),
        ("Viernes Santo", "2026-04-03"),
        ("Pascua", "2026-04-05"),
        ("el día de las madres", "2026-05-10"),
        ("Acción de Gracias", "2026-11-26"),
        ("el día después de Navidad", "2026-12-26"),
        ("por dos semanas", "2026-03-17"),
        ("durante diez días", "2026-03-13"),
        ("por una semana", "2026-03-10"),
        ("durante un mes", "2026-04-03"),
    ],
)
def test_dates_in_spanish(said: str, day: str) -> None:
    assert dates_heard(TUESDAY, "es-ES")[" ".join(fold(said, "es-ES"))] == date.fromisoformat(day)
