"""Text-to-speech by Hibari: a natural neural English voice at 24 kHz, about 100 times faster than speech.

Only the bundled voice is used unless another one already lies in Hibari's own cache: nothing is ever downloaded here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ivr.dialogue.spoken.language import served
from ivr.errors import SpeechUnavailable
from ivr.speech.synthesisers.reading_text import said
from ivr.speech.vendors import HIBARI_LANGUAGES
from ivr.speech.worker.engines import Samples

_SEED = 7  # of the noise in unvoiced sounds: the same text is the same clip, byte for byte


class HibariSynthesiser:
    """English only. One thread at a time."""

    name = "hibari"

    def __init__(self) -> None:
        self._voices: dict[str, Any] = {}

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
        if not served(language, HIBARI_LANGUAGES):
            raise SpeechUnavailable(f"hibari does not speak {language}", remedy="use pyttsx3 for it")
        model = self._voice(voice)
        samples = np.asarray(model(said(text), seed=_SEED), np.float32)
        if not len(samples):
            raise SpeechUnavailable(f"hibari made nothing of a text of {len(text)} characters", remedy="reword it")
        return samples, int(model.sample_rate)

    def close(self) -> None:
        self._voices.clear()
