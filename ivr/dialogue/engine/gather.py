"""Gather: what the line listens for now, by speech and by keys, and what it waits for beside the caller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from ivr.dialogue.engine.contract import Words
from ivr.dialogue.engine.dtmf_input import Keypad
from ivr.dialogue.understanding.grammar_compiler import StateGrammar
from ivr.dialogue.understanding.reading import Reading


class Mode(StrEnum):
    """Who asked, and so whose handlers take the answer (``states/table.py``)."""

    QUESTION = "question"
    CONFIRM = "confirm"
    CHOOSE = "choose"  # did you mean A or B
    RESUME = "resume"
    GOODBYE = "goodbye"
    LANGUAGE = "language"  # heard with doubt, as is likely of a word in another language
    RUNNING = "running"  # an action
    STRANDED = "stranded"  # no human could be reached and the human flow is broken


@dataclass(slots=True)
class Gather:
    """``mode`` is a Mode, or a verb's own word for one. ``prompt`` is what "repeat" says.

    ``beneath`` is what a side question (CHOOSE, GOODBYE, LANGUAGE) returns to. ``secret``: the answer fills a variable
    that nobody may read. ``options``, ``snapshot`` and ``language`` are what CHOOSE, RESUME and LANGUAGE offer.
    """

    mode: str
    grammar: StateGrammar
    keypad: Keypad
    timeout_s: float | None
    hangover_s: float = 0.5
    hotword: bool = False
    secret: bool = False
    token: int = 0  # of its latest Listen; 0 before the first
    prompt: tuple[Words, ...] = ()
    options: tuple[Reading, ...] = ()
    snapshot: Mapping[str, object] = field(default_factory=dict)
    language: str = ""
    beneath: Gather | None = None

    @property
    def base(self) -> Gather:
        """What is returned to: side questions don't pile up."""
        return self.beneath if self.beneath is not None else self


@dataclass(frozen=True, slots=True)
class Waiting:
    """What the call waits for beside the caller: the answer to the effect with ``token``. One subclass a verb."""

    what: ClassVar[str] = ""
    token: int
