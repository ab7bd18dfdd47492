"""SIP texts for tests, as a far end would write them."""

from __future__ import annotations

import itertools

from ivr.sip.message import SipRequest, SipResponse, parse_message

_serial = itertools.count(1)

OFFER = """v=0
o=far 1 1 IN IP4 192.0.2.9
s=-
c=IN IP4 192.0.2.9
t=0 0
m=audio 40000 RTP/AVP 8 0 101
a=rtpmap:101 telephone-event/8000
a=sendrecv
"""


def unique(prefix: str = "x") -> str:
    return f"{prefix}{next(_serial)}"


def request(
    method: str,
    *,
    uri: str = "sip:ivr@127.0.0.1",
    call_id: str = "",
    branch: str = "",
    number: int = 1,
    from_tag: str = "far",
    to_tag: str = "",
    body: str = "",
    kind: str = "application/sdp",
    extra: str = "",
    host: str = "192.0.2.9:5070",
    transport: str = "UDP",
) -> bytes:
    """A request from 5035550142 at ``host``. ``extra``: more header lines, each ended by a newline."""
    text = f"{method} {uri} SIP/2.0\n"
    text += f"Via: SIP/2.0/{transport} {host};branch={branch or 'z9hG4bK' + unique()};rport\n"
    text += f'From: "Caller" <sip:5035550142@{host}>;tag={from_tag}\n'
    text += f"To: <{uri}>{';tag=' + to_tag if to_tag else ''}\n"
    text += f"Call-ID: {call_id or unique('call')}\nCSeq: {number} {method}\nMax-Forwards: 70\n"
    text += f"Contact: <sip:far@{host}>\n{extra}"
    payload = body.replace("\n", "\r\n").encode()
    if payload:
        text += f"Content-Type: {kind}\n"
    text += f"Content-Length: {len(payload)}\n\n"
    return text.replace("\n", "\r\n").encode() + payload


def response(
    to: SipRequest, status: int, *, tag: str = "agent", body: str = "", extra: str = "", contact: bool = True
) -> bytes:
    """What a far end answers to ``to``."""
    text = f"SIP/2.0 {status} Whatever\n"
    text += "".join(f"Via: {via}\n" for via in to.headers.get("via"))
    tagged = to.headers.get("to")[0] if "tag=" in to.headers.get("to")[0] else f"{to.headers.get('to')[0]};tag={tag}"
    text += f"From: {to.headers.get('from')[0]}\nTo: {tagged}\n"
    text += f"Call-ID: {to.headers.get('call-id')[0]}\nCSeq: {to.headers.get('cseq')[0]}\n{extra}"
    if contact:
        text += "Contact: <sip:far@192.0.2.9:5070>\n"
    payload = body.replace("\n", "\r\n").encode()
    if payload:
        text += "Content-Type: application/sdp\n"
    text += f"Content-Length: {len(payload)}\n\n"
    return text.replace("\n", "\r\n").encode() + payload


def parsed_request(data: bytes) -> SipRequest:
    message = parse_message(data)
    assert isinstance(message, SipRequest), data
    return message


def parsed_response(data: bytes) -> SipResponse:
    message = parse_message(data)
    assert isinstance(message, SipResponse), data
    return message
