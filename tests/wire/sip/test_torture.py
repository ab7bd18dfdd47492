"""The cases of RFC 4475 (SIP torture tests) and their like, byte for byte on a socket, each under the RFC's name."""

from __future__ import annotations

import asyncio

import pytest

from ivr.sip.message import SipResponse
from tests.unit.sip.messages import OFFER, request
from tests.wire.sip.bare import bare_peer
from tests.wire.sip.conftest import Start

pytestmark = pytest.mark.wire

SDP = OFFER.replace("\n", "\r\n")


def message(start: str, *fields: str, body: str = "", length: str = "", kind: str = "application/sdp") -> bytes:
    """A request as it is written; "{host}" in a field is where it comes from."""
    lines = [start, *fields]
    if body:
        lines.append(f"Content-Type: {kind}")
    return "\r\n".join([*lines, f"Content-Length: {length or len(body)}", "", body]).encode("latin-1")


def options(
    *more: str,
    start: str = "OPTIONS sip:user@example.com SIP/2.0",
    via: str = "SIP/2.0/UDP {host};branch=z9hG4bKk;rport",
    origin: str = "<sip:caller@example.net>;tag=323",
    to: str = "<sip:user@example.com>",
    call_id: str = "torture.0ha0isndaksdj",
    cseq: str = "8 OPTIONS",
    hops: str = "70",
    **closing: str,
) -> bytes:
    """An OPTIONS with any of its fields replaced; "" leaves one out."""
    fields = {"Via": via, "From": origin, "To": to, "Call-ID": call_id, "CSeq": cseq, "Max-Forwards": hops}
    return message(start, *(f"{name}: {value}" for name, value in fields.items() if value), *more, **closing)


WSINV = (
    "INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0\r\n"
    "TO :\r\n sip:vivekg@chair-dnrc.example.com ;   other    = 1918181833n\r\n"
    'from   : "J Rosenberg \\\\\\""       <sip:jdrosen@example.com>\r\n  ;\r\n  tag = 98asjd8\r\n'
    "MaX-fOrWaRdS: 0068\r\nCall-ID: wsinv.ndaksdj@192.0.2.1\r\n"
    f"Content-Length   : {len(SDP)}\r\n"
    "cseq: 0009\r\n  INVITE\r\n"
    "Via  : SIP  /   2.0\r\n /UDP\r\n    {host};rport;branch=z9hG4bK390skdjuw\r\n"
    "s :\r\nNewFangledHeader:   newfangled value\r\n continued newfangled value\r\n"
    "UnknownHeaderWithUnusualValue: ;;,,;;,;\r\nContent-Type: application/sdp\r\n"
    "v:  SIP  / 2.0  / TCP     spindle.example.com   ;\r\n  branch  =   z9hG4bK9ikj8  ,\r\n"
    " SIP  /    2.0   / UDP  192.168.255.111   ; branch=\r\n z9hG4bK30239\r\n"
    'm:"Quoted string \\"\\"" <sip:jdrosen@{host}> ; newparam =\r\n      newvalue ;\r\n  secondparam ; q = 0.33\r\n\r\n'
    f"{SDP}"
).encode()

TAKEN = {
    "lwsdisp": options(origin="caller<sip:caller@example.com>;tag=323"),
    "esc01": options(start="OPTIONS sip:sips%3Auser%40example.com@example.net SIP/2.0", to="sip:%75se%72@example.com"),
    "escnull": options(to="sip:null-%00-null@example.com", origin="sip:null-%00-null@example.com;tag=839923423"),
    "semiuri": options(start="OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0"),
    "dblreq": options() + b"INVITE sip:joe@example.com SIP/2.0\r\nt: sip:joe@example.com\r\n\r\n",
    "longreq": options(
        "X-Long: " + "x" * 6000, to='"' + "I have a user name of extreme " * 60 + '" <sip:u@example.com>'
    ),
    "transports": options("Via: SIP/2.0/SCTP 192.0.2.3;branch=z9hG4bK1, SIP/2.0/UNKNOWN 192.0.2.4;branch=z9hG4bK2"),
    "inv2543": options(via="SIP/2.0/UDP {host};rport"),
    "badbranch": options(via="SIP/2.0/UDP {host};branch=z9hG4bK;rport"),
    "unksm2": options(to="isbn:2983792873"),
    "zeromf": options(hops="0"),
    "cparam01": options("Contact: <sip:+19725552222@gw1.example.net>;unknownparam"),
    "baddate": options("Date: Fri, 01 Jan 2010 16:00:00 EST"),
    "unknown authorization": options("Authorization: NoOneKnowsThisScheme opaque-data=here"),
    "a body on a request that needs none": options(body="hello", kind="application/x-unknown"),
    "shorter than the datagram": options(body="hello", length="2", kind="text/plain"),
    "proxy-require is for proxies": options("Proxy-Require: nobodyknows"),
    "CRLF before the message": b"\r\n\r\n" + options(),
    "lower-case version": options(start="OPTIONS sip:user@example.com sip/2.0"),
    "no Max-Forwards": options(hops=""),
}

