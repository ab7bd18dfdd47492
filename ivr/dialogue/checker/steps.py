"""Compiling flows into graphs: the ways on from each state, what they fill and forget, and what they need filled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ivr.dialogue.checker.condition import Test, read, read_value, test_of
from ivr.dialogue.checker.cycles import components
from ivr.dialogue.checker.graph import (
    BACK,
    CALLBACK,
    CALLBACK_FAILED,
    END,
    HANDOFF_OUTCOMES,
    HTTP_OUTCOMES,
    HUMAN,
    KEEP,
    OWE,
    SETTLE,
    TRIED,
    FlowGraph,
    Node,
    Step,
    Use,
    UsePath,
    names_in,
    spoken,
)
from ivr.dialogue.flows.library import FlowLibrary
from ivr.dialogue.flows.model import EdgeSpec, Flow, State, TaperedPrompt
from ivr.dialogue.flows.phrases import PhraseError, parse_phrase
from ivr.dialogue.flows.signature import IMPLICIT_OUTCOMES

_MOST_TRACKED = 10


def graphs_of(library: FlowLibrary) -> dict[str, FlowGraph]:
    """Every flow of the library that has states, as a graph."""
    return {name: _Compiler(library, flow).compile() for name, flow in library.flows.items() if flow.states}


class _Compiler:
    def __init__(self, library: FlowLibrary, flow: Flow) -> None:
        self.library = library
        self.flow = flow
        self.bits = {v: 1 << i for i, v in enumerate({**flow.parameters, **flow.variables})}
        self.index = {s: i for i, s in enumerate(flow.states)}
        self.overlays = [(k, w) for k, w in library.wordings.items() if k[0] == flow.flow]
        self.tracked: dict[str, int] = {}

    def compile(self) -> FlowGraph:
        self.tracked = self._tracked()
        nodes = [self._node(name, state) for name, state in self.flow.states.items()]
        tracked = sum(self.tracked.values())
        start = self.index.get(self.flow.start, 0)
        return FlowGraph(self.flow, list(self.flow.states), self.index, self.bits, nodes, tracked, start)

    def _tracked(self) -> dict[str, int]:
        """Variables whose being filled decides where a call goes: those in conditions, and those asked for.

        Where these are too many, asks outside circles are taken to be passed through or not, as may be; what the walk
        then finds wrong is walked again with all of them (``Walker.exactly``).
        """
        tested: set[str] = set()
        compared: set[str] = set()
        for state in self.flow.states.values():
            conditions = [c.condition for c in state.when] + [c.condition for c in state.choices]
            conditions += [i.condition for _, p, _ in spoken(state) for items in p.values() for i in items]
            for condition in conditions:
                if condition:
                    tested |= read(condition).tested
                    compared |= read(condition).names
        asked = {s.ask for s in self.flow.states.values() if s.ask}
        for names in (tested | compared | asked, tested | asked):
            if len(names) <= _MOST_TRACKED:
                break
        else:
            mixed = {s.ask for s in self.flow.states.values() if s.ask and s.choices}
            names = tested | mixed | _asked_in_circles(self.flow)
        return {n: self.bits[n] for n in names if n in self.bits}

    # --- what is used ------------------------------------------------------------------------------------------

    def _need(self, names: Iterator[str] | frozenset[str]) -> int:
        need = 0
        for name in names:
            need |= self.bits.get(name, 0)
        return need

    def _prompt_uses(self, state: str, part: str, prompt: TaperedPrompt, path: UsePath) -> list[Use]:
        found = self._texts(prompt, ("states", state, *path), None)
        prompt_id = f"{state}.{part}" if part else state
        for key, wording in self.overlays:
            if prompt_id in wording.prompts:
                found += self._texts(wording.prompts[prompt_id], ("prompts", prompt_id), key)
        return found

    def _texts(self, prompt: TaperedPrompt, path: UsePath, overlay: tuple[str, str, str] | None) -> list[Use]:
        found = []
        for count, items in prompt.items():
            for place, item in enumerate(items):
                need = self._need(n for text in (item.say, *item.variants) for n in names_in(text))
                if need:
                    guard = test_of(item.condition, self.tracked) if item.condition else None
                    found.append(Use(need, (*path, count, place, "say"), overlay, guard))
        return found

    def _values(self, values: Mapping[str, object], path: UsePath) -> list[Use]:
        uses = [Use(self._need(read_value(v).names), (*path, k)) for k, v in values.items()]
        return [u for u in uses if u.need]

    # --- steps -------------------------------------------------------------------------------------------------

    def _target(self, name: str, here: int) -> int:
        if name in self.index:
            return self.index[name]
        return {"goodbye": END, "back": BACK, "again": here, "repeat": here}.get(name, HUMAN)

    def step(
        self,
        here: str,
        edge: EdgeSpec,
        path: UsePath,
        label: str,
        heard: bool,
        *,
        part: str = "",
        before: int = 0,
        lost: int = 0,
        debt: int = KEEP,
        guard: Test | None = None,
    ) -> Step:
        """An edge as a step: ``say`` is resolved, the edge's ``set`` done, then its and the state's ``clear``."""
        uses: list[Use] = []
        if edge.say:
            uses += self._prompt_uses(here, part, edge.say, (*path, "say"))
        uses += self._values(edge.set, ("states", here, *path, "set"))
        kill = self._need(frozenset(edge.clear)) | self._need(frozenset(self.flow.states[here].clear))
        gen = (before | self._need(frozenset(edge.set))) & ~kill
        kill |= lost & ~gen
        target = self._target(edge.goto, self.index[here])
        return Step(target, label, heard, before, gen, kill, debt, guard, tuple(uses), lost & ~before)

    def _node(self, name: str, state: State) -> Node:
        node = Node(name, state, state.kinds[0], fills=self._need(frozenset(state.set)))
        base: UsePath = ("states", name)
        uses = self._values(state.set, (*base, "set"))
        node.uses = uses
        spoken_uses = []
        for part, prompt, path in spoken(state):
            if part in ("", "noinput", "nomatch", "help", "wait", "confirm") or part.startswith("universal."):
                spoken_uses += self._prompt_uses(name, part, prompt, path)
        if node.kind == "question":
            node.asks = spoken_uses
            self._question(node)
        else:
            node.uses = uses + spoken_uses
            getattr(self, f"_{node.kind}")(node)
        for universal, override in state.universals.items():
            if override.goto:
                target = self._target(override.goto, self.index[name])
                node.steps.append(Step(target, f"the caller says {universal}", True, debt=SETTLE))
        return node

    def _question(self, node: Node) -> None:
        state, name = node.state, node.name
        if state.ask:
            node.ask = self.bits.get(state.ask, 0)
            onward = state.goto or EdgeSpec(goto="human")
            if node.ask:
                node.passed = self.step(
                    name, onward, ("goto",), f"{state.ask} is known already", False, part="goto", before=node.ask
                )
            node.steps.append(
                self.step(
                    name, onward, ("goto",), f"the caller says {state.ask}", True,
                    part="goto", before=node.ask, debt=SETTLE,
                )
            )  # fmt: skip
        for index, choice in enumerate(state.choices):
            guard = test_of(choice.condition, self.tracked) if choice.condition else None
            for slots in self._slots(choice.intent, bool(choice.key)):
                node.steps.append(
                    self.step(
                        name, choice, ("choices", index), f"the caller chooses {choice.intent}", True,
                        part=f"choice.{choice.intent}", before=slots, debt=SETTLE, guard=guard,
                    )
                )  # fmt: skip

    def _slots(self, intent: str, keyed: bool) -> list[int]:
        """What may be filled when a caller means ``intent``: a mask for each set of slots, in any language."""
        found = {0} if keyed else set()
        phrases: list[str] = []
        if intent in self.flow.intents:
            phrases += self.flow.intents[intent].phrases
        for _, wording in self.overlays:
            phrases += wording.intents.get(intent, ())
        for phrase in phrases:
            try:
                template = parse_phrase(phrase)
            except PhraseError:
                continue
            for variant in template.variants:
                found.add(self._need(frozenset(p.name for p in variant if not isinstance(p, str))))
        return sorted(found or {0})

    def _say(self, node: Node) -> None:
        goto = node.state.goto or EdgeSpec(goto="human")
        node.steps.append(self.step(node.name, goto, ("goto",), "then", False, part="goto"))

    def _outcomes(self, node: Node, outcomes: tuple[str, ...], filled_on: frozenset[str], explicit: bool) -> None:
        state, name = node.state, node.name
        returns = state.returns if state.action else (state.http.returns if state.http else {})
        returned = self._need(frozenset(returns))
        for outcome in outcomes:
            edge = state.on.get(outcome)
            if edge is None:
                continue  # reported as missing; not to be counted again as a loop or an end
            debt = OWE if outcome in IMPLICIT_OUTCOMES else (SETTLE if explicit else KEEP)
            if state.action == CALLBACK:
                debt = CALLBACK_FAILED if outcome in IMPLICIT_OUTCOMES else (SETTLE if outcome == "ok" else debt)
            node.steps.append(
                self.step(
                    name, edge, ("on", outcome), outcome, explicit,
                    part=f"on.{outcome}", before=returned if outcome in filled_on else 0,
                    lost=returned if state.action else 0, debt=debt,
                )
            )  # fmt: skip
        risky = state.http.risk != "none" if state.http else self._risk(state.action) != "none"
        if explicit or (risky and (state.confirm is None or state.confirm.policy == "auto")):
            no = state.confirm.no if state.confirm is not None and state.confirm.no else EdgeSpec(goto="back")
            node.steps.append(
                self.step(name, no, ("confirm", "no"), "the caller says no", True, part="no", debt=SETTLE)
            )

    def _risk(self, action: str) -> str:
        signature = self.library.signatures.get(action)
        return signature.risk if signature else "reversible"

    def _action(self, node: Node) -> None:
        state = node.state
        node.uses += self._values(state.arguments, ("states", node.name, "with"))
        signature = self.library.signatures.get(state.action)
        outcomes = signature.all_outcomes if signature else tuple(state.on)
        explicit = self._risk(state.action) == "irreversible" or (
            state.confirm is not None and state.confirm.policy == "explicit"
        )
        self._outcomes(node, outcomes, frozenset(outcomes) - set(IMPLICIT_OUTCOMES), explicit)

    def _http(self, node: Node) -> None:
        state = node.state
        assert state.http is not None
        base: UsePath = ("states", node.name, "http")
        node.uses += self._body(state.http.body, (*base, "body"))
        need = self._need(names_in(state.http.path))
        if need:
            node.uses.append(Use(need, (*base, "path")))
        explicit = state.http.risk == "irreversible" or (
            state.confirm is not None and state.confirm.policy == "explicit"
        )
        self._outcomes(node, HTTP_OUTCOMES, frozenset({"ok"}), explicit)

    def _body(self, value: object, path: UsePath) -> list[Use]:
        if isinstance(value, dict):
            return [use for k, v in value.items() for use in self._body(v, (*path, str(k)))]
        if isinstance(value, list | tuple):
            return [use for i, v in enumerate(value) for use in self._body(v, (*path, i))]
        need = self._need(read_value(value).names)
        return [Use(need, path)] if need else []

    def _branch(self, node: Node) -> None:
        for index, case in enumerate(node.state.when):
            label = f"if {case.condition}" if case.condition else "otherwise"
            guard = test_of(case.condition, self.tracked)
            node.steps.append(
                self.step(node.name, case, ("when", index), label, False, part=f"when.{index}", guard=guard)
            )

    def _call(self, node: Node) -> None:
        state = node.state
        node.call = state.call
        node.uses += self._values(state.arguments, ("states", node.name, "with"))
        given = {k: read_value(v) for k, v in state.arguments.items()}
        node.perhaps = frozenset(k for k, text in given.items() if "." in text.bare)
        node.given = frozenset(given) - node.perhaps
        if state.goto is not None:
            node.otherwise = self.step(node.name, state.goto, ("goto",), "otherwise", False, part="goto")
        for result, edge in state.on.items():
            node.steps_by_result[result] = self.step(
                node.name, edge, ("on", result), result, False, part=f"on.{result}"
            )

    def _return(self, node: Node) -> None:
        node.uses += self._values(node.state.values, ("states", node.name, "values"))
        node.returned = frozenset(node.state.values)

    def _handoff(self, node: Node) -> None:
        state, name = node.state, node.name
        assert state.handoff is not None
        for part in ("reason", "skill"):
            need = self._need(names_in(getattr(state.handoff, part)))
            if need:
                node.uses.append(Use(need, ("states", name, "handoff", part)))
        for outcome in HANDOFF_OUTCOMES:
            edge = state.on.get(outcome)
            if edge is not None:
                node.steps.append(
                    self.step(name, edge, ("on", outcome), outcome, False, part=f"on.{outcome}", debt=TRIED)
                )

    def _end(self, node: Node) -> None:
        """Nothing follows."""

    def _resume(self, node: Node) -> None:
        part, edge = ("on.none", node.state.on.get("none")) if "none" in node.state.on else ("goto", node.state.goto)
        path: UsePath = ("on", "none") if part == "on.none" else ("goto",)
        edge = edge or EdgeSpec(goto="human")
        node.steps.append(self.step(node.name, edge, path, "nothing to resume", False, part=part))


def _asked_in_circles(flow: Flow) -> set[str]:
    """The variables of asks that lie on a circle nobody need be heard on, if those asks are passed through."""

    index = {s: i for i, s in enumerate(flow.states)}
    onward: list[list[int]] = []
    for name, state in flow.states.items():
        edges: list[EdgeSpec] = []
        match state.kinds[0]:
            case "question":
                edges = [state.goto] if state.ask and state.goto else []
            case "say":
                edges = [state.goto] if state.goto else []
            case "branch":
                edges = list(state.when)
            case "action" | "http" | "call" | "handoff" | "resume":
                edges = list(state.on.values())
        here = index[name]
        targets = [index.get(e.goto, here if e.goto in ("again", "repeat") else -1) for e in edges]
        targets += [index[flow.start] for e in edges if e.goto == "human" and flow.start in index]
        onward.append([t for t in targets if t >= 0])
    states = list(flow.states.values())
    return {
        states[i].ask
        for group in components(len(states), lambda i: onward[i])
        for i in group
        if states[i].ask and (len(group) > 1 or i in onward[i])
    }
