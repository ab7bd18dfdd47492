"""The diff of one state: every key of it that changed, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ivr.dialogue.flows.glossary import KINDS, NOUNS, POLICIES, PROMPTS, RISKS, VERBS, taken
from ivr.dialogue.flows.library import FlowLibrary
from ivr.dialogue.flows.model import Flow
from ivr.dialogue.flows.state import EdgeSpec, State, Transition
from ivr.workshop.compare.change import Change, changed_fields, changed_items, marked, named, prompt_change, spelled
from ivr.workshop.compare.renames import in_order

_STRICT = ("none", "implicit", "auto", "explicit")
_GIVEN = ("reason", "skill", "priority", "language", "persona")
_EFFECTS = {
    "skill": "other agents get them",
    "priority": "their place among those waiting changes",
    "language": "callers are spoken to otherwise for the rest of the call",
    "persona": "callers are spoken to otherwise for the rest of the call",
}


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
        yield from self._prompts()
        yield from self._listening()
        yield from self._doing()
        yield from self._confirm()
        yield from self._transitions()
        yield from self._values()

    def _change(
        self, kind: str, text: str, was: str = "", now: str = "", effect: str = "", *, care: bool = False
    ) -> Change:
        return Change(self.section, self.name, kind, text, was, now, effect, care)

    # --- what it is and says --------------------------------------------------------------------------------------

    def _kind(self) -> Iterator[Change]:
        old, new = (KINDS[state.kinds[0]]["noun"] for state in (self.old, self.new))
        if old != new:
            yield self._change("state-kind", f"is {new} now, not {old}", care=True)
        if self.old.about != self.new.about:
            yield self._change("about", "another note to colleagues", *marked(self.old.about, self.new.about))

    def _prompts(self) -> Iterator[Change]:
        """Everything said but what is said on the transitions."""
        old, new = ({part: prompt for part, prompt, _ in state.prompts()} for state in (self.old, self.new))
        said = {t.prompt_id for state in (self.old, self.new) for t in state.transitions() if t.edge.say}
        for part, before, after in changed_items(old, new):
            if part not in said:
                what = PROMPTS.get(part) or f"who asks for {part.removeprefix('universal.')} hears"
                yield from prompt_change(self.section, self.name, what, before, after)

    def _listening(self) -> Iterator[Change]:
        defaults = self.new_flow.defaults
        for key, before, after in changed_fields(self.old, self.new, ("timeout", "hangover")):
            usual = getattr(defaults, key)
            yield self._change(key, f"{NOUNS[key]} is {_seconds(after, usual)}, was {_seconds(before, usual)}")
        if self.old.bargein != self.new.bargein:
            may = defaults.bargein if self.new.bargein is None else self.new.bargein
            effect = "they may answer while the line speaks" if may else "they must hear it out, or ask for a human"
            yield self._change("bargein", f"barge-in is {'on' if may else 'off'} now", effect=effect)

    # --- what it does ---------------------------------------------------------------------------------------------

    def _doing(self) -> Iterator[Change]:
        old, new = self.old, self.new
        for key, before, after in changed_fields(old, new, ("ask", "action", "call", "result", "end")):
            yield self._change(key, f"{VERBS[key]} {named(after)} instead of {named(before)}")
        for key, what in (("http", "the service call"), ("handoff", "the hand-over"), ("line", "the wait")):
            one, other = ({} if spec is None else spec.model_dump() for spec in (getattr(old, key), getattr(new, key)))
            for name, was, now in changed_items(one, other):
                if name not in ("risk", "told", "again"):
                    text = f"{what}: {name} is {named(now)}, was {named(was)}"
                    yield self._change("wait" if key == "line" else key, text, care=key != "http")
        if old.http is not None and new.http is not None and old.http.risk != new.http.risk:
            effect = f"what it does counts as {RISKS[new.http.risk]}"
            text = f"the risk is {new.http.risk} now, was {old.http.risk}"
            yield self._change("risk", text, effect=effect, care=True)
        if old.resume != new.resume:
            yield self._change("resume", f"takes up dropped calls: {named(new.resume)}, was {named(old.resume)}")

    def _confirm(self) -> Iterator[Change]:
        old, new = self.old.confirm, self.new.confirm
        was, now = (spec is not None and spec.unanswered == "no" for spec in (old, new))
        if was != now:
            what = "a no" if now else "asked about again"
            yield self._change("unanswered", f"{NOUNS['unanswered']} is {what} now", care=not now)
        if (old.policy if old else None) == (new.policy if new else None):
            return
        before, after = (policy_of(self.library, state)[1] for state in (self.old, self.new))
        step = _STRICT.index(after) - _STRICT.index(before)
        how = "tightened" if step > 0 else "loosened" if step else "written out"
        kind = {"tightened": "confirm-tighter", "loosened": "confirm-looser"}.get(how, "confirm")
        what = self.new.action or "the service call"
        effect = f"before {what} they are {POLICIES[after]}, were {POLICIES[before]}" if step else ""
        yield self._change(kind, f"the confirmation is {how}: {after}, was {before}", effect=effect, care=step < 0)

    # --- transitions ----------------------------------------------------------------------------------------------

    def _transitions(self) -> Iterator[Change]:
        pairs, gone, come = _paired(list(self.old.transitions(implied=True)), list(self.new.transitions(implied=True)))
        for old, new in pairs:
            yield from self._transition(old, new)
        for each in gone:
            if not each.implied:
                human = self.old_flow.leads_to_human(each.target)
                effect = "this way to a human is gone" if human else ""
                text = f"{taken(each)}: this way on is gone (it led to {each.target})"
                yield self._change("edge-removed", text, effect=effect, care=human)
        for each in come:
            if not each.implied:
                key = f", key {each.key}" if each.key else ""
                label = f", in the key menu “{each.label}”" if each.label else ""
                text = f"{taken(each)}: a new way on, to {each.target}{key}{label}{_extras(each.edge)}"
                yield self._change("edge-added", text)
        for kind, what in (("choice", "the choices are offered"), ("case", "the conditions are tried")):
            before, after = ([t.name for t in s.transitions() if t.kind == kind] for s in (self.old, self.new))
            if not in_order(before, after):
                yield self._change(f"{kind}-order", f"{what} in another order", ", ".join(before), ", ".join(after))

    def _transition(self, old: Transition, new: Transition) -> Iterator[Change]:
        when, here = taken(new), f"{self.new_flow.flow}.{self.name}"
        if old.kind == "case" and old.name != new.name:
            text = f"a condition that leads to {new.target} changed"
            yield self._change("condition", text, *marked(old.name, new.name))
        if old.target != new.target:
            lost = self.old_flow.leads_to_human(old.target) and not self.new_flow.leads_to_human(new.target)
            effect = "here they got a human, and don't now" if lost else ""
            who = f"{when} in {here}" if when.startswith("callers") else f"{when} callers of {here}"
            text = f"{who} now go to {new.target} instead of {old.target}"
            yield self._change("human-lost" if lost else "edge", text, effect=effect, care=lost)
        yield from prompt_change(self.section, self.name, f"{when}, says", old.edge.say, new.edge.say)
        for key, before, after in changed_fields(old.edge, new.edge, ("set", "clear")):
            yield self._change(f"edge-{key}", f"{when}: {VERBS[key]} {named(after)}, was {named(before)}")
        for key, before, after in changed_fields(old.edge, new.edge, _GIVEN):
            voice = key in ("language", "persona")
            if voice or old.target == new.target:
                what = f"the {key} {'from here on' if voice else 'given to the human'}"
                text = f"{when}: {what} is {named(after)}, was {named(before)}"
                yield self._change(key if voice else "handoff", text, effect=_EFFECTS.get(key, ""))
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
            yield self._change("key", text, effect=effect, care=bool(old.key))
        if old.label != new.label:
            yield self._change("label", f"the key menu names {new.name} otherwise", *marked(old.label, new.label))
        if old.condition != new.condition and new.kind == "choice":
            text = f"{new.name} is offered {_only(new.condition)}, was offered {_only(old.condition)}"
            yield self._change("condition", text)

    def _values(self) -> Iterator[Change]:
        for key in ("set", "arguments", "returns", "values"):
            for name, before, after in changed_items(getattr(self.old, key), getattr(self.new, key)):
                yield self._change(key, f"{VERBS[key]} {name}: {named(after)}, was {named(before)}")
        if self.old.clear != self.new.clear:
            yield self._change("clear", f"forgets {named(self.new.clear)} when left, was {named(self.old.clear)}")


def policy_of(library: FlowLibrary, state: State) -> tuple[str, str]:
    """The risk of what the state does, and how it is really confirmed: what can't be undone is always asked."""
    signature = library.signatures.get(state.action)
    risk = state.http.risk if state.http else signature.risk if signature else "none"
    if risk == "irreversible":
        return risk, "explicit"
    return risk, state.confirm.policy if state.confirm is not None else "none" if risk == "none" else "auto"


