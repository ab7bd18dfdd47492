"""Prompt lengths: how long a text plays, by its recording or by what a synthesiser made of it; else an estimate.

Nothing is rendered here: only what lies on disk is measured.
"""

from __future__ import annotations

import re
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ivr.config import SpeechConfig
from ivr.dialogue.spoken.language import primary, same_language
from ivr.errors import ConfigError
from ivr.speech import vendors
from ivr.speech.prompt_cache import Recordings, clip_key, clip_path, manifest, recording_key, slug

How = Literal["recorded", "rendered", "estimated"]

# Measured on the prompts of the example company, as its voices here speak them: seconds for each character that is
# heard, and for each pause between sentences and clauses.
_CHARACTER_S = {"en": 0.045, "es": 0.052}
_PAUSE_S = 0.3
_PAUSES = re.compile(r"[.,;:!?…]+(?=\s|\Z)")


@dataclass(frozen=True, slots=True)
class Length:
    """``file``: the recording. ``of``: the text that this is a recording of, where that is another one."""

    seconds: float
    how: How
    file: str = ""
    of: str = ""


def estimated(text: str, language: str) -> float:
    heard = sum(character.isalnum() or character == " " for character in text)
    return round(heard * _CHARACTER_S.get(primary(language), 0.05) + _PAUSE_S * len(_PAUSES.findall(text)), 1)


class PromptLengths:
    """Of a line's recordings and its prompt cache, as they are on disk at the moment."""

    def __init__(self, config: SpeechConfig) -> None:
        self._root, self._cache = config.recordings, config.cache
        self._recordings = Recordings(config.recordings)
        self._offers = vendors.synthesiser_offers(config)

    def of(
        self, text: str, language: str, voice: str = "", recording: str = "", earlier: tuple[str, ...] = ()
    ) -> Length:
        """``recording``: the one that a flow names; ``earlier``: what was said in its place before."""
        try:
            path = self._recordings.find(text, language, recording)
        except ConfigError:  # the checker and the log tell of it
            path = None
        if path is not None and (seconds := self._recorded(path)):
            return Length(
                seconds, "recorded", str(path.relative_to(self._root)), self._other_text(path, text, recording)
            )
        file, of = self._left_behind(earlier, language)
        for offer in vendors.synthesisers_for(self._offers, language, voice):
            key = clip_key(text, language, offer.name, offer.version, vendors.voice_of(offer, voice))
            if seconds := self._cached(key):
                return Length(seconds, "rendered", file, of)
        return Length(estimated(text, language), "estimated", file, of)

    def _recorded(self, path: Path) -> float:
        """As it is played, where it was; else as it is."""
        try:
            played = self._cached(recording_key(path.read_bytes()))
        except OSError:
            return 0.0
        return played or _seconds(path)

    def _cached(self, key: str) -> float:
        return _seconds(clip_path(self._cache, key)) or _seconds(clip_path(self._cache, key, said=True))

    def _other_text(self, path: Path, text: str, recording: str) -> str:
        """Which other text a recording that a flow names is of, as ``prompts.toml`` tells."""
        if not recording:
            return ""
        try:
            texts = [said for said, file in manifest(path.parent).items() if file == path.name]
        except ConfigError:  # the checker and the log tell of it
            return ""
        return "" if not texts or text in texts else texts[0]

    def _left_behind(self, earlier: tuple[str, ...], language: str) -> tuple[str, str]:
        """The recording of what was said before, which nobody hears any more, and what it says."""
        for text in earlier:
            folders = (d for d in sorted(self._root.glob("*")) if d.is_dir() and same_language(d.name, language))
            for folder in folders:
                path = folder / f"{slug(text)}.wav"
                if slug(text) and path.is_file():
                    return str(path.relative_to(self._root)), text
        return "", ""


def _seconds(path: Path) -> float:
    """0 for what isn't there, or is no WAV file."""
    try:
        with wave.open(str(path)) as file:
            return round(float(file.getnframes()) / (file.getframerate() or 1), 1)
    except (OSError, wave.Error, EOFError):
        return 0.0
