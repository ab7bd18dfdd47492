"""Verdicts."""

from __future__ import annotations

import pytest

from ivr.events import Accept, Cause
from ivr.speech.recognisers.compiled_grammars import Nearness, Spoken
from ivr.speech.recognisers.judgement import Evidence, confidence, judge, margin


def judged(*found: Evidence, transcript: str = "", duration_s: float = 2.0) -> tuple[Cause, list[Accept]]:
    heard = transcript or (found[0].text if found else "something")
    recognition = judge(found, heard, duration_s, 0.1, "test")
    return recognition.cause, [h.verdict for h in recognition.nbest]


def test_clear_speech_is_accepted() -> None:
    cause, verdicts = judged(Evidence("agent", 0, -0.2, 0.0), Evidence("help", 1, -4.0, -3.8))
    assert cause is Cause.SUCCESS and verdicts == [Accept.ACCEPT, Accept.REJECT]


def test_a_minimal_pair_is_asked_about_however_clear() -> None:
    cause, verdicts = judged(Evidence("put alien first", 0, -0.2, 0.0), Evidence("put aliens first", 1, -0.4, -0.2))
    assert cause is Cause.SUCCESS and verdicts[0] is Accept.CONFIRM


def test_two_wordings_of_one_meaning_are_not_rivals() -> None:
    a, b = Evidence("what's next", 0, -0.2, 0.0), Evidence("what is next", 1, -0.3, -0.1)
    assert margin(a, (a, b)) == 1.5
    assert judged(a, b)[1][0] is Accept.ACCEPT


def test_twins_are_always_asked_about() -> None:
    assert judged(Evidence("alien", 0, -0.2, 0.0, twin=True), transcript="Alien.")[1] == [Accept.CONFIRM]


def test_a_transcript_about_something_else_is_asked_about() -> None:
    assert judged(Evidence("i don't know", 0, -0.5, 0.1), transcript="Tell him, Lord")[1] == [Accept.CONFIRM]
    assert judged(Evidence("i don't know", 0, -0.5, 0.1), transcript="I don't no")[1] == [Accept.ACCEPT]


@pytest.mark.parametrize(
    ("phrases", "twins"),
    [
        (("remove alien", "remove aliens", "remove vertigo"), [True, True, False]),
        (("put toy story first", "put toy story two first", "put vertigo first"), [True, True, False]),
        (("move alien to number two", "move alien to number three"), [False, False]),
        (("yes", "no", "agent"), [False, False, False]),
    ],
)
def test_twins(phrases: tuple[str, ...], twins: list[bool]) -> None:
    nearness = Nearness(phrases)
    assert [nearness.twin(phrase) for phrase in phrases] == twins


TITLES = Spoken(("alien", "aliens", "vertigo", "rear window", "casablanca"))
NUMBERS = Spoken(("one", "two", "thirteen", "thirty", "nineteenth", "ninetieth"))
TEMPLATES = (("move", "{title}", "to", "number", "{n}"), ("swap", "{title}", "and", "{other}"), ("add", "{film}"))
NEARNESS = Nearness(
    ("what's next",), TEMPLATES, {"title": TITLES, "other": TITLES, "n": NUMBERS, "film": Spoken(("laura",))}
)


@pytest.mark.parametrize(
    ("template", "values", "twin"),
    [
        (0, ("alien", "one"), True),
        (0, ("vertigo", "two"), False),
        (0, ("vertigo", "thirteen"), True),
        (0, ("vertigo", "ninetieth"), True),
        (1, ("vertigo", "aliens"), True),
        (1, ("vertigo", "rear window"), False),
        (2, ("laura",), False),
    ],
)
def test_twins_by_the_values_of_templates(template: int, values: tuple[str, ...], twin: bool) -> None:
    assert NEARNESS.twins(TEMPLATES[template], values) is twin


def test_a_value_that_another_slot_takes_in_the_same_place_may_be_its_twin() -> None:
    templates = (("add", "{film}"), ("add", "{title}"), ("drop", "{title}"))
    nearness = Nearness((), templates, {"title": Spoken(("alien",)), "film": Spoken(("aliens",))})
    assert nearness.twins(templates[1], ("alien",)) and not nearness.twins(templates[2], ("alien",))


def test_templates_nearest_to_a_transcript_are_filled_with_its_values() -> None:
    for heard, text in (
        ("Move rare widow to number to.", "move rear window to number two"),
        ("Swap casa blanker and Vertigo", "swap casablanca and vertigo"),
        ("What's text?", "what's next"),
        ("Add Lora.", "add laura"),
    ):
        assert NEARNESS.nearest(heard, 6)[0].text == text
    near = NEARNESS.nearest("Swap casa blanker and Vertigo", 1)[0]
    assert (near.template, near.values) == (TEMPLATES[1], ("casablanca", "vertigo"))
    assert NEARNESS.nearest(" ", 6) == []


def test_what_fits_badly_is_rejected() -> None:
    cause, verdicts = judged(Evidence("no", 0, -2.3, -1.9))
    assert cause is Cause.NO_MATCH and verdicts == [Accept.REJECT]


def test_nothing_found_is_no_match() -> None:
    assert judged() == (Cause.NO_MATCH, [])


def test_an_empty_transcript_was_no_speech() -> None:
    assert judged(Evidence("no", 0, -0.2, 0.0), transcript=" ")[0] is Cause.NO_MATCH
    assert judged(Evidence("no", 0, -0.2, 0.0), transcript="♪")[0] is Cause.NO_MATCH


def test_confidences_fall_and_bound_each_other() -> None:
    found = [Evidence(f"word{i}", i, -0.3 - 0.2 * i, -0.1 - 0.2 * i) for i in range(5)]
    levels = [h.confidence for h in judge(found, "word", 1.0, 0.1, "test").nbest]
    assert levels == sorted(levels, reverse=True) and all(0 <= c <= 1 for c in levels)


def test_confidence_rises_with_every_kind_of_evidence() -> None:
    base = confidence(-1.0, -0.5, 0.5)
    assert confidence(-0.5, -0.5, 0.5) > base
    assert confidence(-1.0, -0.1, 0.5) > base
    assert confidence(-1.0, -0.5, 1.0) > base


def test_digits_need_digits_in_the_transcript() -> None:
    loop = Evidence("66666666", None, -0.5, 0.2, digits=True)
    assert judged(loop, transcript="You know")[0] is Cause.NO_MATCH
    agreed = Evidence("417290", None, -0.6, -0.3, digits=True)
    assert judged(agreed, transcript="My number is 417290.", duration_s=3.0)[1] == [Accept.ACCEPT]


def test_digits_faster_than_anyone_speaks_are_rejected() -> None:
    assert judged(Evidence("66666666", None, -0.2, 0.0, digits=True), transcript="6 6 6 6 6 6 6 6", duration_s=0.6)[
        1
    ] == [Accept.REJECT]
