"""The placement of legs among several media processes: where a new one goes, where those of a conversation meet. Pure.

A process is one thread, so each has a cap. Legs of one call are placed together; a browser's leg, which serves one
caller after the other, can be elsewhere: then whoever is easier to move goes where the others are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LEGS = 200  # of a process, at most: of so many it is never late by more than a tick


@dataclass(frozen=True, slots=True)
class Place:
    """A process. ``legs``: that it has; ``of_call``: of these, those of the call that a new one belongs to."""

    legs: int
    up: bool = True
    of_call: int = 0


def order(places: Sequence[Place], cap: int) -> list[int]:
    """For a new leg: which of ``places`` to try, one after the other; none where all are full.

    First the one with the call's others; then, where there is room for these as well, those that are up, and have the
    fewest legs."""
    others = sum(place.of_call for place in places)
    ranked = sorted(range(len(places)), key=lambda n: (-places[n].of_call, not places[n].up, places[n].legs))
    return [n for n in ranked if places[n].legs + (others - places[n].of_call) < cap]


@dataclass(frozen=True, slots=True)
class Here:
    """A process, for a conversation some of whose ``count`` legs it has. ``fixed``: can't be moved now; ``browsers``:
    better stay, since no more is heard of it when the page of one that was moved closes. ``ending``: it is to go."""

    legs: int
    up: bool = True
    count: int = 0
    fixed: int = 0
    browsers: int = 0
    ending: bool = False


def meeting(heres: Sequence[Here], cap: int) -> int | None:
    """Which of ``heres`` all legs of a conversation go to; None where those that can't be moved are in several.

    Where no process has room for all it is the least full: whoever is on the line hears the other before all."""
    total, fixed = sum(here.count for here in heres), sum(here.fixed for here in heres)

    def rank(n: int) -> tuple[bool, bool, bool, int, int, int]:
        here = heres[n]
        full = here.legs + total - here.count > cap
        return here.ending, not here.up, full, -here.browsers, -here.count, here.legs

    return min((n for n, here in enumerate(heres) if here.fixed == fixed), key=rank, default=None)
