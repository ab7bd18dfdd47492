from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.dialogue.flows.phrases import MOST_VARIANTS, PhraseError, parse_phrase
from ivr.dialogue.spoken.normalisation import fold
from ivr.dialogue.understanding.grammar import Meaning
from ivr.dialogue.understanding.grammar_compiler import Entry, Outline, StateGrammar
from ivr.dialogue.understanding.lexicon import Vocabulary, lexicon
from ivr.dialogue.understanding.slots import NumberSlot, Slot, TitleSlot
from ivr.dialogue.understanding.speech_grammar import filled, slot_names
from tests.unit.dialogue.talk import catalogue, terms

QUEUE = (
    "Alien",
    "Aliens",
    "Toy Story",
    "Toy Story 2",
    "The General",
    "Nosferatu: A Symphony of Horror",
    "Wings (1927)",
)


def vocabulary(labels: Sequence[str] = QUEUE) -> Vocabulary:
    return Vocabulary([lexicon(terms(labels), "en-US")])


def grammar(*phrases: tuple[str, str], slots: dict[str, Slot] | None = None) -> StateGrammar:
    entries = [Entry(intent, parse_phrase(text)) for intent, text in phrases]
    known: dict[str, Slot] = {
        "title": TitleSlot(vocabulary()),
        "other": TitleSlot(vocabulary()),
        "n": NumberSlot(1, 50, "en-US"),
    }
    return StateGrammar(Outline(entries), slots if slots is not None else known, "en-US")


# -- templates ------------------------------------------------------------------------------------------------


def test_optional_words_make_variants_longest_first() -> None:
    template = parse_phrase("move {title} up [to the top [of my queue]]")
    assert template.slots == ("title",)
    assert [len(variant) for variant in template.variants] == [9, 6, 3]
    assert template.variants[-1] == ("move", "{title}", "up")


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("move {title", 6),
        ("move [it", 6),
        ("move it]", 8),
        ("{a b}", 1),
        ("{}", 1),
        ("", 1),
        ("[maybe]", 1),
        ("x }", 3),
    ],
)
def test_broken_templates_say_where(text: str, column: int) -> None:
    if text == "[maybe]":
        assert parse_phrase(text).variants == (("maybe",),)
        return
    with pytest.raises(PhraseError) as refused:
        parse_phrase(text)
    assert refused.value.column == column


@given(st.text(alphabet="ab {}[]1'", max_size=60))
def test_any_template_is_read_or_refused(text: str) -> None:
    try:
        assert 1 <= len(parse_phrase(text).variants) <= MOST_VARIANTS
    except PhraseError as refused:
        assert refused.column >= 1


# -- vocabularies ---------------------------------------------------------------------------------------------


def test_terms_are_found_by_every_form() -> None:
    known = vocabulary()
    for said, label in [
        ("the general", "The General"),
        ("general", "The General"),
        ("toy story two", "Toy Story 2"),
        ("nosferatu", "Nosferatu: A Symphony of Horror"),
        ("wings", "Wings (1927)"),
    ]:
        assert [term.label for term in known.lookup(said)] == [label]


def test_minimal_pairs_are_near() -> None:
    known = vocabulary()
    near = {term.label for term in known.lexicons[0].terms if known.near(term)}
    assert near == {"Alien", "Aliens", "Toy Story", "Toy Story 2"}


def test_the_first_vocabulary_wins() -> None:
    both = Vocabulary([lexicon(terms(["Alien"]), "en-US"), lexicon(catalogue(), "en-US")])
    assert [term.label for term in both.lookup("alien")] == ["Alien"]


@pytest.mark.parametrize(
    ("said", "label"), [("nosferato", "Nosferatu: A Symphony of Horror"), ("the jeneral", "The General")]
)
def test_misheard_titles_are_spotted(said: str, label: str) -> None:
    words = fold(f"please move {said} up")
    spots = vocabulary().spot(words, frozenset({"please", "move", "up"}))
    assert [(spot.term.label, spot.start) for spot in spots] == [(label, 2)]


def test_nothing_is_spotted_in_other_words() -> None:
    assert vocabulary().spot(fold("colourless green ideas sleep"), frozenset()) == []


# -- reading --------------------------------------------------------------------------------------------------


