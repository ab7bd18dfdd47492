"""Vendors: what is installed of each (languages, voices, files), and which serves which language. Loads no engine.

English goes to Moonshine (measured best on 8 kHz speech), every other language to Vosk where
``<vosk_models>/<language>/`` holds a model, or to sherpa-onnx where ``<sherpa_models>/<language>/`` does; Hibari speaks
English, espeak-ng the rest.
"""

from __future__ import annotations

import ctypes.util
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ivr.dialogue.spoken.language import primary, served
from ivr.errors import SpeechUnavailable
from ivr.extras import installing
from ivr.speech.model_folder import model_in, models_in

if TYPE_CHECKING:  # espeak's process starts without it
    from ivr.config import SpeechConfig

MOONSHINE_LANGUAGES = HIBARI_LANGUAGES = ("en",)
MOONSHINE_FILES = ("encoder_model.ort", "decoder_model_merged.ort", "tokenizer.bin")
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
    if weights is None or not all((weights / name).is_file() for name in MOONSHINE_FILES):
        raise SpeechUnavailable(
            "the Moonshine weights are missing", remedy="pip install moonshine-voice==0.0.73 (later ones lack them)"
        )
    return weights


def vosk_models(root: Path) -> dict[str, Path]:
    """Language -> directory of a usable model: ``root/<language>/``."""
    return {directory.name: directory for directory in sorted(root.glob("*")) if is_vosk_model(directory)}


def is_vosk_model(directory: Path) -> bool:
    """Whether Vosk could load what lies there: it crashes on anything else. What may not be looked at is none."""
    return os.access(directory / "am" / "final.mdl", os.R_OK)


@dataclass(frozen=True, slots=True)
class SherpaModels:
    """``usable``: language -> folder; ``troubles``: of what else lies there."""

    usable: Mapping[str, Path]
    troubles: tuple[str, ...]


def sherpa_models(root: Path) -> SherpaModels:
    """What lies in ``root/<language>/`` for sherpa-onnx."""
    usable: dict[str, Path] = {}
    troubles: list[str] = []
    for language, folder in models_in(root).items():
        try:
            model_in(folder)
        except SpeechUnavailable as error:
            troubles.append(str(error))
        else:
            usable[language] = folder
    return SherpaModels(usable, tuple(troubles))


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
    if folder is not None and (data := folder / "espeak-ng-data").is_dir():
        return data
    if ctypes.util.find_library("espeak-ng"):  # which asks a compiler and a linker
        for place in map(Path, _ESPEAK_DATA):
            if place.is_dir():
                return place
    raise SpeechUnavailable("espeak-ng is missing", remedy=f"{installing('espeak')}, or install the espeak-ng package")


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


@dataclass(frozen=True, slots=True)
class Offer:
    """One vendor as found: ``languages`` it could serve, or what is wrong in ``detail``."""

    name: str
    version: str
    languages: tuple[str, ...]
    detail: str = ""


def recogniser_offers(config: SpeechConfig) -> list[Offer]:
    """In the order of preference for ``auto``."""
    offers: list[Offer] = []
    if config.recogniser in ("auto", "moonshine"):
        try:
            moonshine_weights()
            offers.append(Offer("moonshine", version("moonshine-voice"), MOONSHINE_LANGUAGES))
        except SpeechUnavailable as error:
            offers.append(Offer("moonshine", "", (), str(error)))
    if config.recogniser in ("auto", "vosk"):
        models = vosk_models(config.vosk_models)
        detail = "" if models else f"no model under {config.vosk_models} (ivr models get NAME)"
        offers.append(Offer("vosk", version("vosk"), tuple(models), detail))
    if config.recogniser in ("auto", "sherpa") and (offer := _sherpa(config)) is not None:
        offers.append(offer)
    return offers


def _sherpa(config: SpeechConfig) -> Offer | None:
    """None where nobody wants it: it isn't asked for, and there is no model."""
    root = config.sherpa_models
    models = sherpa_models(root)
    if not (models.usable or models.troubles):
        if config.recogniser == "auto":
            return None
        return Offer("sherpa", "", (), f"no folder under {root} holds a model: each is named by its language")
    if package("sherpa_onnx") is None:
        return Offer("sherpa", "", (), f"{root} holds models for sherpa-onnx, which is missing: {installing('sherpa')}")
    return Offer("sherpa", version("sherpa-onnx"), tuple(models.usable), "; ".join(models.troubles))


def recogniser_for(offers: Sequence[Offer], language: str) -> str | None:
    """The vendor's name, or None: such calls are led by keys."""
    return next((o.name for o in offers if served(language, o.languages)), None)


def synthesiser_offers(config: SpeechConfig) -> list[Offer]:
    """In the order of preference for ``auto``."""
    offers: list[Offer] = []
    if config.synthesiser in ("auto", "hibari"):
        offers.append(Offer("hibari", version("hibari-tts"), HIBARI_LANGUAGES))
    if config.synthesiser in ("auto", "pyttsx3"):
        try:
            offers.append(Offer("pyttsx3", version("pyttsx3"), espeak_languages()))
        except SpeechUnavailable as error:
            offers.append(Offer("pyttsx3", "", (), str(error)))
    return offers


def synthesisers_for(offers: Sequence[Offer], language: str, voice: str) -> list[Offer]:
    """Best first. A voice that only one vendor has decides; otherwise the order of preference does."""
    able = [o for o in offers if served(language, o.languages)]
    if voice:
        able.sort(key=lambda o: not voice_of(o, voice))
    return able


def voice_of(offer: Offer, voice: str) -> str:
    """``voice`` where ``offer`` has it, "" (its default) where it belongs to another vendor."""
    return voice if (voice in hibari_voices()) == (offer.name == "hibari") else ""
