"""What no phrase lists: understood, asked about, never acted on. Sentences that nothing was fitted to; loose bounds."""

from __future__ import annotations

import pytest

from ivr.dialogue.understanding.classifier import LearningClassifiers
from ivr.embedding.installation import installed
from ivr.embedding.loading import rehearsing
from tests.bench.paraphrases import Tally, corpus, measure
from tests.flows.reference import library


@pytest.fixture(scope="module")
def classifiers() -> LearningClassifiers:
    found = installed()
    assert found.key, f"the sentence embedding is {found.trouble}: run make, or ivr models get sentence-embedding"
    classifiers = rehearsing()
    assert classifiers is not None
    return classifiers


@pytest.fixture(scope="module")
def english(classifiers: LearningClassifiers) -> dict[str, Tally]:
    return measure("en-US", classifiers)


@pytest.fixture(scope="module")
def spanish(classifiers: LearningClassifiers) -> dict[str, Tally]:
    return measure("es-ES", classifiers)


@pytest.mark.parametrize(
    ("group", "least"), [("requests", 0.8), ("threats", 0.75), ("near", 0.7), ("people", 0.75), ("nothing", 0.85)]
)
def test_english_is_understood(english: dict[str, Tally], group: str, least: float) -> None:
    assert english[group].share("right", "offered") >= least, english[group].wrong


@pytest.mark.parametrize(("group", "least"), [("requests", 0.75), ("threats", 0.5), ("people", 1.0), ("nothing", 0.8)])
def test_spanish_is_understood(spanish: dict[str, Tally], group: str, least: float) -> None:
    assert spanish[group].share("right", "offered") >= least, spanish[group].wrong


def test_harmless_words_bring_no_person(english: dict[str, Tally]) -> None:
    assert not english["near"].counts["person"], english["near"].wrong
    assert not english["requests"].counts["person"], english["requests"].wrong


def test_nothing_strange_is_acted_on(english: dict[str, Tally], spanish: dict[str, Tally]) -> None:
    assert not english["nothing"].counts["accepted"]
    assert not spanish["nothing"].counts["accepted"]


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
