"""Text-to-speech by Hibari: a natural neural English voice at 24 kHz, about 100 times faster than speech.

Only the bundled voice is used unless another one already lies in Hibari's own cache: nothing is ever downloaded here.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ivr.dialogue.spoken.language import served
from ivr.errors import SpeechUnavailable
from ivr.speech.vendors import HIBARI_LANGUAGES
from ivr.speech.worker.engines import Samples

_KEYS = {"*": "star", "#": "pound"}
_TELEPHONE = re.compile(r"(?<![\d-])(?:1-)?(?:(\d{3})-)?(\d{3})-(\d{4})(?![\d-])")
_LONG_DIGITS = re.compile(r"(?<![\d.,:$])(?:\d{5,}|0\d+)(?![\d.,:]*\d)")  # "0199" is not one hundred ninety-nine
_INITIALS = re.compile(r"\b(?:[A-Z]\.){2,}")
_HASH_NUMBER = re.compile(r"#(\d+)")
_LONE_KEY = re.compile(r"(?<!\w)([*#])(?!\w)")


def said(text: str) -> str:
    """``text`` with long digit strings and initials read one by one, and ``*`` and ``#`` as keys."""
    text = _HASH_NUMBER.sub(r"number \1", text)
    text = _LONE_KEY.sub(lambda m: _KEYS[m.group(1)], text)
    text = _TELEPHONE.sub(lambda m: ", ".join(" ".join(g) for g in m.groups() if g), text)
    text = _INITIALS.sub(lambda m: " ".join(m.group().replace(".", " ").split()), text)
    return _LONG_DIGITS.sub(lambda m: ", ".join(" ".join(g) for g in _groups(m.group())), text)


def _groups(digits: str) -> list[str]:
    size = 2 if len(digits) == 4 else 3
    return [digits[i : i + size] for i in range(0, len(digits), size)]


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
