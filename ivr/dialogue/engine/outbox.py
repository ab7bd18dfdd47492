"""Effects of one turn, in order: words gathered into Says, tokens given out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ivr.dialogue.engine.contract import Effect, Record, Say, Words
from ivr.record import Happening, Prompted


class Outbox:
    def __init__(self, language: str) -> None:
        self.language = language  # the call's, until the caller chooses another
        self._language = language  # of the words gathered
        self._effects: list[Effect] = []
        self._words: list[Words] = []
        self._bargein = True
        self._voice = ""
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

    def say(self, words: Sequence[Words], *, bargein: bool = True, voice: Callable[[str], str] = lambda _: "") -> None:
        """``voice``: of a language. One Say is spoken by one voice."""
        for piece in words:
            language = piece.language or self.language
            manner = (bargein, voice(language), language)
            if self._words and manner != (self._bargein, self._voice, self._language):
                self._flush()
            self._bargein, self._voice, self._language = manner
            self._words.append(piece)
            self.turn.append(piece)

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
        self._effects.append(Say(self.token(), words, self._bargein, self._language, self._voice, self._cut))
        self.record(Prompted(" ".join(w.text for w in words), tuple(w.prompt_id for w in words)))
        self._cut = False
