"""Secrets: nothing secret is said aloud, shown to others, put into an address, or kept for after a dropped call."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping

from ivr.dialogue.checker.findings import Findings
from ivr.dialogue.checker.references import FACTS
from ivr.dialogue.flows.condition import leaves, names_of, read
from ivr.dialogue.flows.model import Flow
from ivr.dialogue.flows.prompt import Path, TaperedPrompt, items_of
from ivr.dialogue.flows.secrets import secret_names
from ivr.dialogue.flows.source import Place
from ivr.dialogue.flows.state import State
from ivr.dialogue.flows.wording import names_in

_ALOUD, _SHOWN, _LOGGED = "is said aloud", "is shown to an agent", "is part of an address, which servers log"
_REMEDY = {
    _ALOUD: "leave {{{0}}} out: records mask it, but whoever stands beside the caller hears it",
    _SHOWN: "leave {{{0}}} out: it is masked, and tells nobody anything",
    _LOGGED: "send {0} in the body",
}


def check_secrets(findings: Findings) -> None:
    secrets = secret_names(findings.library)
    facts = frozenset(_secret_facts(findings, secrets))
    _undeclared(findings, facts)
    for name, secret in secrets.items():
        flow = findings.library.flows[name]
        if told := secret | facts | frozenset(_given_as_secret(findings, flow)):
            _Secrets(findings, name, flow, told).check()


def _undeclared(findings: Findings, facts: Iterable[str]) -> None:
    """What is taken for a secret is masked only where it is declared one."""
    company = findings.library.company
    declared = company.facts if company is not None else {}
    for fact in sorted(facts):
        if (spec := declared.get(fact)) is not None and not spec.secret:
            why = f"{fact} is taken for a secret, and records and agents are shown it"
            remedy = f"write {fact}: {{type: {spec.type}, secret: true}}"
            place = findings.company("facts", fact, key=True)
            findings.add("undeclared-secret", place, why, remedy, severity="warning", text=fact)


def _secret_facts(findings: Findings, secrets: Mapping[str, frozenset[str]]) -> Iterator[str]:
    """Facts that a secret variable is set to, or that an action takes for a secret: they are one, in every flow."""
    for name, flow in findings.library.flows.items():
        for state in flow.states.values():
            given = [pair for each in (state.set, *(t.edge.set for t in state.transitions())) for pair in each.items()]
            values = [value for variable, value in given if variable in secrets[name]]
            signature = findings.library.signatures.get(state.action)
            parameters = signature.parameters if signature is not None else ()
            values += [state.arguments.get(parameter.name) for parameter in parameters if parameter.secret]
            yield from (fact for value in values for fact in names_of(value) if "." in fact and fact not in FACTS)


def _given_as_secret(findings: Findings, flow: Flow) -> Iterator[str]:
    """Variables that an action takes for a secret of the caller's, whatever the flow says of them."""
    for state in flow.states.values():
        signature = findings.library.signatures.get(state.action)
        for parameter in signature.parameters if signature is not None else ():
            if parameter.secret:
                yield from (name for name in names_of(state.arguments.get(parameter.name)) if name in flow.slots)


class _Secrets:
    def __init__(self, findings: Findings, name: str, flow: Flow, secret: frozenset[str]) -> None:
        self.findings, self.name, self.flow, self.secret = findings, name, flow, secret

    def check(self) -> None:
        findings = self.findings
        for section in ("parameters", "variables"):
            for variable, spec in getattr(self.flow, section).items():
                if spec.survive and variable in self.secret:
                    why = f"{variable} is secret, and nothing secret is kept when a call drops"
                    place = findings.key(self.name, section, variable)
                    findings.add("secret-kept", place, why, "remove survive: true, and ask for it again")
        for sid, state in self.flow.states.items():
            self._state(sid, state)
        for key, wording in findings.library.wordings.items():
            if key[0] == self.name:
                for prompt_id, prompt in wording.prompts.items():
                    for text, path in _texts(prompt):
                        self._tell(text, findings.overlay(key, "prompts", prompt_id, *path), _ALOUD)

    def _state(self, sid: str, state: State) -> None:
        def place(*path: str | int) -> Place:
            return self.findings.at(self.name, "states", sid, *path)

        for _, prompt, path in state.prompts():
            for text, inner in _texts(prompt):
                self._tell(text, place(*path, *inner), _ALOUD)
        for transition in state.transitions():
            for part in ("reason", "skill"):
                self._tell(getattr(transition.edge, part), place(*transition.path, part), _SHOWN)
        for verb, wanted in (("handoff", state.handoff), ("wait", state.line)):
            for part in ("reason", "skill") if wanted is not None else ():
                self._tell(getattr(wanted, part), place(verb, part), _SHOWN)
        for index, choice in enumerate(state.choices):
            self._tell(choice.label, place("choices", index, "label"), _ALOUD)
        if state.http is not None:
            self._tell(state.http.path, place("http", "path"), _LOGGED)
            for value, path in leaves(state.http.query, ("http", "query")):
                self._told(names_of(value), place(*path), _LOGGED)
        for transition in state.transitions():
            self._compared(transition.condition)

    def _tell(self, text: str, place: Place, how: str) -> None:
        self._told(names_in(text or ""), place, how)

    def _told(self, names: Iterable[str], place: Place, how: str) -> None:
        for variable in sorted(self.secret.intersection(names)):
            remedy = _REMEDY[how].format(variable)
            self.findings.add("secret-told", place, f"{variable} is secret, and {how}", remedy, severity="warning")

    def _compared(self, condition: str) -> None:
        """What is compared with a secret may be it: whoever sees the one knows the other."""
        for names in _equated(condition):
            secret = min(self.secret & names, default="")
            for variable in sorted(names - self.secret) if secret else ():
                spec = self.flow.slots.get(variable)
                if spec is not None and self.findings.first("compared", self.name, variable):
                    section = "variables" if variable in self.flow.variables else "parameters"
                    why = f"{variable} is compared with {secret}, which is secret, and records show what callers say"
                    remedy = f"write {variable}: {{type: {spec.type}, secret: true}}"
                    place = self.findings.key(self.name, section, variable)
                    self.findings.add("secret-told", place, why, remedy, severity="warning")


def _equated(condition: str) -> Iterator[frozenset[str]]:
    """The names of each comparison that tells what something is."""
    if read(condition) is None:
        return
    for node in ast.walk(ast.parse(condition.strip(), mode="eval")):
        if isinstance(node, ast.Compare) and any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops):
            yield names_of(ast.unparse(node))


def _texts(prompt: TaperedPrompt) -> Iterator[tuple[str, Path]]:
    for item, path in items_of(prompt):
        for text in item.variants or (item.say,):
            yield text, (*path, "say")