def test_more_carrier_words_are_more_specific() -> None:
    known = grammar(("any", "put {title} {n}"), ("first", "put {title} one"))
    assert [reading.meaning.intent for reading in known.read(fold("put wings 1"))] == ["first"]
    assert [reading.meaning.intent for reading in known.read(fold("put wings 2"))] == ["any"]


def test_both_slots_of_a_pair_are_filled_in_order() -> None:
    reading = grammar(("swap", "swap {title} and {other}")).read(fold("swap alien and toy story 2"))[0]
    assert {name: value.label for name, value in reading.meaning.slots.items()} == {
        "title": "Alien",
        "other": "Toy Story 2",
    }
    assert reading.doubtful == {"title", "other"} and reading.text == "swap Alien and Toy Story 2"


def test_numbers_out_of_range_do_not_match() -> None:
    known = grammar(("go", "number {n}"))
    assert known.read(fold("number 50")) and not known.read(fold("number 51")) and not known.read(fold("number"))


# -- compiling ------------------------------------------------------------------------------------------------


def test_every_phrase_reads_back_as_its_meaning() -> None:
    known = grammar(("top", "move {title} to the top [please]"), ("at", "put {title} at {n}"), ("hi", "hello"))
    speech, fixed = known.speech, known.outline.fixed
    assert speech.phrases == ("hello",) and fixed.meanings == (Meaning("hi"),)
    assert fixed.intents == ("top", "top", "at")
    slots = dict(speech.slots)
    values = {name: dict(known.slots[name].forms().pairs()) for name in slots}
    for template, intent in zip(speech.templates, fixed.intents, strict=True):
        names = slot_names(template)
        for said in product(*(slots[name] for name in names)):
            text = filled(template, said)
            assert text == text.lower() and "," not in text and speech.covers(text)
            meaning = known.read(fold(text))[0].meaning
            assert meaning == Meaning(intent, {n: values[n][word] for n, word in zip(names, said, strict=True)})


def test_a_grammar_covers_its_phrases_and_nothing_else() -> None:
    speech = grammar(("top", "move {title} to the top"), ("swap", "swap {title} and {other}"), ("hi", "hello")).speech
    for text in ("hello", "move toy story two to the top", "Swap Toy Story and Alien", "swap aliens and alien"):
        assert speech.covers(text), text
    for text in ("", "hell", "move to the top", "move the godfather to the top", "move alien to the top now", "move"):
        assert not speech.covers(text), text


def test_every_way_to_say_something() -> None:
    known = grammar(
        ("top", "move {title} to the top"), ("top", "{title} first"), ("top", "move something"), ("no", "drop {title}")
    )
    assert set(known.ways("top", {"title": "The General"})) == {
        "move the general to the top",
        "move general to the top",
        "the general first",
        "general first",
    }
    assert list(known.ways("top", {})) == ["move something"]
    assert list(known.ways("top", {"title": "Unheard Of"})) == []


def test_a_catalogue_is_kept_once_and_never_multiplied() -> None:
    """Ten thousand phrases and more: nothing is left out, and nothing is made of them."""
    wide: dict[str, Slot] = {
        "film": TitleSlot(Vocabulary([lexicon(catalogue(), "en-US")])),
        "other": TitleSlot(Vocabulary([lexicon(catalogue(), "en-US")])),
        "n": NumberSlot(1, 500, "en-US"),
    }
    known = grammar(("pair", "swap {film} and {other}"), ("at", "move {film} to number {n}"), slots=wide)
    speech = known.speech
    slots = dict(speech.slots)
    assert slots["film"] is slots["other"] and len(speech.templates) == 2
    assert speech.covers("swap rear window and the third man") and speech.covers("move vertigo to number ninety nine")
    again = grammar(("pair", "swap {film} and {other}"), slots=wide)
    assert dict(again.speech.slots)["film"] is slots["film"]


def test_keys_tell_contents_apart() -> None:
    one, same, other = grammar(("a", "x")), grammar(("b", "x")), grammar(("a", "y"))
    assert one.speech.key == same.speech.key != other.speech.key
    queue, longer = (
        grammar(("a", "{title} up")),
        grammar(
            ("a", "{title} up"), slots={"title": TitleSlot(Vocabulary([lexicon(terms((*QUEUE, "Laura")), "en-US")]))}
        ),
    )
    assert queue.speech.key != longer.speech.key
