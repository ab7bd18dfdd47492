"""Where a call stands: the transition table of a library, and the stack of flows a call is in.

The table is `transitions`' synchronous Machine, used as nothing but a table: no callbacks, so no name from a file can
ever be called. It is built once per library; each call brings its own cursor as the model.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from transitions import Machine

from ivr.dialogue.flows.model import Flow
from ivr.dialogue.flows.state import RESERVED_TARGETS
from ivr.dialogue.understanding.grammar import SlotValue

RESERVED = "@"  # "@human", "@back", …: targets the engine resolves itself


class TransitionTable:
    """Every edge of every flow. States are named "flow.state"."""

    def __init__(self, flows: Mapping[str, Flow]) -> None:
        names = [f"{name}.{sid}" for name, flow in flows.items() for sid in flow.states]
        names += [RESERVED + target for target in sorted(RESERVED_TARGETS)]
        self._machine: Any = Machine(
            model=None, states=names, initial=None, auto_transitions=False, ignore_invalid_triggers=False
        )
        for name, flow in flows.items():
            for sid, state in flow.states.items():
                for way in state.transitions():
                    dest = RESERVED + way.target if way.target in RESERVED_TARGETS else f"{name}.{way.target}"
                    self._machine.add_transition(way.trigger, f"{name}.{sid}", dest)

    def take(self, cursor: Cursor, trigger: str) -> str:
        """Follow an edge; the state's name, or "@" and a reserved target. Raises MachineError where there is none."""
        self._machine.events[trigger].trigger(cursor)
        return cursor.state

    def place(self, cursor: Cursor, state: str) -> None:
        """Put the cursor somewhere without an edge (a sub-flow's start, a resumed call). ValueError if unknown."""
        self._machine.set_state(state, cursor)


@dataclass(slots=True)
class Cursor:
    """The machine's model: which state a call is in."""

    state: str = ""


@dataclass(slots=True)
class Asked:
    """A question that was put to the caller, and the variables that its answer filled."""

    state: str
    filled: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Frame:
    """One flow that the call is in. ``doubtful``: variables heard with doubt and not confirmed since."""

    flow: str
    state: str = ""
    variables: dict[str, SlotValue] = field(default_factory=dict)
    doubtful: set[str] = field(default_factory=set)
    asked: list[Asked] = field(default_factory=list)

    def fill(self, name: str, value: SlotValue | None, *, doubt: bool = False) -> None:
        if value is None:
            self.clear(name)
            return
        self.variables[name] = value
        (self.doubtful.add if doubt else self.doubtful.discard)(name)

    def answer(self, values: Mapping[str, SlotValue], doubtful: Collection[str]) -> None:
        """Fill what the caller answered to the latest question: going back to it forgets that again."""
        for name, value in values.items():
            self.fill(name, value, doubt=name in doubtful)
            if self.asked:
                self.asked[-1].filled.add(name)

    def clear(self, *names: str) -> None:
        for name in names:
            self.variables.pop(name, None)
            self.doubtful.discard(name)
