"""History of a day at the desk: what supervisors look at afterwards. Pure; moments are aware, times seconds.

What is counted, and how:

- *service level*: of the callers who waited on the line, the share that talked with a person within ``SERVICE_S``; who
  gave up before counts against it. A message and a call back are no wait on the line.
- *abandonment*: the share of those callers who hung up, and left neither a number nor a message.
- *seconds to a human*: of calls, from the first wish for one until one was there.
- *zero-outs*: wishes for a person that nothing else led to, by the state of the flow where they came.
- *at risk*: callers whom a risk of the flows made urgent (they may leave, complain, are upset). They are *saved* where
  the agent's disposition says that they stay, *lost* where it says that they cancelled; nobody guesses for the rest.
- *promises*: bounds of announced waits; call backs that reached somebody before the attempts were used up; places that
  were still theirs when they called again.
- *goodwill*: grants beside conversations, so that under-use shows as well.

How long conversations take is recorded. It is no target, and no figure of an agent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from statistics import median
from typing import Any

from ivr.ports.history import DayRows, EventRow, PlaceRow
from ivr.record import URGENT

SERVICE_S = 20.0
SAVED, LOST = "saved", "left"  # dispositions
OVER = frozenset({"done", "abandoned", "expired", "given_up"})
MOST_POINTS = 2000


@dataclass(frozen=True, slots=True)
class Kept:
    """A promise: ``kept`` of ``made``, those that are still open left out."""

    kept: int
    made: int

    @property
    def share(self) -> float | None:
        return round(self.kept / self.made, 4) if self.made else None

    def to_json(self) -> dict[str, Any]:
        return {"kept": self.kept, "made": self.made, "share": self.share}


def bounds_of(day: date, zone: tzinfo) -> tuple[datetime, datetime]:
    """From midnight to midnight on the company's wall."""
    midnight = datetime.min.time()
    return datetime.combine(day, midnight, zone), datetime.combine(day + timedelta(days=1), midnight, zone)