REFUSED = {
    "insuf: no Call-ID": (options(call_id=""), 400),
    "insuf: no From": (options(origin=""), 400),
    "insuf: no To": (options(to=""), 400),
    "insuf: no CSeq": (options(cseq=""), 400),
    "insuf: nothing but a Via": (message("OPTIONS sip:a@b SIP/2.0", "Via: SIP/2.0/UDP {host};branch=z9hG4bKx"), 400),
    "empty Call-ID": (options("Call-ID:", call_id=""), 400),
    "badinv01": (options(via="SIP/2.0/UDP {host};;,;,,"), 400),
    "clerr": (options(body="v=0\r\n", length="9999"), 400),
    "ncl": (options(length="-999"), 400),
    "mcl01": (options("l: 13", length="5", body="hello"), 400),
    "not a length": (options(length="five"), 400),
    "scalar02: CSeq": (options(cseq="36893488147419103232 OPTIONS"), 400),
    "scalar02: Max-Forwards": (options(hops="300"), 400),
    "Max-Forwards: abc": (options(hops="abc"), 400),
    "Max-Forwards: -1": (options(hops="-1"), 400),
    "Max-Forwards: 7.5": (options(hops="7.5"), 400),
    "quotbal": (options(to='"Mr. J. User <sip:j.user@example.com>'), 400),
    "ltgtruri": (options(start="OPTIONS <sip:user@example.com> SIP/2.0"), 400),
    "lwsruri": (options(start="OPTIONS sip:user@example.com; lr SIP/2.0"), 400),
    "lwsstart": (options(start="OPTIONS  sip:user@example.com  SIP/2.0"), 400),
    "trws": (options(start="OPTIONS sip:user@example.com SIP/2.0  "), 400),
    "escruri": (options(start="OPTIONS sip:user@example.com?Route=%3Csip:example.com%3E SIP/2.0"), 400),
    "badvers": (options(start="OPTIONS sip:t.watson@example.org SIP/7.0"), 505),
    "version 20.0": (options(start="OPTIONS sip:t.watson@example.org SIP/20.0"), 505),
    "mismatch01": (options(cseq="8 INVITE"), 400),
    "mismatch02": (options(start="NEWMETHOD sip:user@example.com SIP/2.0", cseq="8 INVITE"), 400),
    "case of methods tells": (options(start="options sip:user@example.com SIP/2.0", cseq="8 OPTIONS"), 400),
    "unkscm": (options(start="OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0"), 416),
    "novelsc": (options(start="OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0"), 416),
    "bext01": (options("Require: nothingSupportsThis, nothingSupportsThisEither"), 420),
    "multi01: two From": (options("From: <sip:other@example.net>;tag=2"), 400),
    "multi01: two To": (options("To: <sip:other@example.net>"), 400),
    "multi01: two Call-ID": (options("i: another"), 400),
    "multi01: two CSeq": (options("CSeq: 8 OPTIONS"), 400),
    "multi01: two Max-Forwards": (options("Max-Forwards: 5"), 400),
    "bad Via port": (options(via="SIP/2.0/UDP 127.0.0.1:99999;branch=z9hG4bKx"), 400),
    "bad Via": (options(via="SIP/2.0/PIGEON {host};branch=z9hG4bKx"), 400),
    "CSeq without a number": (options(cseq="OPTIONS"), 400),
    "From without a URI": (options(origin="<>;tag=1"), 400),
    "a URI of 5,000 characters": (options(start=f"OPTIONS sip:{'u' * 5000}@example.com SIP/2.0"), 414),
}

INTMETH = "!interesting-Method0123456789_*+`.%indeed'~"
UNKNOWN_METHODS = [INTMETH, "RE%47IST%45R", "X" * 65, "METHOD" * 500, "SUBSCRIBE", "MESSAGE", "PUBLISH", "REGISTER"]


async def asked(start: Start, data: bytes) -> SipResponse:
    up = await start()
    async with bare_peer(up.agent.address) as peer:
        peer.send(data.replace(b"{host}", peer.host.encode()))
        response = await peer.final()
    assert up.legs == [] and up.agent.load().transactions == 0
    return response


@pytest.mark.parametrize("name", TAKEN)
async def test_what_is_unusual_and_right_is_served(line: Start, name: str) -> None:
    assert (await asked(line, TAKEN[name])).status_code == 200


async def refused(start: Start, data: bytes) -> bytes:
    """The raw answer: a 400 gives back fields that cannot be read."""
    up = await start()
    loop = asyncio.get_running_loop()
    arrived: asyncio.Queue[bytes] = asyncio.Queue()

    class Raw(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: tuple[object, ...]) -> None:
            arrived.put_nowait(data)

    goal = (up.agent.address.host, up.agent.address.port)
    transport, _ = await loop.create_datagram_endpoint(Raw, local_addr=("127.0.0.1", 0), remote_addr=goal)
    try:
        host = "{}:{}".format(*transport.get_extra_info("sockname"))
        transport.sendto(data.replace(b"{host}", host.encode()))
        async with asyncio.timeout(30):
            answer = await arrived.get()
    finally:
        transport.close()
    assert up.legs == [] and up.agent.load().transactions == 0
    return answer


