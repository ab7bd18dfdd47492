"""What a caller writes into headers is text by the time anybody reads it: no terminal, log or page obeys it."""

from __future__ import annotations

import pytest
import structlog.testing

from ivr.ports import Leg
from tests.unit.sip.messages import OFFER, request, unique
from tests.unit.test_plain_text import ACTING
from tests.wire.sip.bare import bare_peer
from tests.wire.sip.conftest import LOCAL, Start

pytestmark = [pytest.mark.wire, pytest.mark.usefixtures("short_goodbye")]

COLOURED = b"\x1b[31m\x1b]0;owned\x07\x9b2J\xc2\x9b2J\xe2\x80\xae\xed\xa0\x80\xff\x00\x08"
PLACES = {
    "display name": (b'"Caller"', b'"Ro%bsa"'),
    "display name without quotes": (b'"Caller"', b"Ro%bsa"),
    "escaped display name": (b'"Caller"', b'"Ro\\%bsa"'),
    "number": (b"sip:5035550142", b"sip:5035550142%1b%5b31m%c2%9b%e2%80%ae%ed%a0%80%00"),
    "called number": (b"INVITE sip:ivr", b"INVITE sip:ivr%1b%5b31m%0a%0d"),
    "Call-ID": (b"Call-ID: ", b"Call-ID: id%b"),
    "user agent": (b"Max-Forwards", b"User-Agent: Ph%bone\r\nMax-Forwards"),
    "asserted identity": (b"Max-Forwards", b'P-Asserted-Identity: "Ro%bsa" <sip:5035550142@h>\r\nMax-Forwards'),
    "diversion": (b"Max-Forwards", b'Diversion: "%b" <sip:1@h>;reason="%b"\r\nMax-Forwards'),
    "user-to-user": (b"Max-Forwards", b"User-to-User: %b;encoding=hex\r\nMax-Forwards"),
    "header name": (b"Max-Forwards", b"X-%b: 1\r\nMax-Forwards"),
}


@pytest.mark.parametrize("place", PLACES)
async def test_a_callers_headers_reach_nobody_raw(line: Start, place: str) -> None:
    async def engine(leg: Leg) -> None:
        await leg.answer(LOCAL)
        await leg.hangup("done")

    old, new = PLACES[place]
    up = await line(engine)
    with structlog.testing.capture_logs() as written:
        async with bare_peer(up.agent.address) as peer:
            invite = request("INVITE", host=peer.host, body=OFFER, call_id=unique("hostile"))
            assert old in invite
            peer.send(invite.replace(old, new.replace(b"%b", COLOURED), 1))
            answer = await peer.final()
        assert answer.status_code in (200, 400)
        if answer.status_code == 200:
            await up.until(lambda: bool(up.legs))
    for leg in up.legs:
        told = [leg.sip_call_id, *leg.headers, *leg.headers.values()]
        for party in (leg.caller, leg.called):
            told += [party.number, party.display, party.uri]
        assert not [text for text in told if ACTING.search(text)], told
        assert leg.caller.number.removeprefix("+1").startswith("5035550142") or leg.caller.number == ""
    assert not ACTING.search("".join(f"{value}" for entry in written for value in entry.values()))
    if place in ("display name", "asserted identity"):
        assert up.legs and up.legs[0].caller.display.startswith("Ro[31m") and up.legs[0].caller.display.endswith("sa")


@pytest.mark.parametrize("trunk", ["elsewhere", "here"])
async def test_what_is_refused_is_logged_in_plain_text(line: Start, trunk: str) -> None:
    up = await line(trunks=[{"name": trunk, "allow": ["127.0.0.1" if trunk == "here" else "192.0.2.1"]}])
    up.agent.refuse_new_calls(503, 10)
    with structlog.testing.capture_logs() as written:
        async with bare_peer(up.agent.address) as peer:
            invite = request("INVITE", host=peer.host, body=OFFER, call_id=unique("hostile"))
            peer.send(invite.replace(b"Call-ID: ", b"Call-ID: id\x1b[31m\xc2\x9b2J\xe2\x80\xae", 1))
            assert (await peer.final()).status_code == (503 if trunk == "here" else 403)
    told = [entry for entry in written if entry["event"] in ("sip.rejected", "sip.call_refused")]
    assert told and not ACTING.search("".join(str(value) for entry in told for value in entry.values()))
