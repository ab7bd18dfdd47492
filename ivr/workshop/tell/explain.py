"""Explanations of a state, or a flow, in plain words: for designers who didn't write it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from ivr.dialogue.flows.assurance import Assurance
from ivr.dialogue.flows.glossary import POLICIES, PROMPTS, RISKS, TARGETS, detail, short, taken
from ivr.dialogue.flows.library import FlowLibrary
from ivr.dialogue.flows.model import Flow
from ivr.dialogue.flows.prompt import TaperedPrompt
from ivr.dialogue.flows.signature import NOT_VERIFIED
from ivr.dialogue.flows.state import HUMAN, State, Transition
from ivr.dialogue.flows.wording import Wordings
from ivr.identity import IdentityLevel
from ivr.workshop.compare.change import listed, named, ordinal
from ivr.workshop.compare.diff_states import policy_of
from ivr.workshop.picture.cards import first_words
from ivr.workshop.tell.routes import AT_HUMAN, RouteStep, Spot, route_to, route_to_human
from ivr.workshop.tell.samples import Samples

_WIDTH = 100
_SHOWN = 3  # phrases of an intent


@dataclass(frozen=True, slots=True)
class Explanation:
    """``sections``: lines by their heading; one without lines isn't shown."""

    title: str
    sections: Mapping[str, Sequence[str]]

    def render(self) -> str:
        fill = partial(textwrap.fill, width=_WIDTH, initial_indent="  ", subsequent_indent="    ")
        blocks = [self.title]
        for heading, lines in self.sections.items():
            body = [fill(line, break_on_hyphens=False) for line in lines]
            blocks += ["\n".join((heading, *body))] if body else []
        return "\n\n".join(blocks) + "\n"


def explain_state(
    library: FlowLibrary,
    flow: str,
    state: str,
    *,
    language: str | None = None,
    persona: str = "neutral",
    examples: Sequence[str] = (),
) -> Explanation:
    """``language``: None for the flow's own. ``examples``: names that callers may say, out of the vocabularies."""
    owner = library.flows[flow]
    return _StateExplanation(
        library, owner, state, Wordings(library, language or owner.language, persona), examples
    ).whole()


def explain_flow(
    library: FlowLibrary, flow: str, *, language: str | None = None, persona: str = "neutral"
) -> Explanation:
    owner = library.flows[flow]
    words = Wordings(library, language or owner.language, persona)
    about = " ".join(owner.about.split())
    called = [f"{f}.{s}" for f, s in library.callers_of(flow)]
    came = [f"{s} calls it" for s in called] or ["calls are answered by it, if config.toml says so"]
    if flow == library.universals.human_flow:
        came = ["every road to a human ends here: zero, asking for a person, a failure, three misunderstandings"]
    states = [f"{name}: {_brief(words, flow, name, state)}" for name, state in owner.states.items()]
    remembered = [
        f"{name}: {spec.type}" + (", kept when the call drops" if spec.survive else "")
        + (f". {' '.join(spec.about.split())}" if spec.about else "")
        for name, spec in {**owner.parameters, **owner.variables}.items()
    ]  # fmt: skip
    sections: Mapping[str, Sequence[str]] = {
        "How callers get here": came,
        "What it can be given": [named(tuple(owner.parameters))] if owner.parameters else (),
        "What it returns": [named(owner.results)] if owner.results else (),
        "What it remembers": remembered,
        f"Its states, beginning at {owner.start}": states,
    }
    return Explanation(f"{flow}, a flow of {len(owner.states)} states. {about}".strip(), sections)


def _brief(words: Wordings, flow: str, name: str, state: State) -> str:
    said = first_words(words.prompt(flow, name, state.prompt))
    return detail(state) + (f", “{said}”" if said else "")


