"""Pictures of flows: well-formed, complete, without overlaps, and saying what they should."""

from __future__ import annotations

import re
from itertools import combinations
from xml.etree import ElementTree

import pytest

from ivr.dialogue.checker.check import check_sources
from ivr.dialogue.checker.facts import LineFacts
from ivr.errors import FlowError
from ivr.reference import COMPANY
from ivr.workshop.picture.canvas import canvas_of
from ivr.workshop.picture.mermaid import render_mermaid
from ivr.workshop.picture.svg import element_id, render_svg
from ivr.workshop.picture.traffic import count
from tests.unit.workshop.reference import changed, reference, sources

FLOWS = tuple(reference().flows)
SVG = "{http://www.w3.org/2000/svg}"


def _states(svg: str) -> dict[str, ElementTree.Element]:
    root = ElementTree.fromstring(svg)
    found = {e.get("id", ""): e for e in root.iter(f"{SVG}g") if "data-state" in e.attrib}
    ids = [e.get("id") for e in root.iter() if e.get("id")]
    assert len(ids) == len(set(ids)), "ids are unique"
    return found


def _title(element: ElementTree.Element) -> str:
    title = element.find(f"{SVG}title")
    assert title is not None
    return title.text or ""


@pytest.mark.parametrize("flow", FLOWS)
def test_every_state_is_there_once_and_none_overlaps(flow: str) -> None:
    library = reference()
    svg = render_svg(library, flow)
    assert set(_states(svg)) == {element_id(flow, s) for s in library.flows[flow].states}
    canvas = canvas_of(library, library.flows[flow])
    boxes = canvas.boxes()
    assert set(boxes) == set(library.flows[flow].states)
    for (one, (x, y, w, h)), (other, (u, v, a, b)) in combinations(boxes.items(), 2):
        assert x + w <= u or u + a <= x or y + h <= v + 1e-6 or v + b <= y + 1e-6, f"{one} and {other} overlap"
    for x, y, w, h in boxes.values():
        assert x >= 0
        assert y >= 0
        assert x + w <= canvas.width
        assert y + h <= canvas.height


@pytest.mark.parametrize("flow", FLOWS)
def test_every_way_is_drawn_or_a_sign(flow: str) -> None:
    owner = reference().flows[flow]
    canvas = canvas_of(reference(), owner)
    shown = {
        (state, way.target)
        for placed in canvas.cards
        for row in placed.card.rows
        for way in row.transitions
        for state in placed.card.states
    }
    assert shown == {(n, w.target) for n, s in owner.states.items() for w in s.transitions() if not w.implied}
    drawn = {(line.source, line.target) for line in canvas.lines}
    assert drawn <= shown


@pytest.mark.parametrize("flow", FLOWS)
def test_the_picture_is_accessible_and_needs_nothing_from_outside(flow: str) -> None:
    svg = render_svg(reference(), flow)
    root = ElementTree.fromstring(svg)
    assert root.get("role") == "img"
    labels = (root.get("aria-labelledby") or "").split()
    assert {e.get("id") for e in root if e.tag in (f"{SVG}title", f"{SVG}desc")} == set(labels)
    assert "prefers-color-scheme:dark" in svg
    assert not re.search(r"(?:href|src|url)\s*[=(]\s*[\"']?(?:https?:)?//", svg)
    used = set(re.findall(r'href="#([^"]+)"', svg))
    assert used <= {e.get("id") for e in root.iter()}


def test_a_state_with_an_error_is_red_and_says_why() -> None:
    texts = dict(sources())
    texts["discs.yaml"] = texts["discs.yaml"].replace("      failed: sorry\n", "", 1)
    library = changed(("discs.yaml", "      failed: sorry\n", ""))
    findings = check_sources(texts, LineFacts(COMPANY.all_signatures)).findings
    assert findings
    states = _states(render_svg(library, "discs", findings=findings))
    red = {i for i, e in states.items() if "error" in (e.get("class") or "").split()}
    assert red == {"state-discs-report"}
    assert findings[0].why in _title(states["state-discs-report"])


def test_current_states_are_marked() -> None:
    states = _states(render_svg(reference(), "main", current=["main.ask"]))
    assert [i for i, e in states.items() if "current" in (e.get("class") or "")] == ["state-main-ask"]


