"""The lesson: what a version's callers may say is learned before any call gets that version."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import date

from ivr.dialogue.engine.compilation import compiled
from ivr.dialogue.engine.variables import prepare_slots
from ivr.dialogue.flows.library import FlowLibrary
from ivr.dialogue.understanding.classifier import LearningClassifiers


class Lesson:
    """``classifiers`` None: paraphrases are read by their words alone. ``voices``: (language, persona) of everybody who
    can call, besides those that the files name. ``state`` says for people by what paraphrases are read."""

    def __init__(
        self,
        classifiers: LearningClassifiers | None = None,
        voices: Callable[[], Collection[tuple[str, str]]] = tuple,
        state: str = "by their words alone",
    ) -> None:
        self.classifiers = classifiers
        self._voices = voices
        self.state = state

    def learn(self, library: FlowLibrary) -> None:
        """Compile a version and fit what its calls will ask. Takes seconds the first time: not for the event loop."""
        shared = compiled(library, self.classifiers)
        for language, persona in dict.fromkeys((*library.voices, *self._voices())):
            words = shared.wordings(language, persona)
            prepare_slots(library.flows.values(), words, date.today())
            if self.classifiers is not None:
                self.classifiers.learn(words.training)
