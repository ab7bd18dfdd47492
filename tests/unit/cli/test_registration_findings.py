"""What doctor says of registrations."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ivr.cli.registration_findings import registration_findings
from ivr.config import Config, SipConfig
from ivr.ports import RegistrationStatus

ACCOUNT = "sip:ivr@pbx.example"
UNTIL = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)


def config(**more: Any) -> Config:
    trunk = {"name": "pbx", "register": "sip:pbx.example", "username": "ivr", "password": "env:NOWHERE", **more}
    others = {"name": "office", "allow": ["192.0.2.9"]}
    return Config(sip=SipConfig.model_validate({"trunks": [trunk, others]}))


@pytest.mark.parametrize(
    ("contact", "status", "state", "told"),
    [
        (
            "",
            RegistrationStatus("", "registered", "", UNTIL, "a"),
            "ok",
            "2026-03-02 12:30:00 UTC; its calls come to that",
        ),
        ("sip:192.0.2.10", RegistrationStatus("", "registered", "", UNTIL, "a"), "ok", "calls come to sip:192.0.2.10"),
        ("", RegistrationStatus("", "failed", "403 Forbidden", None, "a"), "bad", "failed by a: 403 Forbidden"),
        ("", None, "note", "by no line: none runs"),
    ],
)
def test_who_registers(contact: str, status: RegistrationStatus | None, state: str, told: str) -> None:
    kept = {ACCOUNT: status} if status is not None else {}
    (found,) = registration_findings(config(contact=contact), kept, postgres=True)
    assert (found.subject, found.state) == ("registration pbx", state)
    assert told in found.detail


def test_a_line_of_its_own_registers_all() -> None:
    (found,) = registration_findings(config(), {}, postgres=False)
    assert found.state == "ok" and "by the one line" in found.detail


def test_a_contact_is_for_a_registrar() -> None:
    with pytest.raises(ValueError, match="needs register"):
        config(register="", allow=["192.0.2.9"], contact="sip:192.0.2.10")
