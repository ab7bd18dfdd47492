"""A BYE that says that something broke (RFC 3326) is told from one by which somebody hangs up."""

from __future__ import annotations

import pytest

from ivr.sip.leg import LOST
from ivr.sip.transfer import was_lost
from tests.unit.sip.messages import parsed_request, request


@pytest.mark.parametrize(
    ("reason", "lost"),
    [
        (LOST, True),
        ('sip; text="gone"; cause=503', True),
        ('SIP;cause=200;text="Call completed elsewhere"', False),
        ('Q.850;cause=16;text="Normal call clearing"', False),
        ("SIP;cause=nonsense", False),
        ("", False),
    ],
)
def test_a_cause_of_sip_above_399_is_a_loss(reason: str, lost: bool) -> None:
    bye = request("BYE", to_tag="ours", extra=f"Reason: {reason}\n" if reason else "")
    assert was_lost(parsed_request(bye)) is lost
