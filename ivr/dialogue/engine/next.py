"""What comes next in a call: the values that states return and the dialogue's one loop carries out."""

from __future__ import annotations

from dataclasses import dataclass

from ivr.dialogue.engine.cursor import RESERVED
from ivr.dialogue.engine.gather import Gather, Waiting
from ivr.dialogue.flows.state import EdgeSpec
from ivr.dialogue.understanding.reading import Reading
from ivr.errors import FlowError


class Broken(FlowError):
    """The flow led where the engine cannot go; the caller goes to a human."""


@dataclass(frozen=True, slots=True)
class HandoffNeed:
    """Why a human is wanted, as told by the edge, risk or universal that led there."""

    reason: str = ""
    skill: str = ""
    priority: int | None = None


@dataclass(frozen=True, slots=True)
class Goto:
    """Enter "flow.state", or go to a reserved target; ``need`` goes with "@human"."""

    target: str
    need: HandoffNeed = HandoffNeed()


@dataclass(frozen=True, slots=True)
class Take:
    """Take an edge of the current state: say, set, clear, move. ``part`` names its prompt in wordings ("": as the
    trigger)."""

    trigger: str
    edge: EdgeSpec
    part: str = ""


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
    """What the caller said or keyed does not answer ``gather``. ``neither``: of two that were offered."""

    gather: Gather
    neither: bool = False


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


def to_human(reason: str, skill: str = "", priority: int | None = None) -> Goto:
    return Goto(f"{RESERVED}human", HandoffNeed(reason, skill, priority))
