"""The diff of two versions of the flows, in words a designer understands."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from ivr.dialogue.checker.check import check
from ivr.dialogue.checker.facts import LineFacts
from ivr.dialogue.flows.glossary import NOUNS, detail
from ivr.dialogue.flows.library import UNIVERSALS_FILE, FlowLibrary
from ivr.dialogue.flows.model import Defaults, Flow, Wording
from ivr.dialogue.flows.prompt import TaperedPrompt
from ivr.dialogue.flows.state import State
from ivr.workshop.compare.change import Change, changed_fields, changed_items, listed, marked, named, spelled
from ivr.workshop.compare.diff_company import company_changes, term_changes
from ivr.workshop.compare.diff_states import StatePair
from ivr.workshop.compare.diff_words import (
    intent_changes,
    stale_changes,
    told,
    universal_changes,
    variable_changes,
    wording_changes,
)
from ivr.workshop.compare.renames import Names, renamed_flows, renamed_intents, renamed_states, retold

CHECKER = "checker"


@dataclass(frozen=True, slots=True)
class Comparison:
    """``changes`` by section. ``reworded``: the files differ, but only in comments and layout."""

    changes: tuple[Change, ...]
    reworded: bool = False

    def __bool__(self) -> bool:
        return bool(self.changes)

    def render(self) -> str:
        """For a terminal. What somebody should look at begins with !"""
        if not self.changes:
            same = "the same for callers: only comments or layout differ" if self.reworded else "the same"
            return f"{same}\n"
        lines: list[str] = []
        for section, changes in groupby(self.changes, key=lambda c: c.section):
            lines += ["", section] if lines else [section]
            for place, about in groupby(changes, key=lambda c: c.place):
                lines += [f"  {place}"] if place else []
                lines += [f"  {line}" for change in about for line in change.render()]
        return "\n".join(lines) + "\n"


def compare(old: FlowLibrary, new: FlowLibrary, *, only: Collection[str] = (), proof: bool = True) -> Comparison:
    """``only``: flows, fragments or "universals" that are of interest; all of them when empty.

    ``proof``: ask the checker about both, and say what is wrong now and wasn't before."""
    found = list(_changes(old, new))
    if proof and old.sources != new.sources:
        found += _proof(old, new)
    unique = dict.fromkeys(c for c in found if not only or c.section in (*only, CHECKER))
    sections = {s: i for i, s in enumerate(dict.fromkeys(c.section for c in unique))}
    places = {p: i for i, p in enumerate(dict.fromkeys((c.section, c.place) for c in unique))}
    ordered = sorted(unique, key=lambda c: (c.section == CHECKER, sections[c.section], places[c.section, c.place]))
    return Comparison(tuple(ordered), old.sources != new.sources)


def _changes(old: FlowLibrary, new: FlowLibrary) -> Iterator[Change]:
    flows = renamed_flows(old.flows, new.flows)
    names: dict[str, tuple[Names, Names]] = {}
    back = {new_name: old_name for old_name, new_name in flows.items()}
    for name in old.flows:
        if name not in new.flows and name not in flows:
            yield Change(name, "", "flow-removed", f"the flow {name} is gone", care=True)
    for name, flow in new.flows.items():
        before = old.flows.get(back.get(name, name))
        if before is None:
            about = " ".join(flow.about.split())
            yield Change(name, "", "flow-added", f"a new flow with {len(flow.states)} states: {about}")
            continue
        if name in back:
            yield Change(name, "", "flow-renamed", f"the flow {back[name]} is called {name} now")
        pair = _FlowPair(old, new, before, flow, flows)
        names[name] = (pair.states, pair.intents)
        yield from pair.changes()
    if old.universals != new.universals:
        yield from universal_changes(old.universals, new.universals)
        said = changed_items(old.universals.prompts, new.universals.prompts)
        base = {name: (spelled(was), spelled(now)) for name, was, now in said if was and now}
        yield from stale_changes(
            {k[1:]: w for k, w in old.wordings.items() if k[0] == UNIVERSALS_FILE}, new, UNIVERSALS_FILE, base
        )
    yield from wording_changes(old, new, flows, names)
    if old.company != new.company:
        yield from company_changes(old.company, new.company)
    for name in dict.fromkeys((*old.vocabularies, *new.vocabularies)):
        yield from term_changes(name, old.vocabularies.get(name, ()), new.vocabularies.get(name, ()))


