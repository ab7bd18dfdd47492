"""Arguments: what a request's path or a required argument is made of is known whenever it is made, facts included.

Variables are proven on every path by definite assignment. A fact is known where it always is, where it belongs to the
caller and the state needs to know who calls, or where every way into the state asks about it first. One that some other
action of these flows brings is taken to be there; where it is not, the engine refuses and a human takes over.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from ivr.dialogue.checker.findings import Findings
from ivr.dialogue.flows.condition import Around, leaves, names_of, needed_by, test_of
from ivr.dialogue.flows.model import Flow
from ivr.dialogue.flows.prompt import Path
from ivr.dialogue.flows.state import State
from ivr.dialogue.flows.wording import names_in
from ivr.identity import IdentityLevel

AT_FIRST = Around(None, IdentityLevel.UNKNOWN)
ALWAYS = frozenset({"call.id", "call.called", "call.language", "entry", "hours.open", "caller.identity"})


def check_arguments(findings: Findings) -> None:
    signatures, flows = findings.library.signatures, findings.library.flows.values()
    done = {state.action for flow in flows for state in flow.states.values()}
    brought = {fact for name in done if name in signatures for fact in signatures[name].facts}
    blank = {fact for signature in signatures.values() for fact in signature.blank}
    for name, flow in findings.library.flows.items():
        for sid, state in flow.states.items():
            for fact, path in _facts(findings, state):
                if fact in flow.parts:  # of a range: a variable, which has to be filled
                    continue
                known = fact not in blank and _known(findings, state, fact, brought)
                if not known and not _asked_about(flow, sid, fact):
                    why = f"{fact} is used here, and may not be known"
                    remedy = f"come here only by a when: with if: filled({fact})"
                    findings.add("fact-unknown", findings.at(name, "states", sid, *path), why, remedy, text=fact)


def _facts(findings: Findings, state: State) -> Iterator[tuple[str, Path]]:
    """The facts that must be there, with where they are named."""
    if state.http is not None:
        yield from ((fact, ("http", "path")) for fact in dict.fromkeys(names_in(state.http.path)) if "." in fact)
        yield from ((fact, ("http", "query")) for fact in _in_query(state.http.query))
    company = findings.library.company
    if company is not None and (action := company.actions.get(state.action)) is not None:
        asked = dict.fromkeys((*(name for name in names_in(action.path) if "." in name), *_in_query(action.query)))
        yield from ((fact, ("action",)) for fact in asked)
    signature = findings.library.signatures.get(state.action)
    for parameter in signature.parameters if signature is not None else ():
        if parameter.required:
            for fact in sorted(names_of(state.arguments.get(parameter.name))):
                if "." in fact:
                    yield fact, ("with", parameter.name)


def _in_query(query: Mapping[str, object]) -> Iterator[str]:
    for value, _ in leaves(query, ()):
        yield from (name for name in sorted(needed_by(value)) if "." in name)


def _known(findings: Findings, state: State, fact: str, brought: Collection[str]) -> bool:
    assurance = findings.assurance
    if fact in assurance.facts:
        return assurance.needed(state) > IdentityLevel.UNKNOWN
    return fact in ALWAYS or fact in brought


def _asked_about(flow: Flow, sid: str, fact: str) -> bool:
    """Whether every way into a state is a case that cannot hold without ``fact``."""
    ways = [(state, way) for state in flow.states.values() for way in state.transitions() if way.target == sid]
    if sid == flow.start or not ways:
        return False
    return all(way.kind == "case" and sid not in _taken_without(state, fact) for state, way in ways)


def _taken_without(state: State, fact: str) -> Iterator[str]:
    """Where a branch may lead while ``fact`` is not known."""
    for way in state.transitions():
        if way.kind == "case":
            holds = test_of(way.condition, {fact: 1})(0, AT_FIRST) if way.condition else True
            if holds is not False:
                yield way.target
            if holds:
                return