class _StateExplanation:
    def __init__(self, library: FlowLibrary, flow: Flow, name: str, words: Wordings, examples: Sequence[str]) -> None:
        self.library, self.flow, self.name, self.words = library, flow, name, words
        self.state = flow.states[name]
        self.kind = self.state.kinds[0]
        self.examples = examples
        self.samples = Samples(flow, words, examples)

    def whole(self) -> Explanation:
        about = " ".join(self.state.about.split())
        title = f"{self.flow.flow}.{self.name}: {detail(self.state)}." + (f" {about}" if about else "")
        asks = self.kind in ("question", "resume")
        heard = asks or self.kind == "wait"
        sections: Mapping[str, Iterable[str]] = {
            "How callers get here": self._arrivals(),
            "What they hear": self._heard(),
            "What they can say": self._sayable() if heard else (),
            "What they can key": self._keys() if heard else (),
            "What is done": self._done(),
            "Where it leads": self._led(),
            "When callers are silent or not understood": self._reprompts() if asks else (),
            "To a human": self._human(),
        }
        return Explanation(title, {heading: tuple(lines) for heading, lines in sections.items()})

    # --- getting here ---------------------------------------------------------------------------------------------

    def _arrivals(self) -> Iterator[str]:
        if self.name == self.flow.start:
            called = [f"{f}.{s}" for f, s in self.library.callers_of(self.flow.flow)]
            yield f"{self.flow.flow} begins here" + (f"; it is called by {', '.join(called)}" if called else "")
        arrivals: dict[str, list[str]] = {}
        for other, state in self.flow.states.items():
            told = [self._told(w) for w in state.transitions() if w.target == self.name]
            if told:
                arrivals.setdefault("; ".join(told), []).append(other)
        for how, others in arrivals.items():
            yield f"from {', '.join(others)}: {how}"
        route = route_to(self.library, (self.flow.flow, self.name))
        if route is None:
            yield "no call comes here"
        elif route:
            yield f"the shortest way: {self._route(route)}"

    def _told(self, transition: Transition) -> str:
        if transition.kind == "choice":
            said = self.samples.phrases(transition.name)
            return f"“{said[0]}”" if said else f"choosing {transition.name}"
        return taken(transition)

    def _route(self, route: Sequence[RouteStep]) -> str:
        parts = [".".join(route[0].source)]
        for step in route:
            if step.transition is not None and step.transition.kind != "then":
                samples = Samples(self.library.flows[step.source[0]], self.words, self.examples)
                said = samples.phrases(step.transition.name) if step.transition.kind == "choice" else ()
                parts.append(f"[{f'“{said[0]}”' if said else short(step.transition)}]")
            spot = step.target[1] if step.target[0] == step.source[0] else ".".join(step.target)
            parts.append(HUMAN if step.target == AT_HUMAN else spot)
        return " > ".join(parts).replace(" > [", " [")

    # --- hearing and answering --------------------------------------------------------------------------------------

    def _heard(self) -> Iterator[str]:
        yield from self._prompt("", self.state.prompt)
        if self.state.ask:
            onward = self._where(self.state.goto)
            yield f"When {self.state.ask} is known already they are not asked, and go on to {onward}."
        if self.state.help:
            yield from self._prompt("help", self.state.help, f"{PROMPTS['help']}: ")
        if self.state.one_moment:
            yield from self._prompt("wait", self.state.one_moment, f"{PROMPTS['wait']}: ")
        if (line := self.state.line) is not None:
            yield from self._prompt("told", line.told, f"{PROMPTS['told']}: ")
            yield from self._prompt("again", line.again, f"{PROMPTS['again']}: ")
            music = (
                "the line's music" if line.music is None else f"the recording {line.music}" if line.music else "quiet"
            )
            often = f"every {line.every:g} s" if line.every else "as often as config.toml says"
            yield f"Between these: {music}. They are told {often}, when it gets better and when they ask."
        if self.state.bargein is False:
            yield "They can't answer before the end of it; zero and asking for a human work all the same."

    def _prompt(self, part: str, prompt: TaperedPrompt | None, before: str = "") -> Iterator[str]:
        found = self.words.prompt(self.flow.flow, f"{self.name}.{part}" if part else self.name, prompt)
        for count, items in sorted(found.items()):
            when = f"from the {ordinal(count)} time on: " if count > 1 else "the first time: " if len(found) > 1 else ""
            for item in items:
                said = " or ".join(f"“{text}”" for text in item.variants) if item.variants else f"“{item.say}”"
                said += f" (recorded: {item.audio})" if item.audio else ""
                yield before + when + (f"if {item.condition}: {said}" if item.condition else said)

    def _sayable(self) -> Iterator[str]:
        if self.kind == "resume":
            yield "yes, to go on where the last call stopped; no, to begin anew"
        if self.state.ask:
            said = listed(self.samples.values(self.state.ask))
            yield f"{self.state.ask}, for example {said}: {self._where(self.state.goto)}"
        for transition in self.state.transitions():
            if transition.kind == "choice":
                phrases = self.samples.phrases(transition.name)
                more = f" and {len(phrases) - _SHOWN} more ways" if len(phrases) > _SHOWN else ""
                said = ", ".join(f"“{p}”" for p in phrases[:_SHOWN])
                only = f" (only if {transition.condition})" if transition.condition else ""
                yield f"{transition.name}{only}: {said or 'nothing in this language'}{more}: {self._target(transition)}"
        yield "and everywhere: repeat, help, go back, goodbye, and anything that asks for a human"

    def _keys(self) -> Iterator[str]:
        for choice in self.state.choices:
            if choice.key:
                label = self.words.label(self.flow.flow, self.name, choice.intent, choice.label)
                yield f"{choice.key}: {label or choice.intent}"
        spec = self.flow.variables.get(self.state.ask) or self.flow.parameters.get(self.state.ask)
        if spec is not None:
            own = self.words.prompt(self.flow.flow, f"{self.name}.key_entry", self.state.key_entry)
            entry = first_words(own or self.words.system(f"key_entry_{spec.type}"))
            if spec.type == "choice":
                values = self.words.values(self.flow.flow, self.state.ask, spec.values)
                entry = ", ".join(f"{i}: {p[0]}" for i, p in enumerate(values.values(), 1) if p)
            yield f"for {self.state.ask}: {entry}"
        if self.kind == "resume":
            yield "1: yes, 2: no"
        human = ", ".join(self.library.universals.human.keys)
        others = (("repeat", "**"), ("help", "*1"), ("back", "*2"), ("goodbye", "*9"))
        keys = [(n, ", ".join(getattr(self.library.universals, n).keys) or k) for n, k in others]
        if anew := self.library.universals.start_over.keys:
            keys.append(("start over", ", ".join(anew)))
        yield f"{human}: a human; " + "; ".join(f"{k}: {n}" for n, k in keys)

    # --- doing and going on -----------------------------------------------------------------------------------------

    def _done(self) -> Iterator[str]:
        state = self.state
        if state.set:
            yield f"on entering: {named(state.set)}"
        if state.action:
            signature = self.library.signatures.get(state.action)
            about = f": {signature.about}" if signature and signature.about else ""
            given = f" It is given {named(state.arguments)}." if state.arguments else ""
            yield f"{state.action}{about}{given}"
        if state.http is not None:
            http = state.http
            body = f", with {named(http.body)}" if http.body else ""
            yield f"{http.method} {http.path} of the service {http.service}{body}"
        if state.action or state.http:
            risk, policy = policy_of(self.library, state)
            yield f"It is {RISKS[risk]}; beforehand callers are {POLICIES[policy]}."
            yield from self._identity()
            if state.confirm is not None:
                yield from self._prompt("confirm", state.confirm.prompt, "the question: ")
            yield "While it runs a human can be asked for. Trying again never does it twice."
        if state.call:
            given = f", given {named(state.arguments)}" if state.arguments else ""
            about = " ".join(self.library.flows[state.call].about.split()) if state.call in self.library.flows else ""
            yield f"the flow {state.call} takes over{given}. {about}"
        if state.result:
            yield f"this flow ends with the result {state.result}; the flow that called it goes on"
        if state.handoff is not None:
            reason, skill = state.handoff.reason or "what led here", state.handoff.skill or "what led here wants"
            yield f"an agent is called; reason: {reason}; skill: {skill}"
        if state.line is not None:
            reason, skill = state.line.reason or "what led here", state.line.skill or "what led here wants"
            yield f"the caller waits in the line for an agent; reason: {reason}; skill: {skill}"
            yield "Silence means nothing here, and no clock ends it: callers do, or an agent"
        if state.end:
            yield f"the call ends; its outcome is {state.end}"
        if state.clear:
            yield f"on leaving, {named(state.clear)} is forgotten"

    def _identity(self) -> Iterator[str]:
        """Which level it needs, and which it gives."""
        assurance = Assurance(self.library.signatures, self.library.flows.values())
        needs = assurance.needed(self.state)
        if needs is not IdentityLevel.UNKNOWN:
            usual = "" if assurance.declared(self.state) else ", as everything does that declares no level"
            refused = self.state.on.get(NOT_VERIFIED)
            whither = self._where(refused) if refused is not None else "a human"
            yield f"It needs a caller who is {needs.word}{usual}; others are refused, and go on to {whither}."
        for outcome in self.state.on:
            if (given := assurance.given(self.state, outcome)) is not None:
                yield f"After {outcome} the caller is {given.told}."

    def _led(self) -> Iterator[str]:
        for transition in self.state.transitions(implied=True):
            if transition.kind in ("choice", "answer"):
                continue
            yield f"{taken(transition)}: {self._target(transition)}" + self._said(transition)
        if self.kind in ("handoff", "wait"):
            yield "when an agent answers: the agent has the call, with all that was said"
            if "dropped" not in self.state.on and "failed" in self.state.on:
                yield f"when the agent's line drops: {self._where(self.state.on['failed'])}"

    def _said(self, transition: Transition) -> str:
        if not transition.edge.say:
            return ""
        prompt = self.words.prompt(self.flow.flow, f"{self.name}.{transition.prompt_id}", transition.edge.say)
        return f", saying “{first_words(prompt)}”"

    def _target(self, transition: Transition) -> str:
        text = self._where(transition.edge)
        if transition.edge.set:
            text += f", setting {named(transition.edge.set)}"
        if transition.edge.clear:
            text += f", forgetting {named(transition.edge.clear)}"
        return text

    def _where(self, edge: object) -> str:
        target = getattr(edge, "goto", HUMAN)
        if target in self.flow.states:
            return target + (" (and so to a human)" if self.flow.leads_to_human(target) else "")
        reason = getattr(edge, "reason", "")
        return TARGETS.get(target, target) + (f" (reason: {reason})" if reason and target == HUMAN else "")

    # --- reprompts, and a human --------------------------------------------------------------------------------------

    def _reprompts(self) -> Iterator[str]:
        timeout = self.state.timeout or self.flow.defaults.timeout
        yield f"nothing is heard for {timeout:g} s, the first time: {self._own('noinput', self.state.noinput)}"
        yield f"nothing is understood, the first time: {self._own('nomatch', self.state.nomatch)}"
        yield f"the second time in a row: “{first_words(self.words.system('offer_keys'))}”, and the keys are read out"
        yield f"the third time: “{first_words(self.words.system('not_understood'))}”, and a human takes over"

    def _own(self, part: str, prompt: TaperedPrompt | None) -> str:
        own = self.words.prompt(self.flow.flow, f"{self.name}.{part}", prompt)
        return f"“{first_words(own or self.words.system(part))}”" + ("" if own else ", and the question again")

    def _human(self) -> Iterator[str]:
        phrases = self.words.universal("human")
        if self.flow.flow == self.library.universals.human_flow:
            yield "This is the human flow: asking for a person here begins it anew. It never hangs up for it."
        else:
            yield f"saying {listed(phrases[:1] or ('agent',))} or pressing 0: at once, from here and from everywhere"
        broken = [w for w in self.state.transitions() if w.failure]
        if broken:
            names = " or ".join(w.name for w in broken)
            yield f"when something of ours breaks ({names}): {self._where(broken[0].edge)}"
        spot: Spot = (self.flow.flow, self.name)
        route = route_to_human(self.library, spot)
        if route:
            yield f"the shortest way by itself: {self._route(route)}"
        if self.kind not in ("handoff", "wait"):
            yield f"outside hours the flow {self.library.universals.human_flow} says so, and finds another way"