def test_traffic_weighs_lines() -> None:
    road = ["hold.until", "hold.hold", "hold.held", "hold.done"]
    visits = [(call, state) for call in "abcd" for state in road]
    visits += [(call, state) for call in "e" for state in ("hold.until", "hold.hold", "hold.sorry", "human.desk")]
    traffic = count(visits)
    assert traffic.calls == 5
    assert traffic.step("hold.until", "hold.hold") == 5
    svg = render_svg(reference(), "hold", traffic=traffic)
    root = ElementTree.fromstring(svg)
    widths = {
        (e.get("data-from"), e.get("data-to")): float(e[1].get("stroke-width", "0"))
        for e in root.iter(f"{SVG}g")
        if "data-from" in e.attrib
    }
    assert widths["until", "hold"] > widths["hold", "held"] > widths["hold", "sorry"]
    assert "entered 5 times" in _title(_states(svg)["state-hold-until"])


def test_traffic_sees_through_sub_flows_and_calls() -> None:
    traffic = count(
        [("a", "main.hold"), ("a", "hold.until"), ("a", "hold.done"), ("a", "main.ask"), ("b", "main.greet")]
    )
    assert traffic.step("main.hold", "main.ask") == 1
    assert traffic.step("main.hold", "hold.until") == 1
    assert traffic.step("main.ask", "main.greet") == 0


def test_a_folder_is_one_document() -> None:
    states = _states(render_svg(reference(), *FLOWS))
    assert len(states) == sum(len(f.states) for f in reference().flows.values())


def test_an_unknown_flow_is_named() -> None:
    with pytest.raises(FlowError, match="no flow nowhere"):
        render_svg(reference(), "nowhere")


# --- Mermaid: a small grammar of what we write ------------------------------------------------------------------------

_ID = r"(?:s|f|to)_[a-z0-9_]+"
_LABEL = r'"[^"<>|`]*(?:<br/><small>[^"<>|`]*</small>)?"'
_SHAPES = (
    (r"\(\[", r"\]\)"),
    (r"\(\(", r"\)\)"),
    (r"\[\[", r"\]\]"),
    (r"\{\{", r"\}\}"),
    (">", r"\]"),
    (r"\[", r"\]"),
    (r"\(", r"\)"),
)
_LINES = (
    "flowchart LR",
    rf"subgraph {_ID}\[{_LABEL}\]",
    "end",
    *(rf"{_ID}{a}{_LABEL}{b}" for a, b in _SHAPES),
    rf"{_ID} (?:-->|-\.->|==>)(?:\|{_LABEL}\|)? {_ID}",
    r"classDef [a-z]+ [a-z0-9#:,-]+",
    rf"class {_ID}(?:,{_ID})* [a-z]+",
)
GRAMMAR = re.compile("|".join(f"(?:{line})" for line in _LINES))


@pytest.mark.parametrize("flows", [*((f,) for f in FLOWS), FLOWS])
def test_mermaid_is_what_mermaid_reads(flows: tuple[str, ...]) -> None:
    lines = [line.strip() for line in render_mermaid(reference(), flows).splitlines()]
    for line in lines:
        assert GRAMMAR.fullmatch(line), line
    declared = {m.group(1) for line in lines if (m := re.match(rf"({_ID})(?:[\[({{]|>\")", line))}
    for line in lines:
        if match := re.fullmatch(rf"({_ID}) (?:-->|-\.->|==>)(?:\|.*\|)? ({_ID})", line):
            assert set(match.groups()) <= declared, line
    states = {f"s_{f}__{s}" for f in flows for s in reference().flows[f].states}
    assert states <= declared
    assert lines.count("end") == (len(flows) if len(flows) > 1 else 0)


def test_mermaid_marks_errors() -> None:
    texts = dict(sources())
    texts["discs.yaml"] = texts["discs.yaml"].replace("      failed: sorry\n", "", 1)
    library = changed(("discs.yaml", "      failed: sorry\n", ""))
    text = render_mermaid(library, ["discs"], findings=check_sources(texts, LineFacts(COMPANY.all_signatures)).findings)
    assert "class s_discs__report error" in text
