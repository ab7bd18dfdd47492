"""``--profile gethuman-1.0``: what the GetHuman customer service standard, version 1.0, asks of automated lines.

Source: gethuman.com/standard/v1.0.html (2006), ten rules. In our words, and where each is checked:

1. 0 and the word "operator" always queue for a human.      ``gethuman-1`` here; that they always work, by the engine
2. The expected wait is told on entering the queue.         the desk's announcements: not in flow files
3. Nobody repeats what they already said or keyed.          ``gethuman-3`` here; what agents get, by the hand-over
4. No human free: a call back is offered.                   ``gethuman-4`` here; closed hours always (``no-callback``)
5. Speech has a touch-tone fall-back.                       always (``no-key``)
6. Nobody has to listen to long prompts.                    ``gethuman-6`` here, stricter than ``long-prompt``
7. Prompts can be interrupted.                              ``gethuman-7`` here
8. Nobody is cut off for their errors, silence included.    always (``hangs-up``, ``silent-loop``)
9. The usual language first, with a way to another.         ``gethuman-9`` here; which is usual, by called number.
                                                            "Based on consumer demographics": whose callers speak one
                                                            language declares so, and the finding is a note
10. Agents can be understood.                               no matter of flow files

The phrases that an earlier draft of the standard calls annoying are always refused (``banned-phrase``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from ivr.dialogue.checker.explore import Walker
from ivr.dialogue.checker.findings import Findings
from ivr.dialogue.checker.graph import Run
from ivr.dialogue.checker.steps import graphs_of
from ivr.dialogue.flows.model_errors import listing
from ivr.dialogue.flows.prompt import Prompt, TaperedPrompt
from ivr.dialogue.flows.source import Place
from ivr.dialogue.flows.wording import Wordings
from ivr.dialogue.spoken.language import primary
from ivr.dialogue.spoken.languages import LANGUAGES

NAME = "gethuman-1.0"
LONGEST = 45  # words at a stretch, questions too
LONGEST_OPENING = 40  # words before the caller is first asked something
NOT_CHECKED: Mapping[int, str] = {
    2: "the expected wait is told on entering the queue: that is the desk's to announce",
    10: "agents can be understood: they are people",
}


def check_gethuman(findings: Findings) -> None:
    _zero_and_operator(findings)
    walker = Walker(graphs_of(findings.library, findings.assurance), findings.library.universals.human_flow)
    for flow in walker.entries(findings.facts.entries):
        run = walker.run(flow, True)
        if flow == walker.human_flow:
            _call_back_offered(findings, run)
        elif findings.facts.entries is None or flow in findings.facts.entries:
            _opening(findings, run)
    for run in list(walker.runs.values()):
        _asked_again(findings, run)
    _prompts(findings)
    _languages(findings)


def _zero_and_operator(findings: Findings) -> None:
    universals = findings.library.universals
    if "0" not in universals.human.keys:
        place = findings.universals("human", key=True)
        findings.add("gethuman-1", place, "0 does not queue for a human", 'add "0" to keys:')
    for language in findings.library.languages:
        known = LANGUAGES.get(primary(language))
        wanted = known.operator if known is not None else ()
        said = {p.lower() for p in Wordings(findings.library, language, "neutral").universal("human")}
        if wanted and said and not said & set(wanted):
            place = findings.universals("human", "phrases")
            why = f"in {language} the word “{wanted[0]}” does not queue for a human"
            findings.add("gethuman-1", place, why, f"add {wanted[0]} to what callers say for a human", text=wanted[0])


def _call_back_offered(findings: Findings, run: Run) -> None:
    if not run.promises:
        flow = run.graph.flow.flow
        why = "when no human is free the caller is not offered a call back"
        remedy = (
            f"lead the handoff's failed: and closed: to a question that offers one, and perform {findings.callback}"
        )
        findings.add("gethuman-4", findings.key(flow, "states"), why, remedy, text=flow)


def _opening(findings: Findings, run: Run) -> None:
    """How many words stand between answering and the first question."""
    config = run.starts[0][0]
    said, seen = 0, set()
    while config not in seen:
        seen.add(config)
        node = run.graph.nodes[config[0]]
        if node.kind != "resume":  # which only speaks when there is a call to take up, and then asks
            said += _length(node.state.prompt.get(1, ()))
        onward = [m.to for m in run.silent_moves(config) if isinstance(m.to, tuple)]
        if run.listens(config) or not onward:
            break
        config = onward[0]
    if said > LONGEST_OPENING:
        flow = run.graph.flow.flow
        why = f"callers hear {said} words before they are asked anything"
        place = findings.key(flow, "states", run.graph.nodes[config[0]].name)
        findings.add(
            "gethuman-6", place, why, f"greet and ask within {LONGEST_OPENING} words", path=run.path_to(config)
        )


def _asked_again(findings: Findings, run: Run) -> None:
    """A sub-flow asks for what its caller knows already and could have passed."""
    for config in run.calls:
        node = run.graph.nodes[config[0]]
        callee = findings.library.flows[node.call]
        asked = {s.ask for s in callee.states.values() if s.ask in callee.parameters}
        known = set(run.graph.variables(run.filled[config] | node.fills))
        forgotten = sorted((asked & known) - node.given - node.perhaps)
        if forgotten:
            flow = run.graph.flow.flow
            place = findings.at(flow, "states", node.name, "call")
            why = f"{node.call} asks for {listing(forgotten)} again, which the caller has given already"
            remedy = f"pass it: with: {{{forgotten[0]}: {forgotten[0]}}}"
            findings.add("gethuman-3", place, why, remedy, path=run.path_to(config))


def _prompts(findings: Findings) -> None:
    for name, flow in findings.library.flows.items():
        if not flow.defaults.bargein:
            place = findings.at(name, "defaults", "bargein")
            findings.add("gethuman-7", place, "no prompt here can be interrupted", "remove bargein: false")
        for sid, state in flow.states.items():
            if state.bargein is False:
                place = findings.at(name, "states", sid, "bargein")
                findings.add("gethuman-7", place, f"the prompt of {sid} cannot be interrupted", "remove bargein: false")
            for _, prompt, path in state.prompts():
                _short(findings, prompt, partial(findings.at, name, "states", sid, *path))
    for overlay, wording in findings.library.wordings.items():
        for prompt_id, prompt in wording.prompts.items():
            _short(findings, prompt, partial(findings.overlay, overlay, "prompts", prompt_id))


def _short(findings: Findings, prompt: TaperedPrompt, place_of: Callable[..., Place]) -> None:
    for count, items in prompt.items():
        if (words := _length(items)) > LONGEST:
            text = " ".join(item.say or item.variants[0] for item in items if item.say or item.variants)
            why = f"{words} words in one breath"
            findings.add("gethuman-6", place_of(count), why, f"say it in {LONGEST} words", text=text)


def _length(items: Prompt) -> int:
    """How many words are said at a stretch: all items that are always said, and of the others the longest."""
    lengths = [(max(len(t.split()) for t in item.variants or (item.say,)), item.condition) for item in items]
    return sum(n for n, condition in lengths if not condition) + max((n for n, c in lengths if c), default=0)


def _one_language(findings: Findings, declared: str) -> None:
    if declared:
        why = f"declared: one language, {declared}; 0 brings a person to whoever speaks another"
        remedy = "leave it so while your callers speak one language"
        place = findings.universals("one_language")
        findings.add("gethuman-9", place, why, remedy, severity="note")
        return
    why = "the flows speak one language only"
    remedy = "add wordings in the second language of your callers, or declare that they have none: one_language: "
    remedy += findings.library.universals.language
    findings.add("gethuman-9", findings.universals("universals"), why, remedy)


def _languages(findings: Findings) -> None:
    library = findings.library
    edges = (t.edge for flow in library.flows.values() for s in flow.states.values() for t in s.transitions())
    if len({primary(language) for language in library.languages}) < 2:
        _one_language(findings, library.universals.one_language)
    elif not library.universals.languages and not any(edge.language for edge in edges):
        why = "no caller can ask for another language"
        remedy = "add languages: with what callers say and key for each"
        findings.add("gethuman-9", findings.universals("universals"), why, remedy)
