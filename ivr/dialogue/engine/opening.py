"""How one call begins."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ivr.dialogue.engine.dialogue import Dialogue


@dataclass(frozen=True, slots=True)
class Installed:
    """Languages that recognisers and synthesisers serve now; None: any. Calls in others are led by keys."""

    recognised: Collection[str] | None = None
    spoken: Collection[str] | None = None


@dataclass(frozen=True, slots=True)
class Opening:
    """The dialogue for a called number, and the words that identify what it runs, for every log line of the call."""

    dialogue: Dialogue
    flow: str
    flow_version: str
    language: str
    persona: str
