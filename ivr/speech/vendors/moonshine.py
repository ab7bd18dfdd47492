"""Moonshine tiny-en (recognition, English): its weights ship in the wheel ``moonshine-voice``."""

from __future__ import annotations

from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from ivr.errors import SpeechUnavailable

LANGUAGES = ("en",)


def version() -> str:
    """The wheel's."""
    return metadata.version("moonshine-voice")


def weights() -> Path:
    """Where the wheel keeps tiny-en. Raises SpeechUnavailable."""
    spec = find_spec("moonshine_voice")
    directory = Path(spec.origin).parent / "assets" / "tiny-en" if spec and spec.origin else None
    if directory is None or not (directory / "encoder_model.ort").is_file():
        raise SpeechUnavailable(
            "the Moonshine weights are missing", remedy="pip install moonshine-voice==0.0.73 (later ones lack them)"
        )
    return directory
