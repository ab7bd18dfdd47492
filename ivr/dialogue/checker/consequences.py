"""Confirmations and risks: who acts for a caller asks first where it matters; who may leave talks to a human."""

from __future__ import annotations

from collections.abc import Collection

from ivr.dialogue.checker.findings import Findings
from ivr.dialogue.checker.references import SPOKEN_TYPES
from ivr.dialogue.flows.condition import leaves, names_of
from ivr.dialogue.flows.model import AGITATION, RANGE_PARTS, Flow
from ivr.dialogue.flows.model_errors import listing, suggestion
from ivr.dialogue.flows.signature import IMPLICIT_OUTCOMES
from ivr.dialogue.flows.state import EdgeSpec, Path, State
from ivr.dialogue.flows.wording import names_in, slot_names
from ivr.events import MESSAGE_TAKE

USUAL_RISKS = ("cancellation", "anger")


def check_consequences(findings: Findings) -> None:
    for name, flow in findings.library.flows.items():
        _known_risks(findings, name, flow)
        for sid, state in flow.states.items():
            if state.kinds[0] in ("action", "http"):
                _confirmed(findings, name, flow, sid, state)
            _risks(findings, name, flow, sid, state)
            human = state.universals.get("human")
            if human is not None and human.goto and human.goto != "human":
                place = findings.at(name, "states", sid, "universals", "human", "goto")
                why = "asking for a human must lead to a human: it may be given other words here, but not another way"
                findings.add("human-overridden", place, why, "remove goto:")
    _risk_words(findings)


def _used(state: State, flow: Flow) -> list[str]:
    """The variables an action draws on that callers speak: not what the line made of a message."""
    variables, made = (
        flow.slots,
        {v for each in flow.states.values() if each.action == MESSAGE_TAKE for v in each.returns},
    )
    values = [*state.arguments.values(), *(value for value, _ in leaves(state.http.body if state.http else {}, ()))]
    names = set[str]().union(*map(names_of, values), names_in(state.http.path if state.http else ""))
    wholes = {name.rpartition(".")[0] for name in names}
    drawn_on = names | {v for v in wholes if v in variables and variables[v].type == "date_range"}
    return [v for v in variables if v in drawn_on - made and variables[v].type in SPOKEN_TYPES]


def _names(said: Collection[str], variable: str) -> bool:
    """Whether what is said tells a variable: a range also by its first day and how far it reaches."""
    parts = {part for part in RANGE_PARTS if f"{variable}.{part}" in said}
    return variable in said or ("start" in parts and len(parts) > 1)


def _confirmed(findings: Findings, name: str, flow: Flow, sid: str, state: State) -> None:
    signature = findings.library.signatures.get(state.action)
    risk = state.http.risk if state.http else signature.risk if signature else "none"
    policy = state.confirm.policy if state.confirm is not None else ""
    what = state.action or (state.http.service if state.http else "")
    spoken = _used(state, flow)
    path: Path = ("confirm",) if policy else ("action" if state.action else "http",)
    if policy and findings.library.positions(name, "states", sid).has("states", sid, "confirm", "policy"):
        path = ("confirm", "policy")
    place = findings.at(name, "states", sid, *path)
    if risk == "irreversible" and policy != "explicit":
        why = f"{what} cannot be undone, so it must be confirmed explicitly"
        remedy = "add confirm: {policy: explicit, prompt: …} that names what will be done"
        findings.add("unconfirmed", place, why, remedy)
    elif risk == "reversible" and policy == "none" and spoken:
        heard = f"with what was heard ({listing(spoken)}), unconfirmed even where it was doubtful"
        findings.add("unconfirmed", place, f"{what} changes something {heard}", "use policy: auto, or explicit")
    elif risk == "reversible" and policy == "implicit" and spoken:
        _implicit(findings, name, flow, sid, state, spoken)
    if policy in ("explicit", "auto") and state.confirm is not None and risk != "none":
        prompt = state.confirm.prompt
        if not prompt and policy == "explicit":
            why = f"the caller is asked to confirm {what} without hearing what that is"
            findings.add("confirm-unnamed", place, why, "add a prompt that names it", severity="warning")
        elif prompt and (unnamed := [v for v in spoken if not _names(slot_names(prompt), v)]):
            where = findings.key(name, "states", sid, "confirm", "prompt")
            why = f"the caller confirms without hearing {listing(unnamed)}"
            findings.add("confirm-unnamed", where, why, f"name it: {{{unnamed[0]}}}", severity="warning")


