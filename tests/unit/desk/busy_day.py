"""A busy day of a desk, second by second (simpy), with the product's own routing, positions and estimates.

Two humps of arrivals, 12 % of them urgent, three skills over overlapping agents of whom now and then one is away for a
quarter of an hour, log-normal conversations of five minutes, callers with the patience of eight.
"""

from __future__ import annotations

import math
import random
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import simpy

from ivr.config import Relaxation
from ivr.desk.announcements import WaitAnnouncements
from ivr.desk.routing import Rules
from ivr.ports import AgentStatus, Arrival, LineView, Place, Standing
from ivr.ports.line import Announced
from tests.pairing import next_pair

OPENS = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
DAY_S = 12 * 3600.0
TOLD_EVERY_S = 60.0
PEAK = 60 / 3600
URGENT = 0.12
RULES = Rules(bound_s=600.0, relax=(Relaxation(skill="discs", to="general", after_s=180.0),))
HANDLE_S = 320.0


def arrivals(t: float) -> float:
    """Calls a second, ``t`` seconds after eight o'clock: humps at half past ten and at three."""
    hour = 8 + t / 3600
    return (12 + 46 * math.exp(-((hour - 10.5) ** 2) / 1.6) + 38 * math.exp(-((hour - 15.0) ** 2) / 2.2)) / 3600


@dataclass(eq=False)
class Caller:
    place: Place
    patience_s: float
    handle_s: float
    positions: list[int] = field(default_factory=list)
    waited_s: float | None = None  # None: gave up


@dataclass(eq=False)
class Seat:
    """An agent. ``leaves``: after this conversation."""

    status: AgentStatus
    leaves: bool = False


