"""One telephone number, as trunks, phones and people write it."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from ivr.config import FlowsConfig
from ivr.numbering import NumberingPlan, digits_of, same_number

OFFICE = "+15035550199"
NOTATIONS = [
    "5035550199",
    "15035550199",
    "+15035550199",
    "%2B15035550199",
    "%2b1503%35550199",
    "0015035550199",
    "01115035550199",
    "+1-503-555-0199",
    "(503) 555-0199",
    "1.503.555.0199",
    "5035550199;npdi",
    "+15035550199;npdi;rn=+15035551111",
    "5035550199;cic=+16789",
    "5035550199;ext=22",
    "5550199;phone-context=+1503",
    "555-0199;npdi;phone-context=%2B1-503",
    "5035550199;phone-context=+1",
    "5035550199;phone-context=example.com",
    "5035550199:secret",
    "tel:+15035550199",
    "TEL:5550199;phone-context=+1503",
    "sip:+15035550199@192.0.2.1;user=phone",
    " +1 503 555 0199 ",
    "+15035550199%3Bnpdi",
    "5550199%3bphone-context=+1503",
    "15035550199;phone-context=+1",
    "+0015035550199",
    "+01115035550199",
    "+1\u2011503\u2013555\u20110199",
    "\u202a+1 503\u00a0555\u20090199\u202c",
]


@pytest.mark.parametrize("notation", NOTATIONS)
def test_every_notation_is_the_same_number(notation: str) -> None:
    assert NumberingPlan("US").number(notation) == OFFICE


@pytest.mark.parametrize(
    ("country", "notation", "number"),
    [
        ("DE", "030 1234567", "+49301234567"),
        ("DE", "0049301234567", "+49301234567"),
        ("DE", "49301234567", "+49301234567"),
        ("DE", "+49 30 1234567", "+49301234567"),
        ("DE", "0015035550199", OFFICE),
        ("GB", "020 7946 0018", "+442079460018"),
        ("GB", "00442079460018", "+442079460018"),
        ("GB", "+44 (0)20 7946 0018", "+442079460018"),
        ("US", "5555550123", "+15555550123"),
        ("US", "0015555550123", "+15555550123"),
        ("US", "01115555550123", "+15555550123"),
        ("US", "442079460018", "+442079460018"),
        ("US", "00442079460018", "+442079460018"),
        ("AU", "0011 1 503 555 0199", OFFICE),
        ("IT", "06 698 12345", "+390669812345"),
    ],
)
def test_national_prefixes_are_the_country_s(country: str, notation: str, number: str) -> None:
    assert NumberingPlan(country).number(notation) == number


@pytest.mark.parametrize(
    "user", ["100", "911", "112", "*67", "0", "ivr", "front-desk", "anonymous", "", "+", "00", "5550199"]
)
def test_what_is_no_full_telephone_number_stays_what_it_is(user: str) -> None:
    assert NumberingPlan("US").number(user) == user


@pytest.mark.parametrize("other", ["+15035550198", "5035550190", "25035550199", "+495035550199", "50355501990"])
def test_other_numbers_stay_others(other: str) -> None:
    assert NumberingPlan("US").number(other) != OFFICE


@pytest.mark.parametrize("configured", ["5035550199", "+1 503 555 0199", "0015035550199"])
@pytest.mark.parametrize("called", NOTATIONS)
def test_a_called_number_finds_its_plan(configured: str, called: str) -> None:
    flows = FlowsConfig.model_validate({"numbers": [{"called": configured, "language": "es-ES"}]})
    plan = flows.plan_of(NumberingPlan().number(called))
    assert (plan.entry, plan.language, plan.persona) == ("main", "es-ES", "neutral")
    assert flows.plan_of("+15035550100").language == "en-US"
    assert flows.plan_of("").language == "en-US", "a withheld number has no plan"


def test_one_number_is_planned_once() -> None:
    with pytest.raises(ValidationError, match="the same number"):
        FlowsConfig.model_validate({"numbers": [{"called": "5035550199"}, {"called": "+15035550199"}]})


def test_a_country_is_two_letters() -> None:
    assert FlowsConfig.model_validate({"country": "de"}).country == "DE"
    with pytest.raises(ValidationError, match="ISO 3166"):
        FlowsConfig.model_validate({"country": "Germany"})


def test_numbers_are_compared_by_their_digits() -> None:
    assert digits_of("tel:7042;phone-context=example.com") == "7042"
    assert digits_of("3f2a51c0") == "" == digits_of("4e8c0b@192.0.2.9") == digits_of("")
    assert same_number("493012345678", "03012345678") and same_number("5035550101", "15035550101")
    assert not same_number("5035550101", "5035550102") and not same_number("0101", "5035550101")
    assert not same_number("", "") and not same_number("0", "5035550101")


@pytest.mark.parametrize(
    ("number", "callable_"),
    [
        ("+15035550101", True),
        ("+442079460000", True),
        ("+19005550101", False),  # premium rate
        ("+448431234567", False),  # shared cost
        ("+12345", False),
        ("5035550101", False),  # not yet E.164
        ("911", False),
        ("", False),
    ],
)
def test_what_is_called_back_is_a_subscribers_number_that_costs_what_calls_cost(number: str, callable_: bool) -> None:
    assert NumberingPlan().callable(number) is callable_
