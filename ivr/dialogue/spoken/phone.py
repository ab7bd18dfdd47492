"""Telephone numbers in words and back: digits, pairs ("thirty four"), "double five", "plus one"; said in groups."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ivr.dialogue.spoken.language import Language
from ivr.dialogue.spoken.languages import words_for
from ivr.dialogue.spoken.normalisation import MOST_NUMBER_WORDS, digit_names, digit_words, large_numbers
from ivr.dialogue.spoken.similarity import unaccented

SHORTEST, LONGEST = 7, 15  # of E.164 the longest; the shortest is one without its area
_LARGEST = 9999  # four figures that were written are read as one number
_BETWEEN = re.compile(r"[\s().\-/]+")
_NUMBER = re.compile(r"\+?[0-9]+")
_ABROAD = "00"  # dialled for "+" nearly everywhere; the 011 of North America begins numbers elsewhere
_COUNTRIES = re.compile(  # calling codes of one figure, then of two (ITU-T E.164); all others have three
    r"[17]|2[07]|3[0-46-9]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]"
)


def phone_number(value: object) -> str:
    """ "+1 (617) 555-0134" -> "+16175550134", "0034 612…" -> "+34612…". Raises ValueError: no number, or longer than
    there is one."""
    text = _signed(_BETWEEN.sub("", str(value)))
    if isinstance(value, bool) or not _NUMBER.fullmatch(text) or len(text.lstrip("+")) > LONGEST:
        raise ValueError("no telephone number")
    return text


def _signed(number: str) -> str:
    return f"+{number.removeprefix(_ABROAD)}" if number.startswith(_ABROAD) else number


def phone_words(number: str, language: str) -> str:
    """ "6175550134" -> "six one seven, five five five, zero one three four"; with its country "plus one, six …"."""
    rest, said = number.lstrip("+"), []
    if number.startswith("+"):
        known = _COUNTRIES.match(rest)
        country = known.end() if known is not None else 3
        plus = words_for(language).phone.get("plus", ("+",))[0]
        said.append(f"{plus} {digit_words(rest[:country], language)}")
        rest = rest[country:]
    elif len(rest) == 11 and rest[0] == "1":
        said.append(digit_words(rest[0], language))
        rest = rest[1:]
    return ", ".join([*said, *(digit_words(group, language) for group in digit_groups(rest))])


def digit_groups(digits: str) -> list[str]:
    """Threes, and never one alone: the last is of four, or there are two of two."""
    groups = []
    while len(digits) > 4:
        groups.append(digits[:3])
        digits = digits[3:]
    return [*groups, digits] if digits else groups


def phone_readings(words: Sequence[str], language: str) -> tuple[str, ...]:
    """What all these words may be as one number, the likeliest first: "twenty five" is 25 before it is 205. One of each
    length; () when another word is among them."""
    spoken = words_for(language)
    signs = (unaccented(sign).split() for sign in spoken.phone.get("plus", ()))
    plus = next((len(sign) for sign in signs if list(words[: len(sign)]) == sign), 0)
    rest = words[plus:]
    if not rest or rest[0] in spoken.phone.get("between", ()) or rest[-1] in spoken.phone.get("between", ()):
        return ()
    known: list[dict[int, str]] = [{} for _ in rest] + [{0: ""}]
    for at in range(len(rest) - 1, -1, -1):
        between = rest[at] in spoken.phone.get("between", ())
        for end, digits in [(at + 1, "")] if between else digit_pieces(rest, at, spoken):
            for length, following in known[end].items():
                if length + len(digits) <= LONGEST:
                    known[at].setdefault(length + len(digits), digits + following)
    sign = "+" if plus else ""
    return tuple(_signed(sign + number) for number in known[0].values())


def digit_pieces(words: Sequence[str], at: int, spoken: Language) -> list[tuple[int, str]]:
    """What digits may begin at this word, as figures, numbers or repeats: where they end, the longest first."""
    times = spoken.repeats.get(words[at])
    if times is not None:
        digit = digit_names(spoken).get(words[at + 1]) if at + 1 < len(words) else None
        return [] if digit is None else [(at + 2, digit * times)]
    if words[at] in spoken.digit_names:
        return [(at + 1, spoken.digit_names[words[at]])]
    table, ends = large_numbers(spoken), range(min(len(words), at + MOST_NUMBER_WORDS), at, -1)
    found = [(end, table.get(" ".join(words[at:end]))) for end in ends]
    return [(end, str(number)) for end, number in found if number is not None and number <= _LARGEST]


def within_digits(words: Sequence[str], start: int, end: int, language: str) -> bool:
    """Whether these words are only a part of a run of digits: a number cut short is another number."""
    spoken = words_for(language)
    before = start > 0 and bool(digit_pieces(words, start - 1, spoken))
    return before or (end < len(words) and bool(digit_pieces(words, end, spoken)))
