"""Where callers may be sent, and what is never dialled."""

from __future__ import annotations

from typing import Any

import pytest

from ivr.config import Config
from ivr.errors import DialFailed, TransferFailed
from ivr.phones.destinations import Destinations, Onward, at

TRUNK = {"name": "out", "allow": ["192.0.2.10"], "gateway": "sip:192.0.2.10:5070"}
AGENTS = [{"name": "ben", "target": "sip:3001@192.0.2.20;transport=tcp"}]
OUTSIDE = ["tel:+1 503 555 0199", "sip:lawyer@192.0.2.30"]


def destinations(take_out: dict[str, Any] | None = TRUNK, /, **line: Any) -> Destinations:
    trunks = [] if take_out is None else [take_out]
    line = {"outside": OUTSIDE, **line}
    return Destinations(Config.model_validate({"sip": {"trunks": trunks}, "desk": {"agents": AGENTS, "line": line}}))


@pytest.mark.parametrize(
    ("to", "onward"),
    [
        ("agent:eve", Onward("agent", "eve")),
        ("skill:retention", Onward("skill", "retention")),
        ("tel:(503) 555-0199", Onward("outside", "+15035550199", "sip:+15035550199@192.0.2.10:5070")),
        ("sip:lawyer@192.0.2.30:5060", Onward("outside", "lawyer@192.0.2.30", "sip:lawyer@192.0.2.30")),
        ("sip:3001@192.0.2.20", Onward("agent", "ben", "sip:3001@192.0.2.20;transport=tcp")),
        ("sip:5035550199@198.51.100.1", Onward("outside", "+15035550199", "sip:+15035550199@192.0.2.10:5070")),
        ("sip:agent%3Aeve@line.invalid", Onward("agent", "eve")),
        (at("skill:late films", "line.invalid"), Onward("skill", "late films")),
        (at("machine", "line.invalid"), Onward("machine", "machine")),
        ("sip:ben@198.51.100.1", Onward("agent", "ben", "sip:3001@192.0.2.20;transport=tcp")),
    ],
)
def test_what_is_allowed_goes_where_the_configuration_says(to: str, onward: Onward) -> None:
    assert destinations().onward(to) == onward


@pytest.mark.parametrize(
    "to",
    [
        "tel:+15035550100",
        "tel:911",
        "sip:3001@192.0.2.21",
        "sip:3001@192.0.2.20:5099",
        "sip:lawyer@192.0.2.31",
        "sip:+19005550100@192.0.2.10",
        "agent:",
        "machine",
        "sip:skill%3A@line.invalid",
        "sip:machine%3Aeve@line.invalid",
        "",
        "http://192.0.2.30/",
    ],
)
def test_everything_else_is_forbidden(to: str) -> None:
    with pytest.raises(TransferFailed) as refused:
        destinations().onward(to)
    assert refused.value.status == 403
    assert not destinations().allows(to)


def test_without_a_trunk_that_takes_calls_out_no_number_is_reached() -> None:
    none = destinations({"name": "in", "allow": ["192.0.2.10"]})
    assert not none.allows("tel:+15035550199")
    with pytest.raises(DialFailed, match="gateway"):
        none.member("+15035550101")


def test_a_member_is_called_at_a_subscribers_number_in_any_notation() -> None:
    assert destinations().member("(503) 555-0101") == "sip:+15035550101@192.0.2.10:5070"


@pytest.mark.parametrize("number", ["+19005550100", "911", "anonymous", "", "+447700900123"])
def test_nobody_is_called_back_at_a_number_that_costs_extra_or_is_none(number: str) -> None:
    with pytest.raises(DialFailed) as refused:
        destinations().member(number)
    assert refused.value.status == 403


def test_numbers_that_cost_extra_may_be_allowed() -> None:
    assert destinations(premium=True).member("+19005550100").startswith("sip:+19005550100@")


def test_the_named_trunk_is_taken_else_the_first_that_can() -> None:
    other = {"name": "other", "allow": ["192.0.2.11"], "gateway": "sip:192.0.2.11"}
    only_in = {"name": "in", "allow": ["192.0.2.9"]}

    def target(trunk: str) -> str:
        config = {"sip": {"trunks": [only_in, TRUNK, other]}, "desk": {"line": {"trunk": trunk}}}
        return Destinations(Config.model_validate(config)).member("+15035550101").partition("@")[2]

    assert (target(""), target("other")) == ("192.0.2.10:5070", "192.0.2.11")


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ({"trunk": "nobody"}, "no trunk 'nobody'"),
        ({"outside": ["tel:5035550199"]}, "country code"),
        ({"outside": ["sips:a@b"]}, "TLS"),
    ],
)
def test_what_cannot_be_dialled_is_said_when_the_configuration_is_read(line: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        destinations(**line)
