"""Calls between processes of one line: whose INVITE is admitted, and what the log says of its token."""

from __future__ import annotations

import pytest

from ivr.config import TIE_LINE, Trunk
from ivr.numbering import NumberingPlan
from ivr.sip.headers import Uri
from ivr.sip.message import SipRequest, SipResponse
from ivr.sip.network import Standing
from ivr.sip.party import party_of, tie_token
from ivr.sip.policy import TrunkPolicy
from tests.unit.sip.messages import parsed_request, request

TOKEN = "q" * 43
NODE, TRUNK, STRANGER = "192.0.2.7", "192.0.2.10", "198.51.100.9"


def policy() -> TrunkPolicy:
    trunk = Trunk.model_validate({"name": "pbx", "allow": [TRUNK]})
    return TrunkPolicy([trunk], lambda: 0.0, lambda host: host == NODE)


def invite(user: str, method: str = "INVITE") -> SipRequest:
    return parsed_request(request(method, uri=f"sip:{user}@192.0.2.5"))


def status(judged: str | SipResponse) -> str | int:
    return judged if isinstance(judged, str) else judged.status_code


@pytest.mark.parametrize(
    ("user", "source", "judged"),
    [
        (f"desk-{TOKEN}", NODE, TIE_LINE),
        (f"desk-{TOKEN}", TRUNK, 403),  # a trunk is no line of the house
        (f"desk-{TOKEN}", STRANGER, 403),
        (f"desk-{TOKEN}x", NODE, 403),  # no token: an ordinary call, of which lines make none
        ("line", NODE, 403),
        ("line", TRUNK, "pbx"),
        ("desk-1", TRUNK, "pbx"),
    ],
)
def test_only_lines_of_the_house_call_agents_and_they_nobody_else(user: str, source: str, judged: str | int) -> None:
    assert status(policy().judge(invite(user), source)) == judged


def test_a_line_of_the_house_may_connect_and_asks_for_nothing_else() -> None:
    assert policy().standing(NODE) is Standing.KNOWN
    assert policy().standing(STRANGER) is Standing.REFUSED
    assert status(policy().judge(invite(f"desk-{TOKEN}", "OPTIONS"), NODE)) == 403


def test_a_token_is_in_no_log() -> None:
    uri = f"sip:desk-{TOKEN}@192.0.2.5:5060"
    assert party_of(Uri.parse(uri), NumberingPlan()).number == "desk"
    assert tie_token(uri) == TOKEN
    assert tie_token("sip:line@192.0.2.5") == tie_token("tel:911") == tie_token("nonsense") == ""


def test_no_trunk_has_the_name() -> None:
    with pytest.raises(ValueError, match="another name"):
        Trunk.model_validate({"name": TIE_LINE, "allow": [TRUNK]})
