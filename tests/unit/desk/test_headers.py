"""What travels with a call: readable again, within limits, and never a second header."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.desk.headers import IA5_TEXT, LONGEST_VALUE, handoff_headers, header_value, user_to_user
from ivr.record import Reason
from tests.unit.desk.handed import CONTEXT

TOKEN = "q" * 32


def read(value: str) -> dict[str, Any]:
    """A User-to-User value as a contact centre reads it."""
    octets = bytes.fromhex(value.partition(";")[0])
    assert octets[0] == IA5_TEXT
    fields: dict[str, Any] = json.loads(octets[1:].decode("ascii"))
    return fields


def test_user_to_user_is_rfc_7433() -> None:
    value = user_to_user("call-7f3a", "cancellation-risk", 9, TOKEN)
    assert re.fullmatch(r"[0-9a-f]+;encoding=hex;purpose=isdn-uui;content=isdn-uui", value)
    assert read(value) == {"ctx": TOKEN, "id": "call-7f3a", "prio": 9, "reason": "cancellation-risk"}


@given(st.text(max_size=300), st.text(max_size=300), st.integers(0, 10))
def test_user_to_user_always_fits_and_keeps_the_link(call_id: str, reason: str, priority: int) -> None:
    value = user_to_user(call_id, reason, priority, TOKEN)
    assert len(bytes.fromhex(value.partition(";")[0])) <= 128
    fields = read(value)
    assert fields["ctx"] == TOKEN
    assert reason.startswith(str(fields.get("reason", "")))
    if "id" in fields:
        assert fields["id"] == call_id


@given(st.text())
def test_values_are_one_line_of_ascii(text: str) -> None:
    value = header_value(text)
    assert re.fullmatch(r"[ -~]*", value)
    assert len(value) <= LONGEST_VALUE
    if len(value) < LONGEST_VALUE - 3:
        assert unquote(value) == text.strip()


@pytest.mark.parametrize("attack", ["ok\r\nX-Evil: 1", "ok\nX-Evil: 1", "ok\rX-Evil", "ok\x00", "ok\u2028x", "ok\x85x"])
def test_no_header_can_be_injected(attack: str) -> None:
    assert not re.search(r"[^ -~]", header_value(attack))
    assert not re.search(r"[^ -~]", user_to_user(attack, attack, 1, TOKEN))


def test_long_values_are_not_cut_inside_an_escape() -> None:
    assert unquote(header_value("é" * 200)).rstrip("\ufffd") == "é" * 42


def test_headers_carry_what_is_needed_and_nobody() -> None:
    url = "https://line.example/handoff/" + "t" * 32
    headers = handoff_headers(CONTEXT, url)
    assert headers["X-IVR-Call-ID"] == "call-1"
    assert headers["X-IVR-Reason"] == "cancellation-risk"
    assert headers["X-IVR-Priority"] == "9"
    assert headers["X-IVR-Context"] == url
    assert read(headers["User-to-User"])["ctx"] == "t" * 32
    everything = str(headers) + str(read(headers["User-to-User"]))
    assert "Ada" not in everything
    assert "5035550101" not in everything
    assert "X-IVR-Context" not in handoff_headers(CONTEXT, "")


def test_other_reasons_travel_beside_the_most_important() -> None:
    assert "X-IVR-Also" not in handoff_headers(CONTEXT, "")
    headers = handoff_headers(replace(CONTEXT, also=(Reason("asked", "agent"), Reason("silent"))), "")
    assert (headers["X-IVR-Reason"], headers["X-IVR-Also"]) == ("cancellation-risk", "asked; silent")