class _FlowPair:
    """One flow before and after. ``states`` and ``intents``: new names by the old."""

    def __init__(self, old: FlowLibrary, new: FlowLibrary, before: Flow, after: Flow, flows: Names) -> None:
        self.old_library, self.library, self.old_name = old, new, before.flow
        self.after = after
        self.intents = renamed_intents(before, after)
        halfway = retold(before, after.flow, flows, {}, self.intents)
        self.states = renamed_states(halfway, after)
        self.before = retold(before, after.flow, flows, self.states, self.intents)
        self.raw = before

    def section(self, part: str, name: str) -> str:
        """The flow, or the fragment in which ``name`` stands."""
        flow, library = self.after.flow, self.library
        if name not in getattr(self.after, part):
            library, flow = self.old_library, self.old_name
        if flow in library.files:
            return library.key_place(flow, part, name).file.removesuffix(".yaml") or self.after.flow
        return self.after.flow

    def changes(self) -> Iterator[Change]:
        name, before, after = self.after.flow, self.before, self.after
        for was, now in self.intents.items():
            yield Change(self.section("intents", now), f"intent {now}", "intent-renamed", f"was called {was}")
        texts = {"start": "calls begin at", "language": "its language is", "persona": "its persona is"}
        for key, was, now in changed_fields(before, after, texts):
            yield Change(name, "", key, f"{texts[key]} {now} instead of {was}", care=True)
        if before.about != after.about:
            yield Change(name, "", "about", "another note to colleagues", *marked(before.about, after.about))
        if before.use != after.use:
            yield Change(name, "", "use", f"takes in {named(after.use)}, was {named(before.use)}")
        yield from self._defaults()
        yield from self._states()
        for part in ("parameters", "variables"):
            for key, one, other in changed_items(getattr(before, part), getattr(after, part)):
                yield from variable_changes(self.section(part, key), f"{part[:-1]} {key}", one, other)
        for key, intent, new_intent in changed_items(before.intents, after.intents):
            yield from intent_changes(self.section("intents", key), f"intent {key}", intent, new_intent)
        yield from stale_changes(self._old_words(), self.library, name, dict(self._rewritten()))

    def _old_words(self) -> Mapping[tuple[str, str], Wording]:
        mine = {k: w for k, w in self.old_library.wordings.items() if k[0] == self.old_name}
        return {(k[1], k[2]): told(w, self.states, self.intents) for k, w in mine.items()}

    def _defaults(self) -> Iterator[Change]:
        one, other = self.before.defaults, self.after.defaults
        for key, before, after in changed_fields(
            one, other, (key for key in NOUNS if key in Defaults.model_fields and key != "confirm")
        ):
            text = f"{NOUNS[key]} is {after:g} s in all its states, was {before:g} s"
            yield Change(self.after.flow, "", key.replace("_", "-"), text)
        if one.bargein != other.bargein:
            text = f"barge-in is {'on' if other.bargein else 'off'} in all its states now"
            yield Change(self.after.flow, "", "bargein", text)

    def _states(self) -> Iterator[Change]:
        new_names = {v: k for k, v in self.states.items()}
        for name, state in self.before.states.items():
            if name not in self.after.states:
                section = self.section("states", name)
                led = listed(_sources(self.raw, name)) if _sources(self.raw, name) else "nowhere"
                text = f"the state {name} ({detail(state)}) is gone; callers came there from {led}"
                yield Change(section, name, "state-removed", text)
        for name, state in self.after.states.items():
            section = self.section("states", name)
            if name not in self.before.states:
                said = f", says “{spelled(state.prompt)}”" if state.prompt else ""
                from_ = _sources(self.after, name)
                came = f"; callers come here from {listed(from_)}" if from_ else ""
                yield Change(section, name, "state-added", f"a new state ({detail(state)}{said}){came}")
                continue
            if name in new_names:
                yield Change(section, name, "state-renamed", f"was called {new_names[name]}")
            before = self.before.states[name]
            if before != state:
                pair = StatePair(section, name, before, state, self.before, self.after, self.library)
                found = list(pair.changes())
                yield from found or [Change(section, name, "state", "something about this state changed")]

    def _rewritten(self) -> Iterator[tuple[str, tuple[str, str]]]:
        for name, state in self.after.states.items():
            before = self.before.states.get(name)
            if before is None:
                continue
            was = dict(_spoken(before, name))
            for prompt_id, prompt in _spoken(state, name):
                if prompt_id in was and was[prompt_id] != prompt:
                    yield prompt_id, (spelled(was[prompt_id]), spelled(prompt))
            labels = {c.intent: c.label for c in before.choices}
            for choice in state.choices:
                if choice.label and labels.get(choice.intent, choice.label) != choice.label:
                    yield f"{name}.{choice.intent}", (labels[choice.intent], choice.label)


def _spoken(state: State, name: str) -> Iterator[tuple[str, TaperedPrompt]]:
    for part, prompt, _ in state.prompts():
        yield (f"{name}.{part}" if part else name), prompt


def _sources(flow: Flow, target: str) -> Sequence[str]:
    return [n for n, s in flow.states.items() if n != target and any(w.target == target for w in s.transitions())]


def _proof(old: FlowLibrary, new: FlowLibrary) -> Iterator[Change]:
    """What the checker holds against the new version and had nothing to say about in the old one."""
    nothing_known = LineFacts()
    known = {(f.code, f.why) for f in check(old, nothing_known)}
    for finding in check(new, nothing_known):
        if (finding.code, finding.why) not in known:
            path = f"the way there: {' > '.join(finding.path)}" if finding.path else ""
            text = f"{finding.severity}: {finding.why} [{finding.code}]"
            care = finding.severity == "error"
            yield Change(CHECKER, f"{finding.file}:{finding.line}", finding.code, text, effect=path, care=care)
