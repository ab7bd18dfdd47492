"""Effects of one turn, gathered in order: what is said together becomes one Say, what is recorded breaks nothing up."""

from __future__ import annotations

from ivr.dialogue.engine.contract import Effect, Record, Say, Words
from ivr.record import Happening, Prompted


class Outbox:
    """Open for a turn; ``close`` hands them over."""

    def __init__(self) -> None:
        self._effects: list[Effect] = []
        self._words: list[Words] = []
        self._manner = (True, "", "")
        self._cut = False
        self._token = 0
        self.turn: list[Words] = []  # everything said in this turn

    def open(self, cut: bool) -> None:
        """A new turn. ``cut``: the caller acted, so what is still playing stops before the first word."""
        self._effects, self._words, self._cut, self.turn = [], [], cut, []

    def close(self) -> list[Effect]:
        self._flush()
        effects, self._effects = self._effects, []
        return effects

    def token(self) -> int:
        self._token += 1
        return self._token

    def say(self, words: Words, *, bargein: bool, language: str, voice: str) -> None:
        """One Say is spoken in one language by one voice."""
        manner = (bargein, language, voice)
        if manner != self._manner:
            self._flush()
        self._manner = manner
        self._words.append(words)
        self.turn.append(words)

    def put(self, effect: Effect) -> None:
        self._flush()
        self._effects.append(effect)

    def record(self, what: Happening) -> None:
        """Records don't break up what is being said."""
        self._effects.append(Record(what))

    def drop(self) -> None:
        """Forget what this turn wanted to do; keep the records."""
        self._words, self.turn = [], []
        self._effects = [effect for effect in self._effects if isinstance(effect, Record)]

    def _flush(self) -> None:
        if not self._words:
            return
        words, self._words = tuple(self._words), []
        self._effects.append(Say(self.token(), words, *self._manner, self._cut))
        self.record(Prompted(" ".join(w.shown for w in words), tuple(w.prompt_id for w in words)))
        self._cut = False
