"""Codes of letters and digits in words and back: "B as in bravo, K, one two", by a pattern such as AA-9999."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ivr.dialogue.spoken.language import Language
from ivr.dialogue.spoken.languages import words_for
from ivr.dialogue.spoken.normalisation import digit_names, digit_words, fold
from ivr.dialogue.spoken.phone import digit_groups, digit_pieces
from ivr.dialogue.spoken.similarity import unaccented

LETTERS, DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
ANY: Mapping[str, str] = {"A": LETTERS, "9": DIGITS, "X": LETTERS + DIGITS}
LONGEST = 20  # characters
_SIGNS = "-/. "
_MOST_READINGS = 4
_MOST_TOGETHER = 6  # letters that are written as one word


@dataclass(frozen=True, slots=True)
class Pattern:
    """``text`` as it is written; ``places``: the characters that each place takes, signs left out."""

    text: str
    places: tuple[str, ...]
    open: tuple[str, ...]  # those that are not always the same: nobody has to say the others

    @property
    def rows(self) -> tuple[tuple[str, ...], ...]:
        """What is said or keyed: with what never changes, or without it."""
        return (self.places,) if self.open == self.places else (self.open, self.places)

    def written(self, characters: str) -> str | None:
        """ "BK1234" by AA-9999 -> "BK-1234"; None: it doesn't fit."""
        if not fits(characters, self.places):
            if self.open == self.places or not fits(characters, self.open):
                return None
        elif self.open != self.places:
            characters = "".join(c for c, place in zip(characters, self.places, strict=True) if len(place) > 1)
        following = iter(characters)
        return "".join(next(following) if c in ANY else c.upper() for c in self.text)


def fits(characters: str, places: Sequence[str]) -> bool:
    return len(characters) == len(places) and all(c in place for c, place in zip(characters, places, strict=True))


@lru_cache(maxsize=256)
def pattern_of(text: str) -> Pattern:
    """A any letter, 9 any digit, X either; small letters and signs are themselves. Raises ValueError: it is none."""
    if strange := sorted({c for c in text if not (c in ANY or c in _SIGNS or ("a" <= c <= "z"))}):
        raise ValueError(
            f"{text!r} has {strange[0]!r}: A is any letter, 9 any digit, X either, small letters themselves"
        )
    places = tuple(ANY.get(c, c.upper()) for c in text if c not in _SIGNS)
    free = tuple(place for place in places if len(place) > 1)
    if not free:
        raise ValueError(f"{text!r} is always the same: A is any letter, 9 any digit, X either")
    if len(places) > LONGEST:
        raise ValueError(f"{text!r} has more than {LONGEST} characters")
    return Pattern(text, places, free)


def code_of(value: object, patterns: Sequence[Pattern]) -> str:
    """A code however it is written ("bk 1234") as its pattern writes it. Raises ValueError: it fits none."""
    text = re.sub(r"[\s\-/.]+", "", unaccented(str(value))).upper()
    found = next((code for pattern in patterns if (code := pattern.written(text)) is not None), None)
    if found is None or isinstance(value, bool):
        raise ValueError("no such code")
    return found


def code_words(code: str, language: str) -> str:
    """ "BK-1234" -> "B as in bravo, K as in kilo, one two three four"."""
    known, said = words_for(language).spelling, []
    for run in re.findall(r"[0-9]+|[A-Z]", code.upper()):
        if run.isdecimal():
            said += [digit_words(group, language) for group in digit_groups(run)]
        elif known is None or not (words := known.alphabet.get(run.lower())):
            said.append(run)
        else:
            said.append(known.said.format(letter=run, word=words[0]))
    return ", ".join(said)


@dataclass(frozen=True, slots=True)
class CodeReading:
    """``certain``: no letter of it was told by its name alone, which a telephone blurs."""

    code: str
    certain: bool


def code_readings(words: Sequence[str], patterns: Sequence[Pattern], language: str) -> tuple[CodeReading, ...]:
    """What all these words may be as one code, the likeliest first; () when another word is among them."""
    spoken = words_for(language)
    if spoken.spelling is None:
        return ()
    found: dict[str, CodeReading] = {}
    for pattern in patterns:
        for row in pattern.rows:
            for characters, certain in _along(words, 0, row, spoken):
                if (code := pattern.written(characters)) is not None:
                    found.setdefault(code, CodeReading(code, certain))
    return tuple(found.values())[:_MOST_READINGS]


