"""How one call begins."""

from __future__ import annotations

from dataclasses import dataclass

from ivr.dialogue.engine import Dialogue


@dataclass(frozen=True, slots=True)
class Opening:
    """The dialogue for a called number, and the words that identify what it runs, for every log line of the call."""

    dialogue: Dialogue
    flow: str
    flow_version: str
    language: str
    persona: str
