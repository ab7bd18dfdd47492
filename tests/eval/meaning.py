"""What the reference flows make of what was heard: each sentence in its own state, judged by what the line did.

The dialogue is the line's own, over the flows that ship, with the classifier where the embedding is installed. It is
judged by its record (``Understood``) and by whether it
acted, asked first, handed the caller over, or did nothing; never by scores.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations
from pathlib import Path
from typing import Literal

from ivr.dialogue.engine.contract import ActionDone, Connect, Effect, End, Listen, Perform, Record, Say, SpeechHeard
from ivr.dialogue.flows.library import FlowLibrary, load_library
from ivr.dialogue.spoken.normalisation import fold
from ivr.dialogue.spoken.similarity import unaccented
from ivr.embedding.loading import rehearsing
from ivr.events import ActionResult, Cause, Recognition
from ivr.record import Understood
from ivr.reference import COMPANY
from tests.eval.corpus import TITLES, Meaning, Sentence, Titles
from tests.unit.dialogue.talk import Talk, terms

FLOWS = Path(__file__).parents[2] / "flows"

Verdict = Literal[
    "done",  # the right thing, at once
    "asked",  # about the right thing first
    "second",  # about two things, the right one second
    "partly",  # the right thing, but a value of it is asked for again
    "asked_wrong",  # about another thing
    "nothing",  # not understood, asked again
    "person",  # a person, though nobody asked for one
    "wrong",  # another thing, without a question
]
TASK: tuple[Verdict, ...] = ("done", "asked")
UNASKED: tuple[Verdict, ...] = ("wrong", "person")  # wrong without a question, needless transfers included
_WORST: tuple[Verdict, ...] = ("wrong", "person", "done", "asked", "second", "partly", "asked_wrong", "nothing")
_STAYING = ("repeat", "help")  # that is done where the caller is, and harms nobody
_ONE_DIGIT = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
_NUMBERS = {
    word: str(number)
    for words in (
        "zero one two three four five six seven eight nine ten eleven twelve",
        "zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth",
    )
    for number, word in enumerate(words.split())
}
_FIGURES = {word: figure for word, figure in _NUMBERS.items() if word in _ONE_DIGIT}
_DIGITS = re.compile(r"(?<=member_number: \{type: digits, length: )\d+")
_ON_THE_WAY: dict[str, tuple[str, ...]] = {  # said or keyed from the open question on to a state
    "main.ask": (),
    "queue.which_title": ("remove a title",),
    "queue.which_position": ("change the order", "2", "{a}"),
    "queue.which_film": ("add a movie",),
    "queue.remove": ("remove {a}",),
    "hold.until": ("hold my deliveries",),
    "discs.what_happened": ("report a disc",),
}


@lru_cache
def library(digits: int = 5) -> FlowLibrary:
    """The flows that ship; ``digits``: of a membership number, which the corpus has of several lengths."""
    sources = {p.name: p.read_text("utf-8") for p in sorted(FLOWS.glob("*.yaml")) if not p.name.endswith(".test.yaml")}
    sources["main.yaml"] = _DIGITS.sub(str(digits), sources["main.yaml"])
    loaded = load_library(sources, COMPANY.all_signatures)
    assert loaded.library is not None, [finding.render() for finding in loaded.errors]
    return loaded.library


@dataclass(slots=True)
class Turn:
    """What one recognition led to."""

    understood: Understood | None
    before: tuple[str, str]  # state and mode
    after: tuple[str, str]
    said: str
    acted: bool  # an action begun, or the call ended
    handed_over: bool


class Caller:
    """One member in conversation, brought to the state that a sentence belongs to."""

    def __init__(self, sentence: Sentence, titles: Titles | None = None) -> None:
        """``titles``: in place of those of the sentence's part."""
        self._sentence = sentence
        self._titles = titles or TITLES[sentence.part]
        if sentence.state == "main.which_number":
            self._talk = self._stranger(sentence.digits or 5)
        else:
            self._talk = self._member()
        assert self._talk.dialogue.state == sentence.state, (sentence, self._talk.dialogue.state)

    @property
    def listen(self) -> Listen:
        """What the line listens for now."""
        return self._talk.listen

    @property
    def prompt(self) -> str:
        """What the line said last, before it listens."""
        said = [effect for effect in self._talk.effects if isinstance(effect, Say)]
        return " ".join(words.text for words in said[-1].words)

    def hears(self, recognition: Recognition) -> Turn:
        talk = self._talk
        before = talk.dialogue.state, talk.dialogue.mode
        talk.send(SpeechHeard(recognition))
        effects: Sequence[Effect] = talk.last
        told = [effect.what for effect in effects if isinstance(effect, Record)]
        return Turn(
            next((each for each in told if isinstance(each, Understood)), None),
            before,
            (talk.dialogue.state, talk.dialogue.mode),
            " ".join(words.text for effect in effects if isinstance(effect, Say) for words in effect.words),
            any(isinstance(effect, Perform | End) for effect in effects),
            any(isinstance(effect, Connect) for effect in effects),
        )

    def types(self) -> Turn:
        """The sentence as text: understanding alone."""
        return self.hears(Recognition(Cause.SUCCESS, transcript=self._sentence.text))

    def _member(self) -> Talk:
        titles = self._titles
        language = self._sentence.language
        talk = Talk(
            library(), entry="main", queue=titles.queue, perform=False, language=language, classifiers=rehearsing()
        )
        facts = {
            "caller.id": "10001",
            "member.number": "10001",
            "member.first_name": "Ada",
            "member.language": language,
            "queue.size": len(titles.queue),
            "member.damaged_reports": 0,
        }
        vocabularies = {"queue": terms(titles.queue), "discs": terms(titles.discs)}
        _answered(talk, ActionResult("found", facts=facts, vocabularies=vocabularies))
        for said in _ON_THE_WAY[self._sentence.state]:
            if said.isdecimal():
                talk.key(said)
            else:
                talk.say(said.format(a=titles.queue[-1]))
            _answered(talk, ActionResult("ok"))
        return talk

    def _stranger(self, digits: int) -> Talk:
        talk = Talk(
            library(digits),
            entry="main",
            perform=False,
            facts={"caller.id": "", "member.number": ""},
            classifiers=rehearsing(),
        )
        _answered(talk, ActionResult("unknown"))
        return talk


