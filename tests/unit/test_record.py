"""The record of a contact: to JSON and back, and rows of earlier versions."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from ivr.identity import Identity, IdentityLevel
from ivr.record import (
    CallerActed,
    Decided,
    Ended,
    Entered,
    Entry,
    Failed,
    HandedOver,
    HandoffContext,
    Happening,
    Keyed,
    Other,
    Party,
    Performed,
    Prompted,
    Reason,
    ResumeAsked,
    Spoken,
    TakenOver,
    Understood,
    Utterance,
    attributes,
)

AT = datetime(2026, 3, 3, 12, 30, tzinfo=UTC)
EVERYTHING: list[Happening] = [
    Prompted("Hello.", ("main.hello", "main.ask")),
    Prompted(),
    Understood("put it first", "success", "move", {"title": "Vertigo"}, 0.5, True, "grammar", "question"),
    Spoken("caller", "It is the third time.", True, False),
    Keyed("•••"),
    Entered("main.ask", "question"),
    Decided("to", "human", {"reason": "asked", "from": "main.ask"}),
    Decided("did_you_mean", ["Alien", "Aliens"]),
    Decided("language", "es-ES", {"persona": "neutral", "keys_led": True}),
    Decided("confirmed", False),
    Decided("failed", "silent", {"count": 2}),
    Performed("queue.move", "ok", 0.25),
    Performed("queue.move", "failed", 0.25, "gone", {"title": "1"}, {"position": 3}),
    HandedOver("front-desk", "asked"),
    HandedOver("", "asked", "general", 5, "closed", ("queue.move: ok",)),
    Failed("recogniser", detail="dead"),
    Failed("engine", "ValueError", "x"),
    CallerActed("say", "hello", {"doubt": True}),
    ResumeAsked(True),
    TakenOver("node-1", 1.2),
    Ended("goodbye"),
    Other("novelty", {"some": [1, 2]}),
]


@pytest.mark.parametrize("what", EVERYTHING, ids=lambda what: what.kind)
def test_json_and_back(what: Happening) -> None:
    entry = Entry(what, AT, "main.ask")
    kept = json.loads(json.dumps(entry.to_json()))
    assert Entry.from_json(kept) == entry
    assert (kept["kind"], kept["at"], kept["state"]) == (what.kind, "2026-03-03T12:30:00+00:00", "main.ask")
    assert not {"kind", "at", "state", "event"} & attributes(what).keys(), (
        "an entry's own columns are never overwritten"
    )


def test_every_kind_there_is_was_tried() -> None:
    assert {type(what) for what in EVERYTHING} == set(Happening.__args__)


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ({"kind": "state", "to_state": "main.ask", "to_kind": "question"}, Entered("main.ask", "question")),
        ({"kind": "prompt", "text": "Hello.", "ids": ["main.hello"]}, Prompted("Hello.", ("main.hello",))),
        (
            {
                "kind": "heard",
                "text": "hi",
                "cause": "no-match",
                "intent": "",
                "slots": {},
                "confidence": 0.0,
                "doubt": False,
                "how": "nothing",
                "in": "question",
            },
            Understood("hi", cause="no-match", how="nothing", question="question"),
        ),
        ({"kind": "key", "key": "0"}, Keyed("0")),
        ({"kind": "decision", "handoff": "connected"}, Decided("handoff", "connected")),
        ({"kind": "decision", "goodbye": True}, Decided("goodbye")),
        ({"kind": "decision", "agitated": "loud", "level": 0.6}, Decided("agitated", "loud", {"level": 0.6})),
        ({"kind": "decision", "nobody": "knows"}, Other("decision", {"nobody": "knows"})),
        (
            {"kind": "action", "action": "queue.move", "outcome": "ok", "took_s": 0.1},
            Performed("queue.move", "ok", 0.1),
        ),
        ({"kind": "handoff", "destination": "desk", "reason": "asked"}, HandedOver("desk", "asked")),
        ({"kind": "error", "part": "engine", "error": "Broken", "detail": "x"}, Failed("engine", "Broken", "x")),
    ],
)
def test_rows_of_the_first_version_read_as_what_they_were(row: dict[str, object], what: Happening) -> None:
    kept = {**row, "at": AT.isoformat(), "state": "main.ask"}
    assert Entry.from_json(kept) == Entry(what, AT, "main.ask")
    assert Entry.from_json(kept).to_json() == kept, "and are written as they were"


@pytest.mark.parametrize("row", [{}, {"kind": "key"}, {"kind": "state", "at": 12.5}, {"at": "yesterday", "kind": "x"}])
def test_a_broken_row_is_read_as_far_as_it_goes(row: dict[str, object]) -> None:
    assert Entry.from_json(row).kind == row.get("kind", "")


def test_a_transcript_line_and_back() -> None:
    for line in (Utterance("prompt", "Hello.", "main.ask"), Utterance("heard", "hi", "main.ask", "greet")):
        assert Utterance.from_json(json.loads(json.dumps(line.to_json()))) == line


@pytest.mark.parametrize(
    "surely",
    [Identity(), Identity(IdentityLevel.LIKELY, "number known"), Identity(IdentityLevel.VERIFIED, "PIN")],
    ids=["unknown", "likely", "verified"],
)
def test_a_hand_overs_context_and_back(surely: Identity) -> None:
    context = HandoffContext(
        call_id="c1",
        reason="cancellation-risk",
        skill="retention",
        priority=9,
        caller=Party("+15035550101", "Ada", "sip:+15035550101@pbx"),
        language="en-US",
        facts={"caller.id": "10001", **(surely.facts if surely.level else {})},
        transcript=(Utterance("prompt", "Hello.", "main.ask"), Utterance("heard", "I quit", "main.ask", "leave")),
        tried=("queue.read: ok",),
        flow="main",
        state="ask",
        said="I quit",
        also=(Reason("asked", "agent"),),
    )
    assert HandoffContext.from_json(json.loads(json.dumps(context.to_json()))) == context


def test_a_context_that_says_little_is_read_all_the_same() -> None:
    assert HandoffContext.from_json({"call_id": "c1"}) == HandoffContext("c1", "", "", 0, Party(""), "")
