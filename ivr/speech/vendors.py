"""What is installed of each vendor: languages, voices, where its files are. Loads no engine and no numpy."""

from __future__ import annotations

import ctypes.util
import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from ivr.dialogue.spoken.language import primary
from ivr.errors import SpeechUnavailable

MOONSHINE_LANGUAGES = HIBARI_LANGUAGES = ("en",)
_ESPEAK_DATA = (
    "/usr/lib/x86_64-linux-gnu/espeak-ng-data",
    "/usr/lib/aarch64-linux-gnu/espeak-ng-data",
    "/usr/share/espeak-ng-data",
)


def package(name: str) -> Path | None:
    """The folder of an installed package, found without importing it."""
    spec = find_spec(name)
    return Path(spec.origin).parent if spec is not None and spec.origin is not None else None


def moonshine_weights() -> Path:
    """Where the wheel ``moonshine-voice`` keeps tiny-en. Raises SpeechUnavailable."""
    folder = package("moonshine_voice")
    weights = folder and folder / "assets" / "tiny-en"
    if weights is None or not (weights / "encoder_model.ort").is_file():
        raise SpeechUnavailable(
            "the Moonshine weights are missing", remedy="pip install moonshine-voice==0.0.73 (later ones lack them)"
        )
    return weights


def vosk_models(root: Path) -> dict[str, Path]:
    """Language -> directory of a usable model: ``root/<language>/``."""
    return {directory.name: directory for directory in sorted(root.glob("*")) if is_vosk_model(directory)}


def is_vosk_model(directory: Path) -> bool:
    """Whether Vosk could load what lies there: it crashes on anything else."""
    return (directory / "am" / "final.mdl").is_file()


@cache
def hibari_voices() -> frozenset[str]:
    """Voices inside the wheel ``hibari-tts``."""
    folder = package("hibari")
    if folder is None:
        return frozenset()
    table = json.loads((folder / "assets" / "voices.json").read_text(encoding="utf-8"))
    return frozenset(name for name, voice in table.items() if voice.get("bundled"))


def espeak_data() -> Path:
    """Where espeak-ng's voices are: the wheel ``espeakng-loader``, or the system's. Raises SpeechUnavailable."""
    folder = package("espeakng_loader")
    places = [folder / "espeak-ng-data"] if folder is not None else []
    if ctypes.util.find_library("espeak-ng"):
        places += map(Path, _ESPEAK_DATA)
    for place in places:
        if place.is_dir():
            return place
    raise SpeechUnavailable(
        "espeak-ng is missing", remedy="pip install 'ivr[espeak]', or install the espeak-ng package"
    )


def espeak_languages() -> tuple[str, ...]:
    """Language codes that espeak-ng speaks, as its data files name them. Raises SpeechUnavailable."""
    return tuple(sorted(f.name for f in (espeak_data() / "lang").rglob("*") if f.is_file()))


def espeak_voice(language: str, known: tuple[str, ...]) -> str:
    """The voice of a BCP 47 tag: exact ("en-us"), else the region's family, else the language ("es").

    Raises SpeechUnavailable."""
    by_lower = {k.lower(): k for k in known}
    tag = language.lower().replace("_", "-")
    american = ("es-419",) if primary(tag) == "es" and tag not in ("es", "es-es") else ()
    for name in (tag, *american, primary(tag)):
        if name in by_lower:
            return by_lower[name]
    family = sorted(k for k in known if primary(k) == primary(tag))
    if family:
        return family[0]
    raise SpeechUnavailable(f"espeak-ng does not speak {language}", remedy="record the prompts in audio/")
