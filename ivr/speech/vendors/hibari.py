"""Hibari (synthesis, English): the voices inside the wheel ``hibari-tts``."""

from __future__ import annotations

import json
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

LANGUAGES = ("en",)


def version() -> str:
    """The wheel's."""
    return metadata.version("hibari-tts")


@cache
def bundled_voices() -> frozenset[str]:
    """Voices inside the wheel, read without importing it."""
    spec = find_spec("hibari")
    if spec is None or spec.origin is None:
        return frozenset()
    table = json.loads((Path(spec.origin).parent / "assets" / "voices.json").read_text(encoding="utf-8"))
    return frozenset(name for name, voice in table.items() if voice.get("bundled"))
