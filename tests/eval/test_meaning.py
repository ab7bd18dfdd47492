"""How a sentence is judged: by what the line did with it."""

from __future__ import annotations

from dataclasses import replace

from ivr.events import Accept, Cause, Hypothesis, Recognition
from tests.eval.corpus import Kind, Meaning, Sentence, sentences
from tests.eval.meaning import Caller, Verdict, judged


def asked(text: str, meaning: Meaning, state: str = "main.ask", kind: Kind = "covered") -> Sentence:
    first = next(s for s in sentences() if s.part == "checking")
    return replace(first, text=text, meaning=meaning, state=state, kind=kind)


def typed(text: str, intent: str, *values: str, state: str = "main.ask") -> Verdict:
    sentence = asked(text, Meaning(intent, values), state)
    return judged([Caller(sentence).types()], sentence)


def heard(text: str, verdict: Accept, intent: str, *values: str) -> Verdict:
    sentence = asked(text, Meaning(intent, values))
    found = Recognition(Cause.SUCCESS, (Hypothesis(text, 0.7, None, verdict),), "mm")
    return judged([Caller(sentence).hears(found)], sentence)


def test_what_is_sure_and_right_is_done() -> None:
    assert typed("move Harvey to the top", "move_to_top", "Harvey") == "done"
    assert typed("remove Harvey", "remove", "Harvey") == "done"  # asked about anyway, but not out of doubt
    assert typed("swap Harvey and Charade", "swap", "Charade", "Harvey") == "done"
    assert typed("six", "answer", "6", state="queue.which_position") == "done"
    assert typed("yes", "yes", state="queue.remove") == "done"
    assert typed("agent", "human") == "done"


def test_doubt_that_is_asked_about_counts_by_what_is_asked() -> None:
    assert heard("move harvey to the top", Accept.CONFIRM, "move_to_top", "Harvey") == "asked"
    assert heard("move charade to the top", Accept.CONFIRM, "move_to_top", "Harvey") == "asked_wrong"


def test_another_thing_done_is_wrong_and_a_person_nobody_asked_for_is_said_apart() -> None:
    assert heard("move charade to the top", Accept.ACCEPT, "move_to_top", "Harvey") == "wrong"
    assert typed("move Harvey to number two", "move_to_position", "Harvey", "3") == "wrong"
    assert typed("what's next", "nothing") == "wrong"
    assert typed("agent", "nothing") == "person"
    assert typed("cancel my membership", "undo") == "person"
    assert typed("cancel my membership", "risk") == "done"


def test_a_value_that_is_asked_for_again_is_told_apart_from_the_task() -> None:
    assert typed("move a title", "reorder") == "done"
    assert typed("remove a title", "remove", "Harvey") == "partly"


def test_what_is_not_understood_is_nothing_and_the_worst_of_several_pieces_counts() -> None:
    assert typed("colourless green ideas", "nothing") == "nothing"
    sentence = asked("move Harvey to the top", Meaning("move_to_top", ("Harvey",)))
    caller = Caller(sentence)
    unheard = caller.hears(Recognition(Cause.NO_MATCH, transcript="xyzzy"))
    right = caller.types()
    assert judged([unheard], sentence) == "nothing"
    assert judged([unheard, right], sentence) == "done"
    assert judged([], sentence) == "nothing"


def test_spoken_numbers_and_digit_strings_compare_by_their_figures() -> None:
    number = replace(asked("nine zero two five", Meaning("answer", ("9025",)), "main.which_number"), kind="digits")
    assert judged([Caller(number).types()], number) == "done"
    assert judged([Caller(number).types()], replace(number, meaning=Meaning("answer", ("9026",)))) == "wrong"
