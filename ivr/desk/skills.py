"""Skills that callers of this desk may wait for, whoever has them: those that the configuration and the flows name."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ivr.config import DeskConfig
from ivr.dialogue.flows.library import FlowLibrary
from ivr.dialogue.flows.skills import skills_wanted
from ivr.ports.line import GENERAL


class NamedSkills:
    """``libraries``: the flows that serve now."""

    def __init__(self, config: DeskConfig, libraries: Callable[[], Sequence[FlowLibrary]]) -> None:
        self._libraries = libraries
        self._read: Sequence[FlowLibrary] = ()
        self._wanted: frozenset[str] = frozenset()
        self.apply(config)

    def apply(self, config: DeskConfig) -> None:
        relaxed = {skill for each in config.line.relax for skill in (each.skill, each.to)}
        self._configured = frozenset({GENERAL, *relaxed, *(skill for agent in config.agents for skill in agent.skills)})

    def now(self) -> frozenset[str]:
        libraries = self._libraries()
        if [id(each) for each in libraries] != [id(each) for each in self._read]:
            self._read = libraries
            self._wanted = frozenset(skill for each in libraries for skill in skills_wanted(each))
        return self._configured | self._wanted
