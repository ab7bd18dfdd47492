"""Who of a conversation hears whom."""

from __future__ import annotations

from typing import cast

import pytest

from ivr.phones.conference import Party, Role, hears
from ivr.phones.participant import Participant
from ivr.ports import Supervision


def party(role: Role, how: Supervision = "listen", *, muted: bool = False) -> Party:
    return Party(role, role, cast(Participant, None), 0.0, muted=muted, how=how)


def mixed(*parties: Party, held: bool = False, conference: bool = False) -> dict[str, str]:
    """For each, by initials, whom they hear: "c", "a", "q" (consulted) or "s"."""
    initials = {"caller": "c", "agent": "a", "consulted": "q", "supervisor": "s"}
    found = hears(parties, held=held, conference=conference)
    return {initials[one.role]: "".join(sorted(initials[o.role] for o in others)) for one, others in found.items()}


def test_two_hear_each_other_and_nobody_else() -> None:
    assert mixed(party("caller"), party("agent")) == {"c": "a", "a": "c"}
    assert mixed(party("caller"), party("agent"), held=True) == {"c": "", "a": ""}
    assert mixed(party("caller"), party("agent", muted=True)) == {"c": "", "a": "c"}


def test_a_consultation_and_a_conference() -> None:
    three = (party("caller"), party("agent"), party("consulted"))
    assert mixed(*three, held=True) == {"c": "", "a": "q", "q": "a"}
    assert mixed(*three, conference=True) == {"c": "aq", "a": "cq", "q": "ac"}


@pytest.mark.parametrize(
    ("how", "caller", "agent"),
    [("listen", "a", "c"), ("whisper", "a", "cs"), ("barge", "as", "cs")],
)
def test_a_supervisor(how: Supervision, caller: str, agent: str) -> None:
    assert mixed(party("caller"), party("agent"), party("supervisor", how)) == {"c": caller, "a": agent, "s": "ac"}


def test_a_whisper_is_for_the_agent_alone_and_a_muted_supervisor_for_nobody() -> None:
    four = (party("caller"), party("agent"), party("consulted"))
    assert mixed(*four, party("supervisor", "whisper"), conference=True)["q"] == "ac"
    assert mixed(*four, party("supervisor", "barge", muted=True), conference=True)["c"] == "aq"


def test_on_hold_a_supervisor_hears_the_agent_and_the_caller_hears_nobody() -> None:
    three = (party("caller"), party("agent"), party("supervisor", "barge"))
    assert mixed(*three, held=True) == {"c": "", "a": "s", "s": "a"}