def _implicit(findings: Findings, name: str, flow: Flow, sid: str, state: State, spoken: list[str]) -> None:
    """The next thing said after the action has to name what was understood."""
    for outcome, edge in state.on.items():
        if outcome in IMPLICIT_OUTCOMES or edge.goto == "human":
            continue
        named = _next_words(flow, edge)
        if unnamed := [v for v in spoken if not _names(named, v)]:
            place = findings.key(name, "states", sid, "on", outcome)
            why = f"{listing(unnamed)} is confirmed only implicitly, but what is said after {outcome} does not name it"
            remedy = f"name it in the next prompt: {{{unnamed[0]}}}"
            findings.add("implicit-unnamed", place, why, remedy)


def _next_words(flow: Flow, edge: EdgeSpec) -> set[str]:
    if edge.say:
        return slot_names(edge.say)
    seen: set[str] = set()
    target = edge.goto
    while target in flow.states and target not in seen:
        seen.add(target)
        state = flow.states[target]
        if state.prompt:
            return slot_names(state.prompt)
        if state.kinds[0] != "say" or state.goto is None:
            break
        if state.goto.say:
            return slot_names(state.goto.say)
        target = state.goto.goto
    return set()


def _known_risks(findings: Findings, name: str, flow: Flow) -> None:
    """What the universals don't define, nobody is told of. (Cancellation and anger have meant something ever since.)"""
    known = sorted({*findings.library.universals.risks, *USUAL_RISKS})
    for intent, spec in flow.intents.items():
        if spec.risk and spec.risk not in known:
            place = findings.at(name, "intents", intent, "risk")
            remedy = suggestion(
                spec.risk, known, f"define it in the universals under risks:; there are {listing(known)}"
            )
            findings.add("unknown-risk", place, f"there is no risk {spec.risk}", remedy, text=spec.risk)


def _risks(findings: Findings, name: str, flow: Flow, sid: str, state: State) -> None:
    for index, choice in enumerate(state.choices):
        spec = flow.intents.get(choice.intent)
        risk = spec.risk if spec is not None else findings.library.risk_of(flow, choice.intent)
        if risk and choice.goto != "human":
            place = findings.at(name, "states", sid, "choices", index, "goto")
            why = f"{choice.intent} is a sign of {risk}, and leads to automation instead of a human"
            findings.add("risk-to-automation", place, why, "goto: human")


def _risk_words(findings: Findings) -> None:
    for name, risk in findings.library.universals.risks.items():
        if name != AGITATION and not risk.phrases and not risk.keywords:
            place = findings.universals("risks", name, key=True)
            findings.add(
                "no-phrases", place, f"the risk {name} has neither phrases nor keywords", "add what callers say"
            )
        if (risk.keywords or (risk.phrases and not risk.at_once)) and not risk.question:
            why = f"the risk {name} has no question: whoever only hints at it could not be asked"
            remedy = "add question: “Would you like to talk to somebody about …?”"
            findings.add("no-question", findings.universals("risks", name, key=True), why, remedy)
        known = findings.facts.skills
        if known is not None and risk.skill not in known:
            place = findings.universals("risks", name, "skill")
            why = f"there is no skill {risk.skill}"
            findings.add("unknown-skill", place, why, f"skills here: {listing(sorted(known))}", text=risk.skill)