def letter_names(spoken: Language) -> Mapping[str, str]:
    """Single words that stand for a letter each."""
    if spoken.spelling is None:
        return {}
    names = _names(spoken)
    return {word: letter for word, letter in {**names.letters, **names.alphabet}.items() if " " not in word}


def _along(words: Sequence[str], at: int, places: Sequence[str], spoken: Language) -> Iterator[tuple[str, bool]]:
    """What the words from ``at`` on are at these places."""
    if at == len(words):
        if not places:
            yield "", True
        return
    assert spoken.spelling is not None
    if words[at] in spoken.spelling.between:
        yield from _along(words, at + 1, places, spoken)
    for end, characters, certain in _pieces(words, at, spoken):
        taken = len(characters)
        if taken <= len(places) and fits(characters, places[:taken]):
            for rest, sure in _along(words, end, places[taken:], spoken):
                yield characters + rest, certain and sure


def _pieces(words: Sequence[str], at: int, spoken: Language) -> Iterator[tuple[int, str, bool]]:
    """What may begin at this word: where it ends, its characters, and whether they are certain."""
    for end, digits in digit_pieces(words, at, spoken):
        yield end, digits, True
    if (digit := digit_names(spoken).get(spoken.homophones.get(words[at], ""))) is not None:
        yield at + 1, digit, True
    yield from _letters(words, at, spoken)
    times = spoken.repeats.get(words[at])
    if times is not None and at + 1 < len(words):
        for end, letter, certain in _letters(words, at + 1, spoken):
            if len(letter) == 1:
                yield end, letter * times, certain


def _letters(words: Sequence[str], at: int, spoken: Language) -> Iterator[tuple[int, str, bool]]:
    table = _names(spoken)
    for end in range(min(len(words), at + table.longest), at, -1):
        said = " ".join(words[at:end])
        if (letter := table.alphabet.get(said)) is not None:
            yield end, letter, True
        if (letter := table.letters.get(said)) is not None:
            yield from ((end_, letter_, True) for end_, letter_ in _likened(words, end, letter, spoken))
            yield end, letter, False
    word = words[at]
    if 1 < len(word) <= _MOST_TOGETHER and word.isascii() and word.isalpha() and word not in table.common:
        yield at + 1, word.upper(), False


def _likened(words: Sequence[str], at: int, letter: str, spoken: Language) -> Iterator[tuple[int, str]]:
    """After a letter's name: "as in bravo". Where the word is one of the alphabet, it tells more than the name did."""
    assert spoken.spelling is not None
    table = _names(spoken)
    for link in spoken.spelling.likened:
        begun = at + len(link)
        if tuple(words[at:begun]) == link and begun < len(words):
            for end in range(min(len(words), begun + 2), begun, -1):
                if (meant := table.alphabet.get(" ".join(words[begun:end]))) is not None:
                    yield end, meant
            if words[begun][:1].upper() == letter and words[begun] not in table.alphabet:
                yield begun + 1, letter


@dataclass(frozen=True, slots=True)
class _Names:
    """Comparable words -> a letter. ``common``: short words that are no letters written together."""

    letters: Mapping[str, str]
    alphabet: Mapping[str, str]
    common: frozenset[str]
    longest: int


@lru_cache(maxsize=4)
def _names(spoken: Language) -> _Names:
    assert spoken.spelling is not None

    def table(named: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
        made: dict[str, str] = {}
        for letter, names in named.items():
            for name in names:
                made.setdefault(" ".join(fold(name, spoken.tag)), letter.upper())
        return made

    letters, alphabet = table(spoken.spelling.letters), table(spoken.spelling.alphabet)
    links = {word for link in spoken.spelling.likened for word in link}
    common = spoken.function_words | spoken.fillers | spoken.negations | spoken.articles | links | frozenset(alphabet)
    longest = max(name.count(" ") + 1 for name in (*letters, *alphabet))
    return _Names(letters, alphabet, frozenset(common) | set(spoken.digit_names) | set(digit_names(spoken)), longest)
