"""The history port: what is read of a day at the desk; ``ivr.desk.history`` makes figures of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from ivr.ports.line import Announced


@dataclass(frozen=True, slots=True)
class PlaceRow:
    """A place that began on the day, as it is now. ``said``: nothing of it goes into a history."""

    id: int
    person: str
    skill: str
    priority: int
    channel: str
    entered_at: datetime
    state: str


@dataclass(frozen=True, slots=True)
class EventRow:
    """What happened to a place: it was ``was`` and is ``state`` since ``at``. ``kind``: see the line's tables."""

    place: int
    at: datetime
    kind: str
    agent: str = ""
    state: str = ""
    was: str = ""
    disposition: str = ""


@dataclass(frozen=True, slots=True)
class CallRow:
    started_at: datetime
    seconds_to_human: float


@dataclass(frozen=True, slots=True)
class DayRows:
    """``events``: of these places, in order, whenever they were. ``zero_outs``: count by "flow.state"; ``grants``: by
    agent."""

    places: Sequence[PlaceRow] = ()
    events: Sequence[EventRow] = ()
    announced: Sequence[Announced] = ()
    calls: Sequence[CallRow] = ()
    zero_outs: Mapping[str, int] = field(default_factory=dict)
    grants: Mapping[str, int] = field(default_factory=dict)


class DayLog(Protocol):
    """What is kept of the desk's days. Methods raise StoreUnavailable."""

    async def rows(self, since: datetime, until: datetime) -> DayRows:
        """Places that began then, with all that happened to them; the rest as it was then."""

    async def handle_times(self, limit: int) -> Sequence[float]:
        """Seconds of the last conversations with their wrap-up, oldest first."""
