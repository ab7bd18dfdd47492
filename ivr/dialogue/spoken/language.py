"""A spoken language: its tag (BCP 47), numbers, dates, money, small words, the line's own sentences. Two files each.

Its words are data that a translator writes (``english.yaml``), the rules by which it makes numbers and dates functions
(``english.py``). Nothing here belongs to a business. Words that are compared with what was heard are written without
accents and apostrophes, words that are said with them. Tags are compared here alone; the region never decides: words
of en-GB serve en-US.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import Annotated, ClassVar

import yaml
from pydantic import BeforeValidator, ConfigDict, TypeAdapter


@lru_cache(maxsize=256)
@lru_cache(1024)  # asked of every language that anything here speaks, several times a call
def primary(tag: str) -> str:
    """The primary subtag: "en" of "en-US" and of "EN_gb"."""
    return tag.replace("_", "-").partition("-")[0].lower()


def same_language(one: str, other: str) -> bool:
    return primary(one) == primary(other)


def served(wanted: str, offered: Iterable[str] | None) -> bool:
    """Whether something offered in these languages serves ``wanted``. None: offered in any."""
    return offered is None or primary(wanted) in map(primary, offered)


def _no_forms(n: int) -> tuple[str, ...]:
    return ()


def _no_day_forms(day: int, month: str) -> tuple[str, ...]:
    return ()


def words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


WordSet = Annotated[frozenset[str], BeforeValidator(words)]
Phrase = Annotated[tuple[str, ...], BeforeValidator(words)]
"""Both are written as a text of words."""


@dataclass(frozen=True, slots=True)
class Money:
    """Unit and hundredth, one and several of each: ("dollar", "dollars"); ``joiner`` stands between the two sums.

    ``units`` and ``cents``: what else callers call them; ``one``: ways to say one of them; ``joiners``: what they put
    between, if anything; ``under_ten``: so few hundredths alone after the units ("twelve oh five"); ``others``: other
    currencies, which are not understood."""

    unit: tuple[str, str]
    cent: tuple[str, str]
    joiner: str
    units: tuple[str, ...] = ()
    cents: tuple[str, ...] = ()
    one: tuple[str, ...] = ()
    joiners: tuple[str, ...] = ()
    under_ten: str = ""
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DurationWords:
    """How long something takes, in words. ``units``: minute, hour, day, week -> one and several of them; ``one``: ways
    to say one of a unit; ``halves``: so many hours ({n}) and a part of one, by its minutes; ``after``: such a part
    after hours; ``rests``: minutes ({m}) after hours; ``named``: a name -> minutes; ``others``: units that
    are not understood; ``count``: so many of a unit, by its two names."""

    units: Mapping[str, tuple[str, str]]
    one: Mapping[str, tuple[str, ...]]
    halves: Mapping[str, tuple[str, ...]]
    rests: tuple[str, ...]
    after: Mapping[str, tuple[str, ...]]
    named: Mapping[str, int]
    others: tuple[str, ...]
    joiner: str
    count: Callable[[int, tuple[str, str]], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpellingWords:
    """How codes are spelt out. ``letters``: a letter -> its names, and what recognisers write for them; ``alphabet``:
    a letter -> the word that stands for it, the usual one first; ``likened``: what comes between a letter and such a
    word ("as in"); ``said``: a letter said back ({letter}, {word}); ``between``: words for signs, without meaning."""

    letters: Mapping[str, tuple[str, ...]]
    alphabet: Mapping[str, tuple[str, ...]]
    likened: tuple[Phrase, ...]
    said: str
    between: WordSet = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanWords:
    """How ranges of days are said: what comes before the ``first`` and the ``last`` day, how many ``nights``
    (``night``: one) or ``weeks``, back again (``said``: {first}, {last}). ``articles``: that a day may lack after
    them."""

    first: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    night: tuple[str, ...] = ()
    nights: tuple[str, ...] = ()
    week: tuple[str, ...] = ()
    weeks: tuple[str, ...] = ()
    said: str = "{first} - {last}"
    articles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """How times are said. ``hour``: ways to say an hour, 0 to 23; ``said``: (hour, minute) said back. {h} is the hour
    and {m} the minutes. ``past`` and ``to``: by the minutes, "to" the hour that comes. ``named``: a name -> HH:MM.
    ``parts``: the hours of a part of the day ("19-4") -> what it is called; ``leads``: what comes between such a part
    and the time after it ("tonight | at | eight")."""

    hour: Callable[[int], Iterable[str]]
    said: Callable[[int, int], str]
    whole: tuple[str, ...]
    minutes: tuple[str, ...]
    under_ten: str
    past: Mapping[str, tuple[str, ...]]
    to: Mapping[str, tuple[str, ...]]
    named: Mapping[str, str]
    parts: Mapping[str, tuple[str, ...]]
    leads: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class Language:
    """What is known about one language. Whatever has a default may be left out: then less is understood.

    ``cardinal`` says 0..10**9-1, ``ordinal`` 1 and more; ``more_cardinals`` and ``more_ordinals`` are other ways to
    say the same, ``before_noun`` says a number of things. ``date`` says (weekday, day, month), ``day_forms`` are the
    ways to say (day, month). ``sound``: a word as it sounds (see ``similarity``)."""

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")

    tag: str  # the primary subtag
    # rules
    cardinal: Callable[[int], str]
    ordinal: Callable[[int], str]
    more_cardinals: Callable[[int], Iterable[str]] = _no_forms
    more_ordinals: Callable[[int], Iterable[str]] = _no_forms
    teens: Mapping[str, str] = field(default_factory=dict)  # numbers that a telephone blurs: thirteen, thirty
    date: Callable[[str, int, str], str]
    day_forms: Callable[[int, str], Iterable[str]]
    more_day_forms: Callable[[int, str], Iterable[str]] = _no_day_forms  # which no recogniser expects
    before_noun: Callable[[int], str]
    sound: Callable[[str], str] = str
    # numbers
    minus: str
    point: str = ""  # before tenths, as recognisers write "1.5"
    last_ordinal: int = 99  # larger ones are not heard
    digit_names: Mapping[str, str] = field(default_factory=dict)  # besides the numbers' own: "oh" is 0
    repeats: Mapping[str, int] = field(default_factory=dict)  # "double" is 2
    twos: tuple[str, ...] = ()  # what a sequel's name may end with, unheard
    phone: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict
    )  # of telephone numbers: "plus", words "between" its groups, and the number they are "calling" from
    # dates, money, lists
    months: tuple[str, ...]
    weekdays: tuple[str, ...]
    coming_days: tuple[str, ...]  # today, tomorrow, the day after
    weekday_forms: tuple[str, ...] = ("{}",)  # ways to say a weekday, which stands in the braces
    next_weekday_forms: tuple[str, ...] = ()  # a weekday of the next calendar week
    ahead_forms: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict
    )  # "days", "weeks", "months": in so many; "a_week", "two_days", "next_month", …: said in one; "week_from",
    # "weeks_from", "day_after", …: from the day in braces; "for_days", "for_a_week", …: for so long
    day_of_month_forms: tuple[str, ...] = ()  # "the fifth"
    next_month_forms: tuple[str, ...] = ()  # "the fifth of next month"
    day_leads: WordSet = frozenset()  # "on", before a day
    awaiting: WordSet = frozenset()  # shortly before a day that something waits for: "until", "not before"
    month_days: Callable[[int], str] | None = None  # how such a day is said; None: by its ordinal
    holidays: Mapping[str, str] = field(default_factory=dict)  # a name, and when it is (see ``calendar``)
    past_forms: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict
    )  # "yesterday", "before_yesterday", "a_day", "a_week", "days" and the like: so many ago; "weekday": the last one
    years: Callable[[int], Iterable[str]] = _no_forms  # ways to say a year besides its number, the usual one first
    year_forms: tuple[str, ...] = ("{}",)  # a year after a day, and
    year_alone_forms: tuple[str, ...] = ("{}",)  # one by itself
    near_years: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by how far they are: "-1" is last year
    dated_year: str = "{day}, {year}"
    spans: SpanWords = SpanWords()
    clock: Clock | None = None  # None: no times are understood
    money: Money
    durations: DurationWords | None = None  # None: none are understood
    spelling: SpellingWords | None = None  # None: no letters are
    joiner: str  # "and" in a list
    # small words
    articles: WordSet = frozenset()
    function_words: WordSet = frozenset()  # never change what a phrase asks for
    fillers: WordSet = frozenset()  # nor do these, in free speech
    concepts: Mapping[str, str] = field(default_factory=dict)  # a concept, and the words that mean it
    misheard: Mapping[str, str] = field(default_factory=dict)  # what recognisers write for a word -> that word
    negations: WordSet = frozenset()
    denies: WordSet = (
        frozenset()
    )  # of those, what takes back what comes right after it, and makes doubtful what follows
    negators: WordSet = frozenset()  # which deny a name or a value that comes right after them
    hedges: WordSet = frozenset()  # and what may
    subjects: WordSet = frozenset()  # with which somebody begins to say what they do
    remarks: WordSet = frozenset()  # and with which something is said of what is there: "this is ridiculous"
    naming: WordSet = frozenset()  # after which a name comes
    clause_starts: WordSet = frozenset()  # with which another thought begins,
    clause_tails: WordSet = frozenset()  # and what a thought may end with that changes nothing about it
    hesitations: WordSet = frozenset()  # said while thinking, anywhere
    repairs: tuple[Phrase, ...] = ()  # after which something is said anew: "no i mean"
    maybes: WordSet = frozenset()  # which make a yes none
    leads: tuple[Phrase, ...] = ()  # politeness in front of a request,
    trails: tuple[Phrase, ...] = ()  # and after it
    shades: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict
    )  # of a yes, of a no, and what is "undecided" between them
    homophones: Mapping[str, str] = field(default_factory=dict)  # "to" is "two", after one of
    places: WordSet = frozenset()  # "number"
    toward: WordSet = frozenset()  # before a place that something goes to
    landmarks: WordSet = frozenset()  # a title after one of these is what another comes before or after
    sequels: Phrase = ()  # before a sequel's number: "part two"
    wishes: WordSet = frozenset()  # with which somebody asks for something
    waives: tuple[Phrase, ...] = ()  # after which somebody asks for nobody: "i don't want (to talk to) a person"
    insists: WordSet = frozenset()  # before what is asked for again: "i said agent"
    ones: WordSet = frozenset()  # "one", a pronoun after one of
    pointers: WordSet = frozenset()  # "that"
    abbreviations: Mapping[str, str] = field(default_factory=dict)  # as written -> as said
    spellings: Mapping[str, str] = field(default_factory=dict)  # of the same word -> the one to compare by
    contractions: Phrase = ()  # with their apostrophes, which comparable words lack
    stand_ins: tuple[str, ...] = ("{}",)  # for a title in a sentence, and for another; the braces: what a company calls
    stand_in_noun: str = ""  # them, or this
    # the line
    prompts: Mapping[str, str]  # by the names under ``prompts:`` in the universals; in braces what the line fills in
    something: str = "…"  # what stands for a value that was not understood
    urgent: str  # whispered to an agent, before who calls
    somebody: str  # or who, when nobody knows
    identity: Mapping[str, str] = field(
        default_factory=dict
    )  # how surely they are known, by the level's word; what is not there is not said
    operator: tuple[str, ...] = ()  # the word that everybody says for a human
    options: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]  # the first, the second, neither of two
    picks: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict
    )  # a choice of several by its place: its "number", its "ordinal" in the braces, or "last"
    answers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # around a bare answer, by slot type
    stop_recording: tuple[str, ...] = ()  # what takes the consent to a recording back, wherever it is said
    corrections: tuple[str, ...] = ()  # "no, i meant …"
    cancels: tuple[str, ...] = ()  # a no to what is just being confirmed
    assents: WordSet = frozenset()  # with which a yes begins that something else follows,
    denials: Phrase = ()  # and a no

    @cached_property
    def parts(self) -> frozenset[str]:
        """What may stand between a title and its number."""
        return self.places | frozenset(self.sequels)

    @cached_property
    def contracted(self) -> Mapping[str, str]:
        """A contraction as it is compared -> as it is written."""
        return {word.replace("'", ""): word for word in self.contractions}


def read_language(tag: str, name: str, **rules: object) -> Language:
    """The language of ``rules`` and a file of words. Raises pydantic.ValidationError for what doesn't fit the type."""
    text = files(__package__).joinpath(name).read_text("utf-8")
    written = yaml.load(text, yaml.CBaseLoader)  # noqa: S506  # makes nothing but texts, of "no" and "2" as well
    for part in ("clock", "durations"):  # half words, half rules
        if rule := rules.pop(part, None):
            written[part] = {**written[part], **rule}  # type: ignore[dict-item]
    return TypeAdapter(Language).validate_python({"tag": tag, **written, **rules})