@pytest.mark.parametrize("name", REFUSED)
async def test_what_is_wrong_is_refused(line: Start, name: str) -> None:
    data, status = REFUSED[name]
    answer = await refused(line, data)
    assert answer.startswith(f"SIP/2.0 {status} ".encode()), answer
    assert b"\r\nVia: " in answer
    for field in (b"From: ", b"To: ", b"Call-ID: ", b"CSeq: "):
        assert (b"\r\n" + field in answer) == (b"\r\n" + field in data)
    assert b": \r\n" not in answer, "no empty field stands for one that was missing"


@pytest.mark.parametrize("method", UNKNOWN_METHODS)
async def test_methods_that_we_do_not_serve(line: Start, method: str) -> None:
    data = options(start=f"{method} sip:user@example.com SIP/2.0", cseq=f"8 {method}")
    response = await asked(line, data)
    assert response.status_code == 405
    assert "INVITE" in response.headers.first("allow")
    assert response.cseq.method == method


async def test_a_short_tortuous_invite(line: Start) -> None:
    """wsinv: folding, white space, compact and long names, unknown fields and parameters."""
    up = await line()
    async with bare_peer(up.agent.address) as peer:
        peer.send(WSINV.replace(b"{host}", peer.host.encode()))
        ok = await peer.final()
        assert ok.status_code == 200
        assert ok.cseq.number == 9
        await up.until(lambda: bool(up.legs))
        assert up.legs[0].caller.number == "jdrosen"
        extra = {"call_id": "wsinv.ndaksdj@192.0.2.1", "number": 9, "from_tag": "98asjd8", "host": peer.host}
        peer.send(request("ACK", to_tag=ok.to.tag, **extra))  # type: ignore[arg-type]
        await up.legs[0].hangup()


@pytest.mark.parametrize(
    ("kind", "disposition", "status"),
    [
        ("application/unknownformat", "", 415),
        ("application/unknownformat", "session;handling=required", 415),
        ("application/unknownformat", "session;handling=optional", 200),
        ("image/png", "icon;handling=optional", 200),
    ],
)
async def test_an_invite_with_a_body_of_unknown_kind(line: Start, kind: str, disposition: str, status: int) -> None:
    """invut: refused with what we take instead, or answered with an offer of ours where the body may be passed over."""
    up = await line()
    async with bare_peer(up.agent.address) as peer:
        extra = f"Content-Disposition: {disposition}\n" if disposition else ""
        invite = request("INVITE", call_id="invut", body="<audio/>\n", kind=kind, extra=extra, host=peer.host)
        peer.send(invite)
        final = await peer.final()
        assert final.status_code == status
        if status == 415:
            assert "application/sdp" in final.headers.first("accept")
            peer.send(request("ACK", call_id="invut", to_tag=final.to.tag, host=peer.host))
            return
        assert "m=audio" in final.text
        peer.send(request("ACK", call_id="invut", to_tag=final.to.tag, body=OFFER, host=peer.host))
        await up.until(lambda: bool(up.legs))
        info = request(
            "INFO", call_id="invut", number=2, to_tag=final.to.tag, body="x\n", kind=kind, extra=extra, host=peer.host
        )
        peer.send(info)
        assert (await peer.final()).status_code == 200
        peer.send(request("BYE", call_id="invut", number=3, to_tag=final.to.tag, body="x\n", kind=kind, host=peer.host))
        assert (await peer.final()).status_code == 200
        await up.finished()


@pytest.mark.parametrize(
    "data",
    [
        b"SIP/2.0 4294967301 better not break the receiver\r\nVia: SIP/2.0/UDP 192.0.2.105;branch=z9hG4bKx\r\n\r\n",
        b"SIP/2.0 200 \r\nVia: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1324923\r\nCSeq: 35 INVITE\r\n\r\n",
        b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx\r\nCSeq: 9292394834772304023312 OPTIONS\r\n",
        b"ACK sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP {host};branch=z9hG4bKx\r\n\r\n",
        b"OPTIONS sip:a@b SIP/2.0\r\nFrom: <sip:a@b>;tag=1\r\n\r\n",
        b"OPTIONS sip:a@b\r\nVia: SIP/2.0/UDP {host};branch=z9hG4bKx\r\n\r\n",
        b"\xff\xfe" * 400,
        b"\0" * 65_000,
    ],
)
async def test_what_cannot_be_answered_is_not(line: Start, data: bytes) -> None:
    """bigcode, unreason, scalarlg, and what has no Via: nothing comes back, and the next request is served."""
    up = await line()
    async with bare_peer(up.agent.address) as peer:
        peer.send(data.replace(b"{host}", peer.host.encode()))
        peer.send(request("OPTIONS", call_id="after", host=peer.host))
        assert (await peer.final()).call_id == "after"
