"""Typed header values: what they read, what they refuse, and that a message gives the same one twice."""

from __future__ import annotations

import time

import pytest

from ivr.sip.headers import Address, BadHeader, CSeq, Headers, Uri, Via, listed
from ivr.sip.message import MalformedMessage, parse_message
from tests.unit.sip.messages import parsed_request, request


@pytest.mark.parametrize(
    "text",
    [
        "sip:1503;npdi@far.example:5070;transport=tcp;lr?Subject=x",
        "sips:[2001:db8::1]:5061",
        "sip:pbx1",
        "sip:far_end:5070",
        "tel:+1503;phone-context=x",
        "urn:service:sos",
    ],
)
def test_uris_are_written_as_they_were_read(text: str) -> None:
    assert str(Uri.parse(text)) == text


def test_the_parts_of_a_uri() -> None:
    uri = Uri.parse("SIP:a;b=c@[::1]:5070;Transport=tcp;lr?x=y")
    assert uri == Uri("sip", "a;b=c", "::1", 5070, {"transport": "tcp", "lr": ""}, "x=y")
    assert str(uri.bare) == "sip:a;b=c@[::1]:5070;transport=tcp;lr"


@pytest.mark.parametrize("text", ["", "sip:", "sip:a@", "no uri", "sip:a b@c", ":x", "*"])
def test_what_is_no_uri(text: str) -> None:
    with pytest.raises(BadHeader):
        Uri.parse(text)


@pytest.mark.parametrize(
    ("value", "transport", "host", "port", "branch"),
    [
        ("SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bK1;rport", "UDP", "192.0.2.9", 5070, "z9hG4bK1"),
        ("SIP  /   2.0 /UDP    192.0.2.2;branch=390skdjuw", "UDP", "192.0.2.2", None, "390skdjuw"),
        ("SIP  / 2.0  / TCP     a.example   ; branch  =   z9hG4bK9", "TCP", "a.example", None, "z9hG4bK9"),
        ("SIP/2.0/tls [2001:db8::1]:5061;Branch=b;received=2001:db8::2", "TLS", "2001:db8::1", 5061, "b"),
    ],
)  # fmt: skip
def test_vias(value: str, transport: str, host: str, port: int | None, branch: str) -> None:
    via = Via.parse(value)
    assert (via.transport, via.host, via.port, via.branch) == (transport, host, port, branch)
    assert Via.parse(str(via)) == via


@pytest.mark.parametrize(
    "value", ["", "x", "SIP/2.0/UDP", "SIP/2.0/PIGEON a", "SIP/2.0/UDP a:0", "SIP/2.0/UDP a:65536"]
)
def test_what_is_no_via(value: str) -> None:
    with pytest.raises(BadHeader):
        Via.parse(value)


@pytest.mark.parametrize("value", ["1", "one INVITE", "-1 INVITE", "2147483648 INVITE", "1 INVITE x"])
def test_what_is_no_cseq(value: str) -> None:
    with pytest.raises(BadHeader):
        CSeq.parse(value)


def test_commas_in_quotes_and_brackets_separate_nothing() -> None:
    assert listed('"a, b" <sip:c,d@e>, <sip:f>') == ['"a, b" <sip:c,d@e>', "<sip:f>"]
    assert Address.parse('"a \\"<x>\\"" <sip:b@c>;q=0.3;x="d;e"').params == {"q": "0.3", "x": '"d;e"'}


@pytest.mark.parametrize("hostile", ['"' + '\\"' * 20_000, ',"' * 20_000, ';x="' * 15_000, "<" * 60_000, " " * 60_000])
def test_hostile_values_take_no_time(hostile: str) -> None:
    began = time.process_time()
    for parse in (Uri.parse, Address.parse, Via.parse, CSeq.parse, listed):
        for value in (hostile, f"sip:a{hostile}", f"SIP/2.0/UDP a{hostile}"):
            try:
                parse(value)
            except BadHeader:
                continue
    assert time.process_time() - began < 1.0


def test_a_value_is_read_once_and_anew_when_it_changes() -> None:
    message = parsed_request(request("INVITE"))
    assert message.top_via is message.top_via
    assert message.cseq == CSeq(1, "INVITE")
    message.headers.set("CSeq", "2 INVITE")
    assert message.cseq == CSeq(2, "INVITE")
    assert list(dict(message.headers.items()))[:2] == ["Via", "From"], "a new value stays in its place"


def test_no_value_smuggles_in_a_header() -> None:
    for name, value in (("X-A", "b\r\nEvil: 1"), ("X\n", "a"), ("X:", "a")):
        with pytest.raises(ValueError, match="cannot have this value"):
            Headers().add(name, value)


def test_an_unusual_method_of_rfc_4475() -> None:
    method = "!interesting-Method0123456789_*+`.%indeed'~"
    assert parsed_request(request(method)).method == method


def test_a_display_name_without_an_end_is_refused() -> None:
    with pytest.raises(MalformedMessage) as caught:
        parse_message(request("INVITE").replace(b'"Caller"', b'"Caller'))
    assert caught.value.reply is not None
    assert caught.value.reply.status_code == 400
