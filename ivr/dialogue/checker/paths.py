"""Paths of requests: no part of one is empty, and what belongs into the query is under ``query:``."""

from __future__ import annotations

import re

from ivr.dialogue.checker.findings import Findings
from ivr.dialogue.flows.source import Place
from ivr.dialogue.flows.wording import names_in

_SLOTS = re.compile(r"\{[^{}]*\}")


def check_paths(findings: Findings) -> None:
    for name, flow in findings.library.flows.items():
        for sid, state in flow.states.items():
            if state.http is None:
                continue
            path, place = state.http.path, findings.at(name, "states", sid, "http", "path")
            bare = _SLOTS.sub("x", path)
            if sign := next((c for c in bare if c in "?#"), ""):
                why = f"what stands behind a {sign} is no part of a path: it is sent as if it were one"
                findings.add("bad-path", place, why, "name it under query:", text=path)
            elif not bare.startswith("/"):
                findings.add("bad-path", place, f"{path!r} begins nowhere", f"write /{path}", text=path)
            _empty(findings, path, place)
            for variable in dict.fromkeys(names_in(path)):
                spec = flow.slots.get(variable)
                if spec is not None and isinstance(spec.length, tuple) and spec.length[0] == 0:
                    why = f"{variable} may have no digit at all, and that part of the path would be empty"
                    findings.add("empty-in-path", place, why, f"give {variable} a length from 1", text=path)
    if (company := findings.library.company) is not None:
        blank = {fact for fact, spec in company.facts.items() if spec.blank}
        for name, action in company.actions.items():
            place = findings.company("actions", name, "path")
            _empty(findings, action.path, place)
            for fact in dict.fromkeys(names_in(action.path)):
                if fact in blank:
                    why = f"{fact} may be blank, and that part of the path would be empty"
                    findings.add("empty-in-path", place, why, "send it in query: or body:", text=action.path)
        for name, vocabulary in company.vocabularies.items():
            if vocabulary.service:
                _empty(findings, vocabulary.path, findings.company("vocabularies", name, "path"))


def _empty(findings: Findings, path: str, place: Place) -> None:
    if "//" in path:
        better = re.sub("/{2,}", "/", path)
        why = f"a part of {path} is empty, and servers disagree about what that means"
        findings.add("empty-in-path", place, why, f"write {better}, or name what is missing", text=path)
