"""Whose calling numbers count: those of trunks that vouch for them, unless From hides who calls."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from ivr.config import FlowsConfig
from ivr.dialogue.engine.contract import Installed
from ivr.ports import Leg
from ivr.record import Party
from ivr.release.entry import CallEntry
from tests.flows.reference import library


class Serving:
    def choose(self, caller: str, called: str, call_id: str) -> Any:
        return library()


@dataclass
class Inbound:
    caller: Party
    trunk: str = "carrier"
    called: Party = field(default_factory=lambda: Party("5035550199"))
    headers: dict[str, str] = field(default_factory=dict)


@pytest.mark.parametrize(
    ("number", "trunk", "from_", "trusted"),
    [
        ("5035550101", "carrier", "<sip:5035550101@example.com>;tag=1", True),
        ("5035550101", "lobby", "<sip:5035550101@example.com>;tag=1", False),
        ("5035550101", "nowhere", "<sip:5035550101@example.com>;tag=1", False),
        ("5035550101", "carrier", '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1', False),
        ("", "carrier", "<sip:anonymous@anonymous.invalid>;tag=1", False),
    ],
)
def test_a_number_counts_where_its_trunk_vouches_for_it(number: str, trunk: str, from_: str, trusted: bool) -> None:
    entry = CallEntry(FlowsConfig(), cast(Any, Serving()), lambda name: None, {"carrier"})
    leg = Inbound(Party(number), trunk, headers={"from": from_})
    dialogue = entry.open("0123456789abcdef", cast(Leg, leg), Installed())
    assert dialogue.facts["call.caller_trusted"] is trusted
