"""What no phrase lists: understood, asked about, never acted on. Sentences that nothing was fitted to; loose bounds."""

from __future__ import annotations

import pytest

from ivr.dialogue.engine.contract import ActionDone, Record
from ivr.dialogue.engine.next import Mode
from ivr.dialogue.understanding.classifier import LearningClassifiers
from ivr.events import ActionResult
from ivr.record import Understood
from tests.bench.paraphrases import Tally, corpus, measure
from tests.flows.reference import library
from tests.unit.dialogue.talk import Talk, terms


def open_question(language: str, classifiers: LearningClassifiers) -> Talk:
    lists = {name: terms(corpus()[name]) for name in ("queue", "discs", "catalogue")}
    queue, facts = corpus()["queue"], {"member.number": "10001", "member.first_name": "Ada", "queue.size": 8}
    talk = Talk(library(), entry="main", queue=queue, perform=False, language=language, classifiers=classifiers)
    found = ActionResult("found", facts={**facts, "member.language": language}, vocabularies=lists)
    talk.send(ActionDone(talk.performed[-1].token, found))
    assert talk.dialogue.state == "main.ask"
    return talk


@pytest.fixture(scope="module")
def english(classifiers: LearningClassifiers) -> dict[str, Tally]:
    return measure("en-US", classifiers)


@pytest.fixture(scope="module")
def spanish(classifiers: LearningClassifiers) -> dict[str, Tally]:
    return measure("es-ES", classifiers)


@pytest.mark.parametrize(
    ("group", "least"), [("requests", 0.85), ("threats", 0.85), ("near", 0.85), ("people", 0.75), ("nothing", 0.9)]
)
def test_english_is_understood(english: dict[str, Tally], group: str, least: float) -> None:
    assert english[group].share("right", "offered") >= least, english[group].wrong


@pytest.mark.parametrize(
    ("group", "least"), [("requests", 0.85), ("threats", 0.8), ("near", 0.6), ("people", 1.0), ("nothing", 0.8)]
)
def test_spanish_is_understood(spanish: dict[str, Tally], group: str, least: float) -> None:
    assert spanish[group].share("right", "offered") >= least, spanish[group].wrong


def test_harmless_words_bring_no_person(english: dict[str, Tally]) -> None:
    assert not english["near"].counts["person"], english["near"].wrong
    assert not english["requests"].counts["person"], english["requests"].wrong


def test_nothing_strange_is_acted_on(english: dict[str, Tally], spanish: dict[str, Tally]) -> None:
    assert not english["nothing"].counts["accepted"]
    assert not spanish["nothing"].counts["accepted"]


@pytest.mark.parametrize("language", ["en-US", "es-ES"])
def test_nothing_is_done_unasked_for_words_that_no_phrase_has(classifiers: LearningClassifiers, language: str) -> None:
    """Not even read out: the whole dialogue at its open question, each sentence in a call of its own."""
    for group in ("requests", "near", "nothing"):
        for each in corpus()[language][group]:
            text = each if isinstance(each, str) else each[0]
            talk = open_question(language, classifiers)
            before = len(talk.performed)
            talk.say(text)
            told = next(e.what for e in talk.last if isinstance(e, Record) and isinstance(e.what, Understood))
            if told.how == "grammar":  # a phrase, but for politeness
                continue
            assert len(talk.performed) == before and not talk.connects and not talk.ends, (text, talk.said)


@pytest.mark.parametrize("language", ["en-US", "es-ES"])
def test_a_wish_for_a_person_brings_one_or_is_asked_about(classifiers: LearningClassifiers, language: str) -> None:
    people = [open_question(language, classifiers).say(text) for text in corpus()[language]["people"]]
    assert all(talk.connects or talk.dialogue.mode == Mode.MEANT for talk in people)
    assert sum(bool(talk.connects) for talk in people) >= 0.7 * len(people)


def test_it_is_the_embedding_that_does_it(english: dict[str, Tally]) -> None:
    alone = measure("en-US")
    assert alone["requests"].share("right") < english["requests"].share("right") / 2


def test_the_sentences_are_new(classifiers: LearningClassifiers) -> None:
    """None is a phrase, an example or an everyday sentence."""
    from ivr.dialogue.engine.compilation import compiled

    for language in ("en-US", "es-ES"):
        training = compiled(library(), classifiers).wordings(language, "neutral").training
        known = {each.phrase.lower() for each in training.examples}
        groups = corpus()[language].values()
        texts = [each if isinstance(each, str) else each[0] for group in groups for each in group]
        assert not known & {text.lower() for text in texts}