def _paired(
    old: list[Transition], new: list[Transition]
) -> tuple[list[tuple[Transition, Transition]], list[Transition], list[Transition]]:
    """Those of one kind and name, or cases of one target whose condition changed; those that went; those that came."""
    pairs: list[tuple[Transition, Transition]] = []
    gone = list(old)
    come: list[Transition] = []
    for each in new:
        match = next((t for t in gone if (t.kind, t.name) == (each.kind, each.name)), None)
        if match is None:
            come.append(each)
        else:
            gone.remove(match)
            pairs.append((match, each))
    for each in [t for t in come if t.kind == "case" and t.name]:
        match = next((t for t in gone if t.kind == "case" and t.name and t.target == each.target), None)
        if match is not None:
            gone.remove(match)
            come.remove(each)
            pairs.append((match, each))
    return pairs, gone, come


def _seconds(value: float | None, default: float) -> str:
    return f"{value:g} s" if value is not None else f"the flow's {default:g} s"


def _only(condition: str) -> str:
    return f"only if {condition}" if condition else "always"


def _extras(edge: EdgeSpec) -> str:
    parts = [f"{key} {getattr(edge, key)}" for key in _GIVEN if getattr(edge, key)]
    parts += [f"saying “{spelled(edge.say)}”"] if edge.say else []
    parts += [f"forgetting {named(edge.clear)}"] if edge.clear else []
    parts += [f"setting {named(edge.set)}"] if edge.set else []
    return f" ({', '.join(parts)})" if parts else ""
