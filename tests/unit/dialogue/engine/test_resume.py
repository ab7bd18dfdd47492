"""A dropped call taken up again."""

from __future__ import annotations

import json

import pytest

from tests.unit.dialogue.talk import Talk


def test_a_snapshot_is_taken_up_again_and_asks_before_it_acts() -> None:
    first = Talk(entry="resume").say("remove Vertigo")
    snapshot = json.loads(json.dumps(first.dialogue.snapshot()))
    second = Talk(entry="resume", snapshot=snapshot)
    assert second.said == "Shall we go on?"
    second.say("yes")
    assert second.said == "Good. Here's where we were. Take Vertigo out?"
    second.say("yes")
    assert "Vertigo" not in second.labels


def test_what_survives_is_doubted() -> None:
    first = Talk(perform=False, entry="resume").say("put Vertigo first")
    second = Talk(entry="resume", snapshot=first.dialogue.snapshot()).say("yes")
    assert second.said.endswith("Move Vertigo to the top?")


def test_a_snapshot_may_be_left_behind() -> None:
    first = Talk(entry="resume").say("remove Vertigo")
    second = Talk(entry="resume", snapshot=first.dialogue.snapshot()).say("no")
    assert second.dialogue.state == "titles.menu" and second.dialogue.slots == {}


@pytest.mark.parametrize(
    "broken",
    [
        {"stack": []},
        {"stack": "titles"},
        {"stack": [{"flow": "gone", "state": "menu", "variables": {}}]},
        {"stack": [{"flow": "titles", "state": "gone", "variables": {}}]},
        {"stack": [{"flow": "place", "state": "title", "variables": {}}, {"flow": "titles", "state": "x"}]},
        {"stack": [{"flow": "human", "state": "connect", "variables": {}}]},
    ],
)
def test_a_snapshot_of_other_flows_starts_anew(broken: dict[str, object]) -> None:
    talk = Talk(entry="resume", snapshot=broken).say("yes")
    assert talk.dialogue.state == "titles.menu" and not talk.errors


def test_nothing_is_kept_when_nothing_was_said() -> None:
    assert Talk().dialogue.snapshot() is None
    assert Talk().say("remove Vertigo").key("0").dialogue.snapshot() is None
