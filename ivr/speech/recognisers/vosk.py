"""Speech recognition by Vosk (Kaldi): any language whose model lies in ``<vosk_models>/<language>/``.

One shared model a language, one recogniser an utterance; the library releases the GIL. A wrong JSON grammar segfaults
the process, so that it is built here and nowhere else; words the model lacks are left out and reported. Models without
an ``[unk]`` word map everything into the grammar with confidence 1: for those the likelihood along the grammar is held
against that of the free transcript, and what the free transcript reads otherwise is asked about at best.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from ivr.dialogue.spoken.codes import letter_names
from ivr.dialogue.spoken.language import primary
from ivr.dialogue.spoken.languages import LANGUAGES
from ivr.dialogue.spoken.normalisation import digit_names
from ivr.dialogue.understanding.speech_grammar import CharacterRun, Pieces, SpeechGrammar, filled, slot_names
from ivr.errors import SpeechUnavailable
from ivr.events import Accept, Hypothesis, Recognition
from ivr.speech.recognisers.judgement import concluded
from ivr.speech.vendors import is_vosk_model
from ivr.speech.worker.engines import TELEPHONE_RATE, Cancelled, Samples, never

UNKNOWN = "[unk]"
_RATE = 16000
_FRAMES_PER_SECOND = 100 / 3  # frame subsampling of Vosk's chain models
_NBEST = 5
_CHUNK = 3200  # samples between looks at ``cancelled``
_GRAMMARS = 64
_PHRASES = 8000  # of a grammar, templates multiplied out: Vosk takes no slots
_ACCEPT, _CONFIRM = 0.8, 0.5
_IN_DOUBT = 0.79  # the most that a model without [unk] says of words that it would not write down unled
_SLACK = 2  # how much more than its equal share of them a template may take, if that completes it
_NEAR, _FAR = 0.16, 0.3  # nats a frame that the free transcript may be better by: accept, confirm
# Of languages that only Vosk knows.
_DIGITS = {"ko": dict(zip("영일이삼사오육칠팔구공", "01234567890", strict=True))}


@dataclass(frozen=True, slots=True)
class Compiled:
    """``json``: the grammar as Vosk takes it; ``indices``: phrase as Vosk writes it -> index in our grammar, None for
    what came of a template."""

    json: str
    indices: dict[str, int | None]
    digits: dict[str, str]
    run: CharacterRun | None
    unknown: tuple[str, ...]


class VoskRecogniser:
    """One language. ``directory`` holds its model."""

    name = "vosk"

    def __init__(self, directory: Path, language: str) -> None:
        self._directory = directory
        self._language = language
        self._model: Any = None
        self._vosk: Any = None
        self._has_unknown = False
        self._grammar: Callable[[SpeechGrammar], Compiled] = lru_cache(_GRAMMARS)(self._make)

    @property
    def languages(self) -> tuple[str, ...]:
        return (self._language,)

    def load(self) -> None:
        if not is_vosk_model(self._directory):
            raise SpeechUnavailable(f"{self._directory} holds no Vosk model", remedy="ivr models get NAME")
        import vosk

        vosk.SetLogLevel(-2)  # its warnings repeat for every utterance; what matters is reported by compile
        try:
            self._model = vosk.Model(model_path=str(self._directory))
        except Exception as error:  # Vosk raises the bare class
            raise SpeechUnavailable(f"Vosk cannot read {self._directory}", remedy="fetch the model again") from error
        self._vosk = vosk
        self._has_unknown = self.knows(UNKNOWN)

    def knows(self, word: str) -> bool:
        return int(self._model.vosk_model_find_word(word)) >= 0

    def compile(self, grammar: SpeechGrammar) -> Sequence[str]:
        return self._grammar(grammar).unknown

    def _make(self, grammar: SpeechGrammar) -> Compiled:
        indices: dict[str, int | None] = {}
        unknown: dict[str, None] = {}
        phrases: list[tuple[int | None, str]] = [*enumerate(grammar.phrases)]
        phrases += [(None, phrase) for phrase in expanded(grammar, _PHRASES - len(phrases))]
        for index, phrase in phrases:
            words = phrase.replace('"', " ").split()
            missing = [w for w in words if not self.knows(w)]
            unknown.update(dict.fromkeys(missing))
            if words and not missing:
                indices.setdefault(" ".join(words), index)
        digits: dict[str, str] = {}
        if grammar.run is not None:
            known = LANGUAGES.get(primary(grammar.language))
            named = digit_names(known) if known is not None else _DIGITS.get(primary(grammar.language), {})
            if grammar.run.patterns and known is not None:
                named = {**letter_names(known), **named}
            digits = {word: digit for word, digit in named.items() if self.knows(word)}
        entries = [*indices, *digits, UNKNOWN] if self._has_unknown else [*indices, *digits]
        # An empty list would crash the process: then there is no grammar pass at all.
        text = json.dumps(entries, ensure_ascii=False) if indices or digits else ""
        return Compiled(text, indices, digits, grammar.run, tuple(unknown))

    def recognise(
        self,
        speech: Samples,
        grammar: SpeechGrammar,
        cancelled: Callable[[], bool] = never,
        *,
        hurried: Callable[[], bool] = never,
    ) -> Recognition:
        if self._model is None:
            raise SpeechUnavailable("vosk is not loaded", remedy="call load first")
        started, duration_s = time.perf_counter(), len(speech) / TELEPHONE_RATE
        compiled = self._grammar(grammar)
        wide = soxr.resample(speech, TELEPHONE_RATE, _RATE)
        pcm = (np.clip(wide, -1.0, 1.0) * 32767).astype("<i2").tobytes()
        words: dict[str, Any] = {"text": ""}
        if compiled.json:
            words = self._run(pcm, compiled.json, cancelled, alternatives=0)[0]
        heard = words
        # The free pass costs most (a second for a big model): only where the grammar's answer does not stand alone.
        if not (self._has_unknown and _sureness(words) >= _ACCEPT and words["text"] in compiled.indices):
            heard = self._run(pcm, "", cancelled, alternatives=1)[0]
        nbest: tuple[Hypothesis, ...] = ()
        # Entries are looped through: without one whole phrase, or digits, in them the n-best holds none either.
        if words["text"]:
            ranked = self._run(pcm, compiled.json, cancelled, alternatives=_NBEST)
            nbest = self._judged(compiled, words, ranked, heard, max(1.0, duration_s * _FRAMES_PER_SECOND))
        transcript = " ".join(w for w in str(heard["text"]).split() if w != UNKNOWN)
        return concluded(nbest, transcript, duration_s, time.perf_counter() - started, self.name)

    def _run(
        self, pcm: bytes, grammar: str, cancelled: Callable[[], bool], *, alternatives: int
    ) -> list[dict[str, Any]]:
        make = self._vosk.KaldiRecognizer
        recogniser = make(self._model, _RATE, grammar) if grammar else make(self._model, _RATE)
        recogniser.SetMaxAlternatives(alternatives)
        recogniser.SetWords(True)
        results: list[list[dict[str, Any]]] = []
        for at in range(0, len(pcm), 2 * _CHUNK):
            if cancelled():
                raise Cancelled
            # True: Vosk's own endpointer closed a segment in the middle; ours is the one that counts
            if recogniser.AcceptWaveform(pcm[at : at + 2 * _CHUNK]):
                results.append(_alternatives(recogniser.Result()))
        results.append(_alternatives(recogniser.FinalResult()))
        spoken = [r for r in results if r and r[0]["text"]]
        if len(spoken) <= 1:
            return spoken[0] if spoken else results[-1]
        joined = [r[0] for r in spoken]
        return [
            {
                "text": " ".join(str(j["text"]) for j in joined),
                "confidence": sum(float(j.get("confidence", 0.0)) for j in joined),
                "result": [w for j in joined for w in j.get("result", [])],
            }
        ]

    def _judged(
        self,
        compiled: Compiled,
        words: dict[str, Any],
        ranked: list[dict[str, Any]],
        heard: dict[str, Any],
        frames: float,
    ) -> tuple[Hypothesis, ...]:
        sure = _sureness(words)
        best = float(ranked[0].get("confidence", 0.0)) if ranked else 0.0
        out: list[Hypothesis] = []
        for alternative in ranked:
            text, index = _matched(compiled, str(alternative["text"]))
            if text is None or any(h.text == text for h in out):
                continue
            behind = max(0.0, best - float(alternative.get("confidence", 0.0)))
            if str(alternative["text"]) == str(words.get("text", "")):
                confidence = sure
            else:
                confidence = min(0.5, sure) * float(np.exp(-behind))
            if not self._has_unknown:
                worse = (float(heard.get("confidence", 0.0)) - float(alternative.get("confidence", 0.0))) / frames
                confidence *= float(np.clip(1.0 - (worse - _NEAR) / (_FAR - _NEAR), 0.0, 1.0))
                if "".join(str(heard["text"]).split()) != "".join(str(alternative["text"]).split()):
                    confidence = min(confidence, _IN_DOUBT)
            confidence = min(confidence, out[-1].confidence if out else 1.0)
            out.append(Hypothesis(text, round(confidence, 3), index, _verdict(confidence)))
        return tuple(out)


def expanded(grammar: SpeechGrammar, room: int) -> Iterator[str]:
    """The phrases of the grammar's templates, each once, at most ``room``.

    Small templates go first, up to twice an equal share; the large get what is left, and their widest slot is narrowed
    from the end: values come the likeliest first."""
    values = dict(grammar.slots)
    known = set(grammar.phrases)
    jobs: list[tuple[int, Pieces, list[tuple[str, ...]]]] = []
    for template in grammar.templates:
        choices = [values.get(name, ()) for name in slot_names(template)]
        if size := prod(len(choice) for choice in choices):
            jobs.append((size, template, choices))
    jobs.sort(key=lambda job: job[0])
    left = room
    for done, (_, template, choices) in enumerate(jobs):
        share = min(left, _SLACK * left // (len(jobs) - done))
        for combination in product(*_narrowed(choices, share)):
            phrase = filled(template, combination)
            if len(set(combination)) == len(combination) and phrase not in known:
                known.add(phrase)
                left -= 1
                yield phrase


def _narrowed(choices: list[tuple[str, ...]], share: int) -> list[tuple[str, ...]]:
    """As much of each choice as fits; nothing at all when nothing does."""
    sizes = [len(choice) for choice in choices]
    while prod(sizes) > share:
        widest = sizes.index(max(sizes))
        if sizes[widest] <= 1:
            return [()]
        sizes[widest] = max(1, min(sizes[widest] - 1, sizes[widest] * 9 // 10))
    return [choice[:size] for choice, size in zip(choices, sizes, strict=True)]


def _matched(compiled: Compiled, text: str) -> tuple[str | None, int | None]:
    """Vosk loops through the grammar's entries: only a single whole phrase, or digits, counts."""
    if text in compiled.indices:
        return text, compiled.indices[text]
    spoken = text.split()
    if compiled.run and spoken and all(w in compiled.digits for w in spoken):
        digits = "".join(compiled.digits[w] for w in spoken)
        if compiled.run.fits(digits):
            return digits, None
    return None, None


def _sureness(result: dict[str, Any]) -> float:
    """Mean of the words' confidences."""
    levels = [float(w.get("conf", 0.0)) for w in result.get("result", [])]
    return float(np.mean(levels)) if levels else 0.0


def _verdict(confidence: float) -> Accept:
    if confidence >= _ACCEPT:
        return Accept.ACCEPT
    return Accept.CONFIRM if confidence >= _CONFIRM else Accept.REJECT


def _alternatives(text: str) -> list[dict[str, Any]]:
    value = json.loads(text)
    return list(value["alternatives"]) if "alternatives" in value else [value]
