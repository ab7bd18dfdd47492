"""Mixed initiative (VoiceXML 2.1, section 2.1): which slots of a request may be left out, because the way on asks for
them.

"Move that to the top" has no title. Where the choice leads to a state that asks for the title before anything uses it,
in this flow or in one that it is passed on to, the request is taken and its form is filled in there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from itertools import combinations

from ivr.dialogue.flows.condition import Around, leaves, needed_by, test_of
from ivr.dialogue.flows.expression import ExpressionError, parse_expression
from ivr.dialogue.flows.model import Flow
from ivr.dialogue.flows.prompt import TaperedPrompt, items_of
from ivr.dialogue.flows.state import EdgeSpec, State
from ivr.dialogue.flows.wording import names_in
from ivr.identity import CALLER_IDENTITY, IdentityLevel

MOST_LEFT_OUT = 2  # slots of one request

Flows = Mapping[str, Flow]
_Fate = Enum("_Fate", "ASKED USED")
_ANYTIME = Around(None, IdentityLevel.UNKNOWN)


def fillings(
    flows: Flows, flow: str, state: str, intent: str, phrased: Iterable[frozenset[str]]
) -> frozenset[frozenset[str]]:
    """Which slots may be filled when ``intent`` is chosen in ``state``, of those that its phrases fill (``phrased``).

    Beside the phrases' own sets: none where the choice has a key, and those without slots that every such choice leads
    on to be asked for."""
    owner = flows[flow]
    edges = [choice for choice in owner.states[state].choices if choice.intent == intent]
    sets = set(phrased)
    askable = {slot for slot in frozenset().union(*sets) if all(_asked(flows, owner, edge, slot) for edge in edges)}
    found = {*sets, *([frozenset[str]()] if any(edge.key for edge in edges) else [])}
    for filled in sets:
        for many in range(1, MOST_LEFT_OUT + 1):
            found.update(filled - set(left_out) for left_out in combinations(sorted(filled & askable), many))
    return frozenset(found)


def asks_for(flows: Flows, flow: str, parameter: str) -> bool:
    """Whether a sub-flow asks for a parameter that it was not given, before anything uses it."""
    owner = flows.get(flow)
    return owner is not None and set(_Walk(flows).state(owner, owner.start, parameter)) == {_Fate.ASKED}


def _asked(flows: Flows, flow: Flow, edge: EdgeSpec, slot: str) -> bool:
    return set(_Walk(flows).edge(flow, edge, slot)) == {_Fate.ASKED}


class _Walk:
    """What becomes of a variable that is not filled, on every way on until the caller is asked something open."""

    def __init__(self, flows: Flows) -> None:
        self.flows = flows
        self._seen: set[tuple[str, str, str]] = set()

    def edge(self, flow: Flow, edge: EdgeSpec, slot: str) -> Iterator[_Fate]:
        if _says(edge.say, slot) or any(slot in needed_by(value) for value in edge.set.values()):
            yield _Fate.USED
        elif edge.goto in flow.states and slot not in edge.set:
            yield from self.state(flow, edge.goto, slot)

    def state(self, flow: Flow, name: str, slot: str) -> Iterator[_Fate]:
        if name not in flow.states or (flow.flow, name, slot) in self._seen:
            return
        self._seen.add((flow.flow, name, slot))
        state = flow.states[name]
        if _uses(state, slot):
            yield _Fate.USED
        elif state.ask == slot:
            yield _Fate.ASKED
        elif slot not in state.set and slot not in state.returns:
            yield from self._onward(flow, state, slot)

    def _onward(self, flow: Flow, state: State, slot: str) -> Iterator[_Fate]:
        if state.when:
            for case in state.when:
                holds = _holds(case.condition, slot)
                if holds is not False:
                    yield from self.edge(flow, case, slot)
                if holds:
                    return
            return
        if state.call in self.flows:
            callee = self.flows[state.call]
            passed = [name for name, value in state.arguments.items() if _bare(value) == slot]
            fates = [fate for name in passed for fate in self.state(callee, callee.start, name)]
            yield from fates
            if fates:
                return
        for edge in (state.goto, *state.on.values()):
            if edge is not None:
                yield from self.edge(flow, edge, slot)


def _uses(state: State, slot: str) -> bool:
    """Whether something here wants it: a prompt's words, or a value that is more than passing it on."""
    if any(_says(said.prompt, slot) for said in state.prompts() if said.path[0] not in ("choices", "when", "on")):
        return True
    values = [*state.set.values(), *state.values.values(), *state.arguments.values()]
    if state.http is not None:
        values += [value for value, _ in leaves(state.http.body, ())]
        if slot in names_in(state.http.path):
            return True
    passes = bool(state.call)
    return any(slot in needed_by(value) and not (passes and _bare(value) == slot) for value in values)


def _says(prompt: TaperedPrompt | None, slot: str) -> bool:
    return any(
        slot in names_in(text) and _holds(item.condition, slot) is not False
        for item, _ in items_of(prompt or {})
        for text in (item.say, *item.variants)
    )


def _holds(condition: str, slot: str) -> bool | None:
    """While ``slot`` is not filled; None: that depends on something else."""
    if CALLER_IDENTITY in condition:
        return None
    return test_of(condition, {slot: 1})(0, _ANYTIME)


def _bare(value: object) -> str:
    try:
        return parse_expression(value).bare if isinstance(value, str) else ""
    except ExpressionError:
        return ""
