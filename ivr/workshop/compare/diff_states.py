"""How one state differs from another, every key of it, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ivr.dialogue.flows.library import FlowLibrary
from ivr.dialogue.flows.model import Flow
from ivr.dialogue.flows.prompt import TaperedPrompt
from ivr.dialogue.flows.state import EdgeSpec, State, Transition
from ivr.workshop.compare.change import Change, Weight, marked, named, spelled
from ivr.workshop.compare.renames import in_order
from ivr.workshop.tell.transitions import told

_STRICT = {"none": 0, "implicit": 1, "auto": 2, "explicit": 3}
_POLICY = {
    "none": "never asked",
    "implicit": "not asked, but told what was understood",
    "auto": "asked when something was heard with doubt",
    "explicit": "always asked",
}
_KIND = {
    "question": "a question",
    "action": "an action",
    "http": "a service call",
    "branch": "a branch",
    "call": "a call of a sub-flow",
    "return": "the end of a sub-flow",
    "handoff": "a hand-over to a human",
    "end": "the end of the call",
    "resume": "the taking up of a dropped call",
    "say": "just words",
}
_DEEDS = {"action": "performs", "call": "calls the flow", "result": "returns", "end": "ends as"}
_RISKS = {
    "none": "harmless",
    "reversible": "something that can be undone",
    "irreversible": "something that can't be undone",
}
_HANDED = {"skill": "other agents get them", "priority": "their place among those waiting changes"}
_TEXTS = {"": "says", "noinput": "when nothing was heard", "nomatch": "when nothing was understood",
          "help": "when asked for help", "wait": "while waiting", "confirm": "asks before acting"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class StatePair:
    """The same state before and after; ``old`` is told in the new names already."""

    section: str
    name: str
    old: State
    new: State
    old_flow: Flow
    new_flow: Flow
    library: FlowLibrary

    def changes(self) -> Iterator[Change]:
        yield from self._kind()
        yield from self._texts()
        yield from self._listening()
        yield from self._doing()
        yield from self._confirm()
        yield from self._ways()
        yield from self._values()

    def _change(
        self, kind: str, text: str, was: str = "", now: str = "", effect: str = "", weight: Weight = "plain"
    ) -> Change:
        return Change(self.section, self.name, kind, text, was, now, effect, weight)

    def _prompt(self, old: TaperedPrompt | None, new: TaperedPrompt | None, what: str) -> Iterator[Change]:
        if (old or {}) != (new or {}):
            was, now = marked(spelled(old), spelled(new))
            text = f"{what}: other words" if old and new else f"{what}: new words" if new else f"{what}: no words now"
            yield self._change("prompt", text, was if old else "", now if new else "")

    # --- what it is and says --------------------------------------------------------------------------------------

    def _kind(self) -> Iterator[Change]:
        old, new = self.old.kinds[0], self.new.kinds[0]
        if old != new:
            yield self._change("state-kind", f"is {_KIND[new]} now, not {_KIND[old]}", weight="care")
        if self.old.about != self.new.about:
            yield self._change("about", "another note to colleagues", *marked(self.old.about, self.new.about))

    def _texts(self) -> Iterator[Change]:
        """Everything said but what is said on the ways on."""
        old, new = ({part: prompt for part, prompt, _ in state.prompts()} for state in (self.old, self.new))
        edges = {way.prompt_id for state in (self.old, self.new) for way in state.transitions() if way.edge.say}
        for part in dict.fromkeys((*old, *new)):
            if part not in edges:
                what = _TEXTS.get(part) or f"who asks for {part.removeprefix('universal.')} hears"
                yield from self._prompt(old.get(part), new.get(part), what)

    def _listening(self) -> Iterator[Change]:
        old, new = self.old, self.new
        if old.ask != new.ask:
            yield self._change("ask", f"asks for {named(new.ask)} instead of {named(old.ask)}")
        for key, what in (("timeout", "the wait for an answer"), ("hangover", "the pause that ends an answer")):
            before, after = getattr(old, key), getattr(new, key)
            if before != after:
                default = getattr(self.new_flow.defaults, key)
                yield self._change(key, f"{what} is {_seconds(after, default)}, was {_seconds(before, default)}")
        if old.bargein != new.bargein:
            default = self.new_flow.defaults.bargein
            may = default if new.bargein is None else new.bargein
            effect = "they may answer while the line speaks" if may else "they must hear it out, or ask for a human"
            yield self._change("bargein", f"barge-in is {'on' if may else 'off'} now", effect=effect)

    # --- what it does ---------------------------------------------------------------------------------------------

    def _doing(self) -> Iterator[Change]:
        old, new = self.old, self.new
        for key, what in _DEEDS.items():
            before, after = getattr(old, key), getattr(new, key)
            if before != after:
                yield self._change(key, f"{what} {named(after)} instead of {named(before)}")
        if old.http != new.http:
            yield from self._fields("http", "the service call", old.http, new.http)
            yield from self._http_risk()
        if old.handoff != new.handoff:
            yield from self._fields("handoff", "the hand-over", old.handoff, new.handoff, weight="care")
        if old.resume != new.resume:
            yield self._change("resume", f"takes up dropped calls: {named(new.resume)}, was {named(old.resume)}")

    def _fields(self, kind: str, what: str, old: object, new: object, weight: Weight = "plain") -> Iterator[Change]:
        before = old.model_dump() if hasattr(old, "model_dump") else {}
        after = new.model_dump() if hasattr(new, "model_dump") else {}
        for key in dict.fromkeys((*before, *after)):
            if before.get(key) != after.get(key) and key != "risk":
                text = f"{what}: {key} is {named(after.get(key))}, was {named(before.get(key))}"
                yield self._change(kind, text, weight=weight)

    def _http_risk(self) -> Iterator[Change]:
        old, new = self.old.http, self.new.http
        if old is not None and new is not None and old.risk != new.risk:
            effect = f"what it does counts as {_RISKS[new.risk]}"
            yield self._change("risk", f"the risk is {new.risk} now, was {old.risk}", effect=effect, weight="care")

    def _confirm(self) -> Iterator[Change]:
        old, new = self.old.confirm, self.new.confirm
        if (old is None) != (new is None) or (old and new and old.policy != new.policy):
            before, after = self._policy(self.old), self._policy(self.new)
            looser = _STRICT[after] < _STRICT[before]
            how = "loosened" if looser else "tightened" if _STRICT[after] > _STRICT[before] else "written out"
            effect = f"before {self.new.action or 'the service call'} they are {_POLICY[after]}, were {_POLICY[before]}"
            kind = "confirm-looser" if looser else "confirm-tighter" if how == "tightened" else "confirm"
            effect = effect if how != "written out" else ""
            yield self._change(
                kind,
                f"the confirmation is {how}: {after}, was {before}",
                effect=effect,
                weight="care" if looser else "plain",
            )

    def _policy(self, state: State) -> str:
        """What the line really does: what can't be undone is always asked, what is risky never goes unasked."""
        signature = self.library.signatures.get(state.action)
        risk = state.http.risk if state.http else signature.risk if signature else "none"
        if risk == "irreversible":
            return "explicit"
        if state.confirm is not None:
            return state.confirm.policy
        return "none" if risk == "none" else "auto"

    # --- ways on --------------------------------------------------------------------------------------------------

    def _ways(self) -> Iterator[Change]:
        pairs, gone, come = _paired(list(self.old.transitions(implied=True)), list(self.new.transitions(implied=True)))
        for old, new in pairs:
            yield from self._way(old, new)
        for way in gone:
            if not way.implied:
                human = self.old_flow.leads_to_human(way.target)
                effect = "this way to a human is gone" if human else ""
                text = f"{told(way)}: this way on is gone (it led to {way.target})"
                yield self._change("edge-removed", text, effect=effect, weight="care" if human else "plain")
        for way in come:
            if not way.implied:
                key = f", key {way.key}" if way.key else ""
                label = f", in the key menu “{way.label}”" if way.label else ""
                text = f"{told(way)}: a new way on, to {way.target}{key}{label}{_extras(way.edge)}"
                yield self._change("edge-added", text)
        for kind, what in (("choice", "the choices are offered"), ("case", "the conditions are tried")):
            before = [w.name for w in self.old.transitions() if w.kind == kind]
            after = [w.name for w in self.new.transitions() if w.kind == kind]
            if not in_order(before, after):
                yield self._change(f"{kind}-order", f"{what} in another order", ", ".join(before), ", ".join(after))

    def _way(self, old: Transition, new: Transition) -> Iterator[Change]:
        taken, here = told(new), f"{self.new_flow.flow}.{self.name}"
        if old.kind == "case" and old.name != new.name:
            text = f"a condition that leads to {new.target} changed"
            yield self._change("condition", text, *marked(old.name, new.name))
        if old.target != new.target:
            lost = self.old_flow.leads_to_human(old.target) and not self.new_flow.leads_to_human(new.target)
            effect = "here they got a human, and don't now" if lost else ""
            text = f"{taken} callers of {here} now go to {new.target} instead of {old.target}"
            if taken.startswith("callers"):
                text = f"{taken} in {here} now go to {new.target} instead of {old.target}"
            kind: tuple[str, Weight] = ("human-lost", "care") if lost else ("edge", "plain")
            yield self._change(kind[0], text, effect=effect, weight=kind[1])
        yield from self._prompt(old.edge.say, new.edge.say, f"{taken}, says")
        for key, what in (("set", "sets"), ("clear", "forgets")):
            before, after = getattr(old.edge, key), getattr(new.edge, key)
            if before != after:
                yield self._change(f"edge-{key}", f"{taken}: {what} {named(after)}, was {named(before)}")
        for key in ("reason", "skill", "priority"):
            before, after = getattr(old.edge, key), getattr(new.edge, key)
            if before != after and old.target == new.target:
                text = f"{taken}: the {key} given to the human is {named(after)}, was {named(before)}"
                yield self._change("handoff", text, effect=_HANDED.get(key, ""))
        for key in ("language", "persona"):
            before, after = getattr(old.edge, key), getattr(new.edge, key)
            if before != after:
                text = f"{taken}: the {key} from here on is {named(after)}, was {named(before)}"
                yield self._change(key, text, effect="callers are spoken to otherwise for the rest of the call")
        yield from self._choice(old, new)

    def _choice(self, old: Transition, new: Transition) -> Iterator[Change]:
        if old.key != new.key:
            if old.key and new.key:
                text = f"{new.name} moved from key {old.key} to key {new.key}"
                effect = "who knows the keys by heart presses the wrong one"
            elif new.key:
                text, effect = f"{new.name} has a key now: {new.key}", ""
            else:
                text, effect = f"{new.name} has no key now, it had {old.key}", "it can only be said"
            yield self._change("key", text, effect=effect, weight="care" if old.key else "plain")
        if old.label != new.label:
            yield self._change("label", f"the key menu names {new.name} otherwise", *marked(old.label, new.label))
        if old.condition != new.condition and new.kind == "choice":
            text = f"{new.name} is offered {_only(new.condition)}, was offered {_only(old.condition)}"
            yield self._change("condition", text)

    def _values(self) -> Iterator[Change]:
        for key, what in (("set", "sets"), ("arguments", "passes on"), ("returns", "keeps"), ("values", "gives back")):
            before: Mapping[str, object] = getattr(self.old, key)
            after: Mapping[str, object] = getattr(self.new, key)
            for name in dict.fromkeys((*before, *after)):
                if before.get(name) != after.get(name):
                    text = f"{what} {name}: {named(after.get(name))}, was {named(before.get(name))}"
                    yield self._change(key, text)
        if self.old.clear != self.new.clear:
            yield self._change("clear", f"forgets {named(self.new.clear)} when left, was {named(self.old.clear)}")


