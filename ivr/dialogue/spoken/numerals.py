"""Numbers, ordinals and digit strings in words, for English and Spanish, both ways. Pure tables and arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

LARGEST = 2000  # heard numbers are looked up in a table up to here

_EN_SMALL = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_EN_TENS = ["", "", *["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]]
_EN_ORDINAL = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
_ES_SMALL = [
    "cero",
    "uno",
    "dos",
    "tres",
    "cuatro",
    "cinco",
    "seis",
    "siete",
    "ocho",
    "nueve",
    "diez",
    "once",
    "doce",
    "trece",
    "catorce",
    "quince",
    "dieciséis",
    "diecisiete",
    "dieciocho",
    "diecinueve",
    "veinte",
    "veintiuno",
    "veintidós",
    "veintitrés",
    "veinticuatro",
    "veinticinco",
    "veintiséis",
    "veintisiete",
    "veintiocho",
    "veintinueve",
]
_ES_TENS = ["", "", "veinte", *["treinta", "cuarenta", "cincuenta", "sesenta", "setenta", "ochenta", "noventa"]]
_ES_HUNDREDS = [
    "-",
    "ciento",
    "doscientos",
    "trescientos",
    "cuatrocientos",
    "quinientos",
    "seiscientos",
    "setecientos",
    "ochocientos",
    "novecientos",
]
_ES_ORDINAL = [
    "-",
    "primero",
    "segundo",
    "tercero",
    "cuarto",
    "quinto",
    "sexto",
    "séptimo",
    "octavo",
    "noveno",
    "décimo",
    "undécimo",
    "duodécimo",
]
_ES_ORDINAL_TENS = [
    "-",
    "décimo",
    "vigésimo",
    "trigésimo",
    "cuadragésimo",
    "quincuagésimo",
    "sexagésimo",
    "septuagésimo",
    "octogésimo",
    "nonagésimo",
]

_DIGIT_WORDS = {
    "en": {**{word: str(i) for i, word in enumerate(_EN_SMALL[:10])}, "oh": "0", "o": "0"},
    "es": {word: str(i) for i, word in enumerate(_ES_SMALL[:10])},
}


def tongue(language: str) -> str:
    """The part of a language tag that decides words: "es-ES" -> "es". Anything unknown speaks English."""
    base = language.partition("-")[0].lower()
    return base if base in _DIGIT_WORDS else "en"


def _english(n: int, joiner: str = " ") -> str:
    if n < 20:
        return _EN_SMALL[n]
    if n < 100:
        tens, rest = divmod(n, 10)
        return _EN_TENS[tens] + (f" {_EN_SMALL[rest]}" if rest else "")
    for size, name in ((1_000_000, "million"), (1000, "thousand"), (100, "hundred")):
        if n >= size:
            many, rest = divmod(n, size)
            return f"{_english(many, joiner)} {name}" + (f"{joiner}{_english(rest, joiner)}" if rest else "")
    raise AssertionError(n)


def _spanish(n: int) -> str:
    if n < 30:
        return _ES_SMALL[n]
    if n < 100:
        tens, rest = divmod(n, 10)
        return _ES_TENS[tens] + (f" y {_ES_SMALL[rest]}" if rest else "")
    if n == 100:
        return "cien"
    if n < 1000:
        hundreds, rest = divmod(n, 100)
        return _ES_HUNDREDS[hundreds] + (f" {_spanish(rest)}" if rest else "")
    if n < 1_000_000:
        many, rest = divmod(n, 1000)
        head = "mil" if many == 1 else f"{_short_one(_spanish(many))} mil"
        return head + (f" {_spanish(rest)}" if rest else "")
    many, rest = divmod(n, 1_000_000)
    head = "un millón" if many == 1 else f"{_short_one(_spanish(many))} millones"
    return head + (f" {_spanish(rest)}" if rest else "")


def _short_one(words: str) -> str:
    """ "uno" before a noun: veintiún mil, treinta y un mil."""
    if words.endswith("veintiuno"):
        return words[: -len("veintiuno")] + "veintiún"
    return words[:-1] if words.endswith("uno") else words


def number_words(n: int, language: str) -> str:
    """3 -> "three", -3 -> "minus three"; 10**9 and more stay figures."""
    if abs(n) >= 1_000_000_000:
        return str(n)
    spanish = tongue(language) == "es"
    if n < 0:
        return ("menos " if spanish else "minus ") + number_words(-n, language)
    return _spanish(n) if spanish else _english(n)


def ordinal_words(n: int, language: str) -> str:
    """3 -> "third" / "tercero"."""
    if n < 1:
        return number_words(n, language)
    if tongue(language) == "es":
        if n < 13:
            return _ES_ORDINAL[n]
        if n < 100:
            tens, rest = divmod(n, 10)
            return _ES_ORDINAL_TENS[tens] + (f" {_ES_ORDINAL[rest]}" if rest else "")
        return f"número {_spanish(n)}"
    head, space, last = number_words(n, language).rpartition(" ")
    if last in _EN_ORDINAL:
        last = _EN_ORDINAL[last]
    elif last.endswith("y"):
        last = last[:-1] + "ieth"
    else:
        last += "th"
    return head + space + last


def digit_words(digits: str, language: str) -> str:
    """ "4071" -> "four zero seven one"."""
    small = _ES_SMALL if tongue(language) == "es" else _EN_SMALL
    return " ".join(small[int(d)] for d in digits if d.isdecimal() and d.isascii())


def number_forms(n: int, language: str) -> tuple[str, ...]:
    """Every way a caller says ``n``, the usual one first."""
    words = number_words(n, language)
    if tongue(language) == "es":
        return (words, *((_short_one(words),) if words.endswith("uno") else ()))
    forms = [words]
    if n > 100 and n % 100:
        forms.append(_english(n, " and "))
    if 100 <= n < 200:
        forms.extend([form.replace("one hundred", "a hundred", 1) for form in forms])
    return tuple(forms)


def ordinal_forms(n: int, language: str) -> tuple[str, ...]:
    words = ordinal_words(n, language)
    if tongue(language) != "es":
        return (words,)
    forms = [words]
    if words.endswith("o"):
        forms.append(words[:-1] + "a")
    if words.endswith(("primero", "tercero")):
        forms.append(words[:-1])
    return tuple(forms)


@lru_cache(maxsize=4)
def _numbers(spoken: str) -> dict[str, int]:
    table: dict[str, int] = {}
    for n in range(LARGEST + 1):
        for form in number_forms(n, spoken):
            table.setdefault(plain(form), n)
    return table


@lru_cache(maxsize=4)
def _ordinals(spoken: str) -> dict[str, int]:
    table: dict[str, int] = {}
    for n in range(1, (100 if spoken == "es" else 1000)):
        for form in ordinal_forms(n, spoken):
            table.setdefault(plain(form), n)
    return table


_PLAIN = str.maketrans("áéíóúüàèìòùâêîôûäëïöñç", "aeiouuaeiouaeiouaeionc")


def plain(words: str) -> str:
    """Words without accents, for comparing."""
    return words.translate(_PLAIN)


def number_of(words: Sequence[str], language: str) -> int | None:
    """("twenty", "three") -> 23; None when these words aren't exactly one number up to LARGEST."""
    return _numbers(tongue(language)).get(plain(" ".join(words)))


def ordinal_of(words: Sequence[str], language: str) -> int | None:
    return _ordinals(tongue(language)).get(plain(" ".join(words)))


def digits_of(words: Sequence[str], language: str) -> str | None:
    """Digit words ("double five" included) -> the digits; None when another word is among them."""
    table, digits, repeat = _DIGIT_WORDS[tongue(language)], [], 1
    for word in words:
        if word in ("double", "doble"):
            repeat = 2
        elif word in ("triple",):
            repeat = 3
        elif (digit := table.get(plain(word))) is not None:
            digits.append(digit * repeat)
            repeat = 1
        else:
            return None
    return "".join(digits) if repeat == 1 and digits else None
