"""Classifiers by what they were fitted on: in memory, on disk, or fitted now."""

from __future__ import annotations

import threading
import time
import zipfile
from collections import OrderedDict
from pathlib import Path

import structlog

from ivr.dialogue.understanding.classifier import NONE, TrainingSet
from ivr.embedding.classifier import FittedClassifier, classifier_key, fit
from ivr.embedding.encoder import Encoder

log = structlog.get_logger(__name__)

MOST_KEPT = 16  # in memory, a megabyte each
MOST_STORED = 32  # on disk


class StoredClassifiers:
    """``cache``: where they are kept, None for nowhere. ``on_demand``: ``of`` fits what isn't yet, which takes seconds;
    a line fits ahead instead (``learn``), and never while somebody talks."""

    def __init__(self, encoder: Encoder, cache: Path | None, *, on_demand: bool) -> None:
        self._encoder, self._cache, self._on_demand = encoder, cache, on_demand
        self._known: OrderedDict[str, FittedClassifier] = OrderedDict()
        self._one_at_a_time = threading.Lock()

    def of(self, training: TrainingSet) -> FittedClassifier | None:
        if self._on_demand:
            return self.learn(training)
        return self._known.get(classifier_key(training, self._encoder.key))

    def learn(self, training: TrainingSet) -> FittedClassifier | None:
        """Fit, unless that was done before: seconds, not for an event loop. None where the language has no background:
        then nothing would be rejected."""
        if not any(example.intent == NONE for example in training.examples):
            return None
        key = classifier_key(training, self._encoder.key)
        with self._one_at_a_time:
            found = self._known.get(key) or self._stored(key)
            if found is None:
                began = time.perf_counter()
                found = fit(training, self._encoder)
                took_s = round(time.perf_counter() - began, 3)
                log.info("classifier.fitted", key=key, language=training.language, took_s=took_s)
                self._store(found)
            self._known[key] = found
            while len(self._known) > MOST_KEPT:
                self._known.popitem(last=False)
        return found

    def _stored(self, key: str) -> FittedClassifier | None:
        if self._cache is None:
            return None
        path = self._cache / f"{key}.npz"
        try:
            return FittedClassifier.from_bytes(key, self._encoder, path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            log.warning("classifier.unreadable", path=str(path), error=str(error))
            return None

    def _store(self, made: FittedClassifier) -> None:
        if self._cache is None:
            return
        try:
            self._cache.mkdir(parents=True, exist_ok=True)
            part = self._cache / f".{made.key}.{threading.get_ident()}.part"
            part.write_bytes(made.to_bytes())
            part.replace(self._cache / f"{made.key}.npz")
            kept = sorted(self._cache.glob("*.npz"), key=lambda path: path.stat().st_mtime, reverse=True)
            for old in kept[MOST_STORED:]:
                old.unlink(missing_ok=True)
        except OSError as error:  # it is fitted again at the next start
            log.warning("classifier.not_stored", folder=str(self._cache), error=str(error))
