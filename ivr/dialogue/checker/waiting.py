"""Waiting in the line: it is told where one stands, and a wait that may be long can be spared."""

from __future__ import annotations

from ivr.dialogue.checker.findings import Findings
from ivr.dialogue.flows.model import Flow
from ivr.dialogue.flows.signature import CALLBACK, MESSAGE
from ivr.dialogue.flows.state import State


def check_waiting(findings: Findings) -> None:
    for name, flow in findings.library.flows.items():
        for sid, state in flow.states.items():
            if state.line is None:
                continue
            if not state.line.told:
                why = f"who waits in {sid} never hears where they stand"
                remedy = 'add told: "You\'re number {wait.position}.", said only if wait.position is known'
                findings.add("untold", findings.key(name, "states", sid, "wait"), why, remedy)
            if not any(_spares(findings, flow, choice.goto) for choice in state.choices):
                why = f"a wait in {sid} can be long, and callers can only go on with it or hang up"
                remedy = "add a choice that leads to a call back (callback.request) or a message (message.leave)"
                place = findings.key(name, "states", sid)
                findings.add("wait-without-way-out", place, why, remedy, severity="warning", text=sid)


def _spares(findings: Findings, flow: Flow, target: str) -> bool:
    """Whether a call back or a message can be promised from ``target`` on, in this flow or one that it calls."""
    seen: set[tuple[str, str]] = set()
    waiting = [(flow, target)]
    while waiting:
        owner, name = waiting.pop()
        state = owner.states.get(name)
        if state is None or (owner.flow, name) in seen:
            continue
        seen.add((owner.flow, name))
        if _promises(findings, state):
            return True
        if state.line is None:  # what lies behind another wait spares none
            waiting += [(owner, way.target) for way in state.transitions()]
        if (inner := findings.library.flows.get(state.call)) is not None:
            waiting.append((inner, inner.start))
    return False


def _promises(findings: Findings, state: State) -> bool:
    signature = findings.library.signatures.get(state.action)
    return signature is not None and signature.promises in (CALLBACK, MESSAGE)
