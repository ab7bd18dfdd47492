"""Parsing and building of messages; framing of streams."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.numbering import NumberingPlan
from ivr.ports import Party
from ivr.sip.framing import FramingError, StreamFramer
from ivr.sip.headers import Address
from ivr.sip.message import (
    BadBody,
    MalformedMessage,
    Peer,
    SipRequest,
    encode,
    parse_message,
    response_to,
    stamp_source,
)
from ivr.sip.party import called_of, party_of, target_uri
from ivr.sip.transfer import digit_of, progress_of
from tests.unit.sip.messages import OFFER, parsed_request, request

HOSTILE = [
    *(bytes([c]) for c in b"\"<>;,:@\\\r\0\xff[]=?%* "), b"", b"\r\n", b"\n ", b",,", b"tag=", b"sip:",
    b"\xc2\x85", b"\xe2\x80\xa8", b"\xd9\xa1", b"CSeq: 1 INVITE\r\n", b"Via: ,\r\n",
]  # fmt: skip


def test_what_is_encoded_parses_to_the_same() -> None:
    message = parsed_request(request("INVITE", call_id="abc", body=OFFER, extra="X-IVR-Reason: a, b\nMin-SE: 90\n"))
    again = parse_message(encode(message))
    assert isinstance(again, SipRequest)
    assert (again.method, again.uri, again.body) == ("INVITE", message.uri, message.body)
    assert again.headers.get("x-ivr-reason") == ["a, b"]
    assert b"\r\nMin-SE: 90\r\n" in encode(message)
    assert b"\r\nX-IVR-Reason: " in encode(message), "names keep their case"


def test_compact_headers_and_folding() -> None:
    text = (
        "INVITE sip:a@b SIP/2.0\nv: SIP/2.0/UDP c:5060;branch=z9hG4bK1\nf: <sip:f@c>;tag=1\nt: <sip:a@b>\ni: x\n"
        "CSeq: 1\n INVITE\nm: <sip:f@c>\nx: 1800;refresher=uac\nk: timer\nl: 0\n\n"
    )
    message = parsed_request(text.replace("\n", "\r\n").encode())
    assert message.headers.get("session-expires") == ["1800;refresher=uac"]
    assert message.headers.get("cseq") == ["1 INVITE"]


@pytest.mark.parametrize(
    ("old", "new", "answered"),
    [
        (b"INVITE sip:ivr@127.0.0.1 SIP/2.0", b"INVITE sip:ivr@127.0.0.1", False),
        (b"INVITE sip:ivr@127.0.0.1 SIP", b"INVITE <sip:x> SIP", True),
        (b"INVITE sip:ivr@127.0.0.1 SIP", b"INVITE sip:ivr@127.0.0.1  SIP", True),
        (b"INVITE sip:ivr@127.0.0.1 SIP", b"ACK <sip:x> SIP", False),
        (b"Via:", b"X-Via:", False),
        (b"Call-ID:", b"X-Id:", True),
        (b"From:", b"X-From:", True),
        (b"To:", b"X-To:", True),
        (b"CSeq:", b"X-CSeq:", True),
        (b"CSeq: 1 INVITE", b"CSeq:", True),
        (b"Max-Forwards: 70", b"Max-Forwards: abc", True),
        (b"Max-Forwards: 70", b"Max-Forwards: -1", True),
        (b"Max-Forwards: 70", b"Max-Forwards: 256", True),
        (b"Max-Forwards: 70", b"Max-Forwards: 7\r\nMax-Forwards: 70", True),
        (b"CSeq: 1", b"CSeq: one", True),
        (b"CSeq: 1", b"CSeq: 3000000000", True),
        (b"Max-Forwards: 70", b"From: <sip:b@c>;tag=2", True),
        (b"192.0.2.9:5070;branch", b"192.0.2.9:99999;branch", True),
        (b"SIP/2.0/UDP", b"SIP/2.0/PIGEON", True),
        (b"Via: ", b"Via: , \r\nX: ", True),
        (b"Content-Length: 0", b"Content-Length: 9", True),
        (b"Content-Length: 0", b"Content-Length: -1", True),
        (b"Content-Length: 0", b"Content-Length: 0\r\nl: 1", True),
    ],
)
def test_malformed(old: bytes, new: bytes, answered: bool) -> None:
    data = request("INVITE")
    assert old in data
    with pytest.raises(MalformedMessage) as caught:
        parse_message(data.replace(old, new))
    assert (caught.value.reply is not None) == answered
    if caught.value.reply is not None:
        assert caught.value.reply.status_code == 400


@pytest.mark.parametrize("number", ["1", "0001", "00000000000000000001", "2147483647"])
@pytest.mark.parametrize("hops", ["0", "70", "0068", "255"])
def test_numbers_that_are_right(number: str, hops: str) -> None:
    data = request("INVITE").replace(b"Max-Forwards: 70", f"Max-Forwards: {hops}".encode())
    assert parsed_request(data.replace(b"CSeq: 1", f"CSeq: {number}".encode())).cseq.number == int(number)


def test_a_reply_says_what_was_wrong_and_gives_back_what_was_there() -> None:
    with pytest.raises(MalformedMessage) as caught:
        parse_message(request("INVITE", call_id="x").replace(b"From:", b"X-From:"))
    reply = caught.value.reply
    assert reply is not None
    assert (reply.reason_phrase, reply.headers.get("from"), reply.headers.get("call-id")) == ("missing from", [], ["x"])
    assert reply.headers.get("cseq") == ["1 INVITE"]


def test_a_uri_without_end_is_told_so() -> None:
    with pytest.raises(MalformedMessage) as caught:
        parse_message(request("INVITE", uri=f"sip:{'a' * 3000}@127.0.0.1"))
    assert caught.value.reply is not None
    assert caught.value.reply.status_code == 414


@pytest.mark.parametrize(
    ("kind", "extra", "status"),
    [
        ("application/x-unknown", "", 415),
        ("application/x-unknown", "Content-Disposition: render\n", 415),
        ("application/x-unknown", "Content-Disposition: session; handling=required\n", 415),
        ("application/x-unknown", "Content-Disposition: render;handling=optional\n", 0),
        ("text/plain", 'Content-Disposition: icon ; x=y ; Handling = "OPTIONAL"\n', 0),
        ("application/x-unknown", "Content-Disposition: session; handling=optional-not\n", 415),
        ("application/sdp", "Content-Encoding: gzip\nContent-Disposition: session;handling=optional\n", 0),
        ("application/sdp", "Content-Encoding: gzip\n", 415),
        ("multipart/mixed; boundary=b", "Content-Disposition: session;handling=optional\n", 0),
        ("multipart/mixed; boundary=b", "", 415),
    ],
)
def test_what_may_be_passed_over_is(kind: str, extra: str, status: int) -> None:
    message = parsed_request(request("INVITE", body="--b\n\nhello\n--b--\n", kind=kind, extra=extra))
    if not status:
        assert message.sdp() is None
        return
    with pytest.raises(BadBody) as caught:
        message.sdp()
    assert caught.value.status == status


def test_an_offer_is_read_whatever_the_disposition() -> None:
    extra = "Content-Disposition: session;handling=optional\n"
    assert (parsed_request(request("INVITE", body=OFFER, extra=extra)).sdp() or "").startswith("v=0")
    body = f"--b\nContent-Type: application/sdp\n\n{OFFER}\n--b\nContent-Type: a/b\n\nx\n--b--\n"
    assert parsed_request(request("INVITE", body=body, kind="multipart/mixed;boundary=b", extra=extra)).sdp() or ""


def test_too_many_headers_and_too_large() -> None:
    for data in (request("INVITE", extra="X: y\n" * 300), request("INVITE", body="x" * 70_000)):
        with pytest.raises(MalformedMessage):
            parse_message(data)


@given(st.binary(max_size=400))
def test_nothing_else_escapes_the_parser(noise: bytes) -> None:
    for data in (noise, b"INVITE sip:a SIP/2.0\r\n" + noise, request("INVITE")[:200] + noise):
        try:
            parse_message(data)
        except MalformedMessage:
            continue


@given(st.lists(st.tuples(st.integers(0, 420), st.integers(0, 5), st.sampled_from(HOSTILE)), max_size=8))
def test_a_damaged_request_is_malformed_or_can_be_answered(damage: list[tuple[int, int, bytes]]) -> None:
    data = request("INVITE", body=OFFER, extra="Record-Route: <sip:a;lr>, <sip:b>\n")
    for at, length, piece in damage:
        data = data[:at] + piece + data[at + length :]
    try:
        message = parse_message(data)
    except MalformedMessage as error:
        assert error.reply is None or encode(error.reply)
        return
    assert isinstance(message, SipRequest)
    stamp_source(message, Peer("udp", "198.51.100.1", 7777))
    again = parse_message(encode(message))
    assert (again.top_via, again.from_, again.to, again.cseq) == (
        message.top_via,
        message.from_,
        message.to,
        message.cseq,
    )
    assert encode(response_to(message, 400, tag="t"))


@pytest.mark.parametrize(
    ("value", "party"),
    [
        ('"Ann" <sip:+1503@far.example:5070>;tag=1', Party("+1503", "Ann", "sip:+1503@far.example:5070")),
        ("<sip:anonymous@anonymous.invalid>", Party("", "", "sip:anonymous@anonymous.invalid")),
        ("sip:1503@far.example;tag=1", Party("1503", "", "sip:1503@far.example")),
        ("<tel:+1503;phone-context=x>", Party("+1503", "", "tel:+1503")),
        ("<sip:1503;npdi@far.example;user=phone>", Party("1503", "", "sip:1503;npdi@far.example")),
        ('"A <b>, \\"c\\"" <sip:1@b>;tag=1', Party("1", 'A <b>, "c"', "sip:1@b")),
        ("<sip:%2B1503@[2001:db8::1]>", Party("+1503", "", "sip:%2B1503@[2001:db8::1]")),
    ],
)
def test_parties(value: str, party: Party) -> None:
    assert party_of(Address.parse(value), NumberingPlan()) == party


def test_a_call_to_our_registered_contact_was_meant_for_to() -> None:
    invite = parsed_request(request("INVITE", uri="sip:trunkuser@192.0.2.1"))
    invite.headers.set("To", "<sip:5035550199@pbx.example>")
    assert called_of(invite, frozenset({"trunkuser"}), NumberingPlan()).number == "+15035550199"
    assert called_of(invite, frozenset({"ivr"}), NumberingPlan()).number == "trunkuser"


def test_responses_go_where_the_request_came_from() -> None:
    source = Peer("udp", "198.51.100.1", 7777)
    with_rport = parsed_request(request("OPTIONS", host="10.0.0.1:5070"))
    assert stamp_source(with_rport, source) == source
    assert ";rport=7777;received=198.51.100.1" in with_rport.headers.get("via")[0]
    without = parsed_request(request("OPTIONS", host="10.0.0.1:5070").replace(b";rport", b""))
    assert stamp_source(without, source) == Peer("udp", "198.51.100.1", 5070)
    assert ";received=198.51.100.1" in without.headers.get("via")[0]


@pytest.mark.parametrize("text", ["tel:+1", "sips:", "sip:a b@c", "sip:", "sip:a@b>\r\nX: y", "https://x"])
def test_uris_that_are_never_dialled(text: str) -> None:
    with pytest.raises(ValueError, match=r"sip: URI|no host"):
        target_uri(text)


def test_embedded_headers_are_dropped() -> None:
    assert str(target_uri("sip:a@b?Subject=x")) == "sip:a@b"


@pytest.mark.parametrize(
    ("kind", "body", "key"),
    [
        ("application/dtmf-relay", "Signal=5\nDuration=160\n", "5"),
        ("application/dtmf-relay", "Duration=160\nSignal= *\n", "*"),
        ("application/dtmf-relay", "signal=11", "#"),
        ("application/dtmf", "d", "D"),
        ("application/dtmf", "10", "*"),
        ("application/dtmf", "55", None),
        ("application/dtmf-relay", "Signal=16", None),
        ("text/plain", "5", None),
    ],
)
def test_keys_by_info(kind: str, body: str, key: str | None) -> None:
    assert digit_of(parsed_request(request("INFO", body=body, kind=kind))) == key


@pytest.mark.parametrize(
    ("body", "state", "expected"),
    [
        ("SIP/2.0 100 Trying", "active;expires=60", (100, False)),
        ("SIP/2.0 200 OK\n", "active;expires=60", (200, True)),
        ("SIP/2.0 603 Decline", "terminated;reason=noresource", (603, True)),
        ("SIP/2.0 180 Ringing", "terminated;reason=timeout", (480, True)),
        ("", "terminated", (480, True)),
        ("nonsense", "active", None),
    ],
)
def test_progress_by_notify(body: str, state: str, expected: tuple[int, bool] | None) -> None:
    extra = f"Event: refer\nSubscription-State: {state}\n"
    progress = progress_of(parsed_request(request("NOTIFY", body=body, kind="message/sipfrag", extra=extra)))
    assert (progress and (progress.status, progress.last)) == expected


def test_what_a_transfer_came_to_is_told_in_plain_text() -> None:
    extra = "Event: refer\nSubscription-State: terminated\n"
    body = "SIP/2.0 603 De\x1b[31mcl\u202eine"
    progress = progress_of(parsed_request(request("NOTIFY", body=body, kind="message/sipfrag", extra=extra)))
    assert progress is not None and progress.reason == "De[31mcline"


def test_no_body_is_no_offer() -> None:
    assert parsed_request(request("INVITE")).sdp() is None


# --- streams -----------------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 60), max_size=40))
def test_messages_survive_any_cutting(cuts: list[int]) -> None:
    messages = [request("OPTIONS"), request("INVITE", body=OFFER), request("BYE")]
    stream = b"\r\n".join(messages)
    framer, found = StreamFramer(), []
    for size in cuts:
        found += framer.feed(stream[:size])
        stream = stream[size:]
    found += framer.feed(stream)
    assert found == messages


def test_keep_alives_are_counted() -> None:
    framer = StreamFramer()
    assert framer.feed(b"\r\n\r\n\r\n") == []
    assert (framer.pings, framer.pending) == (1, False)
    assert framer.feed(b"\r\n" + request("OPTIONS")) != []
    assert framer.pings == 2


@pytest.mark.parametrize(
    "data",
    [
        b"x" * 70_000,
        b"INVITE sip:a SIP/2.0\r\nContent-Length: 99999999\r\n\r\n",
        b"INVITE sip:a SIP/2.0\r\nContent-Length: 70000\r\n\r\n",
        b"INVITE sip:a SIP/2.0\r\nContent-Length: 1\r\nl: 2\r\n\r\n",
        b"INVITE sip:a SIP/2.0\r\nContent-Length: x\r\n\r\n",
    ],
)
def test_streams_that_cannot_be_followed(data: bytes) -> None:
    with pytest.raises(FramingError):
        StreamFramer().feed(data)
