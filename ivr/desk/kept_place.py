"""The place in the line that is kept for somebody who calls again: read from memory, so that no call waits for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ivr.dialogue.engine.contract import PLACE_KEPT, PLACE_POSITION
from ivr.identity import persons_of
from ivr.ports import Line

KEPT = ("away", "callback")
CALLER = "call.caller"


def kept_place(line: Line, number: Callable[[str], str]) -> Callable[[Mapping[str, object], str], Mapping[str, object]]:
    """``Start.place_source``. ``number``: a calling number in E.164. A caller is whoever has proven it: a member from
    the level likely on, or who calls from the number."""

    def of(facts: Mapping[str, object], call_id: str) -> Mapping[str, object]:
        calling = str(facts.get(CALLER) or "")
        persons = persons_of({**facts, CALLER: number(calling) if calling else ""}, call_id)
        places = [p for p in line.view().places if p.state in KEPT and p.arrival.person in persons]
        place = min(places, key=lambda each: persons.index(each.arrival.person), default=None)
        if place is None:
            return {}
        standing = line.standing(place.id)
        return {PLACE_KEPT: True, PLACE_POSITION: (standing.position or None) if standing is not None else None}

    return of
