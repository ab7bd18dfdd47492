"""Position: how many are ahead whom an agent of the caller's skill could take; never rising."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ivr.config import Relaxation
from ivr.desk.position import ahead, sayable
from ivr.desk.routing import Rules
from ivr.ports import Place
from tests.unit.desk.waiting import START, agent, place, view

NOW = START + timedelta(seconds=60)
RULES = Rules(relax=(Relaxation(skill="discs", to="general", after_s=180.0),))


def test_who_waits_for_a_skill_that_my_agents_lack_is_not_before_me() -> None:
    mine = place(3, "discs", after=20)
    others = [place(1, "retention"), place(2, "discs", after=10)]
    desk = view([*others, mine], [agent("ann", "discs"), agent("bo", "retention")], NOW)
    assert ahead(desk, mine, RULES, NOW) == 1, "a caller stuck behind another skill is none of theirs"
    shared = view([*others, mine], [agent("ann", "discs", "retention")], NOW)
    assert ahead(shared, mine, RULES, NOW) == 2


def test_whom_priority_or_the_bound_puts_before_me() -> None:
    mine = place(5, after=50)
    desk = [place(1, after=40), place(2, after=55), place(3, after=59, priority=9), mine]
    assert ahead(view(desk, [agent("ann")], NOW), mine, RULES, NOW) == 2
    late = START + timedelta(seconds=645)
    assert ahead(view(desk, [agent("ann")], late), mine, RULES, late) == 2, "one is overdue, one is urgent"
    overdue = START + timedelta(seconds=670)
    assert ahead(view(desk, [agent("ann")], overdue), mine, RULES, overdue) == 1, "all are: by arrival"


@pytest.mark.parametrize(
    ("more", "count"),
    [
        ({"state": "offered"}, 1),
        ({"state": "talking"}, 0),
        ({"state": "away"}, 0),
        ({"state": "dialling"}, 0),
        ({"state": "callback"}, 1),
        ({"state": "callback", "due_at": NOW + timedelta(seconds=1)}, 0),
        ({"state": "callback", "due_at": NOW}, 1),
    ],
)
def test_only_who_can_be_reached_is_before_me(more: dict[str, Any], count: int) -> None:
    mine = place(2, after=10)
    assert ahead(view([place(1, **more), mine], [agent("ann")], NOW), mine, RULES, NOW) == count


def test_agents_who_are_away_take_nobody() -> None:
    mine = place(2, "discs", after=10)
    desk = [place(1, "general"), mine]
    agents = [agent("ann", "discs"), agent("bo", "discs", "general", state="away"), agent("cy", "general")]
    assert ahead(view(desk, agents, NOW), mine, RULES, NOW) == 0
    assert ahead(view(desk, agents[:2], NOW), mine, RULES, NOW) == 1, "with no generalist there, ann takes them as well"


def test_with_nobody_there_those_of_the_same_skill_count() -> None:
    mine = place(3, "discs", after=20)
    desk = view([place(1, "general"), place(2, "discs", after=10), mine], [], NOW)
    assert ahead(desk, mine, RULES, NOW) == 1


def test_skills_relax_by_time() -> None:
    mine = place(2, "general", after=10)
    desk = [place(1, "discs"), mine]
    soon, later = START + timedelta(seconds=100), START + timedelta(seconds=200)
    agents = [agent("ann", "general")]
    assert ahead(view(desk, agents, soon), mine, RULES, soon) == 0
    assert ahead(view(desk, agents, later), mine, RULES, later) == 1


def _message(number: int, skill: str = "general", *, after: float = 0.0) -> Place:
    made = place(number, skill, after=after)
    return replace(made, arrival=replace(made.arrival, channel="message"))


def test_a_message_that_no_agent_of_mine_can_play_is_not_before_me() -> None:
    """Whatever stands first in the line: who takes messages says nothing of who takes callers."""
    mine = place(3, after=20)
    desk = [_message(1), place(2, after=10), mine]
    telephone, console = agent("front"), agent("ann", line="here")
    assert ahead(view(desk, [telephone], NOW), mine, RULES, NOW) == 1, "the one who waits, and no message"
    assert ahead(view(desk, [telephone, console], NOW), mine, RULES, NOW) == 2, "ann takes it before me"
    discs = agent("bo", "discs", line="here")
    other = [_message(1, "discs"), place(2, after=10), mine]
    assert ahead(view(other, [telephone, discs], NOW), mine, RULES, NOW) == 1, "bo takes none of mine"


def test_a_message_stays_not_before_me_as_it_grows_older() -> None:
    """Never rising: neither the bound nor relaxing makes a telephone play it."""
    mine, telephone = place(2, "discs", after=10), agent("front", "discs", "general")
    for seconds in (60, 200, 700):
        now = START + timedelta(seconds=seconds)
        assert ahead(view([_message(1, "discs"), mine], [telephone], now), mine, RULES, now) == 0


def test_who_knows_my_agent_is_before_me() -> None:
    """Though they wait for a skill that the agent lacks."""
    mine = place(2, "discs", after=10)
    agents = [agent("ann", "discs"), agent("bo", "general")]
    assert ahead(view([place(1), mine], agents, NOW), mine, RULES, NOW) == 0
    assert ahead(view([place(1, named="ann"), mine], agents, NOW), mine, RULES, NOW) == 1


def test_never_rising() -> None:
    assert sayable(4, None) == 4
    assert sayable(3, 4) == 3
    assert sayable(4, 4) == 4
    assert sayable(5, 4) == 0, "nothing is said of it until it fits again"