@dataclass
class Day:
    """``load``: calls against the ordinary number. ``truths``: announcements of the days before."""

    seed: int
    agents: int
    load: float
    truths: Sequence[Announced] = ()
    callers: list[Caller] = field(default_factory=list)
    announced: dict[tuple[int, datetime], Announced] = field(default_factory=dict)
    overdue_overtaken: int = 0

    def run(self) -> Day:
        self._env = simpy.Environment()
        self._random = random.Random(self.seed)
        self._waiting: dict[int, Caller] = {}
        self._talking: dict[int, Caller] = {}
        self._start = OPENS + timedelta(days=self.seed)
        self._seats = [Seat(self._agent(number)) for number in range(self.agents)]
        self._estimator = WaitAnnouncements(RULES, HANDLE_S, now=self._now, keep=self._kept)
        self._estimator.warm_up(self.truths)
        self._env.process(self._arrive())
        self._env.process(self._breaks())
        self._env.run(until=DAY_S)
        return self

    def _agent(self, number: int) -> AgentStatus:
        skills = ["general", *(["retention"] if number % 2 == 0 else []), *(["discs"] if number % 3 else [])]
        return AgentStatus(f"agent {number:02}", "idle", self._start, tuple(skills))

    def _now(self) -> datetime:
        return self._start + timedelta(seconds=self._env.now)

    def _kept(self, announced: Announced) -> None:
        self.announced[announced.place_id, announced.at] = announced

    def _view(self) -> LineView:
        places = [caller.place for caller in (*self._waiting.values(), *self._talking.values())]
        places.sort(key=lambda place: RULES.order(place, self._now()))
        return LineView(tuple(places), tuple(seat.status for seat in self._seats))

    # -- callers ---------------------------------------------------------------------------------------------------

    def _arrive(self) -> Generator[simpy.Event, Any, None]:
        number = self.seed * 100_000
        while True:
            yield self._env.timeout(self._random.expovariate(PEAK * self.load))
            if self._random.random() > arrivals(self._env.now) / PEAK:
                continue
            number += 1
            urgent = self._random.random() < URGENT
            skill = "retention" if urgent else "discs" if self._random.random() < 0.3 else "general"
            arrival = Arrival(f"call:{number}", str(number), skill, 9 if urgent else 3)
            caller = Caller(
                Place(number, arrival, self._now(), "waiting", "here"),
                self._random.expovariate(1 / 480) + 20,
                self._random.lognormvariate(math.log(260), 0.65),
            )
            self.callers.append(caller)
            self._env.process(self._wait(caller))

    def _wait(self, caller: Caller) -> Generator[simpy.Event, Any, None]:
        self._waiting[caller.place.id] = caller
        self._changed()
        gives_up = self._env.now + caller.patience_s
        while caller.place.id in self._waiting:
            self._tell(caller)
            yield self._env.timeout(min(TOLD_EVERY_S, gives_up - self._env.now))
            if self._env.now >= gives_up and self._waiting.pop(caller.place.id, None) is not None:
                self._changed()

    def _tell(self, caller: Caller) -> None:
        view, place = self._view(), caller.place
        position = self._estimator.position(view, place)
        waited = (self._now() - place.entered_at).total_seconds()
        standing = Standing(position, self._estimator.within_s(view, place), waited)
        self._estimator.told(view, place, standing)
        if position:
            caller.positions.append(position)

    # -- agents ----------------------------------------------------------------------------------------------------

    def _changed(self) -> None:
        self._estimator.follow(self._view())
        statuses = [seat.status for seat in self._seats]
        while pair := next_pair(RULES, (c.place for c in self._waiting.values()), statuses, self._now()):
            place, agent = pair
            self._check_bound(place, agent)
            seat = next(seat for seat in self._seats if seat.status is agent)
            caller = self._waiting.pop(place.id)
            caller.waited_s = (self._now() - place.entered_at).total_seconds()
            caller.place = replace(place, state="talking", agent=agent.name)
            self._talking[place.id] = caller
            self._set(seat, "busy")
            self._env.process(self._talk(seat, caller))
            statuses = [seat.status for seat in self._seats]
            self._estimator.follow(self._view())

    def _check_bound(self, place: Place, agent: AgentStatus) -> None:
        """Who waited beyond the bound is overtaken by nobody who came later."""
        now = self._now()
        for other in self._waiting.values():
            waited = (now - other.place.entered_at).total_seconds()
            if other.place.entered_at < place.entered_at and waited > RULES.bound_s:
                self.overdue_overtaken += not RULES.good_enough(other.place, now).isdisjoint(agent.skills)

    def _set(self, seat: Seat, state: Any) -> None:
        seat.status = replace(seat.status, state=state, since=self._now())

    def _talk(self, seat: Seat, caller: Caller) -> Generator[simpy.Event, Any, None]:
        yield self._env.timeout(caller.handle_s)
        del self._talking[caller.place.id]
        if seat.leaves:
            seat.leaves = False
            self._env.process(self._away(seat))
        else:
            self._set(seat, "idle")
            self._changed()

    def _away(self, seat: Seat) -> Generator[simpy.Event, Any, None]:
        self._set(seat, "away")
        self._estimator.follow(self._view())
        yield self._env.timeout(self._random.gammavariate(4, 200))
        self._set(seat, "idle")
        self._changed()

    def _breaks(self) -> Generator[simpy.Event, Any, None]:
        while True:
            yield self._env.timeout(self._random.expovariate(1 / 1500))
            seat = self._random.choice(self._seats)
            if seat.status.state == "busy":
                seat.leaves = True
            elif seat.status.state == "idle":
                self._env.process(self._away(seat))


@dataclass(frozen=True, slots=True)
class Busy:
    """Several days at one desk, each started with what the days before had taught."""

    days: tuple[Day, ...]

    @classmethod
    def of(cls, agents: int, load: float, seeds: Sequence[int]) -> Busy:
        days: list[Day] = []
        for seed in seeds:
            before = [a for day in days for a in day.announced.values() if a.true_wait_s is not None]
            days.append(Day(seed, agents, load, before[-1600:]).run())
        return cls(tuple(days))

    @property
    def scored(self) -> list[Announced]:
        return [a for day in self.days for a in day.announced.values() if a.kept is not None]

    @property
    def first(self) -> list[Announced]:
        """Of each call the first one."""
        found: dict[int, Announced] = {}
        for announced in self.scored:
            found.setdefault(announced.place_id, announced)
        return list(found.values())


def kept(announced: Sequence[Announced]) -> float:
    return sum(bool(each.kept) for each in announced) / len(announced)
