"""Mock services: which answer fits a request, what it becomes, and what is said where none is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.errors import ActionError, FlowError
from ivr.ports import ActionCall
from ivr.workshop.folder import mocks_of
from ivr.workshop.simulate.mock_services import Exchange, MockServices, parse_mock

MOCK = """
mock: practice
answers:
  - on: GET /patients
    query: {phone: "+15035550107"}
    json: {id: 7, name: Ada}
  - {on: GET /patients, status: 404}
  - {on: "POST /patients/{id}/visits", body: {day: 2026-03-07, who: {dentist: m}}, status: 409}
  - {on: "POST /patients/{id}/visits", json: {day: 2026-03-09}}
  - {on: GET /slow, silent: true}
  - {on: GET /dentists, json: [{id: m, name: Molar}]}
"""


@pytest.fixture
def services() -> MockServices:
    read = parse_mock("practice.mock.yaml", MOCK)
    assert read.findings == ()
    return MockServices.of([read])


def asked(services: MockServices, method: str, path: str, **more: object) -> object:
    arguments = {"service": "practice", "method": method, "path": path, "outcomes": {"no": ["4xx"]}, **more}
    return services.perform(ActionCall("http.call", arguments, "k", "c", {})).outcome


def test_the_first_that_fits_is_given(services: MockServices) -> None:
    assert asked(services, "GET", "/patients", query={"phone": "+15035550107", "x": 1}) == "ok"
    assert asked(services, "GET", "/patients", query={"phone": "+1"}) == "no"
    assert asked(services, "GET", "/patients?phone=%2B15035550107") == "ok"
    booked = {"day": "2026-03-07", "who": {"dentist": "m", "name": "Molar"}, "note": ""}
    assert asked(services, "POST", "/patients/7/visits", body=booked) == "no"
    assert asked(services, "POST", "/patients/7/visits", body={"day": "2026-03-08"}) == "ok"
    assert asked(services, "POST", "/patients/Ada%20Hart/visits", body={}) == "ok"
    assert asked(services, "GET", "/slow") == "timeout"


@pytest.mark.parametrize(("method", "path"), [("GET", "/patients/7"), ("POST", "/patients//visits"), ("PUT", "/slow")])
def test_what_nothing_is_said_of_tells_how_to_say_it(services: MockServices, method: str, path: str) -> None:
    with pytest.raises(ActionError, match=r"nothing is said of practice.*practice\.mock\.yaml"):
        asked(services, method, path)


def test_what_is_said_later_goes_before(services: MockServices) -> None:
    later = services.before({"practice": [Exchange(on="GET /slow", status=410)], "shop": [Exchange()]})
    assert asked(later, "GET", "/slow") == "no"
    assert asked(later, "GET", "/patients", query={"phone": "+1"}) == "no"
    assert later.exchange("shop", "DELETE", "/anything") is not None


def test_an_http_state_of_a_service_that_nothing_is_said_of_is_ok() -> None:
    call = ActionCall("http.call", {"service": "practice", "path": "/x"}, "k", "c", {})
    assert MockServices().perform(call).outcome == "ok"


@pytest.mark.parametrize(
    ("was", "now", "why"),
    [
        ("on: GET /slow", "on: FETCH /slow", "'FETCH /slow' is no request"),
        ("on: GET /slow", "on: GET /slow?x=1", "is no request"),
        ("status: 404", "status: 4040", "4040"),
        ("silent: true", "silence: true", "silence means nothing"),
        ("mock: practice\n", "", "mock is missing"),
    ],
)
def test_what_is_wrong_in_a_file(tmp_path: Path, was: str, now: str, why: str) -> None:
    (tmp_path / "practice.mock.yaml").write_text(MOCK.replace(was, now))
    with pytest.raises(FlowError, match=r"practice\.mock\.yaml") as raised:
        mocks_of(tmp_path)
    assert why in str(raised.value)


def test_a_folders(tmp_path: Path) -> None:
    (tmp_path / "practice.mock.yaml").write_text(MOCK)
    (tmp_path / "shop.mock.yaml").write_text("mock: shop\nanswers: {status: 500}\n")
    assert {name: len(answers) for name, answers in mocks_of(tmp_path).answers.items()} == {"practice": 6, "shop": 1}
