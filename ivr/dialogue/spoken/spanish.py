"""Spanish, as the Americas speak it: how numbers and dates are made, and sounds. Its words are in ``spanish.yaml``."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ivr.dialogue.spoken.language import read_language, words

_SMALL = words(
    "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciséis diecisiete "
    "dieciocho diecinueve veinte veintiuno veintidós veintitrés veinticuatro veinticinco veintiséis veintisiete "
    "veintiocho veintinueve"
)
_TENS = words("treinta cuarenta cincuenta sesenta setenta ochenta noventa")
_HUNDREDS = words(
    "ciento doscientos trescientos cuatrocientos quinientos seiscientos setecientos ochocientos novecientos"
)
_ORDINALS = words("primero segundo tercero cuarto quinto sexto séptimo octavo noveno décimo undécimo duodécimo")
_ORDINAL_TENS = words(
    "décimo vigésimo trigésimo cuadragésimo quincuagésimo sexagésimo septuagésimo octogésimo nonagésimo"
)
_FEMININE = ("hora", "semana")
# Of letters to sounds, as most of the Americas speak: casa and caza, vaya and valla, hola and ola are the same.
_SOUNDS = {"ch": "X", "ll": "y", "qu": "k", "gue": "Ge", "gui": "Gi", "ge": "je", "gi": "ji", "ce": "se", "ci": "si"}
_SOUNDS |= {"z": "s", "c": "k", "v": "b", "h": "", "w": "u", "x": "ks", "ñ": "n"}
_DOUBLED = re.compile(r"(.)\1+")


def _sound(word: str) -> str:
    for letters, sound in _SOUNDS.items():
        word = word.replace(letters, sound)
    return _DOUBLED.sub(r"\1", word)


def _cardinal(n: int) -> str:
    if n < 30:
        return _SMALL[n]
    if n < 100:
        tens, rest = divmod(n, 10)
        return _TENS[tens - 3] + (f" y {_SMALL[rest]}" if rest else "")
    if n == 100:
        return "cien"
    if n < 1000:
        head, rest = _HUNDREDS[n // 100 - 1], n % 100
    elif n < 1_000_000:
        many, rest = divmod(n, 1000)
        head = "mil" if many == 1 else f"{_short_one(_cardinal(many))} mil"
    else:
        many, rest = divmod(n, 1_000_000)
        head = "un millón" if many == 1 else f"{_short_one(_cardinal(many))} millones"
    return head + (f" {_cardinal(rest)}" if rest else "")


def _short_one(number: str) -> str:
    """ "uno" before a noun: veintiún mil, treinta y un mil."""
    if number.endswith("veintiuno"):
        return number[: -len("veintiuno")] + "veintiún"
    return number[:-1] if number.endswith("uno") else number


def _more_cardinals(n: int) -> Iterator[str]:
    if (number := _cardinal(n)).endswith("uno"):
        yield _short_one(number)


def _ordinal(n: int) -> str:
    if n < 13:
        return _ORDINALS[n - 1]
    if n >= 100:
        return f"número {_cardinal(n)}"
    tens, rest = divmod(n, 10)
    return _ORDINAL_TENS[tens - 1] + (f" {_ORDINALS[rest - 1]}" if rest else "")


def _more_ordinals(n: int) -> Iterator[str]:
    nth = _ordinal(n)
    if nth.endswith("o"):
        yield nth[:-1] + "a"
    if nth.endswith(("primero", "tercero")):
        yield nth[:-1]


def _day_forms(day: int, month: str) -> Iterator[str]:
    for said in (_cardinal(day), *_more_cardinals(day), *(("primero",) if day == 1 else ())):
        yield f"el {said} de {month}"
        yield f"{said} de {month}"


def _count(many: int, names: tuple[str, str]) -> str:
    number = _cardinal(many)
    if names[0] in _FEMININE and number.endswith("uno"):
        number = f"{number[:-1]}a"
    return f"{_short_one(number)} {names[many != 1]}"


def _hour(hour: int) -> tuple[str, ...]:
    if hour == 1:
        return "la una", "una"
    return f"las {_cardinal(hour)}", _cardinal(hour)


def _time(hour: int, minute: int) -> str:
    part = "de la noche" if hour in (0, 20, 21, 22, 23) else "de la mañana" if hour < 12 else "de la tarde"
    if (hour, minute) == (12, 0):
        part = "del mediodía"
    past = {0: "", 15: " y cuarto", 30: " y media"}.get(minute, f" y {_cardinal(minute)}")
    return f"{_hour(hour % 12 or 12)[0]}{past} {part}"


SPANISH = read_language(
    "es",
    "spanish.yaml",
    cardinal=_cardinal,
    ordinal=_ordinal,
    more_cardinals=_more_cardinals,
    more_ordinals=_more_ordinals,
    date=lambda weekday, day, month: f"{weekday}, {'primero' if day == 1 else _cardinal(day)} de {month}",
    day_forms=_day_forms,
    month_days=_cardinal,
    before_noun=lambda n: _short_one(_cardinal(n)),
    clock={"hour": _hour, "said": _time},
    durations={"count": _count},
    sound=_sound,
)
