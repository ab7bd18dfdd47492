"""What comes next in a call: the values that states return and the dialogue's one loop carries out.

Among them what the line listens for (``Gather``) and what it waits for beside the caller (``Waiting``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from ivr.dialogue.engine.compilation import RESERVED
from ivr.dialogue.engine.contract import Effect, Words
from ivr.dialogue.engine.dtmf_input import Keypad
from ivr.dialogue.engine.reasons import UNTOLD, HandoffNeed
from ivr.dialogue.flows.state import Transition
from ivr.dialogue.understanding.grammar import Reading
from ivr.dialogue.understanding.grammar_compiler import StateGrammar
from ivr.errors import FlowError


class Broken(FlowError):
    """The flow led where the engine cannot go; the caller goes to a human."""


class Mode(StrEnum):
    """Who asked, and so whose handlers take the answer (``states``)."""

    QUESTION = "question"
    CONFIRM = "confirm"
    CONSENT = "consent"  # a confirmation that silence declines
    CHOOSE = "choose"  # did you mean A or B
    RESUME = "resume"
    GOODBYE = "goodbye"
    RISK = "risk"  # one was hinted at
    MEANT = "meant"  # did you mean A
    LANGUAGE = "language"  # heard with doubt, as is likely of a word in another language
    RUNNING = "running"  # an action
    WAIT = "wait"  # in the line, for an agent
    STRANDED = "stranded"  # no human could be reached and the human flow is broken


@dataclass(frozen=True, slots=True)
class Guess:
    """An intent that was inferred at ``question`` ("flow.state"; "" for a universal); ``onward``: what a yes leads
    to."""

    reading: Reading
    question: str
    onward: Next | None = None


@dataclass(slots=True)
class Gather:
    """``mode`` is a Mode, or a verb's own word for one. ``prompt`` is what "repeat" says.

    ``beneath`` is what a side question (CHOOSE, MEANT, GOODBYE, RISK, LANGUAGE) returns to. ``secret``: the answer
    fills a variable that nobody may read. ``dictation``: the text variable that takes whatever is said.
    ``message``: what the caller says is being recorded as one.
    ``options``, ``guess``, ``snapshot``, ``risk`` and ``language`` are what CHOOSE, MEANT, RESUME, RISK and LANGUAGE
    offer, ``said`` what led to it."""

    mode: str
    grammar: StateGrammar
    keypad: Keypad
    timeout_s: float | None
    hangover_s: float = 0.5
    hotword: bool = False
    secret: bool = False
    dictation: str = ""
    message: bool = False
    token: int = 0  # of its latest Listen; 0 before the first
    prompt: tuple[Words, ...] = ()
    options: tuple[Reading, ...] = ()
    guess: Guess | None = None
    snapshot: Mapping[str, object] = field(default_factory=dict)
    risk: str = ""
    language: str = ""
    said: str = ""
    beneath: Gather | None = None

    @property
    def base(self) -> Gather:
        """What is returned to: side questions don't pile up."""
        return self.beneath if self.beneath is not None else self


@dataclass(frozen=True, slots=True)
class Waiting:
    """What the call waits for beside the caller: the answer to the effect with ``token``. One subclass a verb."""

    what: ClassVar[str] = ""
    token: int

    def given_up(self, *, for_good: bool) -> Effect | None:
        """What tells the driver that it is not waited for any more; None where a late answer does no harm."""
        return None


@dataclass(frozen=True, slots=True)
class Goto:
    """Enter "flow.state", or go to a reserved target; ``need`` goes with "@human"."""

    target: str
    need: HandoffNeed = UNTOLD


@dataclass(frozen=True, slots=True)
class Take:
    """Take a transition of the current state: say, set, clear, move."""

    transition: Transition


@dataclass(frozen=True, slots=True)
class Ask:
    """Listen with this gather. One that is new keeps what was said in this turn, for "repeat" to say again."""

    gather: Gather


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait for an answer to an effect; the caller is listened to meanwhile where there is a gather."""

    waiting: Waiting
    gather: Gather | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """Hang up once everything was said."""

    outcome: str


@dataclass(frozen=True, slots=True)
class Answer:
    """Take ``reading`` as what the caller answered to ``gather``."""

    gather: Gather
    reading: Reading


@dataclass(frozen=True, slots=True)
class NoMatch:
    """What the caller said or keyed does not answer ``gather``. ``neither``: of two that were offered. ``shade``: what
    was said where a yes or a no was wanted ("soft_yes", "undecided")."""

    gather: Gather
    neither: bool = False
    shade: str = ""


@dataclass(frozen=True, slots=True)
class Anew:
    """Ask what ``gather`` asked once more, from its first word: the language has changed."""

    gather: Gather


@dataclass(frozen=True, slots=True)
class Stay:
    """Everything goes on as it was."""


Next = Goto | Take | Ask | Wait | Done | Answer | NoMatch | Anew | Stay
STAY = Stay()
BACK = Goto(f"{RESERVED}back")


def to_human(need: HandoffNeed) -> Goto:
    return Goto(f"{RESERVED}human", need)
