"""Who is rung, in which order."""

from __future__ import annotations

from ivr.config import Agent
from ivr.desk.desk import route


def agent(name: str, *skills: str, on_call: bool = False) -> Agent:
    return Agent(name=name, target=f"sip:{name}@192.0.2.1", skills=skills, on_call=on_call)


AGENTS = (
    agent("front", "general"),
    agent("discs", "discs", on_call=True),
    agent("retention", "retention"),
    agent("both", "retention", "general", on_call=True),
)


def names(skill: str, agents: tuple[Agent, ...] = AGENTS, *, within_hours: bool = True) -> list[str]:
    return [destination.name for destination in route(agents, skill, within_hours=within_hours)]


def test_by_day() -> None:
    assert names("retention") == ["retention", "both", "front"]
    assert names("discs") == ["discs", "front", "both"]
    assert names("unheard-of") == ["front", "both"]


def test_by_night_only_who_is_on_call() -> None:
    assert names("retention", within_hours=False) == ["both"]
    assert names("discs", within_hours=False) == ["discs", "both"]
    assert names("general", (agent("front", "general"),), within_hours=False) == []


def test_anybody_before_nobody() -> None:
    assert names("retention", (agent("discs", "discs"),)) == ["discs"]
    assert names("general", ()) == []


def test_destinations_are_as_configured() -> None:
    referred = Agent(name="far", target="sip:far@192.0.2.9", mode="refer", ring_timeout_s=7.0)
    (found,) = route((referred,), "general", within_hours=True)
    assert (found.target, found.mode, found.ring_timeout_s) == ("sip:far@192.0.2.9", "refer", 7.0)
