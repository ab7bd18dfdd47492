"""Spanish, as the Americas speak it: numbers, dates, money, small words, and the line's own sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ivr.dialogue.spoken.language import Language, Money, word_set, words

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


SPANISH = Language(
    tag="es",
    cardinal=_cardinal,
    ordinal=_ordinal,
    more_cardinals=_more_cardinals,
    more_ordinals=_more_ordinals,
    minus="menos",
    repeats={"doble": 2, "triple": 3},
    twos=("dos",),
    months=words("enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"),
    weekdays=words("lunes martes miércoles jueves viernes sábado domingo"),
    coming_days=("hoy", "mañana", "pasado mañana"),
    date=lambda weekday, day, month: f"{weekday}, {'primero' if day == 1 else _cardinal(day)} de {month}",
    day_forms=_day_forms,
    weekday_forms=("el {}", "{}", "el próximo {}"),
    money=Money(("dólar", "dólares"), ("centavo", "centavos"), " con ", lambda n: _short_one(_cardinal(n))),
    joiner="y",
    sound=_sound,
    articles=word_set("el la los las un una"),
    fillers=word_set(
        "el la los las un una unos unas lo de del al a en por para con y o que mi mis me yo usted su sus favor quiero "
        "quisiera podria puede puedo gustaria es esta ser eh este pues bueno ahora gracias hola numero lugar puesto "
        "posicion ver llamada llamado creo"
    ),
    concepts={
        "MOVE": "mueva mover mueve ponga poner pon pase pasar suba subir coloque colocar lleve",
        "TOP": "primero primera principio arriba siguiente inicio",
        "END": "final ultimo ultima abajo fondo",
        "SWAP": "cambie cambiar intercambie intercambiar",
        "BEFORE": "antes delante encima",
        "AFTER": "despues detras debajo",
        "REMOVE": "quite quitar borre borrar elimine eliminar saque sacar",
        "ADD": "agregue agregar anada anadir incluya",
        "HEAR": "oir lea leer escuchar digame diga que cual",
        "UNDO": "deshaga deshacer",
        "HOLD": "pausa suspenda suspender detenga",
    },
    negations=word_set("no nunca tampoco sin"),
    leads=(
        *("por favor", "eh", "pues", "bueno", "hola", "quiero", "quisiera", "puede", "podria", "me gustaria"),
        *("necesito", "ahora"),
    ),
    trails=("por favor", "gracias", "ahora", "si puede", "ahora mismo"),
    ones=word_set("uno una un"),
    prompts={
        "noinput": "No he oído nada.",
        "nomatch": "Perdone, no le he entendido.",
        "offer_keys": "También puede usar el teclado.",
        "key_menu_item": "Para {label}, pulse {key}.",
        "human_option": "Para hablar con una persona, pulse cero.",
        "key_entry_title": "Marque su lugar en la lista, o las primeras letras del nombre, y luego almohadilla.",
        "key_entry_number": "Marque el número y luego almohadilla.",
        "key_entry_ordinal": "Marque el número y luego almohadilla.",
        "key_entry_digits": "Marque el número y luego almohadilla.",
        "key_entry_date": "Marque el mes, dos cifras para el día, y luego almohadilla.",
        "key_entry_boolean": "Para sí, pulse uno. Para no, pulse dos.",
        "key_entry_choice": "Para {label}, pulse {key}.",
        "invalid_keys": "Esa tecla no sirve aquí.",
        "out_of_range": "Tiene que estar entre {minimum} y {maximum}.",
        "did_you_mean": "¿Quiere decir {first}, o {second}?",
        "did_you_mean_keys": "Para {first}, pulse uno. Para {second}, pulse dos. Para ninguno, pulse tres.",
        "did_you_mean_one": "¿Quiere decir {first}?",
        "confirm_default": "¿Es correcto?",
        "confirm_keys": "Para sí, pulse uno. Para no, pulse dos.",
        "confirm_goodbye": "¿Terminamos la llamada?",
        "apology": "Perdone, algo no funciona de nuestro lado. Le paso con una persona.",
        "not_understood": "No lo estoy entendiendo bien. Le paso con una persona.",
        "silent": "No le oigo. Le paso con una persona.",
        "still_connecting": "Sigo buscando a una persona. No cuelgue, por favor.",
        "nobody_yet": "Todavía no localizo a nadie. No cuelgue y lo intento de nuevo, o pulse cero para intentarlo ya.",
        "help_default": "Diga con sus palabras lo que desea.",
        "back_at_start": "No hay nada anterior.",
        "goodbye": "Gracias por llamar. Adiós.",
        "resume_offer": "La última vez se cortó la llamada. ¿Seguimos donde estábamos?",
        "resumed": "Bien. Estábamos aquí.",
        "language_chosen": "Bien, en español.",
        "confirm_language": "Para español, pulse uno.",
    },
    options=(
        ("el primero", "la primera", "primero", "uno", "el uno"),
        ("el segundo", "la segunda", "segundo", "dos", "el dos"),
        ("ninguno", "ninguna", "ninguno de los dos", "ninguna de las dos", "tres"),
    ),
    answers={
        "title": ("{%}", "es {%}", "el título es {%}", "{%} por favor"),
        "number": ("{%}", "número {%}", "el {%}", "el número {%}", "al {%}", "al número {%}"),
        "ordinal": ("{%}", "el {%}", "la {%}", "en {%} lugar"),
        "digits": ("{%}", "es {%}", "mi número es {%}", "es el {%}"),
        "date": ("{%}", "hasta {%}"),
        "choice": ("{%}", "es {%}"),
    },
    operator=("operador", "operadora"),
    urgent="Urgente: ",
    somebody="Una persona sin identificar",
    corrections=("no {%}",),
)
