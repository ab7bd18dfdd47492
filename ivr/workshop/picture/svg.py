"""A flow as a picture: SVG for people and the console. Every state has the id ``state-<flow>-<state>``."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from html import escape
from pathlib import PurePath

from ivr.dialogue.flows.finding import Finding
from ivr.dialogue.flows.glossary import detail, taken
from ivr.dialogue.flows.library import FlowLibrary
from ivr.errors import FlowError
from ivr.workshop.picture.canvas import (
    HEAD,
    LINE,
    MARGIN,
    MEMBER,
    PAD,
    ROW,
    WIDTH,
    Canvas,
    Line,
    PlacedCard,
    canvas_of,
)
from ivr.workshop.picture.cards import Row
from ivr.workshop.picture.style import ICONS, STYLE, SYMBOLS
from ivr.workshop.picture.text_width import fitted, measured
from ivr.workshop.picture.traffic import Traffic

_SIZE = re.compile(r'width="(\d+)" height="(\d+)"')
_SIGNS = {"human": "human", "goodbye": "goodbye", "back": "back", "again": "again"}


def render_svg(
    library: FlowLibrary,
    flow: str,
    *,
    findings: Sequence[Finding] = (),
    traffic: Traffic | None = None,
    current: Collection[str] = (),
) -> str:
    """One flow as a stand-alone SVG document. ``current``: states ("flow.state") to be marked as where calls are.

    ``findings`` colour the states they are about; ``traffic`` weighs the lines. Raises FlowError for an unknown flow.
    """
    if flow not in library.flows:
        raise FlowError(f"there is no flow {flow}", remedy=f"one of: {', '.join(library.flows)}")
    canvas = canvas_of(library, library.flows[flow])
    return _Drawing(library, canvas, faults_by_state(library, flow, findings), traffic, frozenset(current)).document()


def faults_by_state(library: FlowLibrary, flow: str, findings: Sequence[Finding]) -> dict[str, list[Finding]]:
    """The findings about each state of ``flow``: those that stand in its lines. "" holds those about the flow."""
    found: dict[str, list[Finding]] = {}
    starts: dict[str, list[tuple[int, str]]] = {}
    for state in library.flows[flow].states:
        place = library.key_place(flow, "states", state)
        starts.setdefault(place.file, []).append((place.line, state))
    for finding in findings:
        name = PurePath(finding.file).name
        states = [s for line, s in sorted(starts.get(name, ())) if 0 < line <= finding.line]
        if states:
            found.setdefault(states[-1], []).append(finding)
        elif name in library.files.get(flow, ()):
            found.setdefault("", []).append(finding)
        elif name.partition(".")[0] == flow:  # a wording of this flow
            found.setdefault(finding.text.partition(".")[0] if finding.text else "", []).append(finding)
    return found


def element_id(flow: str, state: str) -> str:
    return f"state-{flow}-{state}"


class _Drawing:
    def __init__(
        self,
        library: FlowLibrary,
        canvas: Canvas,
        faults: Mapping[str, Sequence[Finding]],
        traffic: Traffic | None,
        current: Collection[str],
    ) -> None:
        self.library, self.canvas, self.flow = library, canvas, canvas.flow.flow
        self.faults, self.traffic, self.current = faults, traffic, current
        self.busiest = 1
        if traffic is not None:
            counts = [self._count(p, row) for p in canvas.cards for row in p.card.rows]
            self.busiest = max([1, *counts])
        self.drawn_from: dict[str, PlacedCard] = {p.card.id: p for p in canvas.cards}

    def document(self) -> str:
        canvas, flow = self.canvas, escape(self.flow)
        size = f'width="{canvas.width:.0f}" height="{canvas.height:.0f}"'
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {canvas.width:.0f} {canvas.height:.0f}"'
            f' class="flow-graph" data-flow="{flow}" role="img" aria-labelledby="title-{flow} desc-{flow}">',
            f'<title id="title-{flow}">The flow {flow}</title>',
            f'<desc id="desc-{flow}">{escape(self._described())}</desc>',
            f"<style>{STYLE}</style>",
            SYMBOLS.replace("FLOW", flow),
            f'<rect class="paper" width="{canvas.width:.0f}" height="{canvas.height:.0f}"/>',
            self._caption(),
            '<g class="lines">',
            *(self._line(line) for line in self._by_weight()),
            "</g>",
            *(self._card(placed) for placed in canvas.cards),
            "</svg>",
        ]
        return "\n".join(parts) + "\n"

    def _described(self) -> str:
        flow = self.canvas.flow
        about = " ".join(flow.about.split())
        text = f"{about} {len(flow.states)} states, beginning at {flow.start}.".strip()
        bad = sum(len(f) for f in self.faults.values())
        if bad:
            text += f" {bad} findings."
        if self.traffic is not None:
            text += f" Weights are of {self.traffic.calls} calls."
        return text

    def _caption(self) -> str:
        flow = self.canvas.flow
        about = " ".join(flow.about.split())
        version = self.library.versions.get(flow.flow, "")
        room = int((self.canvas.width - 2 * MARGIN) / 6.2)
        whole = "\n".join(f.render() for f in self.faults.get("", ()))
        mark = f'<tspan class="fault-text"> ▲<title>{escape(whole)}</title></tspan>' if whole else ""
        return (
            f'<text class="caption" x="{MARGIN}" y="{MARGIN + 12}">{escape(flow.flow)}'
            f'<tspan class="version" dx="10">{escape(version)}</tspan>{mark}</text>'
            f'<text class="about" x="{MARGIN}" y="{MARGIN + 30}">{escape(fitted(about, room * 6.2))}</text>'
        )

    # --- lines --------------------------------------------------------------------------------------------------

    def _by_weight(self) -> list[Line]:
        return sorted(self.canvas.lines, key=lambda line: self._count(self.drawn_from[line.source], line.row))

    def _count(self, placed: PlacedCard, row: Row) -> int:
        if self.traffic is None:
            return 0
        human = f"{self.library.universals.human_flow}."
        total = 0
        for state in placed.card.states:
            here = f"{self.flow}.{state}"
            if row.sign == "human":
                total += sum(n for (one, other), n in self.traffic.steps.items() if one == here and human in other)
            else:
                total += self.traffic.step(here, f"{self.flow}.{row.target}")
        return total

    def _line(self, line: Line) -> str:
        count = self._count(self.drawn_from[line.source], line.row)
        width = 1.2 + 5.0 * (count / self.busiest) ** 0.5 if count else 1.2
        classes = "line" + (" failure" if line.row.failure else "") + (" busy" if count else "")
        what = f"{line.source}: {line.row.text} → {line.target}" + (f", {count} times" if count else "")
        path = _curve(line.course)
        end = "" if width > 3 else f' marker-end="url(#arrow-{escape(self.flow)})"'
        return (
            f'<g class="{classes}" data-from="{line.source}" data-to="{line.target}"><title>{escape(what)}</title>'
            f'<path d="{path}" stroke-width="{width:.1f}"{end}/></g>'
        )

    # --- cards --------------------------------------------------------------------------------------------------

    def _card(self, placed: PlacedCard) -> str:
        return self._stack(placed) if placed.card.stacked else self._single(placed)

    def _single(self, placed: PlacedCard) -> str:
        card, state = placed.card, placed.card.id
        start = state == self.canvas.flow.start
        parts = [
            self._open(state, card.kind, placed.x, placed.y, "start" if start else ""),
            self._frame(placed.height),
            _text(18, 16, state, "name", WIDTH - 62),
            _text(18, 31, card.heading, "detail", WIDTH - 26),
            f'<use href="#icon-{ICONS[card.kind]}-{escape(self.flow)}" x="{WIDTH - 24}" y="6" width="15" height="15"/>',
            self._visits(state, WIDTH - 30, 16),
        ]
        for index, text in enumerate(placed.said):
            parts.append(_text(18, HEAD + 9 + index * LINE, text, "said"))
        parts += self._rows(placed)
        return "".join((*parts, "</g>"))

    def _stack(self, placed: PlacedCard) -> str:
        card = placed.card
        head = [
            f'<g class="card call stack" transform="translate({placed.x:.1f} {placed.y:.1f})">',
            self._frame(placed.height),
            _text(18, 16, card.heading, "name", WIDTH - 62),
            _text(18, 31, f"called from {len(card.states)} states", "detail"),
            f'<use href="#icon-call-{escape(self.flow)}" x="{WIDTH - 24}" y="6" width="15" height="15"/>',
            *self._rows(placed),
            "</g>",
        ]
        members = []
        for index, state in enumerate(card.states):
            y = placed.y + placed.member_top(index)
            given = ", ".join(str(v).strip("'") for v in self.canvas.flow.states[state].arguments.values())
            members += [
                self._open(state, "call", placed.x, y, "member"),
                f'<rect class="frame" x="8" y="1" width="{WIDTH - 16}" height="{MEMBER - 3}" rx="4"/>',
                _text(18, 14, state, "name", 110),
                _text(WIDTH - 14, 14, given, "detail end", 80),
                "</g>",
            ]
        return "".join((*head, *members))

    def _open(self, state: str, kind: str, x: float, y: float, extra: str) -> str:
        faults = self.faults.get(state, ())
        here = f"{self.flow}.{state}"
        classes = ["state", "card", kind, extra]
        if faults:
            classes.append("error" if any(f.severity == "error" for f in faults) else "warning")
        if here in self.current or state in self.current:
            classes.append("current")
        tip = self._tip(state, faults)
        return (
            f'<g id="{element_id(escape(self.flow), escape(state))}" class="{" ".join(c for c in classes if c)}"'
            f' data-state="{escape(here)}" transform="translate({x:.1f} {y:.1f})"><title>{escape(tip)}</title>'
        )

    def _tip(self, state: str, faults: Sequence[Finding]) -> str:
        found = self.canvas.flow.states[state]
        lines = [f"{self.flow}.{state}: {detail(found)}", *(f.render() for f in faults)]
        if found.about:
            lines.insert(1, " ".join(found.about.split()))
        if self.traffic is not None:
            lines.append(f"entered {self.traffic.visited(f'{self.flow}.{state}')} times")
        return "\n".join(lines)

    def _frame(self, height: float) -> str:
        return (
            f'<rect class="frame" width="{WIDTH:.0f}" height="{height:.1f}" rx="7"/>'
            f'<path class="stripe" d="M7 0H8V{height:.1f}H7A7 7 0 0 1 0 {height - 7:.1f}V7A7 7 0 0 1 7 0Z"/>'
        )

    def _visits(self, state: str, x: float, y: float) -> str:
        if self.traffic is None:
            return ""
        return _text(x, y, str(self.traffic.visited(f"{self.flow}.{state}")), "count end")

    def _rows(self, placed: PlacedCard) -> list[str]:
        parts = []
        if placed.card.rows:
            y = placed.rows_top
            parts.append(f'<path class="rule" d="M9 {y - PAD / 2:.1f}H{WIDTH - 1}"/>' if placed.said else "")
        for index, row in enumerate(placed.card.rows):
            parts.append(self._row(placed, row, placed.rows_top + index * ROW))
        return parts

    def _row(self, placed: PlacedCard, row: Row, top: float) -> str:
        middle = top + ROW / 2
        classes = "way failure" if row.failure else "way"
        parts = [f'<g class="{classes}"><title>{escape(_meaning(row))}</title>']
        left, room = 18.0, WIDTH - 30
        if row.key:
            parts.append(f'<rect class="key" x="18" y="{top + 3:.1f}" width="13" height="13" rx="3"/>')
            parts.append(_text(24.5, middle + 3.8, row.key, "keyed"))
            left, room = 36.0, room - 18
        count = self._count(placed, row)
        number = f" {count}" if count else ""
        if row.sign:
            pill = fitted(row.target if row.sign == "state" else _SIGNS[row.sign], 92.0)
            icon = row.sign == "human" or row.via_human
            width = measured(pill) + (32 if icon else 20)
            x = WIDTH - 7 - width
            kind = "human" if icon else row.sign
            link = row.sign == "state"
            opening = f'<a href="#{element_id(self.flow, row.target)}">' if link else "<g>"
            parts += [
                opening,
                f'<rect class="pill {kind}" x="{x:.1f}" y="{top + 2:.1f}" width="{width:.1f}" height="15" rx="7.5"/>',
                f'<path class="tip {kind}" d="M{x + 6:.1f} {middle - 3:.1f}l3.5 3.5l-3.5 3.5"/>',
                _text(x + 13, middle + 3.7, pill, "target"),
            ]
            if icon:
                parts.append(
                    f'<use href="#icon-human-{escape(self.flow)}" x="{WIDTH - 20:.1f}" y="{top + 4:.1f}"'
                    ' width="11" height="11"/>'
                )
            parts.append("</a>" if link else "</g>")
            room = x - left - 4
        elif row.via_human:
            parts.append(
                f'<use href="#icon-human-{escape(self.flow)}" x="{WIDTH - 20:.1f}" y="{top + 4:.1f}"'
                ' width="11" height="11"/>'
            )
            room -= 12
        if number:
            parts.append(_text(left + room, middle + 3.8, number.strip(), "count end"))
            room -= measured(number) + 2
        parts.append(_text(left, middle + 3.8, row.text, "label", room))
        return "".join((*parts, "</g>"))


def _meaning(row: Row) -> str:
    lines = []
    for way in row.ways:
        text = f"{taken(way)}: {way.target}"
        if way.label:
            text += f" (“{way.label}”" + (f", key {way.key})" if way.key else ")")
        if way.edge.reason:
            text += f", reason: {way.edge.reason}"
        if way.edge.say:
            said = way.edge.say[min(way.edge.say)]
            text += ", saying “" + " ".join(i.say or "…" for i in said) + "”"
        lines.append(text)
    return "\n".join(lines)


def _curve(course: Sequence[tuple[float, float]]) -> str:
    (x, y), *rest = course
    path = [f"M{x:.1f} {y:.1f}"]
    level = True
    for to_x, to_y in rest:
        if level:
            path.append(f"H{to_x:.1f}" if to_x > x else "")
        else:
            bend = max((to_x - x) / 2, 12.0)
            path.append(f"C{x + bend:.1f} {y:.1f} {to_x - bend:.1f} {to_y:.1f} {to_x:.1f} {to_y:.1f}")
        x, y, level = to_x, to_y, not level
    return "".join(path)


def _text(x: float, y: float, text: str, classes: str, room: float | None = None) -> str:
    shown = text if room is None else fitted(text, room)
    return f'<text class="{classes}" x="{x:.1f}" y="{y:.1f}">{escape(shown)}</text>'


def render_folder_svg(
    library: FlowLibrary,
    flows: Sequence[str],
    *,
    findings: Sequence[Finding] = (),
    traffic: Traffic | None = None,
    current: Collection[str] = (),
) -> str:
    """Several flows one below the other, in one document."""
    pictures = [render_svg(library, f, findings=findings, traffic=traffic, current=current) for f in flows]
    width = height = 0
    inner = []
    for picture in pictures:
        size = _SIZE.search(picture)
        assert size is not None
        inner.append(picture.replace("<svg ", f'<svg y="{height}" ', 1))
        width, height = max(width, int(size.group(1))), height + int(size.group(2)) + int(MARGIN)
    names = escape(", ".join(flows))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
        f' class="flow-graphs" role="img" aria-labelledby="title-flows"><title id="title-flows">The flows {names}'
        f"</title>\n{''.join(inner)}</svg>\n"
    )
