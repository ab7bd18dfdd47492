"""Hibari: a natural neural English voice whose weights are in the wheel; 24 kHz, about 100 times faster than speech.

Only the bundled voice is used unless another one already lies in Hibari's own cache: nothing is ever downloaded here.
"""

from __future__ import annotations

import json
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ivr.dialogue.spoken.tags import same_language
from ivr.errors import SpeechUnavailable
from ivr.speech.synthesisers.reading_text import said
from ivr.speech.worker.engines import Samples

_SEED = 7  # of the noise in unvoiced sounds: the same text is the same clip, byte for byte


def version() -> str:
    return metadata.version("hibari-tts")


def bundled_voices() -> frozenset[str]:
    """Voices inside the wheel, read without importing it."""
    spec = find_spec("hibari")
    if spec is None or spec.origin is None:
        return frozenset()
    table = json.loads((Path(spec.origin).parent / "assets" / "voices.json").read_text(encoding="utf-8"))
    return frozenset(name for name, voice in table.items() if voice.get("bundled"))


class HibariSynthesiser:
    """English only. One thread at a time."""

    name = "hibari"

    def __init__(self) -> None:
        self._voices: dict[str, Any] = {}

    @property
    def version(self) -> str:
        return version()

    def languages(self) -> tuple[str, ...]:
        return ("en",)

    def load(self) -> None:
        self._voice("")("Ready.", seed=_SEED)

    def _voice(self, voice: str) -> Any:
        try:
            from hibari import Hibari
            from hibari.voices import DEFAULT, VOICES, voice_path
        except ImportError as error:
            raise SpeechUnavailable(f"hibari: {error}", remedy="pip install hibari-tts==0.2.1") from error
        name = voice if voice in VOICES else DEFAULT
        if name not in self._voices:
            try:
                model = voice_path(name, download_missing=False)
            except FileNotFoundError:
                return self._voice(DEFAULT)
            self._voices[name] = Hibari(voice=name, model=model)
        return self._voices[name]

    def speak(self, text: str, language: str, voice: str) -> tuple[Samples, int]:
        if not same_language(language, "en"):
            raise SpeechUnavailable(f"hibari does not speak {language}", remedy="use pyttsx3 for it")
        model = self._voice(voice)
        samples = np.asarray(model(said(text), seed=_SEED), np.float32)
        if not len(samples):
            raise SpeechUnavailable(f"hibari made nothing of a text of {len(text)} characters", remedy="reword it")
        return samples, int(model.sample_rate)

    def close(self) -> None:
        self._voices.clear()
