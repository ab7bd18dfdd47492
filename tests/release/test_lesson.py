"""What a version's callers may say is learned before any call gets it, and by what is said at /readyz."""

from __future__ import annotations

from ivr.dialogue.understanding.classifier import IntentClassifier, TrainingSet
from ivr.release.lesson import Lesson
from tests.flows.reference import library


class Pupil:
    """Notes what it was to learn."""

    def __init__(self) -> None:
        self.learned: list[TrainingSet] = []

    def of(self, training: TrainingSet) -> IntentClassifier | None:
        return None

    def learn(self, training: TrainingSet) -> IntentClassifier | None:
        self.learned.append(training)
        return None


def test_every_language_that_callers_can_speak_is_learned() -> None:
    pupil = Pupil()
    Lesson(pupil, lambda: [("en-GB", "neutral")]).learn(library())
    assert {each.language for each in pupil.learned} >= {"en-US", "es-ES", "en-GB"}
    phrases = {each.phrase for each in pupil.learned[0].examples}
    assert {"undo that", "cancel that last change", "who directed {film}", "elephant"} <= phrases


def test_without_classifiers_it_says_so() -> None:
    assert Lesson().state == "by their words alone"
    Lesson().learn(library())
