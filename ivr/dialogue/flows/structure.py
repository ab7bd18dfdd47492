"""Structure: what of a flow the engine can't run at all: states of no kind or several, targets that aren't there."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ivr.dialogue.flows.finding import Finding
from ivr.dialogue.flows.model import Flow
from ivr.dialogue.flows.model_errors import listing, suggestion
from ivr.dialogue.flows.source import Parsed, Place, Positions
from ivr.dialogue.flows.state import RESERVED_TARGETS, WAIT_TARGETS, State


def holding(parsed: Mapping[str, Parsed], files: Sequence[str], path: Sequence[str | int]) -> Positions:
    """Of a flow's own file and its fragments', the first that has ``path``; its own where none has."""
    found = (positions for file in files if (positions := parsed[file].positions).has(*path[:2]))
    return next(found, parsed[files[0]].positions)


class Structure:
    """``flows``: by the names they may be called by; ``stems``: names of files that may hold one, if they are mended;
    ``incomplete``: flows that lack a fragment, whose states are not all known."""

    def __init__(
        self,
        parsed: Mapping[str, Parsed],
        flows: Collection[str],
        stems: Collection[str],
        incomplete: Collection[str],
    ) -> None:
        self.parsed, self.flows, self.stems, self.incomplete = parsed, flows, stems, incomplete
        self._found: list[Finding] = []

    def _error(self, code: str, place: Place, why: str, remedy: str) -> None:
        self._found.append(Finding(code, "error", place.file, place.line, place.column, place.text, why, remedy))

    def findings(self, flow: Flow, files: Sequence[str]) -> Sequence[Finding]:
        """``files``: the flow's own, then its fragments'."""
        self._found = []

        def place(*path: str | int) -> Place:
            return holding(self.parsed, files, path).value(*path)

        if flow.start not in flow.states:
            remedy = suggestion(flow.start, flow.states, f"states here: {listing(flow.states)}")
            self._error("unknown-start", place("start"), f"the flow starts at {flow.start}, which is no state", remedy)
        waits = any(state.line is not None for state in flow.states.values())
        reserved = RESERVED_TARGETS | WAIT_TARGETS if waits else RESERVED_TARGETS
        states = f"states here: {listing(flow.states)}"
        for sid, state in flow.states.items():
            key = holding(self.parsed, files, ("states", sid)).key("states", sid)
            if sid in reserved or not sid.replace("_", "a").isalnum():
                own = ": it is a target of its own" if sid in reserved else ""
                why = f"{sid} cannot be a state's name{own}"
                self._error("bad-name", key, why, "rename the state: letters, digits and _")
            if not any(sid in self.parsed[file].mutilated for file in files):
                self._kinds(key, sid, state)
            for transition in state.transitions():
                target = transition.target
                known = target in flow.states or state.reserves(target)
                if not known and flow.flow not in self.incomplete:
                    where = place("states", sid, *transition.path, "goto")
                    known_here = [*flow.states, *(name for name in reserved if state.reserves(name))]
                    remedy = suggestion(target, known_here, states)
                    self._error("unknown-target", where, f"{target} is no state of {flow.flow}", remedy)
            if state.call and state.call not in self.flows and state.call not in self.stems:
                remedy = suggestion(state.call, self.flows, f"flows here: {listing(self.flows)}")
                self._error("unknown-flow", place("states", sid, "call"), f"there is no flow {state.call}", remedy)
        return self._found

    def _kinds(self, place: Place, sid: str, state: State) -> None:
        if len(state.kinds) > 1:
            why = f"state {sid} is several things at once: {listing(state.kinds)}"
            self._error("several-kinds", place, why, "split it into states that follow one another")
        elif state.kinds == ("say",) and state.goto is None:
            known = "ask, choices, action, http, when, call, handoff, wait, return, end, resume or goto"
            code, why = "dead-end", f"after state {sid} nothing happens: the call would hang"
            if not state.prompt and not state.on:
                code, why = "no-kind", f"state {sid} does nothing and leads nowhere"
            self._error(code, place, why, f"give it {known}")
