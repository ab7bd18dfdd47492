"""What the line says by itself when ``universals.yaml`` has no words for it: it must never be silent.

The names are those under ``prompts:`` in the universals. In braces: what the line fills in.
"""

from __future__ import annotations

from collections.abc import Mapping

from ivr.dialogue.spoken.numerals import tongue

_ENGLISH: Mapping[str, str] = {
    "noinput": "I didn't hear anything.",
    "nomatch": "Sorry, I didn't get that.",
    "offer_keys": "You can use the keys instead.",
    "key_menu_item": "For {label}, press {key}.",
    "human_option": "For a person, press zero.",
    "key_entry_title": "Key its place in your list, or the first letters of its name, then press pound.",
    "key_entry_number": "Key the number, then press pound.",
    "key_entry_ordinal": "Key the number, then press pound.",
    "key_entry_digits": "Key the number, then press pound.",
    "key_entry_date": "Key the month, then two digits for the day, then press pound.",
    "key_entry_boolean": "For yes, press one. For no, press two.",
    "key_entry_choice": "For {label}, press {key}.",
    "invalid_keys": "That key has no meaning here.",
    "out_of_range": "That has to be between {minimum} and {maximum}.",
    "did_you_mean": "Did you mean {first}, or {second}?",
    "did_you_mean_keys": "For {first}, press one. For {second}, press two. For neither, press three.",
    "did_you_mean_one": "Did you mean {first}?",
    "confirm_default": "Is that right?",
    "confirm_keys": "For yes, press one. For no, press two.",
    "confirm_goodbye": "Shall we end this call?",
    "apology": "Sorry, something on our side isn't working. Let me get you a person.",
    "not_understood": "I'm not getting this right. Let me get you a person.",
    "silent": "I can't hear you. Let me get you a person.",
    "still_connecting": "I'm still getting you a person. Please stay on the line.",
    "nobody_yet": "I can't reach anybody yet. Stay on the line and I try again, or press zero to try right now.",
    "help_default": "Just say what you'd like.",
    "back_at_start": "There's nothing to go back to.",
    "goodbye": "Thanks for calling. Goodbye.",
    "resume_offer": "We were cut off last time. Shall we go on where we stopped?",
    "resumed": "Good. Here's where we were.",
    "language_chosen": "All right, in English.",
    "confirm_language": "For English, press one, or say yes.",
}

_SPANISH: Mapping[str, str] = {
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
}

SYSTEM_PROMPTS: tuple[str, ...] = tuple(_ENGLISH)

_ORDINAL_ANSWERS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "en": (
        ("the first", "the first one", "first", "one", "number one", "the former"),
        ("the second", "the second one", "second", "two", "number two", "the latter"),
        ("neither", "neither one", "neither of them", "none of them", "none of those", "no neither", "three"),
    ),
    "es": (
        ("el primero", "la primera", "primero", "uno", "el uno"),
        ("el segundo", "la segunda", "segundo", "dos", "el dos"),
        ("ninguno", "ninguna", "ninguno de los dos", "ninguna de las dos", "tres"),
    ),
}

_ASK_CARRIERS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "en": {
        "title": ("{%}", "it's {%}", "the title is {%}", "{%} please"),
        "number": ("{%}", "number {%}", "position {%}", "to number {%}", "place {%}"),
        "ordinal": ("{%}", "the {%}", "the {%} one", "{%} place"),
        "digits": ("{%}", "it's {%}", "my number is {%}", "the number is {%}"),
        "date": ("{%}", "until {%}", "it's {%}"),
        "choice": ("{%}", "it's {%}"),
    },
    "es": {
        "title": ("{%}", "es {%}", "el título es {%}", "{%} por favor"),
        "number": ("{%}", "número {%}", "el {%}", "el número {%}", "al {%}", "al número {%}"),
        "ordinal": ("{%}", "el {%}", "la {%}", "en {%} lugar"),
        "digits": ("{%}", "es {%}", "mi número es {%}", "es el {%}"),
        "date": ("{%}", "hasta {%}"),
        "choice": ("{%}", "es {%}"),
    },
}


def system_words(name: str, language: str) -> str:
    return (_SPANISH if tongue(language) == "es" else _ENGLISH).get(name, "")


def option_answers(language: str) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """How callers pick the first, the second or neither of two."""
    return _ORDINAL_ANSWERS[tongue(language)]


def ask_carriers(slot_type: str, language: str) -> tuple[str, ...]:
    """Short ways around a bare answer; ``{%}`` stands for the slot."""
    return _ASK_CARRIERS[tongue(language)].get(slot_type, ("{%}",))
