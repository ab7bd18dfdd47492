"""Known terms: the vocabularies of one call, each as a lexicon of the language now spoken."""

from __future__ import annotations

from collections.abc import Mapping

from ivr.dialogue.spoken.normalisation import fold
from ivr.dialogue.understanding.lexicon import Lexicon, lexicon
from ivr.events import Term

SHORT_LIST = 200  # terms


class KnownTerms:
    """``by_name``: the terms as they came, in the order in which callers hear them."""

    def __init__(self, language: str) -> None:
        self.by_name: dict[str, tuple[Term, ...]] = {}
        self._language = language
        self._lexicons: dict[str, Lexicon] = {}

    def learn(self, vocabularies: Mapping[str, tuple[Term, ...]]) -> None:
        for name, terms in vocabularies.items():
            self.by_name[name] = tuple(terms)
            self._lexicons.pop(name, None)

    def speak(self, language: str) -> None:
        self._language = language
        self._lexicons.clear()

    def lexicon(self, name: str) -> Lexicon:
        if name not in self._lexicons:
            self._lexicons[name] = lexicon(_settled(self.by_name.get(name, ())), self._language)
        return self._lexicons[name]

    def term(self, term_id: str) -> Term | None:
        for name in self.by_name:
            if (term := self.lexicon(name).by_id.get(term_id)) is not None:
                return term
        return None

    def named(self, text: str) -> Term | None:
        """A term of any vocabulary by what it is called."""
        key = " ".join(fold(text, self._language))
        for name in self.by_name:
            if found := self.lexicon(name).forms.get(key):
                return found[0]
        return None


def _settled(terms: tuple[Term, ...]) -> tuple[Term, ...]:
    """Short lists in an order of their own, so that reordering one compiles nothing anew."""
    return tuple(sorted(terms, key=lambda term: term.id)) if len(terms) <= SHORT_LIST else terms
