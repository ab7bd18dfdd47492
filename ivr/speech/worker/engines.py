"""The Protocols of a vendor's recogniser and synthesiser. Both run in worker processes, never on the line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ivr.dialogue.understanding.speech_grammar import SpeechGrammar
from ivr.events import Recognition

Samples = NDArray[np.float32]  # mono, -1..1
TELEPHONE_RATE = 8000


class Cancelled(Exception):
    """Nobody wants this recognition any more (the caller went on speaking, the call ended)."""


def never() -> bool:
    """Nobody cancels, nobody waits."""
    return False


class Recogniser(Protocol):
    """Hears one finished utterance. Thread-safe: several calls recognise at once."""

    @property
    def name(self) -> str: ...
    @property
    def languages(self) -> tuple[str, ...]: ...

    def load(self) -> None:
        """Load the model. Raises SpeechUnavailable with a remedy."""

    def compile(self, grammar: SpeechGrammar) -> Sequence[str]:
        """Prepare ``grammar`` (cached by its key); words the engine cannot hear, for the log."""

    def recognise(
        self,
        speech: Samples,
        grammar: SpeechGrammar,
        cancelled: Callable[[], bool] = never,
        *,
        hurried: Callable[[], bool] = never,
    ) -> Recognition:
        """``speech``: one utterance at 8 kHz, a little silence around it. ``hurried``: whether others wait, asked
        again and again: then no second look at what is unsure, or an end of it. Raises Cancelled."""


class Synthesiser(Protocol):
    """Speaks one text. Called by one thread at a time."""

    @property
    def name(self) -> str: ...

    def load(self) -> None:
        """Raises SpeechUnavailable with a remedy."""

    def speak(self, text: str, language: str, voice: str) -> tuple[Samples, int]:
        """Raw samples and their rate. Raises SpeechUnavailable."""

    def close(self) -> None: ...
