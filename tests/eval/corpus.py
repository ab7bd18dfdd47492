"""The evaluation corpus: what callers say, in which state, and what they mean; a tuning and a checking part.

The sentences are in ``sentences.yaml`` (``sentences.es.yaml``), whose head tells how they are written. The parts share
no sentence, no title and no voice, so that a figure of the checking part is of what nobody tuned to.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, get_args

import yaml

Part = Literal["tuning", "checking"]
PARTS: tuple[Part, ...] = get_args(Part)
Kind = Literal[
    "covered",  # word for word in the state's grammar
    "answer",  # to a question for one value
    "confirm",  # yes or no
    "digits",
    "paraphrase",  # the flows can do it, in words that no phrase of theirs has
    "human",  # the wish for a person, in any words
    "threat",  # to leave, in words that no list has
    "near_miss",  # harmless, with a word that threats have
    "strange",  # nothing for us
]
KINDS: tuple[Kind, ...] = get_args(Kind)
LANGUAGES = {"en-US": "sentences.yaml", "es-ES": "sentences.es.yaml"}


@dataclass(frozen=True, slots=True)
class Titles:
    """Of one part: the member's queue, titles of the catalogue that are not in it, and discs that are out."""

    queue: tuple[str, ...]
    films: tuple[str, ...]
    discs: tuple[str, ...]


TITLES: dict[Part, Titles] = {
    "tuning": Titles(
        (
            *("Blade Runner", "Chinatown", "Fargo", "Gilda", "Jaws", "Laura", "Rebecca", "Spellbound", "The Apartment"),
            *("The Killing", "The Red Shoes", "Dumbo", "Stagecoach", "Blue Velvet"),
        ),
        ("Titanic", "Cabaret", "The Sting", "Amadeus", "Tootsie", "Goldfinger", "Halloween"),
        ("The Kid", "Scarface"),
    ),
    "checking": Titles(
        (
            *("Notorious", "The Conversation", "Rio Bravo", "Mildred Pierce", "Harvey", "Double Indemnity", "Charade"),
            *("The Searchers", "Gaslight", "Badlands", "The Graduate", "Key Largo", "Duck Soup", "Out of the Past"),
        ),
        ("Sabrina", "The Matrix", "Marty", "Yojimbo", "Solaris", "Easy Rider", "Funny Face"),
        ("Ninotchka", "Stalker"),
    ),
}


@dataclass(frozen=True, slots=True)
class Meaning:
    """What is meant: an intent ("answer", "risk", "nothing" among them) and its values, as ``sentences.yaml`` says."""

    intent: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sentence:
    """``text`` is what is said in ``state`` ("flow.state"). ``titles`` are those in it."""

    language: str
    part: Part
    kind: Kind
    state: str
    text: str
    meaning: Meaning
    titles: tuple[str, ...] = ()

    @property
    def digits(self) -> int:
        """How many digits are asked for; 0 where it is not digits."""
        return len(self.meaning.values[0]) if self.kind == "digits" else 0


@lru_cache
def sentences(language: str = "en-US") -> tuple[Sentence, ...]:
    """All of them, in the order of the file. Raises ValueError for one that is written wrong."""
    written = yaml.safe_load((Path(__file__).parent / LANGUAGES[language]).read_text(encoding="utf-8"))
    made: list[Sentence] = []
    for kind in KINDS:
        for state, parts in written.get(kind, {}).items():
            for part in PARTS:
                made += [_made(language, part, kind, state, line, n) for n, line in enumerate(parts[part])]
    if unknown := set(written) - set(KINDS):
        raise ValueError(f"no such kind of sentence: {', '.join(sorted(unknown))}")
    return tuple(made)


def _made(language: str, part: Part, kind: Kind, state: str, line: str, number: int) -> Sentence:
    words, arrow, meant = line.partition(" => ")
    if not arrow or not meant:
        raise ValueError(f"{line!r} has no meaning")
    titles = TITLES[part]
    turn = KINDS.index(kind) + number  # so that every title has its turn in every kind
    count = len(titles.queue)
    named = {
        "a": titles.queue[turn % count],
        "b": titles.queue[(turn + 1 + (count // 2 - 1 + number // count) % (count - 1)) % count],  # never a
        "f": titles.films[turn % len(titles.films)],
        "d": titles.discs[turn % len(titles.discs)],
    }
    intent, *values = _split(meant)
    return Sentence(
        *(language, part, kind, state),
        text=words.format(**named),
        meaning=Meaning(intent, tuple(named.get(value, value) for value in values)),
        titles=tuple(title for name, title in named.items() if "{" + name + "}" in words),
    )


def _split(meant: str) -> list[str]:
    """Words, and what begins with a tilde to its end."""
    words, tilde, part = meant.partition("~")
    return [*words.split(), *([tilde + part] if tilde else [])]
