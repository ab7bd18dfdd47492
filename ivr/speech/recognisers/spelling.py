"""How an English recogniser may write a spoken word: case, figures, ordinals, abbreviations. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from ivr.dialogue.spoken.english import ENGLISH
from ivr.dialogue.spoken.normalisation import roman_numeral

# What people put in front of a number they were asked for.
CARRIERS = (
    *("it's", "it is", "that's"),
    *("my number is", "the number is", "my membership number is", "my member number is"),
)
MULTIPLES = ((2, ("double", "Double")), (3, ("triple", "Triple")))
_ONES = {ENGLISH.cardinal(n): n for n in range(20)}
# "5": ("5", "five", "Five"), …; zero is also "oh"
DIGITS: dict[str, tuple[str, ...]] = {str(n): (str(n), word, word.capitalize()) for word, n in _ONES.items() if n < 10}
DIGITS["0"] += ("oh", "Oh", "O", "o")
_TENS = {ENGLISH.cardinal(n): n for n in range(20, 100, 10)}
_ORDINALS = {ENGLISH.ordinal(n): n for n in (*range(1, 20), *range(20, 100, 10))}
_WRITTEN = {
    "doctor": ("Dr.", "Dr"), "dr": ("Dr.", "doctor", "Doctor"),
    "mister": ("Mr.", "Mr"), "mr": ("Mr.", "mister", "Mister"), "mrs": ("Mrs.",),
    "saint": ("St.", "St"), "st": ("St.", "saint", "Saint"),
    "okay": ("OK", "Ok", "ok"), "ok": ("okay", "Okay"),
    "versus": ("vs.", "vs"), "vs": ("vs.", "versus"),
    "and": ("&",), "number": ("#",),
}  # fmt: skip
_CAPITALS = frozenset({"tv", "dvd", "usa", "uk", "et", "ok", "id", "la", "ny"})


def ordinal_figure(n: int) -> str:
    """21 -> "21st"."""
    suffix = "th" if 10 <= n % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{suffix}"


@lru_cache(maxsize=20_000)
def spellings(word: str) -> tuple[str, ...]:
    """Every way ``word`` (lower case) may be written, itself first."""
    forms = [word, word[:1].upper() + word[1:]]
    if len(word) == 1 or word in _CAPITALS or (len(word) <= 4 and not set(word) & set("aeiouy'0123456789")):
        forms.append(word.upper())
    if word in _ONES or word in _TENS:
        forms.append(str(_ONES.get(word, _TENS.get(word))))
    if word in _ORDINALS:
        forms.append(ordinal_figure(_ORDINALS[word]))
    if word.isdigit() and len(word) <= 2:
        forms.extend(_in_words(int(word)))
    if 2 <= _ONES.get(word, 0) <= 8:
        forms.append(roman_numeral(_ONES[word]))
    if "-" in word:
        forms.append("-".join(part.capitalize() for part in word.split("-")))
    forms.extend(_WRITTEN.get(word, ()))
    return tuple(dict.fromkeys(forms))


def _in_words(n: int) -> tuple[str, ...]:
    """One-word numbers only: the lattice steps by words."""
    return tuple(form for w, m in (_ONES | _TENS).items() if m == n for form in (w, w.capitalize()))


def runs(words: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """(start, end, written) for runs of words that are also written as one: "twenty one" -> "21", "e t" -> "ET"."""
    for i in range(len(words) - 1):
        tens, unit = _TENS.get(words[i]), words[i + 1]
        if tens is not None:
            if 0 < _ONES.get(unit, 0) < 10:
                yield i, i + 2, str(tens + _ONES[unit])
                yield i, i + 2, f"{words[i]}-{unit}"
                yield i, i + 2, f"{words[i].capitalize()}-{unit}"
            elif 0 < _ORDINALS.get(unit, 0) < 10:
                yield i, i + 2, ordinal_figure(tens + _ORDINALS[unit])
                yield i, i + 2, f"{words[i]}-{unit}"
        if not (words[i].isdigit() or unit.isdigit()) and words[i].isalpha() and unit.isalpha():
            yield i, i + 2, f"{words[i].capitalize()}-{unit.capitalize()}"
    i = 0
    while i < len(words):
        j = i
        while j < len(words) and len(words[j]) == 1 and words[j].isalpha():
            j += 1
        if j - i >= 2:
            letters = [w.upper() for w in words[i:j]]
            yield i, j, "".join(letters)
            yield i, j, ".".join(letters) + "."
        i = max(j, i + 1)


def digits_in(text: str) -> tuple[str, bool]:
    """The digits that ``text`` writes, in figures or words ("Eight double two, 7" -> "8227"), and whether it holds
    nothing else but what people put in front of a number ("two to five" holds a word that may be a digit)."""
    out: list[str] = []
    times = 1
    strange = False
    in_front = {word for carrier in CARRIERS for word in re.findall(r"[a-z]+", carrier)}
    named = {form.lower(): digit for digit, forms in DIGITS.items() for form in forms}
    repeats = {word.lower(): n for n, words in MULTIPLES for word in words}
    for word in re.findall(r"[a-z]+|\d", text.lower()):
        if word in repeats:
            times = repeats[word]
            continue
        if word in named:
            out.append(named[word] * times)
        else:
            strange = strange or word not in in_front or bool(out)
        times = 1
    return "".join(out), not strange
