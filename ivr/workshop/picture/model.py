"""The model of a flow's picture, as JSON for a browser: the drawing, and what is searched and followed in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ivr.dialogue.flows.finding import Finding
from ivr.dialogue.flows.glossary import detail, short
from ivr.dialogue.flows.library import FlowLibrary
from ivr.dialogue.flows.model import Flow
from ivr.dialogue.flows.prompt import TaperedPrompt
from ivr.dialogue.flows.state import State
from ivr.errors import FlowError
from ivr.workshop.picture.cards import first_words
from ivr.workshop.picture.svg import Drawing, faults_by_state, rendered

_STYLE = "<style>", "</style>"


def picture_model(library: FlowLibrary, flow: str, findings: Sequence[Finding] = ()) -> Mapping[str, Any]:
    """``svg`` and its ``style`` apart (a page allows no style inside what it is given), ``states`` in the order of the
    file with their boxes, places (``file``, ``line`` to ``last``), words and ways on, ``findings`` by state. Lengths
    are in pixels at a scale of 1, where the smallest text is 11 high. Raises FlowError for an unknown flow."""
    drawing = Drawing(library, flow, (), None, ())
    svg, style = _apart(rendered(drawing))
    owner, boxes = drawing.flow, drawing.canvas.boxes()
    return {
        "flow": flow,
        "version": drawing.version,
        "about": " ".join(owner.about.split()),
        "start": owner.start,
        "width": drawing.width,
        "height": drawing.height,
        "svg": svg,
        "style": style,
        "flows": list(library.flows),
        "human": library.universals.human_flow,
        "states": [_state(library, owner, name, boxes[name]) for name in owner.states],
        "findings": found_in(library, flow, findings),
    }


def found_in(library: FlowLibrary, flow: str, findings: Sequence[Finding]) -> list[Mapping[str, Any]]:
    """The findings about ``flow``, each at its state; "" holds those about all of it."""
    return [
        {
            "flow": flow,
            "state": state if state in library.flows[flow].states else "",
            "severity": each.severity,
            "message": each.why,
            "remedy": each.remedy,
            "code": each.code,
            "file": each.file,
            "line": each.line,
        }
        for state, found in faults_by_state(library, flow, findings).items()
        for each in found
    ]


def _apart(svg: str) -> tuple[str, str]:
    before, _, rest = svg.partition(_STYLE[0])
    style, _, after = rest.partition(_STYLE[1])
    return before + after, style


def _state(library: FlowLibrary, flow: Flow, name: str, box: tuple[float, ...]) -> Mapping[str, Any]:
    state = flow.states[name]
    place, last = library.key_place(flow.flow, "states", name), _last_line(library, flow, name)
    x, y, width, height = (round(each, 1) for each in box)
    return {
        "name": name,
        "kind": state.kinds[0],
        "does": detail(state),
        "about": " ".join(state.about.split()),
        "file": place.file,
        "line": place.line,
        "last": last,
        "says": first_words(state.prompt),
        "words": " ".join(_words(state)),
        "action": state.action or (state.http.service if state.http is not None else ""),
        "calls": state.call,
        "ways": [
            {
                "to": way.target,
                "text": short(way),
                "key": way.key,
                "failure": way.failure,
                "state": way.target in flow.states and not state.reserves(way.target),
            }
            for way in state.transitions()
        ],
        **{"x": x, "y": y, "width": width, "height": height},
    }


def _last_line(library: FlowLibrary, flow: Flow, name: str) -> int:
    """Of a state: the line before the next one in its file, or that file's end."""
    place = library.key_place(flow.flow, "states", name)
    others = (library.key_place(flow.flow, "states", other) for other in flow.states)
    later = [other.line for other in others if other.file == place.file and other.line > place.line]
    return min(later) - 1 if later else max(place.line, library.sources.get(place.file, "").count("\n") + 1)


def _words(state: State) -> Iterator[str]:
    """Everything that callers hear or say there."""
    for prompt in state.prompts():
        yield from _said(prompt.prompt)
    for choice in state.choices:
        yield from filter(None, (choice.label, choice.intent))
    yield from filter(None, (state.ask, state.action, state.call))
    if state.http is not None:
        yield f"{state.http.service} {state.http.path}"


def _said(prompt: TaperedPrompt) -> Iterator[str]:
    for items in prompt.values():
        for item in items:
            yield from filter(None, (item.say, *item.variants, item.audio))


def shown_in(library: FlowLibrary | None, flow: str) -> FlowLibrary:
    """The library, where it has the flow. Raises FlowError."""
    if library is None or flow not in library.flows:
        known = ", ".join(library.flows) if library is not None else ""
        remedy = f"one of: {known}" if known else "mend the files"
        raise FlowError(f"there is no flow {flow} that could be drawn", remedy=remedy)
    return library
