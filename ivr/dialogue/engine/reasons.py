"""Reasons for a hand-over: what each weighs, and so which of several is told first. None is lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from ivr.record import Reason

ASKED = "asked"


class Weight(IntEnum):
    """The one order of reasons: the greatest is told first. Risks among themselves go by their priority."""

    SILENT = 0  # nothing was heard
    NOT_UNDERSTOOD = 1
    BROKEN = 2  # something of ours
    ASKED = 3  # for a person
    MATTER = 4  # what a flow says that it is about
    RISK = 5  # they may leave, complain, are upset


@dataclass(frozen=True, slots=True)
class HandoffNeed:
    """Why a human is wanted, as told by the edge, risk, universal or failure that led there; ``said`` by the caller."""

    reason: str = ""
    skill: str = ""
    priority: int | None = None
    weight: Weight = Weight.MATTER
    said: str = ""

    @property
    def rank(self) -> tuple[int, int]:
        """Two of the same rank go by who came first."""
        return (-self.weight, -(self.priority or 0) if self.weight is Weight.RISK else 0)


UNTOLD = HandoffNeed()  # by an edge that gives no reason


@dataclass(frozen=True, slots=True)
class Reasons:
    """All of one call's, the most important first."""

    needs: tuple[HandoffNeed, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.needs)

    def adding(self, need: HandoffNeed) -> Reasons:
        """One more; told twice it counts once, with the words that first said it and the higher priority."""
        if not need.reason:
            return self
        known = next((each for each in self.needs if each.reason == need.reason), None)
        if known is not None:
            need = replace(
                max(known, need, key=lambda each: each.weight),
                skill=known.skill or need.skill,
                priority=_highest((known, need)),
                said=known.said or need.said,
            )
        every = [need if each is known else each for each in self.needs] + ([need] if known is None else [])
        return Reasons(tuple(sorted(every, key=lambda each: each.rank)))

    @property
    def first(self) -> HandoffNeed:
        """The most important one, with the skill of the first that names any and the highest priority of all."""
        if not self.needs:
            return HandoffNeed(ASKED, weight=Weight.ASKED)
        skill = next((each.skill for each in self.needs if each.skill), "")
        return replace(self.needs[0], skill=skill, priority=_highest(self.needs))

    @property
    def also(self) -> tuple[Reason, ...]:
        """The others, as a human reads them."""
        return tuple(Reason(each.reason, each.said) for each in self.needs[1:])


def _highest(needs: Sequence[HandoffNeed]) -> int | None:
    return max((each.priority for each in needs if each.priority is not None), default=None)
