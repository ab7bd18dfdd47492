"""``--profile gethuman-1.0``: what the GetHuman customer service standard, version 1.0, asks of automated lines.

Source: gethuman.com/standard/v1.0.html (2006), ten rules. In our words, and where each is checked:

1. 0 and the word "operator" always queue for a human.      ``gethuman-1`` here; that they always work, by the engine
2. The expected wait is told on entering the queue.         the desk's announcements, not in flow files: not checked
3. Nobody repeats what they already said or keyed.          ``gethuman-3`` here; what agents get, by the hand-over
4. No human free: a call back is offered.                   ``gethuman-4`` here; closed hours always (``no-callback``)
5. Speech has a touch-tone fall-back.                       always (``no-key``)
6. Nobody has to listen to long prompts.                    ``gethuman-6`` here, stricter than ``long-prompt``
7. Prompts can be interrupted.                              ``gethuman-7`` here
8. Nobody is cut off for their errors, silence included.    always (``hangs-up``, ``silent-loop``)
9. The usual language first, with a way to another.         by called number, in config.toml: not checked
10. Agents can be understood.                               no matter of flow files: not checked

The phrases that an earlier draft of the standard calls annoying are always refused (``banned-phrase``).
"""

from __future__ import annotations

from collections.abc import Mapping

from ivr.dialogue.checker.explore import Walker
from ivr.dialogue.checker.graph import spoken
from ivr.dialogue.checker.report import Report
from ivr.dialogue.checker.run import OWED, Run
from ivr.dialogue.checker.steps import graphs_of
from ivr.dialogue.checker.texts import prompt_texts
from ivr.dialogue.flows.model_errors import listing
from ivr.dialogue.flows.wording import Wordings
from ivr.dialogue.spoken.languages import LANGUAGES
from ivr.dialogue.spoken.tags import primary

NAME = "gethuman-1.0"
LONGEST = 45  # words, questions too
LONGEST_OPENING = 40  # words before the caller is first asked something
NOT_CHECKED: Mapping[int, str] = {
    2: "expected waits are announced by the desk",
    9: "languages are chosen by called number in config.toml",
    10: "agents are people",
}


def check_gethuman(report: Report) -> None:
    _zero_and_operator(report)
    graphs = graphs_of(report.library)
    walker = Walker(graphs, report.library.universals.human_flow)
    called = {n.call for g in graphs.values() for n in g.nodes if n.call}
    human = report.library.universals.human_flow
    entries = [f for f in graphs if f not in called or f in (report.around.entries or ())]
    for flow in entries:
        run = walker.run(flow, frozenset(), OWED, True)
        if flow == human:
            _call_back_offered(report, run)
        elif report.around.entries is None or flow in report.around.entries:
            _opening(report, run)
    for run in list(walker.runs.values()):
        _asked_again(report, run)
    _prompts(report)


def _zero_and_operator(report: Report) -> None:
    universals = report.library.universals
    if "0" not in universals.human.keys:
        place = report.universals("human", key=True)
        report.add("gethuman-1", place, "0 does not queue for a human", 'add "0" to keys:')
    for language in report.library.languages:
        known = LANGUAGES.get(primary(language))
        wanted = known.operator if known is not None else ()
        said = {p.lower() for p in Wordings(report.library, language, "neutral").universal("human")}
        if wanted and said and not said & set(wanted):
            place = report.universals("human", "phrases")
            why = f"in {language} the word “{wanted[0]}” does not queue for a human"
            report.add("gethuman-1", place, why, f"add {wanted[0]} to what callers say for a human", text=wanted[0])


def _call_back_offered(report: Report, run: Run) -> None:
    if not run.promises:
        flow = run.graph.flow.flow
        why = "when no human is free the caller is not offered a call back"
        remedy = "lead the handoff's failed: and closed: to a question that offers one, and perform callback.request"
        report.add("gethuman-4", report.key(flow, "states"), why, remedy, text=flow)


def _opening(report: Report, run: Run) -> None:
    """How many words stand between answering and the first question."""
    config = run.starts[0][0]
    said, seen = 0, set()
    while config not in seen:
        seen.add(config)
        node = run.graph.nodes[config[0]]
        first = node.state.prompt.get(1, ())
        said += max((len(text.split()) for item in first for text in (item.say, *item.variants)), default=0)
        onward = [m.to for m in run.silent_moves(config) if isinstance(m.to, tuple)]
        if run.listens(config) or not onward:
            break
        config = onward[0]
    if said > LONGEST_OPENING:
        flow = run.graph.flow.flow
        why = f"callers hear {said} words before they are asked anything"
        place = report.key(flow, "states", run.graph.nodes[config[0]].name)
        report.add("gethuman-6", place, why, f"greet and ask within {LONGEST_OPENING} words", path=run.path_to(config))


def _asked_again(report: Report, run: Run) -> None:
    """A sub-flow asks for what its caller knows already and could have passed."""
    for config in run.calls:
        node = run.graph.nodes[config[0]]
        callee = report.library.flows[node.call]
        asked = {s.ask for s in callee.states.values() if s.ask in callee.parameters}
        known = set(run.graph.variables(run.filled[config] | node.fills))
        forgotten = sorted((asked & known) - node.given - node.perhaps)
        if forgotten:
            flow = run.graph.flow.flow
            place = report.at(flow, "states", node.name, "call")
            why = f"{node.call} asks for {listing(forgotten)} again, which the caller has given already"
            remedy = f"pass it: with: {{{forgotten[0]}: {forgotten[0]}}}"
            report.add("gethuman-3", place, why, remedy, path=run.path_to(config))


def _prompts(report: Report) -> None:
    for name, flow in report.library.flows.items():
        if not flow.defaults.bargein:
            place = report.at(name, "defaults", "bargein")
            report.add("gethuman-7", place, "no prompt here can be interrupted", "remove bargein: false")
        for sid, state in flow.states.items():
            if state.bargein is False:
                place = report.at(name, "states", sid, "bargein")
                report.add("gethuman-7", place, f"the prompt of {sid} cannot be interrupted", "remove bargein: false")
            for _, prompt, path in spoken(state):
                for text, here in prompt_texts(prompt, ("states", sid, *path)):
                    if len(text.split()) > LONGEST:
                        why = f"{len(text.split())} words in one breath"
                        place = report.at(name, *here)
                        report.add("gethuman-6", place, why, f"say it in {LONGEST} words", text=text)
