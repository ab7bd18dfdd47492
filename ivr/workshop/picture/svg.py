"""A flow as a picture: SVG for people and the console. Every state has the id ``state-<flow>-<state>``.

What is drawn where is decided here; how it looks is in ``flow.svg`` (a template) and ``flow.css``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import PurePath

import jinja2

from ivr.dialogue.flows.finding import Finding
from ivr.dialogue.flows.glossary import detail, taken
from ivr.dialogue.flows.library import FlowLibrary
from ivr.dialogue.flows.state import Transition
from ivr.errors import FlowError
from ivr.workshop.picture.canvas import HEAD, LINE, MARGIN, MEMBER, PAD, ROW, WIDTH, Line, PlacedCard, canvas_of
from ivr.workshop.picture.cards import Row, first_words
from ivr.workshop.picture.text_width import fitted, measured
from ivr.workshop.picture.traffic import Traffic, weight


def render_svg(
    library: FlowLibrary,
    *flows: str,
    findings: Sequence[Finding] = (),
    traffic: Traffic | None = None,
    current: Collection[str] = (),
) -> str:
    """Flows as a stand-alone SVG document, one below the other. ``current``: states ("flow.state") where calls are.

    ``findings`` colour the states they are about; ``traffic`` weighs the lines. Raises FlowError for an unknown flow.
    """
    return rendered(*(Drawing(library, flow, findings, traffic, current) for flow in flows))


def rendered(*drawings: Drawing) -> str:
    return _template().render(drawings=drawings)


@cache
def _template() -> jinja2.Template:
    loader = jinja2.PackageLoader("ivr.workshop", "picture")
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters["px"] = "{:.1f}".format
    sizes = {"HEAD": HEAD, "LINE": LINE, "MARGIN": MARGIN, "MEMBER": MEMBER, "PAD": PAD, "ROW": ROW, "WIDTH": WIDTH}
    environment.globals.update(sizes, fitted=fitted, element_id=element_id, curve=curve)
    return environment.get_template("flow.svg")


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


@dataclass(frozen=True, slots=True)
class PlacedRow:
    """A row of a card. ``pill``: the sign at its end, "" where a line is drawn. ``person``: the sign of a human."""

    row: Row
    top: float
    left: float
    room: float
    person: bool
    pill: str = ""
    pill_x: float = 0.0
    pill_width: float = 0.0
    count: str = ""
    count_x: float = 0.0

    @property
    def kind(self) -> str:
        return "human" if self.person else self.row.sign

    @property
    def meaning(self) -> str:
        """Every transition of the row in a sentence."""
        return "\n".join(_meaning(transition) for transition in self.row.transitions)


class Drawing:
    """What the template draws of one flow."""

    def __init__(
        self,
        library: FlowLibrary,
        flow: str,
        findings: Sequence[Finding],
        traffic: Traffic | None,
        current: Collection[str],
    ) -> None:
        if flow not in library.flows:
            raise FlowError(f"there is no flow {flow}", remedy=f"one of: {', '.join(library.flows)}")
        self.name, self.flow, self.version = flow, library.flows[flow], library.versions.get(flow, "")
        self.canvas = canvas_of(library, self.flow)
        self.width, self.height = round(self.canvas.width), round(self.canvas.height)
        self.traffic = traffic
        self._human = library.universals.human_flow
        self._faults: Mapping[str, Sequence[Finding]] = faults_by_state(library, flow, findings)
        self._current = frozenset(current)
        self._cards: Mapping[str, PlacedCard] = {placed.card.id: placed for placed in self.canvas.cards}
        self._busiest = max(
            [1, *(self._count(placed, row) for placed in self.canvas.cards for row in placed.card.rows)]
        )

    def description(self) -> str:
        text = f"{_one_line(self.flow.about)} {len(self.flow.states)} states, beginning at {self.flow.start}.".strip()
        bad = sum(map(len, self._faults.values()))
        text += f" {bad} findings." if bad else ""
        return text + (f" Weights are of {self.traffic.calls} calls." if self.traffic is not None else "")

    def about(self) -> str:
        return fitted(_one_line(self.flow.about), int((self.canvas.width - 2 * MARGIN) / 6.2) * 6.2)

    def found(self) -> str:
        """The findings about the whole flow."""
        return "\n".join(finding.render() for finding in self._faults.get("", ()))

    # --- lines --------------------------------------------------------------------------------------------------

    def lines(self) -> list[Line]:
        """The busiest last: on top."""
        return sorted(self.canvas.lines, key=self.count)

    def count(self, line: Line) -> int:
        return self._count(self._cards[line.source], line.row)

    def weight(self, line: Line) -> float:
        """A line's width in pixels."""
        return weight(self.count(line), self._busiest)

    def line_tip(self, line: Line) -> str:
        times = f", {self.count(line)} times" if self.count(line) else ""
        return f"{line.source}: {line.row.text} → {line.target}{times}"

    def _count(self, placed: PlacedCard, row: Row) -> int:
        if self.traffic is None:
            return 0
        total = 0
        for here in (f"{self.name}.{state}" for state in placed.card.states):
            if row.sign == "human":
                total += self.traffic.to_human(here, self._human)
            else:
                total += self.traffic.step(here, f"{self.name}.{row.target}")
        return total

    # --- cards --------------------------------------------------------------------------------------------------

    def classes(self, state: str, kind: str, extra: str) -> str:
        faults = self._faults.get(state, ())
        bad = "error" if any(f.severity == "error" for f in faults) else "warning" if faults else ""
        current = "current" if {state, f"{self.name}.{state}"} & self._current else ""
        return " ".join(filter(None, ("state", "card", kind, extra, bad, current)))

    def tip(self, state: str) -> str:
        spec = self.flow.states[state]
        lines = [f"{self.name}.{state}: {detail(spec)}", _one_line(spec.about)]
        lines += [finding.render() for finding in self._faults.get(state, ())]
        lines += [f"entered {self.visited(state)} times"] if self.traffic is not None else []
        return "\n".join(filter(None, lines))

    def visited(self, state: str) -> int:
        return self.traffic.visited(f"{self.name}.{state}") if self.traffic is not None else 0

    def given(self, state: str) -> str:
        """What a call of a sub-flow passes, briefly."""
        return ", ".join(str(value).strip("'") for value in self.flow.states[state].arguments.values())

    def rows(self, placed: PlacedCard) -> Iterator[PlacedRow]:
        for index, row in enumerate(placed.card.rows):
            left, room = (36.0, WIDTH - 48) if row.key else (18.0, WIDTH - 30)
            person = row.sign == "human" or row.via_human
            pill, width = "", 0.0
            if row.sign:
                pill = fitted(row.target if row.sign in ("state", "missing") else row.sign, 92.0)
                width = measured(pill) + (32 if person else 20)
                room = WIDTH - 7 - width - left - 4
            elif row.via_human:
                room -= 12
            count = str(self._count(placed, row) or "")
            end = left + room
            room -= measured(f" {count}") + 2 if count else 0
            top = placed.rows_top + index * ROW
            yield PlacedRow(row, top, left, room, person, pill, WIDTH - 7 - width, width, count, end)


def _meaning(transition: Transition) -> str:
    text = f"{taken(transition)}: {transition.target}"
    if transition.label:
        text += f" (“{transition.label}”" + (f", key {transition.key})" if transition.key else ")")
    if transition.edge.reason:
        text += f", reason: {transition.edge.reason}"
    if transition.edge.say:
        text += f", saying “{first_words(transition.edge.say)}”"
    return text


def curve(course: Sequence[tuple[float, float]]) -> str:
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


def _one_line(text: str) -> str:
    return " ".join(text.split())
