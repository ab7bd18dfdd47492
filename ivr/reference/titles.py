"""Titles: how they are said, from a written name to the word strings callers may use; and the catalogue of all."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import product

from ivr.dialogue.spoken.english import ENGLISH
from ivr.dialogue.spoken.normalisation import (
    THOUSANDS,
    digit_words,
    number_forms,
    number_words,
    ordinal_words,
    roman_value,
)
from ivr.dialogue.spoken.similarity import bare_words, unaccented
from ivr.errors import StoreUnavailable
from ivr.events import Term
from ivr.reference.backend import Backend, Title

CATALOGUE = "catalogue"
MAX_AGE = timedelta(minutes=5)
MOST_FORMS = 16  # a title with three numbers in it would otherwise fill a grammar on its own

_FRACTIONS = {"½": " and a half", "⅓": " and a third", "¼": " and a quarter", "¾": " and three quarters"}
_CLOCK = re.compile(r"\b(\d{1,2}):(\d{2})\b")
_INITIALS = re.compile(r"\b(?:[A-Z]\.){2,}|\b[A-Z]\.(?=\s|$)")
_STARRED = re.compile(r"(?<=\w)\*(?=\w)")
_COUNTED = re.compile(r"(\d{1,6})(st|nd|rd|th)")
_ENGLISH = "en-US"  # the catalogue's titles are read as English, whatever language the call is in


def plain(text: str) -> str:
    """Lower-case English words without accents and punctuation; figures and apostrophes inside words stay."""
    letters = unaccented(text.replace("’", "'").replace("&", " and "))
    return bare_words(letters.encode("ascii", "replace").decode())  # what English has no letter for parts words


def without_article(words: str) -> str:
    """ "the general" -> "general"; a lone article stays."""
    first, _, rest = words.partition(" ")
    return rest if rest and first in ENGLISH.articles else words


@lru_cache(maxsize=20_000)
def spoken_forms(name: str, extra: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The ways to say ``name``, its full form first, ``extra`` included; lower-case words only.

    Figures and roman numerals become words, abbreviations are spelt out, and there are forms without the leading
    article, without the subtitle, and without apostrophes ("tiffanys"), which is how some recognisers write them."""
    text = _CLOCK.sub(lambda m: f"{_words(int(m[1]))} {_words(int(m[2]))}" if int(m[2]) else m[1], name)
    for sign, words in _FRACTIONS.items():
        text = text.replace(sign, words)
    text = _STARRED.sub("", THOUSANDS.sub("", text))
    text = _INITIALS.sub(lambda m: " ".join(m[0].replace(".", "")) + " ", text)
    whole = [text.replace(":", " ")]
    main, colon, subtitle = text.partition(":")
    if colon:
        whole.append(main)
        if len(subtitle.split()) > 2:
            whole.append(subtitle)
    forms: list[str] = []
    for part in whole:
        forms += _worded(part)
    forms += [plain(e) for e in extra]
    forms += [without_article(form) for form in forms]
    if "part " in (joined := forms[0]):
        forms += [form.replace("part ", "", 1) for form in (joined, without_article(joined))]
    forms += [form.replace("'", "") for form in forms]
    return tuple(dict.fromkeys(form for form in forms if form))[:MOST_FORMS]


def _worded(text: str) -> list[str]:
    """Each way to say the words of ``text``, alternatives for its numbers multiplied out."""
    tokens = text.replace("’", "'").replace("&", " and ").replace("-", " ").split()
    return [
        " ".join(" ".join(choice).split())
        for choice in product(*(_word_forms(tokens, at) for at in range(len(tokens))))
    ]


def _word_forms(tokens: Sequence[str], at: int) -> tuple[str, ...]:
    token = tokens[at]
    word = plain(token)
    bare = re.sub(r"[^0-9A-Za-z]", "", token)
    if bare.isdigit():
        return _figures(bare, after_apostrophe=token.startswith("'"))
    if counted := _COUNTED.fullmatch(word):
        return (ordinal_words(int(counted[1]), _ENGLISH),)
    value = (
        roman_value(bare) if at else None
    )  # a numeral comes after a name: "Rocky II", not the title "M" or "I, Robot"
    if value and (len(bare) > 1 or plain(tokens[at - 1]) == "part" or (bare != "I" and at == len(tokens) - 1)):
        return (_words(value),)
    if token.endswith(".") and word in ENGLISH.abbreviations and not (word == "no" and at == len(tokens) - 1):
        return (ENGLISH.abbreviations[word],)
    return (word,)


def _words(number: int) -> str:
    return number_words(number, _ENGLISH)


def _figures(figures: str, *, after_apostrophe: bool) -> tuple[str, ...]:
    """A number's usual forms, the most usual first; "'73" is a year."""
    number = int(figures)
    if after_apostrophe and number < 100:
        return (_words(number), f"nineteen {_words(number)}")
    if len(figures) > 6:
        return (digit_words(figures, _ENGLISH),)
    forms = list(number_forms(number, _ENGLISH))
    if paired := in_pairs(number):
        # 1984 is a year to most people; 2001 and 451 are not said in pairs first.
        forms.insert(0 if 1100 <= number < 2000 else len(forms), paired)
    return tuple(dict.fromkeys(forms))


def in_pairs(number: int) -> str:
    """As years are said: 1984 -> "nineteen eighty four", 451 -> "four fifty one"; "" where nobody does that."""
    head, rest = divmod(number, 100)
    if not 100 <= number < 10_000 or (head % 10 == 0 and rest == 0):
        return ""
    if rest == 0:
        return f"{_words(head)} hundred"
    return f"{_words(head)} {'oh ' if rest < 10 else ''}{_words(rest)}"


def terms(titles: Iterable[Title]) -> tuple[Term, ...]:
    """A vocabulary, in the given order. Titles of one name are told apart by their year."""
    return _terms(tuple(titles))


@lru_cache(maxsize=1_000)
def _terms(listed: tuple[Title, ...]) -> tuple[Term, ...]:
    names = Counter(title.name for title in listed)
    return tuple(_term(title, doubled=names[title.name] > 1) for title in listed)


def _term(title: Title, *, doubled: bool) -> Term:
    forms = spoken_forms(title.name, title.spoken)
    if not doubled:
        return Term(str(title.id), title.name, forms)
    year = in_pairs(title.year) or _words(title.year)
    dated = tuple(f"{form} {joint}{year}" for form in forms[:2] for joint in ("", "from "))
    return Term(str(title.id), f"{title.name} from {title.year}", (*dated, *forms))


class Catalogue:
    """The ``catalogue``, every title, as a vocabulary. At most MAX_AGE old; older when the back end is gone."""

    def __init__(self, backend: Backend, now: Callable[[], datetime]) -> None:
        self._backend = backend
        self._now = now
        self._terms: tuple[Term, ...] = ()
        self._stale_at = now()

    async def terms(self) -> tuple[Term, ...]:
        """Raises StoreUnavailable when the back end is gone and never answered before."""
        if self._terms and self._now() < self._stale_at:
            return self._terms
        try:
            self._terms = terms(await self._backend.titles())
        except StoreUnavailable:
            if not self._terms:
                raise
        else:
            self._stale_at = self._now() + MAX_AGE
        return self._terms
