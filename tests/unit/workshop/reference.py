"""The flows that ship, and flows made from them by changing their text."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from ivr.dialogue.flows.library import FlowLibrary, load_library
from ivr.dialogue.flows.source import read_directory
from ivr.reference import COMPANY

FLOWS = Path(__file__).parents[3] / "flows"


@lru_cache(maxsize=1)
def sources() -> Mapping[str, str]:
    return read_directory(FLOWS)


@lru_cache(maxsize=1)
def reference() -> FlowLibrary:
    return library(sources())


def library(texts: Mapping[str, str]) -> FlowLibrary:
    loaded = load_library(texts, COMPANY.all_signatures)
    assert loaded.library is not None, "\n".join(f.render() for f in loaded.errors)
    return loaded.library


def changed(*changes: tuple[str, str, str]) -> FlowLibrary:
    """The reference flows with (file, old text, new text) replaced once each; the old text must be there."""
    texts = dict(sources())
    for file, old, new in changes:
        assert old in texts[file], f"{file} has no {old!r} any more"
        texts[file] = texts[file].replace(old, new, 1)
    return library(texts)
