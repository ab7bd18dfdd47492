"""What was said of waits, and how true it was: read off the line as it changes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ivr.desk.announcements import WaitAnnouncements
from ivr.desk.routing import Rules
from ivr.ports import AgentStatus, Place, Standing
from ivr.ports.line import Announced
from tests.unit.desk.waiting import START, Watch, agent, place, view


class Line:
    """A line that tests move; ``kept`` is the last of each announcement."""

    def __init__(self, *agents: AgentStatus) -> None:
        self.watch = Watch()
        self.kept: dict[tuple[int, Any], Announced] = {}
        self.unknown: list[int] = []
        self.estimator = WaitAnnouncements(Rules(), 300.0, now=self.watch, keep=self._keep, unknown=self.unknown.append)
        self.places: dict[int, Place] = {}
        self.agents = {each.name: each for each in agents}

    def _keep(self, announced: Announced) -> None:
        self.kept[announced.place_id, announced.at] = announced

    @property
    def view(self) -> Any:
        return view(tuple(self.places.values()), tuple(self.agents.values()), self.watch.now)

    def at(self, seconds: float, *places: Place, gone: tuple[int, ...] = (), **agents: AgentStatus) -> None:
        self.watch.at(seconds)
        self.places |= {each.id: each for each in places}
        for number in gone:
            del self.places[number]
        self.agents |= agents
        self.estimator.follow(self.view)

    def tell(self, number: int) -> Standing:
        mine = self.places[number]
        waited = (self.watch.now - mine.entered_at).total_seconds()
        standing = Standing(self.estimator.position(self.view, mine), self.estimator.within_s(self.view, mine), waited)
        self.estimator.told(self.view, mine, standing)
        return standing

    def moved(self, number: int, **changes: Any) -> Place:
        return replace(self.places[number], **changes)

    @property
    def truths(self) -> list[tuple[int, float | None, bool | None]]:
        return [(each.place_id, each.true_wait_s, each.kept) for each in self.kept.values()]


ANN = agent("ann")


def test_who_is_served_tells_how_true_it_was() -> None:
    line = Line(ANN)
    line.at(0, place(1))
    told = line.tell(1)
    assert (told.position, told.within_s, told.within_minutes) == (1, 600.0, 10)
    line.at(60)
    line.tell(1)
    line.at(90, line.moved(1, state="offered", agent="ann"))
    assert {true for _, true, _ in line.truths} == {None}
    line.at(100, line.moved(1, state="talking"))
    assert line.truths == [(1, 100.0, True), (1, 40.0, True)]
    assert [each.kind for each in line.kept.values()] == ["first", "again"]


def test_a_bound_that_was_broken() -> None:
    line = Line(ANN)
    line.at(0, place(1))
    line.tell(1)
    line.at(601, line.moved(1, state="talking", agent="ann"))
    assert line.truths == [(1, 601.0, False)]


def test_who_gives_up_is_followed_until_the_line_passes_their_place() -> None:
    line = Line(ANN, agent("bo", "retention"))
    line.at(0, place(1), place(2, after=5), place(3, "retention", after=6))
    line.tell(1)
    line.at(30, gone=(1,))
    assert line.truths == [(1, None, None)]
    line.at(40, line.moved(3, state="talking", agent="bo"))
    assert line.truths == [(1, None, None)], "an agent who could not have taken them says nothing"
    line.at(70, line.moved(2, state="talking", agent="ann"))
    assert line.truths == [(1, 70.0, True)]


def test_an_agent_with_nobody_to_serve_would_have_served_who_gave_up() -> None:
    line = Line(ANN)
    line.at(0, place(1))
    line.tell(1)
    line.at(30, gone=(1,))
    line.at(80, ann=replace(ANN, state="idle"))
    assert line.truths == [(1, 80.0, True)]


def test_who_comes_back_to_their_place_is_no_ghost() -> None:
    line = Line(ANN, agent("bo"))
    line.at(0, place(1), place(2, after=5))
    line.tell(1)
    line.at(30, line.moved(1, state="away"))
    line.at(50, line.moved(1, state="waiting"))
    line.at(60, line.moved(2, state="talking", agent="bo"))
    assert line.truths == [(1, None, None)]
    line.at(70, line.moved(1, state="talking", agent="ann"))
    assert line.truths == [(1, 70.0, True)]


def test_a_call_back_keeps_what_was_told() -> None:
    line = Line(ANN)
    line.at(0, place(1))
    line.tell(1)
    line.at(30, line.moved(1, state="callback"))
    line.at(90, line.moved(1, state="offered", agent="ann"))
    line.at(95, line.moved(1, state="dialling"))
    assert line.truths == [(1, 95.0, True)]
    line.at(110, line.moved(1, state="talking"))
    assert line.truths == [(1, 95.0, True)], "their turn came once"


def test_a_position_never_rises_for_a_caller() -> None:
    line = Line(ANN)
    line.at(0, place(1), place(2, after=5))
    assert line.tell(2).position == 2
    line.at(10, place(3, after=9, priority=9))
    assert line.tell(2).position == 0, "it is three now: nothing is said of it"
    line.at(20, line.moved(1, state="talking", agent="ann"))
    assert line.tell(2).position == 2
    line.at(30, gone=(3,))
    assert line.tell(2).position == 1
    line.at(40, place(4, after=39, priority=9))
    assert line.tell(2).position == 0


def test_nothing_is_kept_of_nothing_said() -> None:
    line = Line()
    line.at(0, place(1))
    line.estimator.told(line.view, line.places[1], Standing(0, None, 0.0))
    assert line.tell(1).within_s is None, "nobody is there"
    assert [(each.position, each.minutes) for each in line.kept.values()] == [(1, None)]


def test_conversations_with_their_wrap_up_are_learnt_from() -> None:
    line = Line(ANN)
    for number in range(60):
        begun = 100.0 * number
        line.at(begun, ann=agent("ann", since=begun))
        line.at(begun + 40, ann=agent("ann", state="wrap_up", since=begun + 40))
        line.at(begun + 50, ann=agent("ann", state="idle", since=begun + 50))
    line.at(6000, place(1, after=6000), ann=agent("ann", since=6000))
    within = line.estimator.within_s(line.view, line.places[1])
    assert within == pytest.approx(2 * 50.0)


def test_a_start_after_a_quiet_night_knows_what_the_day_before_taught() -> None:
    def announced(number: int) -> Announced:
        return Announced(number, START, 1, 100.0, "first", 2, 0, 50.0, true_wait_s=25.0, kept=True)

    line = Line(ANN)
    line.estimator.warm_up([announced(number) for number in range(400)], [50.0] * 60)
    line.at(0, place(1000))
    within = line.estimator.within_s(line.view, line.places[1000])
    assert within == pytest.approx(25.0), "half of the estimate, and not twice that"


def test_what_another_process_told_binds_this_one() -> None:
    line = Line(ANN)
    line.at(0, place(1), place(2, after=5))
    assert line.unknown == [1, 2]
    earlier = Announced(2, START, 1, 100.0, "first", 2, 0, 50.0)
    line.estimator.adopt([earlier, replace(earlier, place_id=77)])
    assert line.tell(2).position == 0, "they were told that they are next"
    line.at(30, line.moved(2, line="there"))
    assert line.unknown == [1, 2, 2], "it may tell them more"
    line.at(130, line.moved(2, state="talking", agent="ann"))
    assert (2, 130.0, False) in line.truths
    assert not any(number == 77 for number, _, _ in line.truths)
