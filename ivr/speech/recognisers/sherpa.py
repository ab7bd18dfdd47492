"""Speech recognition by sherpa-onnx: any language whose published model lies in ``<sherpa_models>/<language>/``.

It hears freely, a transducer with the grammar's names and phrases as hotwords, and what it writes is held against the
grammar. Models that give no score write "yeah" and "mm-hmm" of other people's talk, so that a word or two are heard
again in a little noise: what was said stays, what wasn't becomes something else.

The library ends its process on a model that it cannot read. Each is tried in a process of its own before it is loaded
into one that others depend on: ``python -m ivr.speech.recognisers.sherpa FOLDER LANGUAGE``.
"""

from __future__ import annotations

import math
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import soxr

from ivr.dialogue.understanding.speech_grammar import SpeechGrammar
from ivr.errors import SpeechUnavailable
from ivr.events import Accept, Recognition
from ivr.extras import installing
from ivr.speech.model_folder import model_in
from ivr.speech.recognisers.free_transcript import Expected, doubted
from ivr.speech.recognisers.hotwords import expected
from ivr.speech.recognisers.judgement import concluded
from ivr.speech.recognisers.sherpa_ears import RATE, Ear, ear
from ivr.speech.worker.engines import TELEPHONE_RATE, Samples, never

_LEAST = RATE // 2  # samples: encoders take no less
_GRAMMARS = 64
# On clips of every noise (tests/eval, tuning) 13 of 27 so brief were other people's talk, of longer ones 0 of 7.
_BRIEF = 2  # words
_DISTURBANCE = 0.1  # noise to voice: one of the 13 stays
_TRIAL_S = 300.0  # a big model from a slow disk
_TOLD = 300  # characters of what the library says of a model


class SherpaRecogniser:
    """One language. ``directory`` holds its model."""

    name = "sherpa"

    def __init__(self, directory: Path, language: str) -> None:
        self._directory = directory
        self._language = language
        self._ear: Ear | None = None
        self._compiled: Callable[[SpeechGrammar], tuple[Expected, str]] = lru_cache(_GRAMMARS)(self._compile)

    @property
    def languages(self) -> tuple[str, ...]:
        return (self._language,)

    def load(self) -> None:
        if find_spec("sherpa_onnx") is None:
            raise SpeechUnavailable("sherpa-onnx is not installed", remedy=installing("sherpa"))
        model = model_in(self._directory)
        self._try()
        self._ear = ear(model, self._language)

    def _try(self) -> None:
        """Raises SpeechUnavailable with what the library said of the model."""
        command = (sys.executable, "-m", __spec__.name, str(self._directory), self._language)
        try:
            tried = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_TRIAL_S)  # noqa: S603 our own module
        except subprocess.TimeoutExpired as error:
            told = f"it had not loaded after {_TRIAL_S:g} s"
            raise SpeechUnavailable(f"{self._directory}: {told}", remedy="choose a smaller model") from error
        if tried.returncode:
            told = " ".join((tried.stderr or tried.stdout).split())[-_TOLD:] or f"it ended with {tried.returncode}"
            raise SpeechUnavailable(
                f"sherpa-onnx cannot load {self._directory}: {told}", remedy="fetch the model again, or choose another"
            )

    def compile(self, grammar: SpeechGrammar) -> Sequence[str]:
        self._compiled(grammar)
        return ()

    def _compile(self, grammar: SpeechGrammar) -> tuple[Expected, str]:
        spelling = self._loaded().hotwords
        return Expected(grammar), spelling.spelt(expected(grammar)) if spelling is not None else ""

    def _loaded(self) -> Ear:
        if self._ear is None:
            raise SpeechUnavailable("sherpa is not loaded", remedy="call load first")
        return self._ear

    def recognise(
        self,
        speech: Samples,
        grammar: SpeechGrammar,
        cancelled: Callable[[], bool] = never,
        *,
        hurried: Callable[[], bool] = never,
    ) -> Recognition:
        started, duration_s = time.perf_counter(), len(speech) / TELEPHONE_RATE
        heard_for, hotwords = self._compiled(grammar)
        samples = _widened(speech)
        written = self._loaded().write(samples, hotwords, cancelled)
        clarity: float | None = None
        if written.log_probs:
            clarity = round(min(1.0, math.exp(sum(written.log_probs) / len(written.log_probs))), 3)
        nbest = heard_for.judged(written.text, clarity)
        if clarity is None and nbest and nbest[0].verdict is Accept.ACCEPT and nbest[0].text.count(" ") < _BRIEF:
            again = self._loaded().write(_disturbed(samples), hotwords, cancelled)
            if not heard_for.same(written.text, again.text):
                nbest = (doubted(nbest[0]),)
        took_s = time.perf_counter() - started
        found = concluded(nbest, written.text, duration_s, took_s, self.name)
        return replace(found, clarity=clarity, transcribed=True)


def _widened(speech: Samples) -> Samples:
    samples = np.asarray(soxr.resample(speech, TELEPHONE_RATE, RATE), dtype=np.float32)
    return np.pad(samples, (0, max(0, _LEAST - len(samples))))


def _disturbed(samples: Samples) -> Samples:
    level = _DISTURBANCE * float(np.sqrt(np.mean(samples**2)))
    return samples + np.random.default_rng(0).normal(0.0, level, len(samples)).astype(np.float32)


def main(directory: str, language: str) -> None:
    """The trial: loaded, and asked to write down a second of next to nothing, where anything may be expected."""
    noise = np.random.default_rng(0).normal(0.0, 1e-3, RATE).astype(np.float32)
    loaded = ear(model_in(Path(directory)), language)
    hotwords = loaded.hotwords.spelt(sorted(loaded.hotwords.characters)) if loaded.hotwords is not None else ""
    loaded.write(noise, hotwords, never)


if __name__ == "__main__":
    main(*sys.argv[1:])
