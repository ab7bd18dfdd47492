"""pyttsx3 with espeak-ng (synthesis, some hundred languages): its version, its data files, its voices by language."""

from __future__ import annotations

import ctypes.util
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from ivr.dialogue.spoken.tags import primary
from ivr.errors import SpeechUnavailable

_SYSTEM_DATA = (
    "/usr/lib/x86_64-linux-gnu/espeak-ng-data",
    "/usr/lib/aarch64-linux-gnu/espeak-ng-data",
    "/usr/share/espeak-ng-data",
)


def version() -> str:
    """The wheel's."""
    return metadata.version("pyttsx3")


def data_directory() -> Path:
    """Where espeak-ng's voices are: the wheel ``espeakng-loader``, or the system's. Raises SpeechUnavailable."""
    spec = find_spec("espeakng_loader")
    if spec is not None and spec.origin is not None:
        found = Path(spec.origin).parent / "espeak-ng-data"
        if found.is_dir():
            return found
    if ctypes.util.find_library("espeak-ng"):
        for place in _SYSTEM_DATA:
            if Path(place).is_dir():
                return Path(place)
    raise SpeechUnavailable(
        "espeak-ng is missing", remedy="pip install 'ivr[espeak]', or install the espeak-ng package"
    )


def languages() -> tuple[str, ...]:
    """Language codes that espeak-ng speaks, as its data files name them. Raises SpeechUnavailable."""
    return tuple(sorted(f.name for f in (data_directory() / "lang").rglob("*") if f.is_file()))


def voice_for(language: str, known: tuple[str, ...]) -> str:
    """espeak's voice of a BCP 47 tag: exact ("en-us"), else the region's family, else the language ("es")."""
    by_lower = {k.lower(): k for k in known}
    tag = language.lower().replace("_", "-")
    if tag in by_lower:
        return by_lower[tag]
    if primary(tag) == "es" and tag not in ("es", "es-es") and "es-419" in by_lower:
        return by_lower["es-419"]
    if primary(tag) in by_lower:
        return by_lower[primary(tag)]
    family = sorted(k for k in known if primary(k) == primary(tag))
    if family:
        return family[0]
    raise SpeechUnavailable(f"espeak-ng does not speak {language}", remedy="record the prompts in audio/")