class DayHistory:
    """``zone``: the company's, in which hours are told."""

    def __init__(self, rows: DayRows, zone: tzinfo) -> None:
        self._rows = rows
        self._zone = zone
        self._events: dict[int, list[EventRow]] = {}
        for event in rows.events:
            self._events.setdefault(event.place, []).append(event)
        self._on_the_line = [p for p in rows.places if p.channel == "voice" and not self._was(p, "callback")]

    # -- figures ---------------------------------------------------------------------------------------------------

    @property
    def service_level(self) -> Kept:
        waited = [self._talked_after(place) for place in self._on_the_line]
        answered = [seconds for seconds in waited if seconds is not None]
        gave_up = sum(place.state == "abandoned" for place in self._on_the_line)
        return Kept(sum(seconds <= SERVICE_S for seconds in answered), len(answered) + gave_up)

    @property
    def abandonment(self) -> Kept:
        """``kept``: those who hung up."""
        over = [place for place in self._on_the_line if place.state in OVER or self._talked_after(place) is not None]
        return Kept(sum(place.state == "abandoned" for place in over), len(over))

    @property
    def waits_kept(self) -> Kept:
        scored = [each.kept for each in self._rows.announced if each.kept is not None]
        return Kept(sum(scored), len(scored))

    @property
    def call_backs_kept(self) -> Kept:
        promised = [place for place in self._rows.places if place.channel == "voice" and self._was(place, "callback")]
        reached = sum(self._was(place, "talking", after="callback") for place in promised)
        return Kept(reached, reached + sum(place.state == "given_up" for place in promised))

    @property
    def places_kept(self) -> Kept:
        """Broken: who came back found their place expired, and stood at the end."""
        back = sum(event.kind == "again" for event in self._rows.events)
        expired = [place for place in self._rows.places if place.state == "expired"]
        later = [(place.person, place.entered_at) for place in self._rows.places]
        broken = sum(any(who == p.person and at > p.entered_at for who, at in later) for p in expired)
        return Kept(back, back + broken)

    def figures(self) -> dict[str, Any]:
        """What fits on a board, ready for JSON."""
        human = sorted(call.seconds_to_human for call in self._rows.calls)
        talks = [seconds for place in self._rows.places if (seconds := self._talked_for(place)) is not None]
        return {
            "service_level": {**self.service_level.to_json(), "within_s": SERVICE_S},
            "abandoned": self.abandonment.to_json(),
            "promises": {
                "waits": self.waits_kept.to_json(),
                "call_backs": self.call_backs_kept.to_json(),
                "places": self.places_kept.to_json(),
            },
            "to_human": {
                "calls": len(human),
                "median_s": round(median(human), 1) if human else None,
                "p90_s": round(human[min(len(human) - 1, int(0.9 * len(human)))], 1) if human else None,
            },
            "conversations": {"count": len(talks), "median_s": round(median(talks)) if talks else None},
        }

    # -- the day -----------------------------------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        return {
            **self.figures(),
            "announced": self._announced(),
            "hours": self._hours(),
            "zero_outs": sorted(self._rows.zero_outs.items(), key=lambda item: (-item[1], item[0])),
            "at_risk": self._at_risk(),
            "goodwill": self._goodwill(),
        }

    def _announced(self) -> list[dict[str, Any]]:
        """Bounds and what was true, in order; of very many the newest."""
        scored = [each for each in self._rows.announced if each.kept is not None and each.minutes is not None]
        return [
            {
                "at": each.at.timestamp(),
                "said_min": each.minutes,
                "true_min": round((each.true_wait_s or 0.0) / 60, 2),
                "kept": each.kept,
                "position": each.position,
            }
            for each in scored[-MOST_POINTS:]
        ]

    def _hours(self) -> list[dict[str, Any]]:
        """By the hour in which they came: callers on the line, those who gave up, median seconds to a human."""
        found = []
        for hour in range(24):
            here = [place for place in self._on_the_line if self._hour(place.entered_at) == hour]
            human = [call.seconds_to_human for call in self._rows.calls if self._hour(call.started_at) == hour]
            found.append(
                {
                    "hour": hour,
                    "callers": len(here),
                    "abandoned": sum(place.state == "abandoned" for place in here),
                    "to_human_s": round(median(human), 1) if human else None,
                }
            )
        return found

    def _at_risk(self) -> dict[str, int]:
        urgent = [place for place in self._rows.places if place.priority >= URGENT]
        said = [self._disposition(place) for place in urgent]
        saved, lost = said.count(SAVED), said.count(LOST)
        return {"callers": len(urgent), "saved": saved, "lost": lost, "untold": len(urgent) - saved - lost}

    def _goodwill(self) -> list[dict[str, Any]]:
        """By agent, who gave least first: under-use is what nobody else would see."""
        talked: dict[str, list[PlaceRow]] = {}
        for place in self._rows.places:
            for agent in {event.agent for event in self._of(place) if event.state == "talking" and event.agent}:
                talked.setdefault(agent, []).append(place)
        rows = [
            {
                "agent": agent,
                "conversations": len(talked.get(agent, ())),
                "at_risk": sum(place.priority >= URGENT for place in talked.get(agent, ())),
                "grants": self._rows.grants.get(agent, 0),
            }
            for agent in {*talked, *self._rows.grants}
        ]
        return sorted(rows, key=lambda row: (row["grants"] / max(1, row["conversations"]), row["agent"]))

    # -- one place ---------------------------------------------------------------------------------------------------

    def _of(self, place: PlaceRow) -> Sequence[EventRow]:
        return self._events.get(place.id, ())

    def _was(self, place: PlaceRow, state: str, *, after: str = "") -> bool:
        """Whether it was ever in ``state``; ``after``: once it had been in that one."""
        events: Iterable[EventRow] = self._of(place)
        if after:
            moments = [event.at for event in events if event.state == after]
            events = [event for event in events if moments and event.at >= moments[0]]
        return any(event.state == state for event in events)

    def _talked_at(self, place: PlaceRow) -> datetime | None:
        return next((event.at for event in self._of(place) if event.state == "talking"), None)

    def _talked_after(self, place: PlaceRow) -> float | None:
        at = self._talked_at(place)
        return (at - place.entered_at).total_seconds() if at is not None else None

    def _talked_for(self, place: PlaceRow) -> float | None:
        began = self._talked_at(place)
        ended = next((e.at for e in reversed(self._of(place)) if e.was == "talking" and e.state != "talking"), None)
        return (ended - began).total_seconds() if began is not None and ended is not None else None

    def _disposition(self, place: PlaceRow) -> str:
        return next((event.disposition for event in reversed(self._of(place)) if event.disposition), "")

    def _hour(self, at: datetime) -> int:
        return at.astimezone(self._zone).hour
