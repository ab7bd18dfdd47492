"""The intent classifier: a linear one over a sentence's embedding and its hashed words, pairs of words and concepts."""

from __future__ import annotations

import hashlib
import io
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ivr.dialogue.understanding.classifier import NONE, Confusion, Sentence, Thresholds, TrainingSet
from ivr.dialogue.understanding.taught import Taught
from ivr.embedding.encoder import Encoder
from ivr.embedding.linear import Floats, chances, fitted

FITTING = "3"  # raise when anything changes that a fitted classifier depends on: those kept are then made anew
HASHED = 2048
DENSE, SPARSE = 4.0, 1.5  # how much the two halves of a row count
ASKED_ABOUT = 0.2  # of the background, left out
STEPS = (
    (0.1, 0.2),
    (0.1, 0.3),
    (0.15, 0.4),
    (0.15, 0.5),
    (0.2, 0.65),
    (0.2, 0.8),
    (0.25, 1.0),
    (0.3, 1.0),
    (0.35, 1.0),
    (0.4, 1.5),
    (0.4, 2.0),
    (0.5, 2.0),
    (0.6, 3.0),
)
MOST_KEPT = 64


def classifier_key(training: TrainingSet, encoder_key: str) -> str:
    content = "\0".join((FITTING, training.digest, encoder_key))
    return hashlib.blake2s(content.encode(), digest_size=12).hexdigest()


@dataclass(frozen=True, eq=False)
class FittedClassifier:
    """``weights`` [DENSE + HASHED, classes]; ``background`` [sentences, classes]: scores of the background, left out.
    ``confusions``: of the training set, the surest first."""

    key: str
    encoder: Encoder
    classes: tuple[str, ...]
    weights: Floats
    bias: Floats
    idf: Floats
    sharp: float
    background: Floats
    confusions: tuple[Confusion, ...] = ()
    denying: frozenset[str] = frozenset()
    taught: Taught = field(default_factory=lambda: Taught("", frozenset(), ()))
    _thresholds: dict[frozenset[str], Thresholds] = field(default_factory=dict)
    _likened: dict[str, Floats] = field(default_factory=dict)

    def probabilities(self, sentence: Sentence, intents: frozenset[str]) -> Mapping[str, float]:
        scores = self.encoder(sentence.text) * np.float32(DENSE) @ self.weights[: self.encoder.width] + self.bias
        places, counts = _hashed(sentence.features)
        row = counts * self.idf[places]
        row *= SPARSE / max(float(np.linalg.norm(row)), 1e-6)
        scores = scores + row @ self.weights[self.encoder.width + places]
        active = self._active(intents)
        shares = chances(scores[active], self.sharp)
        return {self.classes[place]: float(share) for place, share in zip(active, shares, strict=True)}

    def thresholds(self, intents: frozenset[str]) -> Thresholds:
        """The lowest with which no more of the left-out background than is allowed would be asked about."""
        if intents not in self._thresholds:
            if len(self._thresholds) >= MOST_KEPT:
                self._thresholds.clear()
            self._thresholds[intents] = self._fitted_thresholds(intents)
        return self._thresholds[intents]

    def likeness(self, text: str, others: Sequence[str]) -> Sequence[float]:
        asked = self.encoder(text)
        for other in others:
            if other not in self._likened:
                self._likened[other] = self.encoder(other)
        return [float(self._likened[other] @ asked) for other in others]

    def _active(self, intents: frozenset[str]) -> list[int]:
        return [place for place, name in enumerate(self.classes) if name in intents or name == NONE]

    def _fitted_thresholds(self, intents: frozenset[str]) -> Thresholds:
        active = self._active(intents)
        none = active.index(self.classes.index(NONE))
        shares = chances(self.background[:, active], self.sharp)
        best = np.delete(shares, none, 1).max(1, initial=0.0)
        for accept, odds in STEPS:
            if ((best >= accept) & (best >= odds * shares[:, none])).mean() <= ASKED_ABOUT:
                break
        return Thresholds(accept, odds)

    def to_bytes(self) -> bytes:
        out = io.BytesIO()
        notes = np.array([(c.phrase, c.intent, c.taken_for, str(c.chance)) for c in self.confusions], str)
        np.savez_compressed(
            out, classes=np.array(self.classes), weights=self.weights, bias=self.bias, idf=self.idf,
            sharp=np.array(self.sharp), background=self.background, confusions=notes,
            denying=np.array(sorted(self.denying), str), language=np.array(self.taught.language),
            known=np.array("\n".join(sorted(self.taught.known))), runs=np.array("\n".join(self.taught.runs)),
        )  # fmt: skip
        return out.getvalue()

    @classmethod
    def from_bytes(cls, key: str, encoder: Encoder, data: bytes) -> FittedClassifier:
        """Raises ValueError, KeyError, OSError or zipfile.BadZipFile for what ``to_bytes`` did not write."""
        with np.load(io.BytesIO(data), allow_pickle=False) as kept:
            known, runs = (tuple(str(kept[name]).split("\n")) for name in ("known", "runs"))
            taught = Taught(str(kept["language"]), frozenset(known), runs)
            notes = tuple(Confusion(p, i, t, float(c)) for p, i, t, c in kept["confusions"].reshape(-1, 4).tolist())
            return cls(
                key, encoder, tuple(kept["classes"].tolist()), kept["weights"], kept["bias"], kept["idf"],
                float(kept["sharp"]), kept["background"], notes, frozenset(kept["denying"].tolist()), taught,
            )  # fmt: skip


