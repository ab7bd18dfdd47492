"""References: every variable, fact, filter, action, parameter, outcome, service and skill that is named exists."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import partial

from ivr.dialogue.checker.bounds import bad_bounds
from ivr.dialogue.checker.declarations import misused
from ivr.dialogue.checker.findings import Findings
from ivr.dialogue.checker.graph import HANDOFF_OUTCOMES, HTTP_OUTCOMES
from ivr.dialogue.checker.value_types import passes_for
from ivr.dialogue.engine.contract import PLACE_FACTS
from ivr.dialogue.engine.states.wait import FACTS as WAIT_FACTS
from ivr.dialogue.flows.condition import leaves
from ivr.dialogue.flows.expression import Expression, ExpressionError, parse_expression
from ivr.dialogue.flows.model import UNIVERSALS, Flow, VariableSpec
from ivr.dialogue.flows.model_errors import listing, suggestion
from ivr.dialogue.flows.phrases import PhraseError, parse_phrase
from ivr.dialogue.flows.prompt import TaperedPrompt, items_of, prompt_texts
from ivr.dialogue.flows.signature import IMPLICIT_OUTCOMES, NOT_VERIFIED, ActionSignature
from ivr.dialogue.flows.source import Place
from ivr.dialogue.flows.state import EdgeSpec, Path, State, Transition
from ivr.dialogue.flows.wording import FILTERS, slots_in
from ivr.events import RECORDING_ON
from ivr.identity import CALLER_TRUSTED, IDENTITY_FACTS, IdentityLevel

FACTS = frozenset({
    "call.id", "call.caller", "call.called", "call.language", "call.language_chosen", "entry",
    "hours.open", "hours.next_opening", "desk.announcement", "desk.closed_reason", RECORDING_ON,
    CALLER_TRUSTED, *IDENTITY_FACTS, *WAIT_FACTS, *PLACE_FACTS,
})  # fmt: skip
SPOKEN_TYPES = frozenset(
    {"title", "number", "ordinal", "digits", "phone", "date", "date_range", "time", "duration", "money", "code"}
    | {"boolean", "choice"}
)
ASKED_TYPES = SPOKEN_TYPES | {"text"}  # text is dictated: all that is said, so it is no part of a phrase
_KEYS = {  # what a state may say besides prompt, set, clear, about and universals, by its kind
    "question": {"ask", "choices", "noinput", "nomatch", "help", "key_entry", "timeout", "hangover", "bargein", "goto"},
    "action": {"action", "arguments", "confirm", "wait", "returns", "on", "timeout", "hangover", "bargein", "help"},
    "http": {"http", "confirm", "wait", "on", "timeout", "hangover", "bargein", "help"},
    "branch": {"when"},
    "call": {"call", "arguments", "returns", "on", "goto"},
    "return": {"result", "values"},
    "handoff": {"handoff", "on", "bargein"},
    "wait": {"wait", "choices", "on", "help", "hangover", "bargein"},
    "end": {"end", "bargein"},
    "resume": {"resume", "on", "goto", "help", "noinput", "nomatch", "timeout", "hangover", "bargein"},
    "say": {"goto", "bargein"},
}
_ALIASES = {"arguments": "with", "result": "return"}

SERVICE_REMEDY = 'add it to config.toml as [[flows.services]], with name = "{0}" and its url'


def no_service(service: str, known: Collection[str]) -> str:
    """What is said of a service that isn't configured."""
    nothing = "" if known else ", and config.toml has none at all: every call that gets here goes to a human"
    return f"there is no service {service}{nothing}"


def check_references(findings: Findings) -> None:
    company = findings.library.company
    facts = FACTS | {f for s in findings.library.signatures.values() for f in s.facts}
    facts |= set(company.facts) if company is not None else set()
    for name, flow in findings.library.flows.items():
        _Names(findings, name, flow, facts).check()
    _wordings(findings, facts)


