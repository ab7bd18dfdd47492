"""The picture as a browser gets it: its model, and the traffic that calls left in their journals."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from ivr.dialogue.checker.check import check_sources
from ivr.dialogue.checker.facts import LineFacts
from ivr.dialogue.flows.library import load_library
from ivr.errors import FlowError
from ivr.reference import COMPANY
from ivr.workshop.picture.canvas import canvas_of
from ivr.workshop.picture.model import picture_model, shown_in
from ivr.workshop.picture.traffic import THIN, count, traffic_of
from tests.unit.workshop.reference import reference, sources


def broken(*changes: tuple[str, str, str]) -> Mapping[str, Any]:
    """The picture of the flow whose file was changed, however wrong it is now."""
    texts = dict(sources())
    for file, old, new in changes:
        assert old in texts[file]
        texts[file] = texts[file].replace(old, new, 1)
    loaded = load_library(texts, COMPANY.all_signatures)
    flow = changes[0][0].removesuffix(".yaml")
    findings = check_sources(texts, LineFacts(COMPANY.all_signatures)).findings
    return picture_model(shown_in(loaded.library or loaded.draft, flow), flow, findings)


def taken(told: Mapping[str, Any]) -> Mapping[tuple[str, str], Mapping[str, Any]]:
    return {(way["from"], way["to"]): way for way in told["ways"]}


@pytest.mark.parametrize("flow", tuple(reference().flows))
def test_the_model_holds_every_state_where_it_is_drawn_and_where_it_is_written(flow: str) -> None:
    library = reference()
    model = picture_model(library, flow)
    owner = library.flows[flow]
    assert json.loads(json.dumps(model)) == model, "plain JSON"
    assert [state["name"] for state in model["states"]] == list(owner.states)
    assert "<style" not in model["svg"] and model["style"], "a page allows no style inside what it is given"
    boxes = canvas_of(library, owner).boxes()
    for state in model["states"]:
        assert (state["x"], state["y"]) == pytest.approx(boxes[state["name"]][:2], abs=0.06)
        lines = library.sources[state["file"]].splitlines()
        assert lines[state["line"] - 1].strip().startswith(f"{state['name']}:")
        assert state["line"] <= state["last"] <= len(lines) + 1
        assert f'id="state-{flow}-{state["name"]}"' in model["svg"]
        ways = {(way["to"], way["key"]) for way in state["ways"]}
        assert ways == {(way.target, way.key) for way in owner.states[state["name"]].transitions()}


def test_an_error_is_at_its_state_with_the_findings_words() -> None:
    model = broken(("discs.yaml", "      failed: sorry\n", ""))
    errors = [found for found in model["findings"] if found["severity"] == "error"]
    assert {found["state"] for found in errors} == {"report"}
    assert all(found["message"] and found["remedy"] and found["file"] == "discs.yaml" for found in errors)
    state = next(each for each in model["states"] if each["name"] == "report")
    assert all(state["line"] <= found["line"] <= state["last"] for found in errors)


def test_a_way_to_no_state_is_drawn_as_one() -> None:
    model = broken(("hold.yaml", "start: until", "start: until\n"), ("hold.yaml", "goto: done", "goto: nowhere"))
    missing = [(state["name"], way) for state in model["states"] for way in state["ways"] if way["to"] == "nowhere"]
    assert missing and not any(way["state"] for _, way in missing)
    assert "nowhere" in model["svg"]
    assert missing[0][0] in {found["state"] for found in model["findings"] if found["severity"] == "error"}


def test_no_picture_of_what_is_not_there() -> None:
    with pytest.raises(FlowError, match="no flow nowhere"):
        shown_in(reference(), "nowhere")
    with pytest.raises(FlowError, match="mend the files"):
        shown_in(None, "main")


# -- traffic ----------------------------------------------------------------------------------------------------------


def calls(*roads: Sequence[str]) -> list[tuple[str, str]]:
    return [(f"call-{number}", state) for number, road in enumerate(roads) for state in road]


def test_ways_carry_how_often_they_were_taken() -> None:
    road = ["hold.until", "hold.hold", "hold.held"]
    told = traffic_of(count(calls(road, road, road, ["hold.until", "hold.hold", "hold.sorry"])), reference(), "hold")
    assert told["calls"] == 4
    assert told["states"]["hold"] == {"entered": 4, "left": 0}
    ways = taken(told)
    assert ways["until", "hold"]["times"] == 4 and ways["until", "hold"]["share"] == 1.0
    assert ways["hold", "held"]["share"] == 0.75 and ways["hold", "sorry"]["share"] == 0.25
    assert ways["until", "hold"]["width"] > ways["hold", "held"]["width"] > ways["hold", "sorry"]["width"] > THIN
    assert ("held", "done") not in ways, "what nobody took is not told"


def test_those_who_hung_up_left_where_they_were_last() -> None:
    visits = calls(["hold.until"], ["hold.until", "hold.hold"], ["hold.until"])
    told = traffic_of(count(visits, {"call-0", "call-1"}), reference(), "hold")
    assert told["states"]["until"] == {"entered": 3, "left": 1}
    assert told["states"]["hold"] == {"entered": 1, "left": 1}


def test_ways_to_a_person_are_counted_where_they_were_asked_for() -> None:
    human = reference().universals.human_flow
    first = reference().flows[human].start
    told = traffic_of(count(calls(["main.stranger_waits", f"{human}.{first}"])), reference(), "main")
    assert taken(told)["stranger_waits", "human"]["times"] == 1
    assert len(told["ways"]) == 1


def test_nothing_yet() -> None:
    assert traffic_of(count([]), reference(), "main") == {"flow": "main", "calls": 0, "states": {}, "ways": []}
