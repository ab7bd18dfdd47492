"""The reference flows, and a line to drive them on: Dialogue for real, back ends that do as the test says."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from ivr.dialogue.flows.library import FlowLibrary, load_library
from ivr.dialogue.flows.source import read_directory
from ivr.reference import COMPANY

FLOWS = Path(__file__).resolve().parents[2] / "flows"


@cache
def library() -> FlowLibrary:
    loaded = load_library(read_directory(FLOWS), COMPANY.all_signatures)
    assert loaded.library is not None, "\n".join(f.render() for f in loaded.findings)
    return loaded.library
