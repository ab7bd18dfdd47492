"""Skills that callers may wait for, whoever has them."""

from __future__ import annotations

from collections.abc import Sequence

from ivr.config import Agent, DeskConfig, LineConfig, Relaxation
from ivr.desk.skills import NamedSkills
from ivr.dialogue.flows.library import FlowLibrary
from tests.unit.dialogue.talk import reference


def agent(name: str, *skills: str) -> Agent:
    return Agent(name=name, target=f"sip:{name}@127.0.0.1", skills=skills)


def test_whatever_the_configuration_names() -> None:
    line = LineConfig(relax=(Relaxation(skill="billing", to="accounts"),))
    skills = NamedSkills(DeskConfig(agents=(agent("front", "discs"),), line=line), lambda: ())
    assert skills.now() == {"general", "discs", "billing", "accounts"}
    skills.apply(DeskConfig(agents=(agent("front", "spanish"),)))
    assert skills.now() == {"general", "spanish"}, "as it is now"


def test_whatever_the_flows_that_serve_name() -> None:
    serving: Sequence[FlowLibrary] = ()
    skills = NamedSkills(DeskConfig(), lambda: serving)
    assert skills.now() == {"general"}, "before there are any"
    serving = (reference(),)
    assert skills.now() >= {"general", "discs", "retention"}
    serving = ()
    assert skills.now() == {"general"}
