"""English: numbers, dates, money, small words, and what the line says when the flows have no words for it."""

from __future__ import annotations

from collections.abc import Iterator

import jellyfish

from ivr.dialogue.spoken.language import Language, Money, word_set, words

# num2words was tried for these two languages (0.5.14): its Spanish says "veintiuno mil" and "quadragésimo", its English
# has to lose its commas and "and"s again, and it takes 15 (Spanish) to 55 times as long where a grammar is made.
_SMALL = words(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = words("twenty thirty forty fifty sixty seventy eighty ninety")
_IRREGULAR = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}


def _cardinal(n: int, joiner: str = " ") -> str:
    if n < 20:
        return _SMALL[n]
    if n < 100:
        tens, rest = divmod(n, 10)
        return _TENS[tens - 2] + (f" {_SMALL[rest]}" if rest else "")
    size, name = (1_000_000, "million") if n >= 1_000_000 else (1000, "thousand") if n >= 1000 else (100, "hundred")
    many, rest = divmod(n, size)
    return f"{_cardinal(many, joiner)} {name}" + (f"{joiner}{_cardinal(rest, joiner)}" if rest else "")


def _more_cardinals(n: int) -> Iterator[str]:
    more = [_cardinal(n, " and ")] if n > 100 and n % 100 else []
    yield from more
    if 100 <= n < 200:
        for form in (_cardinal(n), *more):
            yield form.replace("one hundred", "a hundred", 1)


def _ordinal(n: int) -> str:
    head, space, last = _cardinal(n).rpartition(" ")
    return head + space + (_IRREGULAR.get(last) or (f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th"))


def _teens() -> Iterator[tuple[str, str]]:
    for teen, ten in ((n, (n - 10) * 10) for n in range(13, 20)):
        for say in (_cardinal, _ordinal):
            yield say(teen), say(ten)
            yield say(ten), say(teen)


def _day_forms(day: int, month: str) -> tuple[str, ...]:
    nth = _ordinal(day)
    return f"{month} {nth}", f"{month} the {nth}", f"the {nth} of {month}", f"{month} {_cardinal(day)}"


ENGLISH = Language(
    tag="en",
    cardinal=_cardinal,
    ordinal=_ordinal,
    more_cardinals=_more_cardinals,
    last_ordinal=999,
    minus="minus",
    digit_names={"oh": "0", "o": "0"},
    repeats={"double": 2, "triple": 3},
    twos=("two", "too"),
    teens=dict(_teens()),
    months=words("january february march april may june july august september october november december"),
    weekdays=words("monday tuesday wednesday thursday friday saturday sunday"),
    coming_days=("today", "tomorrow", "the day after tomorrow"),
    date=lambda weekday, day, month: f"{weekday.capitalize()}, {month.capitalize()} {_ordinal(day)}",
    day_forms=_day_forms,
    weekday_forms=("{}", "on {}"),
    money=Money(("dollar", "dollars"), ("cent", "cents"), " and ", _cardinal),
    joiner="and",
    sound=jellyfish.metaphone,
    articles=word_set("the a an"),
    function_words=word_set("the a an please my is to in of it on that"),
    fillers=word_set(
        "prefer rather got coming this these those at for with by from its are be am was as and or so me i im id ill "
        "ive we you your kindly could can would will should may might want wanna like love need have has had do does "
        "did um uh er ah hm well okay ok just now then right really thanks thank hi hello hey go going number place "
        "position spot slot one ones called named see watch let lets us think guess maybe if all way get there here "
        "mine sure yeah"
    ),
    concepts={
        "MOVE": (
            "move put place bump shift bring push make set get take send drag raise rank slide jump stick pull moving "
            "putting placing bumping getting making"
        ),
        "TOP": "top first next front beginning start head soonest foremost",
        "UP": "up higher sooner earlier",
        "DOWN": "down lower later",
        "END": "bottom last end back final",
        "SWAP": "swap switch exchange trade flip interchange swop reverse swapping switching",
        "BEFORE": "before above ahead over",
        "AFTER": "after behind below under beneath following",
        "REMOVE": "remove delete drop erase off out away rid lose",
        "ADD": "add include insert",
        "HEAR": "hear read list tell what whats which show say know give",
        "UNDO": "undo revert",
        "HOLD": "hold pause stop suspend",
    },
    negations=word_set("dont not never wont cant doesnt didnt shouldnt without stop no"),
    leads=(
        *("please", "um", "uh", "er", "well", "so", "okay", "ok", "hi", "hello", "hey", "yes", "yeah", "can you"),
        *("could you", "would you", "will you", "i want to", "i want you to", "i would like to"),
        *("i would like you to", "id like to", "id like you to", "i need to", "i need you to", "can i", "could i"),
        *("may i", "lets", "just", "go ahead and", "i think", "maybe", "kindly", "now"),
    ),
    trails=(
        *("please", "then", "thanks", "thank you", "now", "right now", "for me", "if you can", "if you could"),
        *("if possible", "okay"),
    ),
    homophones={"to": "two", "too": "two", "for": "four", "won": "one", "ate": "eight", "tree": "three", "sex": "six"},
    places=word_set("number position place spot slot"),
    ones=word_set("one"),
    pointers=word_set("that"),
    abbreviations={
        "dr": "doctor",
        "mr": "mister",
        "mrs": "missus",
        "st": "saint",
        "jr": "junior",
        "sr": "senior",
        "vs": "versus",
        "no": "number",
    },
    prompts={
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
    },
    options=(
        ("the first", "the first one", "first", "one", "number one", "the former"),
        ("the second", "the second one", "second", "two", "number two", "the latter"),
        ("neither", "neither one", "neither of them", "none of them", "none of those", "no neither", "three"),
    ),
    answers={
        "title": ("{%}", "it's {%}", "the title is {%}", "{%} please"),
        "number": ("{%}", "number {%}", "position {%}", "to number {%}", "place {%}"),
        "ordinal": ("{%}", "the {%}", "the {%} one", "{%} place"),
        "digits": ("{%}", "it's {%}", "my number is {%}", "the number is {%}"),
        "date": ("{%}", "until {%}", "it's {%}"),
        "choice": ("{%}", "it's {%}"),
    },
    operator=("operator",),
    urgent="Urgent: ",
    somebody="A caller we could not identify",
    corrections=("no {%}", "no i meant {%}", "i meant {%}", "not that {%}"),
)
