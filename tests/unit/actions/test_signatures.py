"""The declarations that flows are checked against, and the arguments that they promise."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from ivr.actions.registry import LAST, parse
from ivr.dialogue.flows.signature import ActionSignature, Parameter
from ivr.errors import ActionError
from ivr.identity import Identity, IdentityLevel
from ivr.ports import ActionCall
from ivr.reference import COMPANY

NAMES = {
    "member.identify_by_caller",
    "member.identify_by_number",
    "member.verify",
    "member.refresh",
    "queue.read",
    "queue.next",
    "queue.at",
    "queue.move_to_position",
    "queue.move_before",
    "queue.move_after",
    "queue.swap",
    "queue.add",
    "queue.add_to_top",
    "queue.remove",
    "queue.undo",
    "disc.report",
    "notes.read",
    "notes.add",
    "notes.correct",
    "notes.delete_all",
    "callback.request",
    "message.leave",
    "message.take",
    "caller.earlier_calls",
    "recording.consent",
    "http.call",
}


def test_every_action_is_declared() -> None:
    assert set(COMPANY.all_signatures) == NAMES


@pytest.mark.parametrize("name", sorted(NAMES))
def test_declarations_hold_together(name: str) -> None:
    signature = COMPANY.all_signatures[name]
    assert signature.name == name
    assert signature.about
    assert not signature.undo or signature.undo in NAMES
    assert signature.all_outcomes[-2:] == ("failed", "timeout")
    changes = name.startswith("queue.") and name not in ("queue.read", "queue.next", "queue.at", "queue.undo")
    assert (signature.undo == "queue.undo") is changes
    assert (signature.risk == "reversible") or not changes


def test_what_cannot_be_taken_back_says_so() -> None:
    assert {s.name for s in COMPANY.all_signatures.values() if s.risk == "irreversible"} == {
        "disc.report",
        "notes.correct",
        "notes.delete_all",
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"outcomes": ()},
        {"outcomes": ("ok", "failed")},
        {"outcomes": ("ok", "ok")},
        {"returns": {"x": "colour"}},
        {"risk": "some"},
        {"outcomes": ("ok", "not_verified")},
        {"gives": {"found": Identity(IdentityLevel.LIKELY)}},
    ],
)
def test_wrong_declarations_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="x"):
        ActionSignature(name="x", **wrong)


def test_wrong_parameters_are_refused() -> None:
    with pytest.raises(ValueError, match="colour"):
        Parameter("x", "colour")


def parsed(kind: str, value: object) -> Any:
    signature = ActionSignature(name="a", parameters=(Parameter("x", kind),))
    return parse(signature, ActionCall("a", {"x": value}, "k", "c", {}))["x"]


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("title", "17", 17),
        ("ordinal", 3, 3),
        ("number", 3.0, 3),
        ("ordinal", "last", LAST),
        ("digits", "0042", "0042"),
        ("date", "2026-12-24", date(2026, 12, 24)),
        ("date", date(2026, 12, 24), date(2026, 12, 24)),
        ("boolean", False, False),
        ("money", 1250, 1250),
        ("text", 5, "5"),
        ("object", {"a": 1}, {"a": 1}),
    ],
)
def test_arguments(kind: str, value: object, expected: object) -> None:
    assert parsed(kind, value) == expected


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("title", "Casablanca"),
        ("number", 2.5),
        ("number", True),
        ("digits", "12a"),
        ("digits", "٣"),
        ("date", "tomorrow"),
        ("boolean", "yes"),
        ("object", "{}"),
        ("text", ""),
        ("text", None),
    ],
)
def test_wrong_arguments_name_themselves(kind: str, value: object) -> None:
    with pytest.raises(ActionError, match="x"):
        parsed(kind, value)


def test_unknown_arguments_are_refused() -> None:
    with pytest.raises(ActionError, match="y"):
        parse(ActionSignature(name="a"), ActionCall("a", {"y": 1}, "k", "c", {}))
