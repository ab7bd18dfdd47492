"""Intent classification: what a sentence is compared by, what a classifier learns from, and what is consumed of one.

Whoever can embed sentences implements the two Protocols; without one, paraphrases are read by their words alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from ivr.dialogue.understanding.concepts import negated
from ivr.dialogue.understanding.taught import Taught

NONE = "none"  # the class of what is nothing for this line


@dataclass(frozen=True, slots=True)
class Sentence:
    """``text`` to embed, what was said for slots of titles replaced by a noun; ``features``: what order and opposites
    are told by, which embeddings don't see."""

    text: str
    features: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """``phrase``: the text as it was written, for reports."""

    sentence: Sentence
    intent: str
    phrase: str


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """Everything that one language of one library teaches, each phrase's variants together."""

    language: str
    examples: tuple[Example, ...]

    @cached_property
    def denying(self) -> frozenset[str]:
        """The intents that may be meant by a sentence that denies something ("there's no hurry with …")."""
        return frozenset(
            each.intent for each in self.examples if negated(each.sentence.text.replace("'", "").split(), self.language)
        )

    @cached_property
    def taught(self) -> Taught:
        """Its words."""
        said = [(each.intent, each.sentence.text.replace("'", "").split()) for each in self.examples]
        return Taught.of(
            self.language,
            (words for intent, words in said if intent != NONE),
            (words for intent, words in said if intent == NONE),
        )

    @cached_property
    def digest(self) -> str:
        """The same digest, the same content."""
        content = hashlib.blake2s(self.language.encode(), digest_size=12)
        for each in self.examples:
            row = (each.intent, each.phrase, each.sentence.text, *each.sentence.features)
            content.update("\0".join(row).encode() + b"\n")
        return content.hexdigest()


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What a meaning must reach to be asked about: ``accept`` by itself, ``odds`` against the background."""

    accept: float
    odds: float


@dataclass(frozen=True, slots=True)
class Confusion:
    """A phrase that would be taken for something else, were it not listed. ``chance``: how surely."""

    phrase: str
    intent: str
    taken_for: str
    chance: float


class IntentClassifier(Protocol):
    """Fitted on a training set. Pure and deterministic: the same ``key`` and arguments, the same answer."""

    @property
    def key(self) -> str:
        """Of the training set and the weights."""

    @property
    def denying(self) -> frozenset[str]:
        """Intents of the training set that are also meant by sentences that deny."""

    @property
    def taught(self) -> Taught:
        """The words of the training set."""

    @property
    def confusions(self) -> Sequence[Confusion]:
        """Of the training set, the surest first."""

    def probabilities(self, sentence: Sentence, intents: frozenset[str]) -> Mapping[str, float]:
        """Of each of ``intents`` that it knows, and NONE; their sum is 1."""

    def thresholds(self, intents: frozenset[str]) -> Thresholds:
        """Fitted on the background, where ``intents`` can be meant."""

    def likeness(self, text: str, others: Sequence[str]) -> Sequence[float]:
        """Cosines of ``text`` with each of ``others``, which are kept."""


class Classifiers(Protocol):
    """Those that are fitted already; hashable, by identity."""

    def __hash__(self) -> int: ...

    def of(self, training: TrainingSet) -> IntentClassifier | None: ...


class LearningClassifiers(Classifiers, Protocol):
    """Those that also fit what isn't yet."""

    def learn(self, training: TrainingSet) -> IntentClassifier | None:
        """May take seconds. None where there is too little to learn from."""
