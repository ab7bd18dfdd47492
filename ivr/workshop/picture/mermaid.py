"""A flow, or a folder of them, as Mermaid text: for wikis and reviews that draw it themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ivr.dialogue.flows.finding import Finding
from ivr.dialogue.flows.glossary import TARGETS, detail, short
from ivr.dialogue.flows.library import FlowLibrary
from ivr.dialogue.flows.model import Flow
from ivr.dialogue.flows.state import STAYING_TARGETS
from ivr.workshop.picture.svg import faults_by_state
from ivr.workshop.picture.text_width import fitted
from ivr.workshop.picture.traffic import Traffic

_BOX = ('["', '"]')
_SHAPES = {"question": ('(["', '"])'), "branch": ('{{"', '"}}'), "call": ('[["', '"]]'), "return": ('>"', '"]'),
           "handoff": ('(("', '"))'), "wait": ('(("', '"))'),
           "end": ('(("', '"))'), "resume": ('{{"', '"}}'), "say": ('("', '")')}  # fmt: skip
_ENDS = ("human", "goodbye", "back", "machine")
_CLASSES = (
    "classDef human stroke:#b5179e,stroke-width:2px",
    "classDef error stroke:#c62828,stroke-width:3px",
    "classDef warning stroke:#b26a00,stroke-width:2px",
    "classDef start stroke-width:3px",
)
_ROOM = 190.0


def render_mermaid(
    library: FlowLibrary, flows: Sequence[str], *, findings: Sequence[Finding] = (), traffic: Traffic | None = None
) -> str:
    """``flows`` as one flowchart: a subgraph each where there are several."""
    lines = ["flowchart LR"]
    marks: dict[str, list[str]] = {}
    for name in flows:
        flow = library.flows[name]
        inner = list(_flow(flow, traffic, marks))
        for state, found in faults_by_state(library, name, findings).items():
            if state in flow.states:
                bad = any(f.severity == "error" for f in found)
                marks.setdefault("error" if bad else "warning", []).append(_id(name, state))
        if len(flows) > 1:
            inner = [f"  subgraph f_{name}[{_quoted(name)}]", *(f"  {line}" for line in inner), "  end"]
        lines += inner
    if len(flows) > 1:
        lines += _calls(library, flows)
    lines += [f"  {text}" for text in _CLASSES]
    lines += [f"  class {','.join(dict.fromkeys(ids))} {mark}" for mark, ids in marks.items()]
    return "\n".join(lines) + "\n"


def _flow(flow: Flow, traffic: Traffic | None, marks: dict[str, list[str]]) -> Iterator[str]:
    ends: set[str] = set()
    edges: dict[tuple[str, str, bool], list[str]] = {}
    marks.setdefault("start", []).append(_id(flow.flow, flow.start))
    for name, state in flow.states.items():
        opening, closing = _SHAPES.get(state.kinds[0], _BOX)
        yield f"  {_id(flow.flow, name)}{opening}{_escaped(name)}<br/><small>{_escaped(detail(state))}</small>{closing}"
        for transition in state.transitions():
            stays = transition.target in ("again", "repeat") or (state.line and transition.target in STAYING_TARGETS)
            target = name if stays else transition.target
            if target in _ENDS and target not in flow.states:
                ends.add(target)
            text = (f"{transition.key}: " if transition.key else "") + short(transition)
            edges.setdefault((name, target, transition.failure), []).append(text)
    for end in sorted(ends):
        yield f'  {_id(flow.flow, end, "to")}(("{TARGETS[end].partition(",")[0]}"))'
    if "human" in ends:
        marks.setdefault("human", []).append(_id(flow.flow, "human", "to"))
    for (source, target, failure), texts in edges.items():
        to = _id(flow.flow, target) if target in flow.states else _id(flow.flow, target, "to")
        label = fitted(" · ".join(dict.fromkeys(texts)), _ROOM)
        count = traffic.step(f"{flow.flow}.{source}", f"{flow.flow}.{target}") if traffic is not None else 0
        label += f" ({count})" if count else ""
        arrow = "-.->" if failure else "==>" if count else "-->"
        shown = f"|{_quoted(label)}|" if label != "then" else ""
        yield f"  {_id(flow.flow, source)} {arrow}{shown} {to}"


def _calls(library: FlowLibrary, flows: Sequence[str]) -> Iterator[str]:
    for name in flows:
        for state_id, state in library.flows[name].states.items():
            if state.call in flows:
                yield f"  {_id(name, state_id)} -.-> {_id(state.call, library.flows[state.call].start)}"


def _id(flow: str, state: str, prefix: str = "s") -> str:
    """Prefixed: a state called ``end`` would end the chart."""
    return f"{prefix}_{flow}__{state}"


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    named = {"&": "#amp;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "#": "#35;", "|": "#124;", "`": "#96;"}
    return "".join(named.get(c, c) for c in text)
