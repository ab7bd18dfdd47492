"""Engine selection: which vendor serves which language, from the configuration and what is installed. Loads no model.

English goes to Moonshine (measured best on 8 kHz speech), every other language to Vosk where
``<vosk_models>/<language>/`` holds a model; Hibari speaks English, espeak-ng the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from ivr.config import SpeechConfig
from ivr.dialogue.spoken.language import same_language, served
from ivr.errors import SpeechUnavailable
from ivr.speech import vendors


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
            vendors.moonshine_weights()
            offers.append(Offer("moonshine", version("moonshine-voice"), vendors.MOONSHINE_LANGUAGES))
        except SpeechUnavailable as error:
            offers.append(Offer("moonshine", "", (), str(error)))
    if config.recogniser in ("auto", "vosk"):
        models = vendors.vosk_models(config.vosk_models)
        detail = "" if models else f"no model under {config.vosk_models} (ivr models get NAME)"
        offers.append(Offer("vosk", version("vosk"), tuple(models), detail))
    return offers


def recogniser_for(offers: Sequence[Offer], language: str) -> str | None:
    """The vendor's name, or None: such calls are led by keys."""
    return next((o.name for o in offers if served(language, o.languages)), None)


def synthesiser_offers(config: SpeechConfig) -> list[Offer]:
    """In the order of preference for ``auto``."""
    offers: list[Offer] = []
    if config.synthesiser in ("auto", "hibari"):
        offers.append(Offer("hibari", version("hibari-tts"), vendors.HIBARI_LANGUAGES))
    if config.synthesiser in ("auto", "pyttsx3"):
        try:
            offers.append(Offer("pyttsx3", version("pyttsx3"), vendors.espeak_languages()))
        except SpeechUnavailable as error:
            offers.append(Offer("pyttsx3", "", (), str(error)))
    return offers


def synthesisers_for(offers: Sequence[Offer], language: str, voice: str) -> list[Offer]:
    """Best first. A voice that only one vendor has decides; otherwise the order of preference does."""
    able = [o for o in offers if served(language, o.languages)]
    if voice:
        able.sort(key=lambda o: not voice_of(o, voice))
    return able


def language_directory(root: Path, language: str) -> Path | None:
    """``root/en-US``, or the first folder of the same primary subtag."""
    near = [d for d in sorted(root.glob("*")) if d.is_dir() and same_language(d.name, language)]
    return next((d for d in near if d.name == language), near[0] if near else None)


def voice_of(offer: Offer, voice: str) -> str:
    """``voice`` where ``offer`` has it, "" (its default) where it belongs to another vendor."""
    return voice if (voice in vendors.hibari_voices()) == (offer.name == "hibari") else ""