def fit(training: TrainingSet, encoder: Encoder) -> FittedClassifier:
    """Embeds every example: about a second for a thousand. Deterministic."""
    examples = training.examples
    classes = tuple(sorted({NONE, *(each.intent for each in examples)}))
    truth = np.array([classes.index(each.intent) for each in examples])
    phrases = {pair: place for place, pair in enumerate(dict.fromkeys((e.intent, e.phrase) for e in examples))}
    groups = np.array([phrases[each.intent, each.phrase] for each in examples])
    counts = np.zeros((len(examples), HASHED), np.float32)
    for row, each in enumerate(examples):
        places, said = _hashed(each.sentence.features)
        counts[row, places] = said
    idf = np.log(1 + len(examples) / (1 + (counts > 0).sum(0))).astype(np.float32)
    sparse = counts * idf
    sparse *= SPARSE / np.maximum(np.linalg.norm(sparse, axis=1, keepdims=True), 1e-6)
    dense = np.array([encoder(each.sentence.text) for each in examples], np.float32) * np.float32(DENSE)
    linear = fitted(np.hstack([dense, sparse]), truth, groups, len(classes))
    found = tuple(_confusions(training, classes, truth, linear.left_out, linear.sharp))
    return FittedClassifier(
        classifier_key(training, encoder.key), encoder, classes, linear.weights, linear.bias, idf, linear.sharp,
        linear.left_out[truth == classes.index(NONE)], found, training.denying, training.taught,
    )  # fmt: skip


def _confusions(
    training: TrainingSet, classes: Sequence[str], truth: Any, left_out: Floats, sharp: float
) -> Iterator[Confusion]:
    shares = chances(left_out, sharp)
    taken, seen = shares.argmax(1), set()
    for row in np.argsort(-shares.max(1), kind="stable"):
        each = training.examples[row]
        if taken[row] != truth[row] and (each.intent, each.phrase) not in seen:
            seen.add((each.intent, each.phrase))
            yield Confusion(each.phrase, each.intent, classes[taken[row]], round(float(shares[row].max()), 3))


def _hashed(features: Sequence[str]) -> tuple[Any, Floats]:
    """The places of the features among HASHED, each once, and how often each was said."""
    counted: dict[int, int] = {}
    for name in features:
        place = zlib.crc32(name.encode()) % HASHED
        counted[place] = counted.get(place, 0) + 1
    return np.fromiter(counted.keys(), np.intp, len(counted)), np.fromiter(counted.values(), np.float32, len(counted))
