"""Answers that nobody reads: a value that a flow keeps and never uses, or that a service brings and no flow keeps."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ivr.dialogue.checker.findings import Findings
from ivr.dialogue.flows.condition import leaves
from ivr.dialogue.flows.state import State

_NAMES = frozenset({"action", "call", "goto", "about", "service"})  # keys of what names no variable
_WORD = re.compile(r"[a-z][a-z0-9_]*")


def check_unread(findings: Findings) -> None:
    misspelt = {found.file for found in findings.all if found.code == "unknown-variable"}  # perhaps what reads it
    for name, flow in findings.library.flows.items():
        read = _words([_reading(state) for state in flow.states.values()]) | _translated(findings, name)
        for sid, state in flow.states.items():
            path = ("http", "returns") if state.http is not None else ("returns",)
            for variable in _kept(state):
                place = findings.key(name, "states", sid, *path, variable)
                if variable not in read and place.file not in misspelt:
                    why = f"{variable} keeps a part of the answer, and nothing in {name} reads it"
                    remedy = f"say {{{variable}}} or pass it on with: in a state after {sid}, or remove it here"
                    findings.add("unused-value", place, why, remedy, severity="warning", text=variable)
    _brought(findings)


def _kept(state: State) -> Mapping[str, str]:
    """Variables that an answer fills; what a flow returns that is called may be of use to others than this caller."""
    if state.http is not None:
        return state.http.returns
    return state.returns if state.action else {}


def _reading(state: State) -> Mapping[str, object]:
    """All that a state does, but for what only fills or forgets."""
    return state.model_dump(exclude={"returns": True, "clear": True, "http": {"returns"}})


def _translated(findings: Findings, flow: str) -> frozenset[str]:
    found = (wording.model_dump() for key, wording in findings.library.wordings.items() if key[0] == flow)
    return _words(list(found))


def _words(value: object) -> frozenset[str]:
    """Any of them may be a variable's name: rather too many than a finding that isn't so."""
    texts = (text for text, path in leaves(value, ()) if isinstance(text, str) and path[-1] not in _NAMES)
    return frozenset(word for text in texts for word in _WORD.findall(text))


def _brought(findings: Findings) -> None:
    """Values of the company file's actions, once any flow performs them."""
    company = findings.library.company
    states = [(name, sid, s) for name, flow in findings.library.flows.items() for sid, s in flow.states.items()]
    for action, spec in company.actions.items() if company is not None else ():
        users = [(name, sid, state) for name, sid, state in states if state.action == action]
        kept = {value for _, _, state in users for value in state.returns.values()}
        for value in spec.returns if users else ():
            if value not in kept:
                (flow, sid, _), place = users[0], findings.company("actions", action, "returns", value, key=True)
                why = f"the service answers {value}, and no state that performs {action} keeps it"
                remedy = f"add returns: {{YOUR_VARIABLE: {value}}} to {flow}.{sid}, or remove it here"
                findings.add("unused-value", place, why, remedy, severity="warning", text=value)
