"""Known grammars: what a process keeps of those it was sent, by the same account as whoever sends each of them once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any, Generic, TypeVar

from ivr.dialogue.understanding.speech_grammar import SpeechGrammar
from ivr.speech.wire import GRAMMAR

T = TypeVar("T")
MOST = 512  # callers who talk at once, each with a list of their own
_PARTS = 1024


class KnownGrammars(Generic[T]):
    """Values by a grammar's key, the least lately used leaves first.

    Both ends of a socket agree as long as they do the same in the same order: ``put`` what is sent, ``get`` what is
    named. A process that is gone knows nothing: ``clear``, and ``put`` again only once there is another one."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._values: dict[str, T] = {}

    def __contains__(self, key: str) -> bool:
        """Whether it is known; nothing is changed by asking."""
        return key in self._values

    def get(self, key: str) -> T | None:
        """None: unknown, or forgotten."""
        value = self._values.pop(key, None)
        if value is not None:
            self._values[key] = value
        return value

    def put(self, key: str, value: T) -> None:
        self._values.pop(key, None)
        self._values[key] = value
        if len(self._values) > self._most:
            del self._values[next(iter(self._values))]

    def clear(self) -> None:
        self._values.clear()


class SharedParts:
    """Reads grammars, and keeps what is the same in several of them once: callers differ by the values of few slots."""

    def __init__(self) -> None:
        self._part: Callable[[Any], Any] = lru_cache(_PARTS)(lambda part: part)

    def parsed(self, blob: bytes) -> SpeechGrammar:
        """Of its JSON. Raises ValueError."""
        grammar, part = GRAMMAR.validate_json(blob), self._part
        return replace(
            grammar,
            phrases=part(grammar.phrases),
            templates=part(grammar.templates),
            slots=tuple((name, part(values)) for name, values in grammar.slots),
            means=part(grammar.means),
        )
