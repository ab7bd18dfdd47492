"""Who is served next, and by whom: what the store's pairing is held to says so."""

from __future__ import annotations

from datetime import timedelta

from ivr.config import Relaxation
from ivr.desk.routing import Rules
from ivr.ports import AgentStatus, Place
from tests.pairing import next_pair
from tests.unit.desk.waiting import START, agent, place

RULES = Rules(relax=(Relaxation(skill="discs", to="general", after_s=180.0),))


def pair(places: list[Place], agents: list[AgentStatus], seconds: float = 60.0) -> tuple[int, str] | None:
    found = next_pair(RULES, places, agents, START + timedelta(seconds=seconds))
    return None if found is None else (found[0].id, found[1].name)


def idle(name: str, *skills: str, since: float = 0.0) -> AgentStatus:
    return agent(name, *skills, state="idle", since=since)


def test_priority_then_arrival_then_number() -> None:
    line = [place(3, after=5), place(2, after=5), place(4, after=9, priority=9), place(1, after=7)]
    agents = [idle("ann")]
    assert pair(line, agents) == (4, "ann")
    assert pair(line[:2] + line[3:], agents) == (2, "ann")


def test_who_waited_beyond_the_bound_goes_before_any_priority() -> None:
    line = [place(1), place(2, after=30), place(3, after=500, priority=10)]
    assert pair(line, [idle("ann")], 601) == (1, "ann")
    assert pair(line[1:], [idle("ann")], 601) == (3, "ann")
    assert pair(line[1:], [idle("ann")], 631) == (2, "ann")


def test_the_one_who_has_been_idle_longest_and_has_the_skill() -> None:
    agents = [idle("ann", since=20), idle("bo", since=10), idle("cy", "discs", since=1)]
    assert pair([place(1)], agents) == (1, "bo")
    assert pair([place(1, "discs")], agents) == (1, "cy")


def test_a_caller_whom_nobody_idle_can_serve_holds_nobody_up() -> None:
    line = [place(1, "retention", priority=9), place(2, after=10)]
    assert pair(line, [agent("ann", "retention"), idle("bo")]) == (2, "bo")


def test_nobody_who_is_busy_or_away_is_offered_anybody() -> None:
    assert pair([place(1)], [agent("ann"), agent("bo", state="away"), agent("cy", state="wrap_up")]) is None


def test_a_named_agent_is_waited_for_a_while() -> None:
    line = [place(1, named="ann", after=50), place(2, after=55)]
    agents = [agent("ann"), idle("bo")]
    assert pair(line, agents) == (2, "bo")
    assert pair(line, agents, 71) == (1, "bo"), "twenty seconds"
    assert pair(line, [idle("ann", since=40), idle("bo")]) == (1, "ann"), "though another was idle longer"
    assert pair(line, [agent("ann", state="away"), idle("bo")]) == (1, "bo")


def test_skills_relax_and_nobody_waits_for_who_is_not_there() -> None:
    line = [place(1, "discs")]
    assert pair(line, [idle("ann")]) is None
    assert pair(line, [idle("ann")], 180) == (1, "ann")
    assert pair([place(1, "spanish")], [idle("ann"), idle("bo", "retention")]) == (1, "ann")
    assert pair([place(1, "spanish")], [idle("bo", "retention")]) == (1, "bo"), "anybody before nobody"
