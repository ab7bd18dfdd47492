"""What answers of services become: values, facts by their types, vocabularies, outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ivr.actions import http_answer
from ivr.actions.http import SIGNATURES, result_of
from ivr.actions.registry import parse
from ivr.dialogue.engine.variables import fitted
from ivr.dialogue.flows.signature import ActionSignature, Parameter
from ivr.errors import ActionError
from ivr.events import ActionResult, Term
from ivr.ports import ActionCall

PLACES = {"list": "/items", "id": "/id", "label": "/name", "spoken": "/also"}


def came(status: int, payload: object, **arguments: Any) -> ActionResult:
    given = {"service": "practice", "outcomes": {}, **arguments}
    return result_of(parse(SIGNATURES[0], ActionCall("http.call", given, "k", "c", {})), "practice", status, payload)


def fact(at: str, kind: str = "text", *, blank: bool = False) -> Mapping[str, object]:
    return {"at": at, "type": kind, "blank": blank}


@pytest.mark.parametrize(
    ("value", "kind", "fits"),
    [
        ("Ada", "text", "Ada"), (7, "text", "7"), (True, "text", "true"),
        (7, "number", 7), ("7", "number", 7), (7.0, "number", 7), (-3, "money", -3),
        ("007", "digits", "007"), (123, "digits", "123"),
        ("2026-07-04", "date", "2026-07-04"), ("2026-07-04T10:00:00Z", "date", "2026-07-04"),
        (False, "boolean", False),
        ("09:30", "time", "09:30"), ("09:30:59", "time", "09:30"), ("23:59:59.5", "time", "23:59"),
    ],
)  # fmt: skip
def test_values_of_a_type(value: object, kind: str, fits: object) -> None:
    found = http_answer.fitted(value, kind)
    assert (found, type(found)) == (fits, type(fits))


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, "text"), (" ", "text"), ([], "text"), ({"a": 1}, "text"),
        (7.5, "number"), (True, "number"), ("seven", "number"), ("9" * 30, "number"), (float("inf"), "money"),
        ("12a", "digits"), (True, "digits"), ("٣", "digits"),
        ("04.07.2026", "date"), ("2026-02-30", "date"), ("yes", "boolean"), (1, "boolean"),
        ("9:30", "time"), ("25:00", "time"), ("half past three", "time"), (930, "time"), ("0930", "time"),
    ],
)  # fmt: skip
def test_what_is_of_another_type(value: object, kind: str) -> None:
    with pytest.raises(ValueError, match=r"^(no|nothing|Invalid|day|hour|.* is no clock time)"):
        http_answer.fitted(value, kind)


@pytest.mark.parametrize("written", ["09:30", "09:30:00", "00:00", "9:30", "24:10", "09.30", "soon"])
def test_a_time_is_read_alike_in_answers_arguments_and_variables(written: str) -> None:
    """What a service answers a flow may pass on, to another action."""
    signature = ActionSignature("visit.book", (Parameter("at", "time"),))
    found = fitted(written, "time", "en-US", lambda name: None)
    try:
        answered = http_answer.fitted(written, "time")
    except ValueError:
        with pytest.raises(ActionError):
            parse(signature, ActionCall("visit.book", {"at": written}, "k", "c", {}))
        assert found is not None and found.label == written, "kept as a text"
        return
    assert parse(signature, ActionCall("visit.book", {"at": written}, "k", "c", {}))["at"] == answered == written[:5]
    assert found is not None and found.value == answered and found.label != written


def test_facts_and_values_of_a_success() -> None:
    facts = {"patient.name": fact("/name"), "patient.next": fact("/next", "date", blank=True), "caller.id": fact("/id")}
    answer = {"id": 7, "name": "Ada", "fee": "1500"}
    result = came(200, answer, facts=facts, returns={"fee": "/fee"}, types={"fee": "money"})
    assert result == ActionResult("ok", {"fee": 1500}, {"patient.name": "Ada", "patient.next": "", "caller.id": "7"})


@pytest.mark.parametrize(
    "answer",
    [None, {}, {"id": 7}, {"id": 7, "name": ""}, {"id": 7, "name": "Ada", "next": "soon"}, [], "Ada"],
)
def test_a_success_without_what_was_asked_is_failed_and_brings_no_facts(answer: object) -> None:
    facts = {"patient.name": fact("/name"), "patient.next": fact("/next", "date", blank=True), "caller.id": fact("/id")}
    result = came(200, answer, facts=facts)
    assert (result.outcome, result.facts) == ("failed", {})


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(404, "unknown"), (409, "no"), (410, "no"), (401, "failed"), (403, "failed"), (429, "failed"), (500, "failed")],
)
def test_other_statuses_mean_what_is_declared(status: int, outcome: str) -> None:
    result = came(status, {"id": 7}, outcomes={"unknown": ["404"], "no": ["4xx"]}, facts={"caller.id": fact("/id")})
    assert (result.outcome, result.facts) == (outcome, {})


def test_what_nothing_is_declared_for_is_failed() -> None:
    assert came(404, {}).outcome == "failed"
    assert came(403, {}, outcomes={"wrong": ["403"]}).outcome == "wrong", "named, it is an answer to the caller"


def test_vocabularies() -> None:
    items = [{"id": 1, "name": "Doctor Hart", "also": ["hart", ""]}, {"id": 2, "name": " Bo ", "also": "green; bo"}]
    again = [*items, {"id": 1, "name": "Another"}]
    known = (Term("1", "Doctor Hart", ("hart",)), Term("2", "Bo", ("green", "bo")))
    assert came(200, {"items": again}, vocabularies={"own": PLACES}).vocabularies == {"own": known}
    assert http_answer.terms([{"id": 1, "name": "A"}], {**PLACES, "list": "", "spoken": ""}) == (Term("1", "A"),)


@pytest.mark.parametrize(
    "items", [None, {}, "x", [None], [{"id": 1}], [{"id": "", "name": "A"}], [{"id": 1, "name": []}], [{"name": "A"}]]
)
def test_what_is_no_vocabulary(items: object) -> None:
    assert came(200, {"items": items}, vocabularies={"own": PLACES}).outcome == "failed"


def test_a_vocabulary_has_its_bound() -> None:
    many = [{"id": n, "name": f"t{n}"} for n in range(http_answer.MOST_TERMS + 1)]
    with pytest.raises(ValueError, match="more than 20,000"):
        http_answer.terms(many, {**PLACES, "list": "", "spoken": ""})
