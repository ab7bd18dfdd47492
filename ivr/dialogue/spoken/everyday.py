"""Everyday sentences of a language: what means nothing to a telephone line, and more of what every line understands.

Classifiers of sentences learn from them besides a flow's own phrases: without the former nothing would be rejected.
By the intent's name ("none": the background; risks as "risk.NAME"), in one file a language.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files

import yaml

from ivr.dialogue.spoken.languages import words_for

_FILES = {"en": "english.everyday.yaml", "es": "spanish.everyday.yaml"}


@lru_cache(maxsize=4)
def everyday(tag: str) -> Mapping[str, tuple[str, ...]]:
    """Empty for a language without such a file."""
    if (name := _FILES.get(words_for(tag).tag)) is None:
        return {}
    written = yaml.load(files(__package__).joinpath(name).read_text("utf-8"), yaml.CBaseLoader)  # noqa: S506  # texts only
    return {intent: tuple(texts) for intent, texts in written.items()}
