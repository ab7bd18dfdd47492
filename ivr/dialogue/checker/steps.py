"""The compiler of flows into graphs: the ways on from each state, what they fill, forget, and need filled."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from ivr.dialogue.checker.asked_twice import AskedTwice, corrected
from ivr.dialogue.checker.graph import (
    BACK,
    END,
    HANDOFF_OUTCOMES,
    HTTP_OUTCOMES,
    HUMAN,
    Debt,
    FlowGraph,
    Node,
    Step,
    Use,
    components,
)  # fmt: skip
from ivr.dialogue.flows.assurance import Assurance
from ivr.dialogue.flows.condition import Test, leaves, needed_by, read, test_of
from ivr.dialogue.flows.library import FlowLibrary
from ivr.dialogue.flows.mixed_initiative import asks_for, fillings
from ivr.dialogue.flows.model import Flow
from ivr.dialogue.flows.phrases import PhraseError, parse_phrase
from ivr.dialogue.flows.prompt import Path, TaperedPrompt, items_of
from ivr.dialogue.flows.signature import CALLBACK, IMPLICIT_OUTCOMES, NOT_VERIFIED
from ivr.dialogue.flows.state import STAYING_TARGETS, EdgeSpec, State, Transition, TransitionKind
from ivr.dialogue.flows.wording import names_in
from ivr.dialogue.understanding.speech_grammar import slot_names

_MOST_TRACKED = 10
_UNHEARD = frozenset({"answer", "then", "case", "outcome", "result"})  # kinds taken without the caller being heard
_TELLS = frozenset({"action", "http", "call", "question", "wait", "handoff", "resume"})  # kinds that bring other facts


def graphs_of(library: FlowLibrary, assurance: Assurance) -> dict[str, FlowGraph]:
    """Every flow of the library that has states, as a graph."""
    flows = library.flows.items()
    return {name: _Compiler(library, assurance, flow).compile() for name, flow in flows if flow.states}


class _Compiler:
    def __init__(self, library: FlowLibrary, assurance: Assurance, flow: Flow) -> None:
        self.library = library
        self.assurance = assurance
        self.flow = flow
        self.bits = {v: 1 << i for i, v in enumerate(flow.slots)}
        self.index = {s: i for i, s in enumerate(flow.states)}
        self.overlays = [(k, w) for k, w in library.wordings.items() if k[0] == flow.flow]
        self.tracked: dict[str, int] = {}
        self.asked = AskedTwice(flow, self.bits)

    def compile(self) -> FlowGraph:
        self.tracked = self._tracked()
        nodes = [self._node(name, state) for name, state in self.flow.states.items()]
        tracked = sum(self.tracked.values()) | self.asked.mask
        start = self.index.get(self.flow.start, 0)
        return FlowGraph(self.flow, list(self.flow.states), self.index, self.bits, nodes, tracked, start)

    def _tracked(self) -> dict[str, int]:
        """Variables whose being filled decides where a call goes: those in conditions, and those asked for.

        Where these are too many, asks outside circles are taken to be passed through or not, as may be; what the walk
        then finds wrong is walked again with all of them (``Walker.exactly``)."""
        tested, compared = set[str](), set[str]()
        for state in self.flow.states.values():
            conditions = [t.condition for t in state.transitions()]
            conditions += [i.condition for _, prompt, _ in state.prompts() for i, _ in items_of(prompt)]
            for expression in filter(None, map(read, conditions)):
                tested |= expression.tested
                compared |= expression.names
        asked = {s.ask for s in self.flow.states.values() if s.ask}
        names = tested | compared | asked
        if len(names) > _MOST_TRACKED:
            names = tested | asked
        if len(names) > _MOST_TRACKED:
            mixed = {s.ask for s in self.flow.states.values() if s.ask and s.choices}
            names = tested | mixed | _asked_in_circles(self.flow)
        return {n: self.bits[n] for n in names if n in self.bits}

    def _test(self, condition: str) -> Test:
        return test_of(condition, self.tracked, self.asked.beforehand)

    # --- what is used ------------------------------------------------------------------------------------------

    def _need(self, names: Iterable[str]) -> int:
        """The mask of those names that are variables."""
        need = 0
        for name in names:
            need |= self.bits.get(name.rpartition(".")[0] if name in self.flow.parts else name, 0)
        return need

    def _prompt_uses(self, state: str, part: str, prompt: TaperedPrompt, path: Path) -> list[Use]:
        found = self._texts(prompt, ("states", state, *path), None)
        prompt_id = f"{state}.{part}" if part else state
        for key, wording in self.overlays:
            if prompt_id in wording.prompts:
                found += self._texts(wording.prompts[prompt_id], ("prompts", prompt_id), key)
        return found

    def _texts(self, prompt: TaperedPrompt, path: Path, overlay: tuple[str, str, str] | None) -> list[Use]:
        found = []
        for item, here in items_of(prompt, path):
            if need := self._need(n for text in (item.say, *item.variants) for n in names_in(text)):
                guard = self._test(item.condition) if item.condition else None
                found.append(Use(need, (*here, "say"), overlay, guard))
        return found

    def _values(self, values: Mapping[str, object], path: Path) -> list[Use]:
        uses = [Use(self._need(needed_by(v)), (*path, k)) for k, v in values.items()]
        return [u for u in uses if u.need]

    # --- steps -------------------------------------------------------------------------------------------------

    def _target(self, name: str, here: int) -> int:
        if name in self.index:
            return self.index[name]
        staying = dict.fromkeys((*STAYING_TARGETS, "again", "repeat"), here)  # "machine": flows that are proven already
        return {"goodbye": END, "machine": END, "back": BACK, **staying}.get(name, HUMAN)

    def step(
        self,
        here: str,
        transition: Transition,
        label: str,
        heard: bool = False,
        *,
        before: int = 0,
        lost: int = 0,
        debt: Debt = Debt.KEEP,
        guard: Test | None = None,
        found: int = 0,
        passing: bool = False,
    ) -> Step:
        """A transition as a step: ``say`` is resolved, the edge's ``set`` done, then its and the state's ``clear``.

        ``found``: what asking conditions told (AskedTwice). ``passing``: nothing was asked, ``before`` stays as it is.
        """
        edge = transition.edge
        uses = self._prompt_uses(here, transition.prompt_id, edge.say, (*transition.path, "say")) if edge.say else []
        uses += self._values(edge.set, ("states", here, *transition.path, "set"))
        kill = self._need(edge.clear)
        if transition.kind != "universal":  # whoever goes off by a universal does not leave the state in order
            kill |= self._need(self.flow.states[here].clear)
        gen = (before | self._need(edge.set)) & ~kill
        kill |= lost & ~gen
        target = self._target(edge.goto, self.index[here])
        assigned = self._changed(here) | self._need(edge.set) | kill | lost | (0 if passing else before)
        onto = list(self.flow.states.values())[target] if target >= 0 else None
        assigned |= self._need(onto.set) if onto is not None else 0  # on entering
        tells = not passing and (heard or self.flow.states[here].kinds[0] in _TELLS)
        stale = self.asked.stale(assigned, facts=tells, question=onto is not None and onto.kinds[0] == "question")
        kill, gen = kill | stale, gen | (found & ~stale)
        return Step(target, label, heard, before, gen, kill, debt, guard, tuple(uses), lost & ~before)

    def _changed(self, name: str) -> int:
        """What may have another value after a state: what it returns, and what may be corrected at its ``confirm``."""
        state = self.flow.states[name]
        return self._need(state.returns) | self._need(corrected(state))

    def _node(self, name: str, state: State) -> Node:
        node = Node(name, state, state.kinds[0], tuple(state.transitions()), fills=self._need(state.set))
        node.uses = self._values(state.set, ("states", name, "set"))
        edges = {t.prompt_id for t in node.transitions if t.kind != "universal"}
        spoken = [
            use for part, prompt, path in state.prompts() if part not in edges
            for use in self._prompt_uses(name, part, prompt, path)
        ]  # fmt: skip
        if node.kind == "question":
            node.asks = spoken
        else:
            node.uses += spoken
        getattr(self, f"_{node.kind}")(node)
        for transition in _each(node, "universal"):
            label = f"the caller says {transition.name}"
            node.steps.append(self.step(name, transition, label, True, debt=Debt.SETTLE))
        return node

    def _question(self, node: Node) -> None:
        state, name = node.state, node.name
        if state.ask:
            node.ask = self.bits.get(state.ask, 0)
            transition = _only(node, "answer")
            if node.ask:
                node.passed = self.step(
                    name, transition, f"{state.ask} is known already", before=node.ask, passing=True
                )
            label = f"the caller says {state.ask}"
            node.steps.append(self.step(name, transition, label, True, before=node.ask, debt=Debt.SETTLE))
        self._choices(node)

    def _choices(self, node: Node) -> None:
        for transition in _each(node, "choice"):
            guard = self._test(transition.condition) if transition.condition else None
            label = f"the caller chooses {transition.name}"
            for slots in self._slots(node.name, transition.name):
                step = self.step(node.name, transition, label, True, before=slots, debt=Debt.SETTLE, guard=guard)
                node.steps.append(step)

    def _slots(self, state: str, intent: str) -> list[int]:
        """What may be filled when a caller means ``intent``: a mask for each set of slots, in any language."""
        phrases = list(self.flow.intents[intent].phrases) if intent in self.flow.intents else []
        for _, wording in self.overlays:
            phrases += wording.intents.get(intent, ())
        phrased = set[frozenset[str]]()
        for phrase in phrases:
            try:
                template = parse_phrase(phrase)
            except PhraseError:
                continue
            phrased.update(frozenset(slot_names(variant)) for variant in template.variants)
        found = fillings(self.library.flows, self.flow.flow, state, intent, phrased)
        return sorted({self._need(slots) for slots in found} or {0})

    def _say(self, node: Node) -> None:
        node.steps.append(self.step(node.name, _only(node, "then"), "then"))

    def _outcomes(self, node: Node, outcomes: tuple[str, ...], filled_on: frozenset[str], risk: str) -> None:
        """Outcomes without an edge are reported as missing, and not to be counted again as a loop or an end."""
        state, name = node.state, node.name
        node.needs = self.assurance.needed(state)
        for refused in _each(node, "outcome", (NOT_VERIFIED,)):
            node.refused = self.step(name, refused, NOT_VERIFIED, debt=Debt.OWE)
        policy = state.confirm.policy if state.confirm else "auto"
        explicit = risk == "irreversible" or policy == "explicit"
        returned = self._need(state.returns if state.action else state.http.returns if state.http else ())
        for transition in _each(node, "outcome", outcomes):
            outcome = transition.name
            debt = Debt.OWE if transition.failure else (Debt.SETTLE if explicit else Debt.KEEP)
            if node.promises:
                debt = Debt.CALLBACK_FAILED if transition.failure else (Debt.SETTLE if outcome == "ok" else debt)
            before = returned if outcome in filled_on else 0
            lost = returned if state.action else 0
            step = self.step(name, transition, outcome, explicit, before=before, lost=lost, debt=debt)
            given = self.assurance.given(state, outcome)
            node.steps.append(replace(step, gives=given.level) if given is not None else step)
        if explicit or (risk != "none" and policy == "auto"):
            no = _only(node, "no", "back")
            unheard = state.confirm is not None and state.confirm.unanswered == "no"
            label = "the caller says no, or nothing" if unheard else "the caller says no"
            node.steps.append(self.step(name, no, label, not unheard, debt=Debt.SETTLE))

    def _action(self, node: Node) -> None:
        state = node.state
        node.uses += self._values(state.arguments, ("states", node.name, "with"))
        signature = self.library.signatures.get(state.action)
        node.promises = signature is not None and signature.promises == CALLBACK
        outcomes = signature.all_outcomes if signature else tuple(state.on)
        filled_on = frozenset(outcomes) - set(IMPLICIT_OUTCOMES)
        self._outcomes(node, outcomes, filled_on, signature.risk if signature else "reversible")

    def _http(self, node: Node) -> None:
        http, base = node.state.http, ("states", node.name, "http")
        assert http is not None
        uses = [Use(self._need(needed_by(value)), path) for value, path in leaves(http.body, (*base, "body"))]
        uses.append(Use(self._need(names_in(http.path)), (*base, "path")))
        node.uses += [u for u in uses if u.need]
        self._outcomes(node, HTTP_OUTCOMES, frozenset({"ok"}), http.risk)

    def _branch(self, node: Node) -> None:
        failed = 0
        for transition in _each(node, "case"):
            label = f"if {transition.condition}" if transition.condition else "otherwise"
            found = failed | self.asked.found(transition.condition, True)
            guard = self._test(transition.condition)
            node.steps.append(self.step(node.name, transition, label, guard=guard, found=found))
            failed |= self.asked.found(transition.condition, False)

    def _call(self, node: Node) -> None:
        state = node.state
        node.call = state.call
        given = {k: read(v) for k, v in state.arguments.items()}
        asked = {k for k in given if asks_for(self.library.flows, state.call, k)}  # passed on filled or not
        passed = {k for k, value in given.items() if value and (value.optional or (value.bare and k in asked))}
        wanted = {k: v for k, v in state.arguments.items() if k not in passed}
        node.uses += self._values(wanted, ("states", node.name, "with"))
        node.perhaps = frozenset(passed | {k for k, value in given.items() if value and "." in value.bare})
        node.given = frozenset(given) - node.perhaps
        for transition in node.transitions:
            if transition.kind == "then":
                node.otherwise = self.step(node.name, transition, "otherwise")
            elif transition.kind == "result":
                node.steps_by_result[transition.name] = self.step(node.name, transition, transition.name)

    def _return(self, node: Node) -> None:
        node.uses += self._values(node.state.values, ("states", node.name, "values"))
        node.returned = frozenset(node.state.values)

    def _handoff(self, node: Node) -> None:
        state, name = node.state, node.name
        verb, wanted = ("handoff", state.handoff) if state.handoff is not None else ("wait", state.line)
        for part in ("reason", "skill"):
            if need := self._need(names_in(getattr(wanted, part))):
                node.uses.append(Use(need, ("states", name, verb, part)))
        for transition in _each(node, "outcome", HANDOFF_OUTCOMES):
            node.steps.append(self.step(name, transition, transition.name, debt=Debt.TRIED))

    def _wait(self, node: Node) -> None:
        """What comes of it, and what the caller may choose meanwhile."""
        self._handoff(node)
        self._choices(node)

    def _end(self, node: Node) -> None:
        """Nothing follows."""

    def _resume(self, node: Node) -> None:
        none = (t for t in node.transitions if t.trigger == "on.none")
        node.steps.append(self.step(node.name, next(none, _only(node, "then")), "nothing to resume"))


def _each(node: Node, kind: TransitionKind, names: Collection[str] | None = None) -> Iterator[Transition]:
    return (t for t in node.transitions if t.kind == kind and (names is None or t.name in names))


def _only(node: Node, kind: TransitionKind, otherwise: str = "human") -> Transition:
    """The state's transition of a kind that it has once at most; without one the engine goes to ``otherwise``."""
    implied = Transition("goto", ("goto",), EdgeSpec(goto=otherwise), kind)
    return next(_each(node, kind), implied)


def _asked_in_circles(flow: Flow) -> set[str]:
    """The variables of asks that lie on a circle nobody need be heard on, if those asks are passed through."""
    index = {s: i for i, s in enumerate(flow.states)}
    onward: list[list[int]] = []
    for here, state in enumerate(flow.states.values()):
        targets = [t.target for t in state.transitions() if t.kind in _UNHEARD]
        found = [index.get(t, here if t in ("again", "repeat") else -1) for t in targets]
        found += [index[flow.start] for t in targets if t == "human" and flow.start in index]
        onward.append([t for t in found if t >= 0])
    states = list(flow.states.values())
    return {
        states[i].ask
        for group in components(len(states), lambda i: onward[i])
        for i in group
        if states[i].ask and (len(group) > 1 or i in onward[i])
    }
