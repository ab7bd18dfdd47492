"""Classifiers: learned from a few sentences by the installed encoder, kept, and the same each time."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.dialogue.understanding.classifier import NONE, Example, Sentence, TrainingSet
from ivr.dialogue.understanding.concepts import concepts_of
from ivr.dialogue.understanding.training import written
from ivr.embedding.classifiers import StoredClassifiers
from ivr.embedding.encoder import Encoder
from ivr.embedding.installation import installed

SAID = {
    "lights": ("turn on the lights", "it is dark in here", "switch the lamp on"),
    "heating": ("turn up the heating", "it is cold in here", "make it warmer"),
    NONE: ("the dog is barking", "what a game", "my sister lives in Boston"),
}
HERE = frozenset(("lights", "heating"))


def said(text: str) -> Sentence:
    return written(text, "en-US", concepts_of("en-US"))


TRAINING = TrainingSet("en-US", tuple(Example(said(t), i, t) for i, texts in SAID.items() for t in texts))


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    found = installed()
    assert found.key, f"the sentence embedding is {found.trouble}: run make, or ivr models get sentence-embedding"
    return Encoder(found.folder, found.key)


def test_other_words_for_the_same_are_near(encoder: Encoder) -> None:
    home, away = encoder("I want to end my membership"), encoder("what is the capital of France")
    asked = encoder("please stop my subscription")
    assert float(asked @ home) > 0.4 > float(asked @ away)
    assert abs(float(asked @ asked) - 1) < 1e-5


def test_what_was_never_said_so_is_understood(encoder: Encoder) -> None:
    learned = StoredClassifiers(encoder, None, on_demand=True).learn(TRAINING)
    assert learned is not None
    for text, intent in (("could you brighten the room", "lights"), ("I am freezing", "heating")):
        chances = learned.probabilities(said(text), HERE)
        assert max(HERE, key=chances.__getitem__) == intent
        assert abs(sum(chances.values()) - 1) < 1e-6


def test_what_is_not_asked_for_here_takes_no_share(encoder: Encoder) -> None:
    learned = StoredClassifiers(encoder, None, on_demand=True).learn(TRAINING)
    assert learned is not None
    assert learned.probabilities(said("turn on the lights"), frozenset(("heating",))).keys() == {"heating", NONE}


def test_a_kept_classifier_is_the_same(encoder: Encoder, tmp_path: Path) -> None:
    first = StoredClassifiers(encoder, tmp_path, on_demand=False)
    assert first.of(TRAINING) is None, "nothing is fitted while somebody talks"
    learned = first.learn(TRAINING)
    again = StoredClassifiers(encoder, tmp_path, on_demand=False).learn(TRAINING)
    assert learned is not None
    assert again is not None
    assert again.key == learned.key
    assert again.probabilities(said("I am freezing"), HERE) == learned.probabilities(said("I am freezing"), HERE)
    assert again.thresholds(HERE) == learned.thresholds(HERE)
    assert again.confusions == learned.confusions
    assert (again.taught.known, again.taught.runs) == (learned.taught.known, learned.taught.runs)


def test_a_broken_file_is_fitted_anew(encoder: Encoder, tmp_path: Path) -> None:
    learned = StoredClassifiers(encoder, tmp_path, on_demand=False).learn(TRAINING)
    assert learned is not None
    (tmp_path / f"{learned.key}.npz").write_bytes(b"PK nothing")
    again = StoredClassifiers(encoder, tmp_path, on_demand=False).learn(TRAINING)
    assert again is not None
    assert again.key == learned.key


def test_without_a_background_nothing_is_learned(encoder: Encoder) -> None:
    few = TrainingSet("de-DE", tuple(each for each in TRAINING.examples if each.intent != NONE))
    assert StoredClassifiers(encoder, None, on_demand=True).learn(few) is None
