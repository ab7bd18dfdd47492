"""The words of the reference flows: short, sayable, complete in every language, and enough of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from ivr.dialogue.engine.compilation import SpokenWordings
from ivr.dialogue.flows.library import UNIVERSALS_FILE
from ivr.dialogue.flows.phrases import parse_phrase
from ivr.dialogue.flows.prompt import Prompt, TaperedPrompt
from ivr.dialogue.flows.wording import RISK_PROMPT, SLOT
from ivr.dialogue.spoken.languages import SYSTEM_PROMPTS
from ivr.dialogue.spoken.normalisation import fold
from tests.flows.reference import library

REORDER = ("move_to_top", "move_to_end", "move_to_position", "move_before", "move_after", "swap")
SPANISH = "es-ES"
MOST_WORDS = 25
UNSPEAKABLE = re.compile(r"[#*&@/\\|<>\[\]()_%$+=~^]|\d")
BANNED = ("call volume", "your call is important", "website", "please listen", "menu options have changed", "cannot")


def base_prompts() -> dict[tuple[str, str], TaperedPrompt]:
    found = {
        (flow.flow, f"{name}.{part}" if part else name): prompt
        for flow in library().flows.values()
        for name, state in flow.states.items()
        for part, prompt, _ in state.prompts()
    }
    universals = library().universals
    found |= {
        (UNIVERSALS_FILE, f"{RISK_PROMPT}{name}"): risk.question
        for name, risk in universals.risks.items()
        if risk.question
    }
    return {**found, **{(UNIVERSALS_FILE, name): prompt for name, prompt in universals.prompts.items()}}


def every_prompt() -> Iterator[tuple[str, str, Prompt]]:
    for (flow, name), tapered in base_prompts().items():
        for count, prompt in tapered.items():
            yield "en-US", f"{flow}:{name}:{count}", prompt
    for (flow, language, persona), wording in library().wordings.items():
        for name, tapered in wording.prompts.items():
            for count, prompt in tapered.items():
                yield language, f"{flow}:{name}:{count}:{language}:{persona}", prompt


def texts(prompt: Prompt) -> Iterator[str]:
    for item in prompt:
        yield from item.variants or (item.say,)


@pytest.mark.parametrize(("place", "prompt"), [(place, prompt) for _, place, prompt in every_prompt()])
def test_prompts_are_short_and_sayable(place: str, prompt: Prompt) -> None:
    said = [SLOT.sub("slot", text) for text in texts(prompt)]
    assert all(text.strip() for text in said)
    assert not any(UNSPEAKABLE.search(text) for text in said), said
    assert all(len(text.split()) <= MOST_WORDS for text in said), said
    assert not any(phrase in text.lower() for text in said for phrase in BANNED)


def test_spanish_says_everything_with_the_same_slots() -> None:
    wordings = library().wordings
    for (flow, name), base in base_prompts().items():
        spanish = wordings[flow, SPANISH, "neutral"].prompts.get(name)
        assert spanish is not None, f"{flow}: {name}"
        slots = {m[1] for p in base.values() for text in texts(p) for m in SLOT.finditer(text)}
        theirs = {m[1] for p in spanish.values() for text in texts(p) for m in SLOT.finditer(text)}
        assert slots == theirs, f"{flow}: {name}"


def test_overlays_only_word_what_exists() -> None:
    known = base_prompts()
    for (flow, _, _), wording in library().wordings.items():
        assert not {name for name in wording.prompts if (flow, name) not in known}, flow


def test_spanish_understands_everything() -> None:
    wordings = library().wordings
    for flow in library().flows.values():
        spoken = {c.intent for state in flow.states.values() for c in state.choices} - {"yes", "no"}
        labels = {
            f"{name}.{c.intent}": c.label for name, state in flow.states.items() for c in state.choices if c.label
        }
        spanish = wordings[flow.flow, SPANISH, "neutral"]
        assert spoken <= set(spanish.intents), flow.flow
        assert set(labels) == set(spanish.labels), flow.flow
        for name, variable in {**flow.parameters, **flow.variables}.items():
            if variable.values:
                assert set(spanish.values[name]) == set(variable.values)
    universals = library().universals
    wanted = {"human", "repeat", "help", "back", "start_over", "goodbye", "yes", "no"}
    wanted |= {name for name, risk in universals.risks.items() if risk.phrases}
    assert wanted == set(wordings[UNIVERSALS_FILE, SPANISH, "neutral"].intents)


@pytest.mark.parametrize("language", ["en-US", SPANISH])
def test_what_is_a_no_elsewhere_is_learned_as_one(language: str) -> None:
    """A phrase that is its own choice's at "anything else?" weakens no "no" that is inferred at a confirmation."""
    words = SpokenWordings(library(), language, "neutral")
    assert words.phrases("main", "not_right")
    assert all(fold(phrase, language) in words.answers for phrase in words.phrases("main", "not_right"))
    assert "not_right" not in {each.intent for each in words.training.examples}


def test_every_system_prompt_is_worded() -> None:
    assert set(library().universals.prompts) == set(SYSTEM_PROMPTS)


@pytest.mark.parametrize("intent", REORDER)
@pytest.mark.parametrize(("language", "least"), [("en-US", 12), (SPANISH, 12)])
def test_reordering_has_many_words(intent: str, language: str, least: int) -> None:
    if language == SPANISH:
        phrases = library().wordings["main", SPANISH, "neutral"].intents[intent]
    else:
        phrases = library().flows["main"].intents[intent].phrases
    assert len(phrases) >= least
    assert all("title" in parse_phrase(phrase, language).slots for phrase in phrases)


def test_no_two_intents_of_the_open_question_share_a_phrase() -> None:
    main = library().flows["main"]
    universals = library().universals
    active = {c.intent: main.intents[c.intent].phrases for c in main.states["ask"].choices if c.intent in main.intents}
    everywhere = {
        **{name: getattr(universals, name).phrases for name in ("human", "repeat", "help", "back", "goodbye")},
        **{name: risk.phrases for name, risk in universals.risks.items()},
    }
    owner: dict[str, str] = {}
    for intent, phrases in {**active, **everywhere}.items():
        for phrase in phrases:
            assert owner.setdefault(phrase, intent) == intent, phrase