def _paired(
    old: list[Transition], new: list[Transition]
) -> tuple[list[tuple[Transition, Transition]], list[Transition], list[Transition]]:
    """Ways by kind and name; of cases whose condition changed, those with the same target, then in order."""
    pairs: list[tuple[Transition, Transition]] = []
    gone = list(old)
    come: list[Transition] = []
    for way in new:
        match = next((w for w in gone if (w.kind, w.name) == (way.kind, way.name)), None)
        if match is None:
            come.append(way)
        else:
            gone.remove(match)
            pairs.append((match, way))
    for way in [w for w in come if w.kind == "case"]:
        left = [w for w in gone if w.kind == "case" and w.name and way.name]
        match = next((w for w in left if w.target == way.target), None)
        if match is not None:
            gone.remove(match)
            come.remove(way)
            pairs.append((match, way))
    return pairs, gone, come


def _seconds(value: float | None, default: float) -> str:
    return f"{value:g} s" if value is not None else f"the flow's {default:g} s"


def _only(condition: str) -> str:
    return f"only if {condition}" if condition else "always"


def _extras(edge: EdgeSpec) -> str:
    parts = [
        f"{key} {getattr(edge, key)}"
        for key in ("reason", "skill", "priority", "language", "persona")
        if getattr(edge, key)
    ]
    if edge.say:
        parts.append(f"saying “{spelled(edge.say)}”")
    if edge.clear:
        parts.append(f"forgetting {named(edge.clear)}")
    if edge.set:
        parts.append(f"setting {named(edge.set)}")
    return f" ({', '.join(parts)})" if parts else ""
