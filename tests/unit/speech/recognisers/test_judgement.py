"""Verdicts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ivr.dialogue.understanding.n_best import CLOSE
from ivr.events import Accept, Cause
from ivr.speech.recognisers.compiled_grammars import Nearness, Spoken
from ivr.speech.recognisers.judgement import DIGITS, WORDS, Evidence, confidence, judge, margin, verdict


def judged(*found: Evidence, transcript: str = "", duration_s: float = 2.0) -> tuple[Cause, list[Accept]]:
    heard = transcript or (found[0].text if found else "something")
    recognition = judge(found, heard, duration_s, 0.1, "test")
    return recognition.cause, [h.verdict for h in recognition.nbest]


def clear(text: str, phrase: int | None = 0, *, v: float = -0.15, llr: float = 0.0) -> Evidence:
    """As a natural voice is heard in quiet: what the decoder would say unheard lies four below a token."""
    return Evidence(text, phrase, v, llr, bias=-4.0, above=2.0)


def test_clear_speech_is_accepted() -> None:
    cause, verdicts = judged(clear("agent"), clear("help", 1, v=-4.0, llr=-3.8))
    assert cause is Cause.SUCCESS and verdicts == [Accept.ACCEPT, Accept.REJECT]


def test_a_minimal_pair_is_asked_about_however_clear() -> None:
    cause, verdicts = judged(clear("put alien first"), clear("put aliens first", 1, v=-0.35, llr=-0.2))
    assert cause is Cause.SUCCESS and verdicts[0] is Accept.CONFIRM


def test_a_close_second_that_means_something_else_is_kept_for_the_question() -> None:
    """Understanding offers both ("...or...?") where their confidences are close."""
    best, close = clear("put alien first", v=-0.9, llr=-0.3), clear("put aliens first", 1, v=-1.0, llr=-0.4)
    far = clear("put up first", 2, v=-1.6, llr=-1.0)
    nbest = judge([best, close, far], "Put alien first.", 2.0, 0.1, "test").nbest
    assert [h.verdict for h in nbest[:2]] == [Accept.CONFIRM, Accept.CONFIRM]
    assert 0.0 <= nbest[0].confidence - nbest[1].confidence < CLOSE < nbest[0].confidence - nbest[2].confidence


def test_two_wordings_of_one_meaning_are_not_rivals() -> None:
    a, b = clear("what's next"), clear("what is next", 1, v=-0.25, llr=-0.1)
    assert margin(a, (a, b)) == 1.5
    assert judged(a, b)[1][0] is Accept.ACCEPT
    of_one = [replace(clear(text, n), sense=(7, frozenset())) for n, text in enumerate(("yes", "that's right"))]
    assert margin(of_one[0], of_one) == 1.5
    titles = [replace(clear(t), sense=(7, frozenset({("title", (t,))}))) for t in ("remove alien", "remove aliens")]
    assert margin(titles[0], titles) == 0.0


def test_twins_are_always_asked_about() -> None:
    assert judged(replace(clear("alien"), twin=True), transcript="Alien.")[1] == [Accept.CONFIRM]


def test_a_transcript_about_something_else_speaks_against_it() -> None:
    same, other = (
        judge([clear("i don't know")], t, 2.0, 0.1, "test").nbest[0] for t in ("I don't no", "Tell him, Lord")
    )
    assert same.confidence > other.confidence


def test_what_was_written_freely_and_fits_much_better_is_asked_about() -> None:
    """Ten words fit, the eleventh is another: their mean hides it."""
    long = Evidence("put his girl friday right after the apartment", None, -1.3, -0.7, bias=-6.0, above=3.0)
    assert judged(long, transcript="It's a goodest girl Friday right after the entire topic.")[1] == [Accept.CONFIRM]


def test_one_word_alone_must_be_surer_than_a_sentence() -> None:
    between = (WORDS.accept + WORDS.alone) / 2
    assert verdict(WORDS, clear("okay"), between, 1.5, 0.9) is Accept.CONFIRM
    assert verdict(WORDS, clear("all right"), between, 1.5, 0.9) is Accept.ACCEPT


def test_what_was_heard_well_and_written_word_for_word_is_accepted() -> None:
    """However much the decoder would have liked to say it anyway."""
    usual = replace(clear("yep", v=-0.1), bias=-2.5)
    assert judged(usual, transcript="Yep.")[1] == [Accept.ACCEPT]
    assert judged(usual, transcript="Yeah.")[1] == [Accept.CONFIRM]
    assert judged(replace(usual, v=-0.5), transcript="Yep.")[1] == [Accept.CONFIRM]
    assert judged(replace(usual, twin=True), transcript="Yep.")[1] == [Accept.CONFIRM]


def test_what_would_be_said_unheard_is_taken_off() -> None:
    """In noise a decoder writes what is often written; what was said fits worse, and yet ranks first."""
    usual = Evidence("i don't know what to say", 0, -1.74, -1.15, bias=-1.87, above=0.93)
    said = Evidence("remove alien", 1, -2.06, -1.08, bias=-7.17, above=3.58)
    assert said.rank > usual.rank and margin(said, (said, usual)) == 1.5


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


def test_what_sounds_alike_and_means_the_same_is_no_twin() -> None:
    """ "No" and "nah" have the same consonants; so would "now" have, which means something else."""
    phrases = ("yes", "no", "nah", "now", "knee")
    assert Nearness(phrases[:3], means=(0, 1, 1)).twin("no") is False
    assert Nearness(phrases, means=(0, 1, 1, 2, 2)).twin("no") is True
    assert Nearness(phrases[:3]).twin("no") is True  # nobody knows
    pair = (("skip", "{title}"), ("skips", "{title}"))
    titles = {"title": Spoken(("vertigo",))}
    assert not Nearness((), pair, titles, (0, 0)).twins(pair[0], ("vertigo",))
    assert Nearness((), pair, titles, (0, 1)).twins(pair[0], ("vertigo",))


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
    cause, verdicts = judged(Evidence("no", 0, -4.3, -3.9, bias=-3.5, above=1.75), transcript="Whatever else")
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
    one = Evidence("agent", 0, -1.0, -0.5, bias=-4.0)
    for curve in (WORDS, DIGITS):
        base = confidence(curve, one, 0.5, 0.5)
        assert confidence(curve, replace(one, v=-0.5), 0.5, 0.5) > base
        assert confidence(curve, replace(one, llr=-0.1), 0.5, 0.5) >= base
        assert confidence(curve, one, 1.0, 0.5) > base
        assert confidence(curve, one, 0.5, 0.9) >= base
    assert confidence(WORDS, replace(one, bias=-5.0), 0.5, 0.5) > confidence(WORDS, one, 0.5, 0.5)


def digits(text: str, v: float, llr: float) -> Evidence:
    return Evidence(text, None, v, llr, digits=True)


def test_digits_heard_well_are_accepted_whatever_was_written_freely() -> None:
    well, fairly = digits("417290", -0.2, 0.0), digits("417290", -0.6, -0.2)
    assert judged(well, transcript="For once of any at all", duration_s=3.0)[1] == [Accept.ACCEPT]
    assert judged(fairly, transcript="My number is 417290.", duration_s=3.0)[1] == [Accept.ACCEPT]
    assert judged(fairly, transcript="For once of any at all", duration_s=3.0)[1] == [Accept.CONFIRM]


def test_a_loop_of_digits_that_nobody_wrote_is_rejected() -> None:
    loop = digits("66666666", -0.2, 0.2)
    assert judged(loop, transcript="You know")[0] is Cause.NO_MATCH
    assert judged(loop, transcript="six six six six six six six six")[1] == [Accept.ACCEPT]


def test_a_close_digit_string_is_kept_for_the_question() -> None:
    nbest = judge([digits("417290", -0.5, -0.2), digits("417250", -0.55, -0.25)], "417", 3.0, 0.1, "test").nbest
    assert [h.verdict for h in nbest] == [Accept.CONFIRM, Accept.CONFIRM]
    assert nbest[0].confidence - nbest[1].confidence < CLOSE


def test_digits_faster_than_anyone_speaks_are_rejected() -> None:
    assert judged(digits("66666666", -0.2, 0.0), transcript="6 6 6 6 6 6 6 6", duration_s=0.6)[1] == [Accept.REJECT]
