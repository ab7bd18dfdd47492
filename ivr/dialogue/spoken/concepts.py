"""Carrier words: what is left of a request once its titles and numbers are taken out, reduced to concepts.

Knowledge about a language, not about a business: which verbs mean moving, which words are politeness. Only ever used
for sentences that no phrase of the flow covers, and whatever is understood this way is heard with doubt.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from ivr.dialogue.spoken.numerals import tongue

_CONCEPTS = {
    "en": {
        "MOVE": (
            "move put place bump shift bring push make set get take send drag raise rank slide jump stick "
            "pull but moving putting placing bumping getting making"
        ),
        "TOP": "top first next front beginning start head soonest foremost",
        "UP": "up higher sooner earlier",
        "DOWN": "down lower later",
        "END": "bottom last end back final",
        "SWAP": "swap switch exchange trade flip interchange swop slap reverse swapping switching",
        "BEFORE": "before above ahead over",
        "AFTER": "after behind below under beneath following",
        "REMOVE": "remove delete drop erase off out away rid lose",
        "ADD": "add include insert order rent",
        "HEAR": "hear read list tell what whats which show say know give",
        "QUEUE": "queue cube cue list titles movies films lineup",
        "BROKEN": "broken damaged scratched cracked defective skips skipping",
        "MISSING": "missing lost arrived arrive came come received",
        "UNDO": "undo revert",
        "HOLD": "hold pause stop suspend",
        "NOTE": "note notes",
    },
    "es": {
        "MOVE": "mueva mover mueve ponga poner pon pase pasar suba subir coloque colocar lleve",
        "TOP": "primero primera principio arriba siguiente inicio",
        "END": "final ultimo ultima abajo fondo",
        "SWAP": "cambie cambiar intercambie intercambiar",
        "BEFORE": "antes delante encima",
        "AFTER": "despues detras debajo",
        "REMOVE": "quite quitar borre borrar elimine eliminar saque sacar",
        "ADD": "agregue agregar anada anadir incluya",
        "HEAR": "oir lea leer escuchar digame diga que cual",
        "QUEUE": "lista cola titulos peliculas",
        "BROKEN": "danado rota roto rayado rallado",
        "MISSING": "perdido falta llegado llego",
        "UNDO": "deshaga deshacer",
        "HOLD": "pausa suspenda suspender detenga",
        "NOTE": "nota notas",
    },
}
_EMPTY = {
    "en": (
        "prefer rather got coming a an the this that these those to of in on at for with by from it its is are be "
        "am was as and or so my me i im id ill ive we you your please kindly could can would will should may might "
        "want wanna like love need have has had do does did um uh er ah hm well okay ok just now then right really "
        "thanks thank hi hello hey go going number place position spot slot one ones called named movie film title "
        "see watch let lets us think guess maybe if all way get there here mine sure yeah"
    ),
    "es": (
        "el la los las un una unos unas lo de del al a en por para con y o que mi mis me yo usted su sus favor "
        "quiero quisiera podria puede puedo gustaria es esta ser eh este pues bueno ahora gracias hola numero "
        "lugar puesto posicion pelicula titulo ver llamada llamado creo"
    ),
}
_NEGATIONS = {
    "en": frozenset({"dont", "not", "never", "wont", "cant", "doesnt", "didnt", "shouldnt", "without", "stop", "no"}),
    "es": frozenset({"no", "nunca", "tampoco", "sin"}),
}
_LEADS = {
    "en": (
        "please",
        "um",
        "uh",
        "er",
        "well",
        "so",
        "okay",
        "ok",
        "hi",
        "hello",
        "hey",
        "yes",
        "yeah",
        "can you",
        "could you",
        "would you",
        "will you",
        "i want to",
        "i want you to",
        "i would like to",
        "i would like you to",
        "id like to",
        "id like you to",
        "i need to",
        "i need you to",
        "can i",
        "could i",
        "may i",
        "lets",
        "just",
        "go ahead and",
        "i think",
        "maybe",
        "kindly",
        "now",
    ),
    "es": (
        "por favor",
        "eh",
        "pues",
        "bueno",
        "hola",
        "quiero",
        "quisiera",
        "puede",
        "podria",
        "me gustaria",
        "necesito",
        "ahora",
    ),
}
_TRAILS = {
    "en": (
        "please",
        "then",
        "thanks",
        "thank you",
        "now",
        "right now",
        "for me",
        "if you can",
        "if you could",
        "if possible",
        "okay",
    ),
    "es": ("por favor", "gracias", "ahora", "si puede", "ahora mismo"),
}


@lru_cache(maxsize=4)
def _concepts(spoken: str) -> dict[str, str]:
    return {word: concept for concept, words in _CONCEPTS[spoken].items() for word in words.split()}


@lru_cache(maxsize=4)
def empty_words(language: str) -> frozenset[str]:
    """Words that carry no request of their own."""
    return frozenset(_EMPTY[tongue(language)].split())


@lru_cache(maxsize=4)
def plain_words(language: str) -> frozenset[str]:
    """Every carrier word: no title, heard with doubt, begins or ends with one."""
    return empty_words(language) | frozenset(_concepts(tongue(language)))


def concept(word: str, language: str) -> str:
    """ "bump" -> "MOVE"; "" for empty words; any other word stands for itself."""
    known = _concepts(tongue(language)).get(word)
    if known:
        return known
    return "" if word in empty_words(language) else word


def concepts(words: Iterable[str], language: str) -> tuple[str, ...]:
    """Concepts in order, neighbours not repeated ("to the front, first")."""
    found: list[str] = []
    for word in words:
        meant = word if word.startswith("<") else concept(word, language)
        if meant and (not found or found[-1] != meant or meant.startswith("<")):
            found.append(meant)
    return tuple(found)


_HOMOPHONES = {
    "en": {"to": "two", "too": "two", "for": "four", "won": "one", "ate": "eight", "tree": "three", "sex": "six"},
    "es": {},
}
_PLACES = frozenset({"number", "position", "place", "spot", "slot"})


def renumbered(words: Sequence[str], language: str) -> tuple[str, ...]:
    """ "number to" -> "number two": words that sound like numbers, right after a word that wants one."""
    sounds = _HOMOPHONES[tongue(language)]
    return tuple(sounds.get(word, word) if at and words[at - 1] in _PLACES else word for at, word in enumerate(words))


def relates(word: str, language: str) -> bool:
    """A sentence that begins so names its landmark first: "after Vertigo, put Casablanca"."""
    return concept(word, language) in ("BEFORE", "AFTER")


def negated(words: Iterable[str], language: str) -> bool:
    return not _NEGATIONS[tongue(language)].isdisjoint(words)


def without_politeness(words: Sequence[str], language: str) -> tuple[str, ...]:
    """Leading and trailing politeness taken off; never everything."""
    left, spoken = tuple(words), tongue(language)
    changed = True
    while changed:
        changed = False
        for phrase in _LEADS[spoken]:
            lead = tuple(phrase.split())
            if len(left) > len(lead) and left[: len(lead)] == lead:
                left, changed = left[len(lead) :], True
        for phrase in _TRAILS[spoken]:
            trail = tuple(phrase.split())
            if len(left) > len(trail) and left[-len(trail) :] == trail:
                left, changed = left[: -len(trail)], True
    return left