def _answered(talk: Talk, result: ActionResult) -> None:
    while talk.dialogue.waiting == "action":
        token = next(effect for effect in reversed(talk.effects) if isinstance(effect, Perform)).token
        talk.send(ActionDone(token, result))


# -- judging -----------------------------------------------------------------------------------------------------


def judged(turns: Sequence[Turn], sentence: Sentence) -> Verdict:
    """Of all that a sentence led to, in pieces perhaps, what weighs most."""
    verdicts = [_judged(turn, sentence.meaning, sentence.language) for turn in turns] or ["nothing"]
    return min(verdicts, key=_WORST.index)


def _judged(turn: Turn, wanted: Meaning, language: str) -> Verdict:
    found = turn.understood
    if found is None or not found.intent:
        return "nothing"
    stayed = turn.after == turn.before and not turn.acted
    if found.doubt and stayed:
        told_again = found.intent == wanted.intent and found.intent in _STAYING and turn.said
        return "done" if told_again else "nothing"
    values = [_plain(value, language) for value in found.slots.values()]
    same = _intent(found.intent, wanted)
    if same and _values(values, wanted, language):
        return "asked" if found.doubt and _asks(turn) else "done"
    if turn.handed_over:
        return "person"
    if same and not values and wanted.values and not turn.acted:
        return "partly"
    if _asks(turn):
        offered = turn.after[1] == "choose" and wanted.values
        said = _plain(turn.said, language)
        return "second" if offered and all(_plain(v, language) in said for v in wanted.values) else "asked_wrong"
    return "wrong"


def _asks(turn: Turn) -> bool:
    """Is the line asking about what it understood, before it does anything?"""
    state, mode = turn.after
    if turn.acted or turn.handed_over or (state, mode) == turn.before:
        return False
    return mode not in ("question", "running", "wait", "stranded", "")


def _intent(found: str, wanted: Meaning) -> bool:
    if wanted.intent == "risk":
        return found.startswith("risk.") or found == "human"
    return found == wanted.intent


def _values(found: list[str], wanted: Meaning, language: str) -> bool:
    expected = [_plain(value, language) for value in wanted.values]
    if wanted.intent == "report_disc" and not expected:
        return True  # which disc, and what is wrong with it, are asked anyway
    orders = permutations(found) if wanted.intent in ("swap", "report_disc") else [tuple(found)]
    return len(found) == len(expected) and any(all(map(_same, order, expected)) for order in orders)


def _same(found: str, wanted: str) -> bool:
    return wanted[1:] in found if wanted.startswith("~") else found == wanted


def _plain(value: str, language: str) -> str:
    """Comparable: words folded, numbers as figures, digit strings in one piece."""
    tilde = "~" if value.startswith("~") else ""
    if tilde:
        return tilde + unaccented(" ".join(re.findall(r"[^\W_]+", value.lower())))
    bare = value.replace(" ", "").replace(",", "")
    if bare.isdecimal():
        return bare
    words = fold(value, language)
    if len(words) > 1 and all(word in _FIGURES for word in words):
        return "".join(_FIGURES[word] for word in words)
    if len(words) == 1 or (len(words) == 2 and words[0] in ("number", "the")):
        return _NUMBERS.get(words[-1], " ".join(words))
    return " ".join(words)
