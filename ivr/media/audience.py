"""Who hears whom among legs: a graph, of which each leg has its own node."""

from __future__ import annotations

import weakref
from collections.abc import Collection, Sequence
from typing import Generic, Protocol, Self, TypeVar


class Heard(Protocol):
    """A leg. ``tell_hears``: its process is to know whom it hears now."""

    @property
    def audience(self) -> Audience[Self]: ...
    def tell_hears(self) -> None: ...


L = TypeVar("L", bound=Heard)


class Audience(Generic[L]):
    """``hears``: whose voices ``leg``'s far end hears; ``hearers``: whose far ends hear ``leg``'s."""

    def __init__(self, leg: L) -> None:
        self.hears: tuple[L, ...] = ()
        self.hearers: list[L] = []
        self._of = weakref.ref(leg)  # it has this: neither waits for a garbage collector

    @property
    def _leg(self) -> L:
        leg = self._of()
        assert leg is not None
        return leg

    def hear(self, others: Sequence[L]) -> None:
        mine = self._leg
        for leg in self.hears:
            leg.audience.hearers.remove(mine)
        self.hears = tuple(others)
        for leg in self.hears:
            leg.audience.hearers.append(mine)
        mine.tell_hears()

    def part(self) -> None:
        """Hear nobody, and be heard by nobody."""
        for hearer in tuple(self.hearers):
            hearer.audience.hear([leg for leg in hearer.audience.hears if leg is not self._leg])
        self.hear([])

    def joined(self, others: Sequence[L]) -> Collection[L]:
        """Everybody in the conversation that this leg is in once it hears ``others``."""
        found: dict[L, None] = {self._leg: None}
        waiting = [*others, *self.hearers]
        while waiting:
            leg = waiting.pop()
            if leg not in found:
                found[leg] = None
                waiting += (*leg.audience.hears, *leg.audience.hearers)
        return found

    def tell_all(self) -> None:
        """This leg is in another process: it and its hearers say anew whom they hear."""
        for leg in (self._leg, *self.hearers):
            leg.tell_hears()
