"""Busy days at desks of 5, 10 and 30: what was announced was kept, nobody starved, no position rose."""

from __future__ import annotations

import pytest

from tests.unit.desk.busy_day import Busy, kept

PROMISE = 0.8
DESKS = [
    pytest.param(agents, load, range(first, first + days), id=f"{agents} agents, from {first}")
    for agents, load, days, firsts in ((5, 0.95, 6, (1, 101, 201, 301)), (10, 2.1, 3, (1, 101)), (30, 6.9, 1, (1, 101)))
    for first in firsts
]


@pytest.mark.parametrize(("agents", "load", "seeds"), DESKS)
def test_a_busy_day(agents: int, load: float, seeds: range) -> None:
    busy = Busy.of(agents, load, seeds)
    assert len(busy.first) > 300, "enough callers had to wait"
    assert kept(busy.first) >= PROMISE, "the first bound of a call"
    assert kept(busy.scored) >= PROMISE, "all that was said"
    assert sum(day.overdue_overtaken for day in busy.days) == 0, "nobody overdue was overtaken"
    callers = [caller for day in busy.days for caller in day.callers]
    assert max(caller.waited_s or 0.0 for caller in callers) < 900
    risen = [c.positions for c in callers if any(b > a for a, b in zip(c.positions, c.positions[1:], strict=False))]
    assert not risen
    said = sorted(each.minutes or 0 for each in busy.first)
    assert said[len(said) // 2] <= 4, "a bound that helps: half of them four minutes or less"
