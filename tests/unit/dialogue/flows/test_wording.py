from __future__ import annotations

from datetime import date

import pytest

from ivr.dialogue.engine.compilation import compiled
from ivr.dialogue.engine.contract import Say, Words
from ivr.dialogue.flows.prompt import PromptItem, TaperedPrompt
from ivr.dialogue.flows.wording import at_count, fixed_words, interpolated, words_of
from ivr.dialogue.spoken.languages import SYSTEM_PROMPTS, words_for
from ivr.dialogue.understanding.grammar import SlotValue
from ivr.events import Term
from tests.unit.dialogue.talk import Talk, reference, small

VALUES: dict[str, object] = {
    "title": SlotValue("v", "Vertigo"),
    "n": SlotValue(3, "three"),
    "one": 1,
    "titles": ("Vertigo", Term("m", "Metropolis"), {"label": "Jaws"}),
    "account": "4071",
    "cents": 250,
    "day": "2026-07-04",
    "when": date(2026, 7, 4),
    "member.first_name": "Ada",
    "gone": None,
}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{title} is {n|ordinal}.", "Vertigo is third."),
        ("You have {n|plural:title,titles}.", "You have three titles."),
        ("You have {one|plural:title,titles}.", "You have one title."),
        ("{titles|plural:title,titles}", "three titles"),
        ("{titles|list}", "Vertigo, Metropolis and Jaws"),
        ("{titles|list:or}", "Vertigo, Metropolis or Jaws"),
        ("{account|digits}", "four zero seven one"),
        ("{cents|money}", "two dollars and fifty cents"),
        ("{day|date} {when}", "Saturday, July fourth Saturday, July fourth"),
        ("{account|spell}", "4, 0, 7, 1"),
        ("Hi, {member.first_name}{gone}.", "Hi, Ada."),
        ("{one}", "one"),
    ],
)
def test_slots_and_filters(text: str, said: str) -> None:
    assert interpolated(text, VALUES.get, "en-US") == said


def prompt(*items: PromptItem) -> tuple[PromptItem, ...]:
    return items


def test_tapering_takes_the_largest_count_reached() -> None:
    tapered: TaperedPrompt = {1: prompt(PromptItem(say="a")), 3: prompt(PromptItem(say="c"))}
    assert [at_count(tapered, n)[0].say for n in (0, 1, 2, 3, 9)] == ["a", "a", "a", "c", "c"]
    assert at_count({2: prompt(PromptItem(say="b"))}, 1) == ()


def said(*items: PromptItem, seed: int = 0, count: int = 1) -> tuple[Words, ...]:
    return words_of(items, prompt_id="x", count=count, seed=seed, scope=VALUES, look=VALUES.get, language="en-US")


def test_conditions_variants_and_recordings() -> None:
    assert said(PromptItem.model_validate({"say": "no", "if": "one == 2"}), PromptItem(say="yes")) == (
        Words("yes", "", "x", True),
    )
    variants = PromptItem(variants=("a", "b", "c"))
    assert [said(variants, seed=s)[0].text for s in range(4)] == ["a", "b", "c", "a"]
    assert said(variants, count=2)[0].text == "b"
    assert said(PromptItem(say="Hi {title}", audio="hi")) == (Words("Hi Vertigo", "hi", "x", False),)


@pytest.mark.parametrize("language", ["en-US", "es-ES"])
def test_the_line_is_never_without_words(language: str) -> None:
    assert all(words_for(language).prompts[name] for name in SYSTEM_PROMPTS)


def test_wording_is_looked_up_by_language_then_persona() -> None:
    shared = compiled(reference())
    english, oregon, spanish = (
        shared.wordings(*key) for key in (("en-US", "neutral"), ("en-US", "oregon"), ("es-ES", "neutral"))
    )
    base = reference().flows["main"].states["welcome"].prompt
    words = {wording.prompt("main", "welcome", base)[1][0].say for wording in (english, oregon, spanish)}
    assert len(words) == 3
    assert oregon.phrases("main", "hear_queue") == english.phrases("main", "hear_queue")
    assert set(spanish.phrases("main", "hear_queue")).isdisjoint(english.phrases("main", "hear_queue"))
    assert shared.wordings("fr-FR", "neutral").phrases("main", "hear_queue") == ()
    assert shared.wordings("fr-FR", "neutral").prompt("main", "welcome", base) == base
    assert spanish.label("main", "ask", "hear_queue", "your queue") != "your queue"


def test_a_language_nobody_wrote_still_works_by_keys() -> None:
    talk = Talk(small(), language="fr-FR").key("1").key("2#")
    assert talk.labels[0] == "Vertigo" and Talk(small(), language="fr-FR").key("0").connects


@pytest.mark.parametrize(("language", "persona"), [("en-US", "neutral"), ("en-US", "oregon"), ("es-ES", "neutral")])
def test_whatever_fixed_is_said_was_announced(language: str, persona: str) -> None:
    ahead = {(words.text, words.audio, voice) for words, voice in fixed_words(reference(), language, persona)}
    talk = Talk(reference(), entry="main", language=language, persona=persona)
    talk.silence().silence().key("0").answer("closed").say("mumble").key("9").key("#").silence()
    said = [(words, say.voice) for say in talk.effects if isinstance(say, Say) for words in say.words]
    assert len(said) > 8
    for words, voice in said:
        assert not words.fixed or (words.text, words.audio, voice) in ahead, words
