"""The company file's rule: its actions ask for what is known, bring what is declared, and reach services that exist.
And whoever says a title says one of a vocabulary that somebody has.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import chain

from ivr.dialogue.checker.findings import Findings
from ivr.dialogue.checker.references import FACTS, SERVICE_REMEDY, no_service
from ivr.dialogue.flows.company_file import CompanyFile, ServiceAction
from ivr.dialogue.flows.condition import leaves
from ivr.dialogue.flows.expression import ExpressionError, parse_expression
from ivr.dialogue.flows.model_errors import listing, suggestion
from ivr.dialogue.flows.prompt import Path
from ivr.dialogue.flows.source import Place
from ivr.dialogue.flows.wording import names_in
from ivr.events import CALLER_ID


def check_company(findings: Findings) -> None:
    if (company := findings.library.company) is not None:
        _Company(findings, company).check()
    _vocabularies(findings)


class _Company:
    def __init__(self, findings: Findings, company: CompanyFile) -> None:
        self.findings, self.company, self.add = findings, company, findings.add
        self.at, self.key = findings.company, partial(findings.company, key=True)
        self.facts = FACTS | {fact for s in findings.library.signatures.values() for fact in s.facts}

    def check(self) -> None:
        for fact in self.company.facts:
            if fact in FACTS:
                why = f"{fact} is the line's own, and no company can set it"
                self.add("reserved-fact", self.key("facts", fact), why, "give it another name")
        states = [s for flow in self.findings.library.flows.values() for s in flow.states.values()]
        brought = {f for a in self.company.actions.values() for f in a.facts}
        brought |= {fact for state in states if state.http is not None for fact in state.http.facts}
        for fact in self.company.facts:
            if fact not in brought:
                why = f"nothing ever brings {fact}, so it is never known"
                remedy = "name it under an action's facts:, or remove it"
                self.add("unused-fact", self.key("facts", fact), why, remedy, severity="warning")
        for name, action in self.company.actions.items():
            self._action(name, action, ("actions", name))
        for name, spec in self.company.vocabularies.items():
            if spec.service:
                self._service(spec.service, ("vocabularies", name, "service"))
                if not spec.path:
                    why = f"{name} comes from {spec.service}, and nothing says where it is there"
                    self.add("missing-key", self.key("vocabularies", name), why, f"add path: /{name}")

    def _action(self, name: str, action: ServiceAction, path: Path) -> None:
        self._service(action.service, (*path, "service"))
        for fact in action.facts:
            if fact not in self.company.facts and fact != CALLER_ID:
                declared = [*self.company.facts, CALLER_ID]
                otherwise = f"declare it under facts: with its type; there are {listing(declared)}"
                remedy = suggestion(fact, declared, otherwise)
                self.add("unknown-fact", self.key(*path, "facts", fact), f"{fact} is declared nowhere", remedy)
        known = {*action.parameters, *self.facts}
        required = {parameter for parameter, spec in action.parameters.items() if spec.required}
        for slot in dict.fromkeys(names_in(action.path)):
            place = self.at(*path, "path")
            if slot in action.parameters and slot not in required:
                why = f"{slot} may be left out, and a path needs all its parts"
                self.add("optional-in-path", place, why, f"remove required: false of {slot}, or send it in query:")
            self._named(slot, known, place, name)
            self._secret(action, slot, place)
        for part in ("query", "body"):
            for value, inner in leaves(getattr(action, part) or {}, (*path, part)):
                self._expression(value, known, self.at(*inner), name)
                if part == "query" and isinstance(value, str):
                    self._secret(action, value.rstrip("? "), self.at(*inner))
        if action.undo and action.undo not in self.findings.library.signatures:
            actions = sorted(self.findings.library.signatures)
            remedy = suggestion(action.undo, actions, f"actions here: {listing(actions)}")
            self.add("unknown-action", self.at(*path, "undo"), f"there is no action {action.undo}", remedy)
        if action.gives in ("unverified", "likely") and CALLER_ID not in action.facts:
            why = f"{name} says who calls, and brings no {CALLER_ID}"
            remedy = f"add {CALLER_ID} to its facts:, with the place of the number or id that they are known by"
            self.add("nobody-identified", self.at(*path, "gives"), why, remedy)

    def _service(self, service: str, path: Path) -> None:
        known = self.findings.facts.services
        if known is not None and service not in known:
            remedy = suggestion(service, sorted(known), SERVICE_REMEDY.format(service))
            self.add("unknown-service", self.at(*path), no_service(service, known), remedy, text=service)

    def _expression(self, value: object, known: Iterable[str], place: Place, action: str) -> None:
        if not isinstance(value, str):
            return
        try:
            found = parse_expression(value)
        except ExpressionError as error:
            remedy = error.remedy or "write a parameter or a fact; texts have quotes of their own: \"'like this'\""
            why = f"{value!r} cannot be read: {error.message}"
            self.add("bad-expression", place, why, remedy, text=value)
            return
        for name in sorted(found.names | found.tested):
            self._named(name, known, place, action)

    def _named(self, name: str, known: Iterable[str], place: Place, action: str) -> None:
        if name in known:
            return
        here = [each for each in known if "." not in each]
        otherwise = (
            f"name it under parameters:; quote texts: \"'{name}'\"" if "." not in name else "declare it as a fact"
        )
        why = f"{action} has no parameter {name}" if "." not in name else f"there is no fact {name}"
        code = "unknown-fact" if "." in name else "unknown-parameter"
        self.add(code, place, why, suggestion(name, known if "." in name else here, otherwise), text=name)

    def _secret(self, action: ServiceAction, name: str, place: Place) -> None:
        if name in self.company.secrets or (name in action.parameters and action.parameters[name].secret):
            why = f"{name} is secret, and is part of an address, which servers log"
            self.add("secret-told", place, why, f"send {name} in the body", text=name, severity="warning")


def _vocabularies(findings: Findings) -> None:
    """What nobody has, callers are never understood to say."""
    if findings.facts.vocabularies is None:
        return
    library = findings.library
    declared = library.company.vocabularies if library.company is not None else {}
    brought = chain.from_iterable(signature.vocabularies for signature in library.signatures.values())
    known = {*findings.facts.vocabularies, *declared, *brought}
    for name, flow in library.flows.items():
        for section in ("parameters", "variables"):
            for variable, spec in getattr(flow, section).items():
                for index, vocabulary in enumerate(spec.vocabularies):
                    if vocabulary not in known:
                        place = findings.at(name, section, variable, "from", index)
                        remedy = suggestion(vocabulary, known, "declare it in company.yaml under vocabularies:")
                        why = f"there is no vocabulary {vocabulary}"
                        findings.add("unknown-vocabulary", place, why, remedy, text=vocabulary)