class _Names:
    def __init__(self, findings: Findings, name: str, flow: Flow, facts: frozenset[str]) -> None:
        self.findings, self.name, self.flow, self.facts = findings, name, flow, facts
        self.add, self.at, self.key = findings.add, partial(findings.at, name), partial(findings.key, name)
        self.variables = flow.slots
        self.assurance = findings.assurance

    def unknown(self, what: str, place: Place, name: str, known: Iterable[str], of: str = "") -> None:
        """``what``: variable, action, outcome…; ``of``: whose it would be."""
        names = sorted(known)
        remedy = suggestion(name, names, f"{what}s{of.removesuffix(' called')} here: {listing(names)}")
        self.add(f"unknown-{what}", place, f"there is no {what}{of} {name}", remedy, text=name)

    def check(self) -> None:
        for section in ("parameters", "variables"):
            for variable, spec in getattr(self.flow, section).items():
                self._variable(section, variable, spec)
        for intent, spec in self.flow.intents.items():
            for index, phrase in enumerate(spec.phrases):
                self.phrase(phrase, self.at("intents", intent, "phrases", index))
            if not spec.phrases:
                self.add("no-phrases", self.key("intents", intent), f"{intent} has no phrases", "add an example")
        for sid, state in self.flow.states.items():
            self._state(sid, state)

    def _variable(self, section: str, name: str, spec: VariableSpec) -> None:
        place = self.key(section, name)
        if spec.type == "title" and not spec.vocabularies:
            why = f"the title {name} comes from no vocabulary"
            self.add("no-vocabulary", place, why, "add from: [VOCABULARY]")
        if spec.type == "choice" and not spec.values:
            self.add("no-values", place, f"the choice {name} has no values", "add values: with phrases for each")
        for bad in bad_bounds(name, spec):
            self.add(bad.code, self.key(section, name, bad.key), bad.why, bad.remedy)
        low, high = spec.length if isinstance(spec.length, tuple) else (spec.minimum, spec.maximum)
        if low is not None and high is not None and low > high:
            self.add("bad-range", place, f"{name} reaches from {low} to {high}", "put the smaller number first")
        for key, why, remedy in misused(spec, name):
            self.add("bad-range" if key == "bounds" else "unused-key", place, why, remedy)

    def phrase(self, text: str, place: Place) -> None:
        try:
            template = parse_phrase(text)
        except PhraseError as error:
            self.add("bad-phrase", place, error.message, error.remedy or "correct the brackets", text=text)
            return
        for slot in template.slots:
            if slot not in self.variables:
                self.unknown("variable", place, slot, self.variables)
            elif self.variables[slot].type not in SPOKEN_TYPES:
                why = f"{slot} is {self.variables[slot].type}, which nobody can say"
                self.add("not-askable", place, why, "give the variable a type that can be said", text=slot)

    def expression(self, text: object, place: Place, *, optional: bool = False) -> Expression | None:
        """Report what is wrong with a value or condition; the expression otherwise. ``optional``: it may lack."""
        if not isinstance(text, str) or not text:
            return None
        try:
            found = parse_expression(text)
        except ExpressionError as error:
            remedy = error.remedy or "write a variable, a fact, or a comparison such as tries < 2"
            self.add("bad-expression", place, f"{text!r} cannot be read: {error.message}", remedy, text=text)
            return None
        if found.optional and not optional:
            why = f"{text} is left out where {found.bare} isn't known, and here something has to be"
            remedy = f"write {found.bare}; a ? stands only under with: and body:"
            self.add("not-optional", place, why, remedy, text=text)
        for name in sorted(found.names | found.tested):
            self.named(name, place)
        return found

    def given(self, name: str, value: object, place: Place, *, optional: bool = False) -> Expression | None:
        """A value for ``name``: as an expression, and one that is not blank."""
        if value is None or (isinstance(value, str) and not value.strip("'\" ")):
            remedy = f"give it a value; to empty a variable use clear: [{name}]"
            self.add("blank-value", place, f"{name} is given nothing, and what is blank counts as not filled", remedy)
            return None
        return self.expression(value, place, optional=optional)

    def named(self, name: str, place: Place) -> None:
        if name in self.variables or name in self.facts or name in self.flow.parts:
            return
        if "." in name:
            self.unknown("fact", place, name, {*self.facts, *self.flow.parts})
            return
        otherwise = f"variables here: {listing(sorted(self.variables))}; quote texts: \"'{name}'\""
        remedy = suggestion(name, {*self.variables, *self.facts}, otherwise)
        self.add("unknown-variable", place, f"there is no variable {name}", remedy, text=name)

    def assigned(self, name: str, *path: str | int) -> None:
        if name not in self.variables:
            self.unknown("variable", self.key(*path), name, self.variables)

    def _assignments(self, what: State | EdgeSpec, path: Path) -> None:
        for name, value in what.set.items():
            self.assigned(name, *path, "set", name)
            self.given(name, value, self.at(*path, "set", name))
        for index, variable in enumerate(what.clear):
            self.assigned(variable, *path, "clear", index)

    def _state(self, sid: str, state: State) -> None:
        kind = state.kinds[0]
        base = ("states", sid)
        for field in state.model_fields_set - _KEYS[kind] - {"prompt", "set", "clear", "about", "universals"}:
            alias = _ALIASES.get(field, field)
            if len(state.kinds) > 1 or not getattr(state, field):
                continue
            why = f"{alias} means nothing in {sid}, which is {'an' if kind[0] in 'aeiou' else 'a'} {kind} state"
            allowed = listing(sorted(_ALIASES.get(k, k) for k in _KEYS[kind]))
            self.add("unused-key", self.key(*base, alias), why, f"remove it; this kind of state takes {allowed}")
        self._assignments(state, base)
        for transition in state.transitions():
            self._edge(transition, (*base, *transition.path))
        for _, prompt, path in state.prompts():
            self.prompt(prompt, (*base, *path), self.at)
        for name in state.universals:
            if name not in UNIVERSALS:
                self.unknown("universal", self.key(*base, "universals", name), name, UNIVERSALS)
        if of_kind := getattr(self, f"_{kind}", None):
            of_kind(sid, state)

    def _edge(self, transition: Transition, path: Path) -> None:
        edge = transition.edge
        self._assignments(edge, path)
        if transition.condition:
            self.expression(transition.condition, self.at(*path, "if"))
        if edge.skill:
            self._skill(edge.skill, self.at(*path, "skill"))
            if edge.goto != "human":
                why = "reason, skill and priority only go with the target human"
                self.add("unused-key", self.key(*path, "skill"), why, "remove it", severity="warning")

    def _skill(self, skill: str, place: Place) -> None:
        known = self.findings.facts.skills
        if skill and known is not None and "{" not in skill and skill not in known:
            self.unknown("skill", place, skill, known)

    def prompt(self, prompt: TaperedPrompt, path: Path, place_of: Callable[..., Place]) -> None:
        for text, here in prompt_texts(prompt, path):
            self.text(text, place_of(*here))
        for item, here in items_of(prompt, path):
            if item.condition:
                self.expression(item.condition, place_of(*here, "if"))

    def text(self, text: str, place: Place) -> None:
        for name, chosen, stray in slots_in(text):
            if stray:
                why, remedy = f"a slot is written {{title}}, not {stray}", "correct the braces"
                self.add("bad-slot", place, why, remedy, text=text)
                continue
            self.named(name, place)
            if chosen and chosen not in FILTERS:
                self.unknown("filter", place, chosen, FILTERS)

    # --- by kind -----------------------------------------------------------------------------------------------

    def _question(self, sid: str, state: State) -> None:
        if state.ask:
            place = self.at("states", sid, "ask")
            if state.ask not in self.variables:
                self.unknown("variable", place, state.ask, self.variables)
            elif self.variables[state.ask].type not in ASKED_TYPES:
                why = f"{state.ask} is {self.variables[state.ask].type}, which nobody can say or key"
                self.add("not-askable", place, why, "give the variable a type that can be said")
            if state.goto is None:
                why = f"once {state.ask} is known nothing happens"
                self.add("dead-end", self.key("states", sid), why, "add goto: with the next state")
        elif state.goto is not None:
            why = "goto is only taken after an ask; here the choices lead on"
            self.add("unused-key", self.key("states", sid, "goto"), why, "remove it")
        self._choices(sid, state)

    def _choices(self, sid: str, state: State) -> None:
        known = [*self.flow.intents, "yes", "no", *self.findings.library.universals.risks]
        for index, choice in enumerate(state.choices):
            if choice.intent not in known:
                self.unknown("intent", self.at("states", sid, "choices", index, "intent"), choice.intent, known)

    def _action(self, sid: str, state: State) -> None:
        signature = self.findings.library.signatures.get(state.action)
        if signature is None:
            self.unknown("action", self.at("states", sid, "action"), state.action, self.findings.library.signatures)
            return
        self._arguments(sid, state, signature)
        self._returns(sid, state, signature.returns, state.action)
        self._outcomes(sid, state, signature.all_outcomes, state.action)

    def _returns(self, sid: str, state: State, values: Iterable[str], what: str) -> None:
        for mine, theirs in state.returns.items():
            self.assigned(mine, "states", sid, "returns", mine)
            if theirs not in values:
                place = self.at("states", sid, "returns", mine)
                self.unknown("value", place, theirs, values, f" of {what} called")

    def _arguments(self, sid: str, state: State, signature: ActionSignature) -> None:
        for name, value in state.arguments.items():
            place = self.at("states", sid, "with", name)
            parameter = signature.parameter(name)
            if parameter is None:
                known = [p.name for p in signature.parameters]
                key = self.key("states", sid, "with", name)
                self.unknown("parameter", key, name, known, f" of {signature.name} called")
            found = self.given(name, value, place, optional=True)
            if parameter is None or found is None:
                continue
            if found.optional and parameter.required:
                why = f"{signature.name} needs {name}, and {value} may be left out"
                remedy = f"come here only if filled({found.bare}), and write {found.bare}"
                self.add("missing-parameter", place, why, remedy, text=str(value))
            typed = {**self.variables, **self.flow.parts}
            if found.bare not in typed:
                continue
            given, wanted = typed[found.bare].type, parameter.type
            if given != wanted and wanted != "text" and not passes_for(given, wanted):
                why = f"{signature.name} wants a {wanted} for {name}, and {found.bare} is a {given}"
                self.add("wrong-type", place, why, f"pass a variable of type {wanted}")
        for parameter in signature.parameters:
            if parameter.required and parameter.name not in state.arguments:
                why = f"{signature.name} needs {parameter.name} ({parameter.type})"
                place = self.at("states", sid, "action")
                self.add("missing-parameter", place, why, f"add it under with: {parameter.name}: …")

    def _outcomes(self, sid: str, state: State, outcomes: tuple[str, ...], what: str) -> None:
        for outcome in outcomes:
            if outcome not in state.on:
                place = self.key("states", sid, "on") if state.on else self.key("states", sid)
                why = f"{what} can end in {outcome}, and {sid} has no edge for it"
                to = "human" if outcome in IMPLICIT_OUTCOMES else "…"
                self.add("missing-outcome", place, why, f"add {outcome}: {to} under on:")
        refusable = self.assurance.needed(state) > IdentityLevel.UNKNOWN
        outcomes = (*outcomes, NOT_VERIFIED) if refusable else outcomes
        for outcome in state.on:
            if outcome not in outcomes:
                self.unknown("outcome", self.key("states", sid, "on", outcome), outcome, outcomes, f" of {what} called")

    def _http(self, sid: str, state: State) -> None:
        assert state.http is not None
        known = self.findings.facts.services
        if known is not None and state.http.service not in known:
            place, service = self.at("states", sid, "http", "service"), state.http.service
            remedy = suggestion(service, sorted(known), SERVICE_REMEDY.format(service))
            self.add("unknown-service", place, no_service(service, known), remedy, text=service)
        self.text(state.http.path, self.at("states", sid, "http", "path"))
        for value, path in leaves(state.http.body, ("states", sid, "http", "body")):
            self.expression(value, self.at(*path), optional=True)
        for value, path in leaves(state.http.query, ("states", sid, "http", "query")):
            self.expression(value, self.at(*path), optional=True)
        for mine in state.http.returns:
            self.assigned(mine, "states", sid, "http", "returns", mine)
        company = self.findings.library.company
        declared = [] if company is None else [*company.facts]
        for fact in state.http.facts:
            if fact not in declared:
                remedy = suggestion(fact, declared, "declare it in company.yaml under facts: with its type")
                self.add(
                    "unknown-fact", self.key("states", sid, "http", "facts", fact), f"there is no fact {fact}", remedy
                )
        self._outcomes(sid, state, HTTP_OUTCOMES, "an http call")

    def _call(self, sid: str, state: State) -> None:
        callee = self.findings.library.flows.get(state.call)
        for name, value in state.arguments.items():
            self.given(name, value, self.at("states", sid, "with", name), optional=True)
            if callee is not None and name not in callee.parameters:
                place = self.key("states", sid, "with", name)
                self.unknown("parameter", place, name, callee.parameters, f" of {state.call} called")
        if callee is None:
            return
        if not callee.results:
            why = f"{state.call} never returns"
            remedy = f"give {state.call} a state with return:, or go there another way"
            self.add("never-returns", self.at("states", sid, "call"), why, remedy)
            return
        self._returns(sid, state, {value for s in callee.states.values() for value in s.values}, state.call)
        results = callee.results if state.goto is None else tuple(r for r in callee.results if r in state.on)
        self._outcomes(sid, state, results, state.call)

    def _return(self, sid: str, state: State) -> None:
        for name, value in state.values.items():
            self.given(name, value, self.at("states", sid, "values", name))

    def _handoff(self, sid: str, state: State) -> None:
        verb, wanted = ("handoff", state.handoff) if state.handoff is not None else ("wait", state.line)
        assert wanted is not None
        for part in ("reason", "skill"):
            self.text(getattr(wanted, part), self.at("states", sid, verb, part))
        self._skill(wanted.skill, self.at("states", sid, verb, "skill"))
        outcomes = tuple(o for o in HANDOFF_OUTCOMES if o != "dropped" or o in state.on)  # else it is as if it failed
        self._outcomes(sid, state, outcomes, f"a {verb}")

    def _wait(self, sid: str, state: State) -> None:
        self._handoff(sid, state)
        self._choices(sid, state)

    def _resume(self, sid: str, state: State) -> None:
        self._outcomes(sid, state, ("none",) if state.goto is None else (), "taking up a call")


def _wordings(findings: Findings, facts: frozenset[str]) -> None:
    """The same for overlays' texts and phrases, in each flow they speak for."""
    for overlay, wording in findings.library.wordings.items():
        flow = findings.library.flows.get(overlay[0])
        if flow is None:
            continue
        names = _Names(findings, overlay[0], flow, facts)
        for prompt_id, prompt in wording.prompts.items():
            names.prompt(prompt, ("prompts", prompt_id), partial(findings.overlay, overlay))
        for intent, phrases in wording.intents.items():
            for index, phrase in enumerate(phrases):
                names.phrase(phrase, findings.overlay(overlay, "intents", intent, index))
