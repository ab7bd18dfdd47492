"""The recorder: what happens on a call goes to its journal, the log and the live view; and is counted, here only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import structlog

from ivr.call.journal import Journal
from ivr.call.registry import CallRegistry
from ivr.dialogue.engine.dialogue import Dialogue
from ivr.ports import Clock
from ivr.record import Entered, Entry, Failed, Happening, Keyed, Understood, attributes

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Counts:
    """What the canonical line counts. ``acted``: the caller said or keyed anything."""

    turns: int = 0
    barge_ins: int = 0
    acted: bool = False


class Recorder:
    """One call's. ``fields`` identify the call on every log line, with the flow and the state that it is in now."""

    def __init__(self, call_id: str, leg_id: str, journal: Journal, registry: CallRegistry, clock: Clock) -> None:
        self.fields: dict[str, Any] = {"call_id": call_id, "leg": leg_id, "flow": "", "flow_version": "", "state": ""}
        self.counts = Counts()
        self._journal = journal
        self._registry = registry
        self._clock = clock

    @property
    def state(self) -> str:
        """ "flow.state"; "" before the first."""
        return str(self.fields["state"])

    def opened(self, dialogue: Dialogue) -> None:
        """It is known now which flow serves the call."""
        start, version = dialogue.start, dialogue.flow_version
        self.fields.update(flow=start.entry, flow_version=version)
        self._journal.update(flow=start.entry, flow_version=version, language=start.language, persona=start.persona)

    def record(self, what: Happening) -> None:
        match what:
            case Entered(state=state):
                self.fields.update(state=state, flow=state.partition(".")[0])
            case Understood():
                self.counts.turns += 1
                self.counts.acted = True
            case Keyed():
                self.counts.acted = True
        self._registry.on_move()
        emit = log.error if isinstance(what, Failed) else log.info
        emit(f"dialogue.{what.kind}", **attributes(what))
        self._journal.append(Entry(what, self._clock.now(), self.state))

    def barged_in(self) -> None:
        """Speech stopped a prompt."""
        self.counts.barge_ins += 1
