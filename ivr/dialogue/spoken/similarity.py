"""Similarity of spoken words: the one place that says what sounds alike, for recognisers, understanding and checker.

What a recogniser confuses is what the checker warns of. Words go in as a recogniser writes them: lower case, no
punctuation, one space between; likeness is 0..100.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from rapidfuzz import fuzz

from ivr.dialogue.spoken.language import Language
from ivr.dialogue.spoken.languages import words_for

MINIMAL_PAIR = 86.0  # two terms spelt at least this alike are a minimal pair
_PHRASES = 88.0  # two phrases spelt this alike may be taken for each other,
_SOUNDS = 94.0  # if they sound this alike, too,
_WORDS = 70.0  # and so does each word where they differ
_SHORTENED = re.compile(r"'(s|re|m)\b")
_BARE = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


def unaccented(text: str) -> str:
    """Letters without their accents, for comparing; all else stays."""
    if text.isascii():
        return text
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))


def bare_words(text: str) -> str:
    """Lower-case words without punctuation; apostrophes within a word and accents stay."""
    return " ".join(_BARE.findall(text.lower()))


@lru_cache(maxsize=65_536)
def sound(text: str, language: str = "en") -> str:
    """How words sound, run together, since their boundaries are what gets misheard. English: consonants only.

    Of the words run together, not word by word: that finds more titles in what a recogniser wrote (37 against 33 of 197
    misheard ones by sound alone, and "m etropolis"), and recognition under a grammar is as good with either."""
    return passing_sound(text, language)


def passing_sound(text: str, language: str = "en") -> str:
    """The same, not kept: of what is said once."""
    joined = text.replace(" ", "")
    return words_for(language).sound(joined) or joined


def gist(text: str, language: str = "en") -> tuple[str, ...]:
    """The words that carry the sense: "what's next" and "what is next" ask the same."""
    words = _SHORTENED.sub("", text).split()
    return tuple(w for w in words if w not in words_for(language).function_words) or tuple(words)


def likeness(one: str, other: str, language: str = "en") -> float:
    """The better of letters and sound: for what a second look (at the audio) will decide."""
    return max(fuzz.ratio(one, other), fuzz.ratio(sound(one, language), sound(other, language)))


def blend(letters: float, sounds: float) -> float:
    """Letters and sound together: where nothing but the text decides, both must agree."""
    return letters * 0.55 + sounds * 0.45


@lru_cache(maxsize=16_384)
def minimal_pairs(phrase: str, language: str = "en") -> frozenset[str]:
    """What sounds the same but for a plural, a "two" (Alien and Aliens, Toy Story and Toy Story Two) or a "teen"
    (thirty and thirteen): no recogniser tells those apart over a telephone, whatever its score."""
    spoken = words_for(language)
    words, found = phrase.split(), []
    for i, word in enumerate(words):
        others = [[f"{word}s"], *([word, two] for two in spoken.twos)]
        if len(word) > 2 and word.endswith("s"):
            others.append([word[:-1]])
        if word in spoken.twos and i:
            others.append([])
        if word in spoken.teens:
            others.append([spoken.teens[word]])
        found += [" ".join([*words[:i], *other, *words[i + 1 :]]) for other in others]
    return frozenset(found)


def confusable(one: str, other: str, language: str = "en") -> bool:
    """Whether a recogniser may take one phrase for the other: the same sound, a minimal pair, or near word by word."""
    a, b = sound(one, language), sound(other, language)
    if a == b or other in minimal_pairs(one, language):
        return True
    mine, theirs = one.split(), other.split()
    if len(mine) != len(theirs) or fuzz.ratio(one, other) < _PHRASES or fuzz.ratio(a, b) < _SOUNDS:
        return False
    return all(_near(x, y, words_for(language)) for x, y in zip(mine, theirs, strict=True) if x != y)


def _near(one: str, other: str, spoken: Language) -> bool:
    a, b = spoken.sound(one), spoken.sound(other)
    return a == b or (fuzz.ratio(one, other) >= _WORDS and fuzz.ratio(a, b) >= _WORDS)
