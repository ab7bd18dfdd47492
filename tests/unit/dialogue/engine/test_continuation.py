"""A call whose process died, gone on with in another."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.dialogue.talk import Talk, reference


def kept(talk: Talk) -> Any:
    """As the database gives it back."""
    return json.loads(json.dumps(talk.dialogue.kept()))


def test_the_question_is_asked_again_after_a_word_for_the_gap() -> None:
    first = Talk().say("move a title")
    second = Talk(kept=kept(first))
    assert second.said == "One moment. Which title?"
    second.say("Vertigo")
    assert second.labels[0] == "Vertigo" and not second.errors


def test_what_was_said_is_known_without_doubt_and_so_are_the_facts() -> None:
    first = Talk(perform=False).say("put Vertigo first")
    second = Talk(kept=kept(first), facts={"caller.id": ""})
    assert second.labels[0] == "Vertigo", "nobody is asked again whether they meant it"
    assert second.dialogue.facts["caller.id"] == "10001"
    assert [each.by for each in second.dialogue.transcript][:2] == [each.by for each in first.dialogue.transcript][:2]


def test_an_action_under_way_is_done_under_the_same_key() -> None:
    first = Talk(perform=False).say("put Vertigo first")
    second = Talk(perform=False, kept=kept(first))
    assert second.performed[-1].key == first.performed[-1].key


def test_a_confirmation_is_asked_for_again() -> None:
    first = Talk().say("remove Vertigo")
    second = Talk(kept=kept(first))
    assert second.said == "One moment. Take Vertigo out?"
    second.say("yes")
    assert "Vertigo" not in second.labels


def test_what_is_secret_is_not_kept_and_its_flow_begins_again() -> None:
    first = Talk().say("my pin").key("4711")
    found = kept(first)
    assert "4711" not in json.dumps(found)
    assert not Talk(kept=found).errors


def test_flows_without_that_state_bring_a_human() -> None:
    first = Talk().say("move a title")
    for stack in ([], [{**kept(first)["stack"][0], "state": "gone"}]):
        second = Talk(kept={**kept(first), "stack": stack})
        assert second.connects and second.connect.reason == "something on our side broke"
        assert second.said.startswith("One moment.")


@pytest.mark.parametrize("connected", [False, True])
def test_who_waits_for_a_human_waits_on_without_being_told_anew(connected: bool) -> None:
    first = Talk().key("0")
    second = Talk(kept={**kept(first), "connected": connected})
    assert second.said == ("" if connected else "One moment.")
    again, before = second.connect, first.connect
    assert (again.reason, again.skill, again.priority, again.waits) == (
        before.reason, before.skill, before.priority, before.waits
    )  # fmt: skip


def test_who_waits_in_the_line_of_the_shipped_flows_does_too() -> None:
    first = Talk(reference(), entry="main").key("0")
    assert first.connect.waits
    second = Talk(reference(), entry="main", kept=kept(first))
    assert second.said == "One moment." and second.connect.waits
    assert second.dialogue.mode == "wait"


def test_the_language_chosen_is_spoken_on() -> None:
    first = Talk(reference(), entry="main").key("*3")
    assert first.dialogue.language.startswith("es")
    second = Talk(reference(), entry="main", kept=kept(first))
    assert second.said.startswith("Un momento.")


def test_an_offer_to_resume_stands() -> None:
    snapshot = json.loads(json.dumps(Talk(entry="resume").say("remove Vertigo").dialogue.snapshot()))
    first = Talk(entry="resume", snapshot=snapshot)
    second = Talk(entry="resume", kept=kept(first))
    assert second.said == "One moment. Shall we go on?"
    second.say("yes")
    assert second.said.endswith("Take Vertigo out?")


def test_there_is_nothing_to_go_on_with_after_the_end() -> None:
    assert Talk().say("goodbye").dialogue.kept() is None
