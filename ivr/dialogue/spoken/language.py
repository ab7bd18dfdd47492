"""A spoken language as data: numbers, dates, money, small words, the line's own sentences. One file a language.

Nothing here belongs to a business. Words that are compared with what was heard are written without accents and
apostrophes, words that are said with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field


def _no_forms(n: int) -> tuple[str, ...]:
    return ()


def words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def word_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


@dataclass(frozen=True, slots=True)
class Money:
    """Unit and hundredth, one and several of each: ("dollar", "dollars"). ``count``: a number before such a noun."""

    unit: tuple[str, str]
    cent: tuple[str, str]
    joiner: str
    count: Callable[[int], str]


@dataclass(frozen=True, eq=False, kw_only=True)
class Language:
    """What is known about one language. Whatever has a default may be left out: then less is understood.

    ``cardinal`` says 0..10**9-1, ``ordinal`` 1 and more; ``more_cardinals`` and ``more_ordinals`` are other ways to
    say the same. ``date`` says (weekday, day, month), ``day_forms`` are the ways to say (day, month), ``weekday_forms``
    have the weekday in ``{}``. ``sound``: a word as it sounds (see ``similarity``).
    """

    tag: str  # the primary subtag
    # numbers
    cardinal: Callable[[int], str]
    ordinal: Callable[[int], str]
    more_cardinals: Callable[[int], Iterable[str]] = _no_forms
    more_ordinals: Callable[[int], Iterable[str]] = _no_forms
    last_ordinal: int = 99  # larger ones are not heard
    minus: str
    digit_names: Mapping[str, str] = field(default_factory=dict)  # besides the numbers' own: "oh" is 0
    repeats: Mapping[str, int] = field(default_factory=dict)  # "double" is 2
    teens: Mapping[str, str] = field(default_factory=dict)  # numbers that a telephone blurs: thirteen, thirty
    twos: tuple[str, ...] = ()  # what a sequel's name may end with, unheard
    # dates, money, lists
    months: tuple[str, ...]
    weekdays: tuple[str, ...]
    coming_days: tuple[str, ...]  # today, tomorrow, the day after
    date: Callable[[str, int, str], str]
    day_forms: Callable[[int, str], Iterable[str]]
    weekday_forms: tuple[str, ...] = ("{}",)
    money: Money
    joiner: str  # "and" in a list
    # small words
    sound: Callable[[str], str] = str
    articles: frozenset[str] = frozenset()
    function_words: frozenset[str] = frozenset()  # never change what a phrase asks for
    fillers: frozenset[str] = frozenset()  # nor do these, in free speech
    concepts: Mapping[str, str] = field(default_factory=dict)  # a concept, and the words that mean it
    negations: frozenset[str] = frozenset()
    leads: tuple[str, ...] = ()  # politeness in front of a request,
    trails: tuple[str, ...] = ()  # and after it
    homophones: Mapping[str, str] = field(default_factory=dict)  # "to" is "two", after one of
    places: frozenset[str] = frozenset()  # "number"
    ones: frozenset[str] = frozenset()  # "one", a pronoun after one of
    pointers: frozenset[str] = frozenset()  # "that"
    abbreviations: Mapping[str, str] = field(default_factory=dict)  # as written -> as said
    # the line
    prompts: Mapping[str, str]  # by the names under ``prompts:`` in the universals; in braces what the line fills in
    options: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]  # the first, the second, neither of two
    answers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # around a bare answer, by slot type
    operator: tuple[str, ...] = ()  # the word that everybody says for a human
    urgent: str  # whispered to an agent, before who calls
    somebody: str  # or who, when nobody knows
    corrections: tuple[str, ...] = ()  # "no, i meant …"
