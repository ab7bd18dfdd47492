"""What only real sockets show: digest over UDP, streams in pieces, IPv6, and thousands of broken packets."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
import structlog.testing
from aiosipua import AuthChallenge, SipDigestAuth, build_credentials, parse_auth, stringify_auth

from ivr.config import Address, SipConfig
from ivr.errors import ConfigError
from ivr.ports import Leg
from ivr.sip.agent import SipUserAgent
from ivr.sip.message import SipResponse
from tests.unit.sip.messages import OFFER, parsed_response, request, unique
from tests.wire.sip.bare import BarePeer, bare_peer
from tests.wire.sip.conftest import LOCAL, SCENARIOS, Line, Start
from tests.wire.sipp import run_sipp

pytestmark = pytest.mark.wire

ACCOUNT = SipDigestAuth("pbx", "correct horse")


@pytest.fixture
async def guarded(line: Start, monkeypatch: pytest.MonkeyPatch) -> Line:
    monkeypatch.setenv("TRUNK_PASSWORD", ACCOUNT.password)
    return await line(
        trunks=[{"name": "roaming", "inbound_auth": True, "username": "pbx", "password": "env:TRUNK_PASSWORD"}]
    )


def challenges(response: SipResponse) -> list[AuthChallenge]:
    return [parse_auth(value) for value in response.headers.get("www-authenticate")]


async def attempt(
    peer: BarePeer, call_id: str, number: int, challenge: AuthChallenge, account: SipDigestAuth, count: int = 1
) -> SipResponse:
    """One INVITE with credentials for ``challenge``; its final response, acknowledged."""
    uri = "sip:ivr@127.0.0.1"
    credentials = build_credentials(account, challenge, "INVITE", uri, nonce_count=count)
    assert credentials is not None
    extra = f"Authorization: {stringify_auth(credentials)}\n"
    shared = {"call_id": call_id, "number": number, "host": peer.host}
    peer.send(request("INVITE", body=OFFER, extra=extra, **shared))  # type: ignore[arg-type]
    response = await peer.final()
    peer.send(request("ACK", to_tag=response.to.tag, **shared))  # type: ignore[arg-type]
    return response


@pytest.mark.parametrize("which", [0, 1])
async def test_digest_admits_the_right_credentials_once(guarded: Line, which: int) -> None:
    async with bare_peer(guarded.agent.address) as peer:
        peer.send(request("INVITE", call_id="auth", body=OFFER, host=peer.host))
        refused = await peer.final()
        assert refused.status_code == 401
        offered = challenges(refused)
        assert [c.params["algorithm"] for c in offered] == ["SHA-256", "MD5"]
        wrong = SipDigestAuth("pbx", "guess")
        assert (await attempt(peer, "auth", 2, offered[which], wrong)).status_code == 403
        answered = await attempt(peer, "auth", 3, offered[which], ACCOUNT)
        assert answered.status_code == 200
        await guarded.until(lambda: bool(guarded.legs))
        assert guarded.legs[0].trunk == "roaming"
        # The same credentials again are a replay; a higher nonce-count is not.
        replayed = await attempt(peer, "again", 1, offered[which], ACCOUNT)
        assert replayed.status_code == 401
        assert challenges(replayed)[0].params["stale"] == "true"
        assert (await attempt(peer, "again", 2, offered[which], ACCOUNT, count=2)).status_code == 200
        for leg in guarded.legs:
            await leg.hangup()
    async with bare_peer(guarded.agent.address, "127.0.0.3") as elsewhere:
        stolen = await attempt(elsewhere, "stolen", 1, offered[which], ACCOUNT, count=3)
        assert stolen.status_code == 401, "a nonce serves the address it was made for"


async def test_a_stream_in_pieces_and_in_bulk(line: Start) -> None:
    up = await line()
    reader, writer = await asyncio.open_connection("127.0.0.1", up.agent.address.port)
    messages = [request("OPTIONS", transport="TCP", branch=f"z9hG4bKtcp{n}") for n in range(5)]
    writer.write(b"\r\n\r\n")
    async with asyncio.timeout(30):
        assert await reader.readexactly(2) == b"\r\n", "a ping is answered (RFC 5626)"
    writer.write(b"".join(messages[:4]))
    for piece in (messages[4][:20], messages[4][20:200], messages[4][200:]):
        writer.write(piece)
        await writer.drain()
    got = await read_messages(reader, 5)
    assert [r.status_code for r in got] == [200] * 5
    assert {r.headers.get("via")[0].split("branch=z9hG4bK")[1][:4] for r in got} == {f"tcp{n}" for n in range(5)}
    writer.write(b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: many\r\n\r\n")
    async with asyncio.timeout(30):
        assert (await reader.read()).strip() == b"", "a stream that cannot be followed is closed"
    writer.close()


async def test_we_use_the_callers_connection_while_it_lasts(line: Start) -> None:
    """The caller's contact is its own end of the connection, where nobody listens: only that connection reaches it."""

    async def engine(leg: Leg) -> None:
        await leg.answer(LOCAL)
        await leg.hangup()

    up = await line(engine)
    reader, writer = await asyncio.open_connection("127.0.0.1", up.agent.address.port)
    host = f"127.0.0.1:{writer.get_extra_info('sockname')[1]}"
    writer.write(request("INVITE", call_id="tcp", transport="TCP", body=OFFER, host=host))
    async with asyncio.timeout(30):
        await reader.readuntil(b"100 Trying")
        head = await reader.readuntil(b"\r\n\r\nv=0")
        tag = head.partition(b"SIP/2.0 200")[2].partition(b";tag=")[2].partition(b"To: ")[2].partition(b";tag=")[2]
        to_tag = tag.partition(b"\r\n")[0].decode()
        writer.write(request("ACK", call_id="tcp", transport="TCP", to_tag=to_tag, host=host))
        bye = await reader.readuntil(b" BYE\r\n")
    start = bye[bye.index(b"BYE sip:far@") :]
    via = start.partition(b"Via: ")[2].partition(b"\r\n")[0].decode()
    answer = (
        f"SIP/2.0 200 OK\r\nVia: {via}\r\nFrom: <sip:a@b>;tag={to_tag}\r\nTo: <sip:c@d>;tag=far\r\nCall-ID: tcp\r\n"
    )
    writer.write(f"{answer}CSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n".encode())
    await up.finished()
    writer.close()


async def read_messages(reader: asyncio.StreamReader, count: int) -> list[SipResponse]:
    found: list[SipResponse] = []
    async with asyncio.timeout(30):
        while len(found) < count:
            head = (await reader.readuntil(b"\r\n\r\n")).lstrip()
            if head:
                found.append(parsed_response(head))
    return found


async def test_an_invite_that_comes_again_is_one_call(line: Start) -> None:
    up = await line()
    async with bare_peer(up.agent.address) as peer:
        invite = request("INVITE", call_id="again", body=OFFER, host=peer.host)
        for _ in range(5):
            peer.send(invite)
        ok = await peer.final()
        peer.send(invite)  # our answer was lost
        assert (await peer.final()).headers.get("to") == ok.headers.get("to")
        peer.send(request("ACK", call_id="again", to_tag=ok.to.tag, host=peer.host))
        await up.until(lambda: bool(up.legs))
        await up.legs[0].hangup()
    assert len(up.legs) == 1


async def test_ipv6(line: Start) -> None:
    up = await line(listen="[::1]:0", trunks=[{"name": "six", "allow": ["::1"]}])
    async with bare_peer(up.agent.address, "::1") as peer:
        peer.send(request("OPTIONS", host=peer.host, uri="sip:ivr@[::1]"))
        response = await peer.final()
        assert response.headers.get("contact") == [f"<sip:ivr@[::1]:{up.agent.address.port}>"]


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0"])
async def test_listening_everywhere_we_name_the_address_the_caller_reached(line: Start, listen: str) -> None:
    up = await line(listen=listen)
    port = up.agent.address.port
    async with bare_peer(Address("127.0.0.1", port)) as peer:
        peer.send(request("INVITE", call_id="here", body=OFFER, host=peer.host))
        ok = await peer.final()
        assert ok.headers.get("contact") == [f"<sip:ivr@127.0.0.1:{port}>"]
        peer.send(request("ACK", call_id="here", to_tag=ok.to.tag, host=peer.host))
        await up.until(lambda: bool(up.legs))
        await up.legs[0].hangup()


async def test_an_address_in_use_is_the_operators_business(line: Start) -> None:
    up = await line()
    second = SipUserAgent(SipConfig.model_validate({"listen": up.target}))
    with pytest.raises(ConfigError, match=r"sip\.listen"):
        await second.start(lambda leg: None)
    await second.stop()


async def test_broken_packets_hurt_nobody(line: Start, tmp_path: Path) -> None:
    """5,000 mutated INVITEs; the calls some of them become are refused; then a normal call works."""

    async def engine(leg: Leg) -> None:
        if leg.called.number == "+15035550199":
            await leg.answer(LOCAL)
        else:
            await leg.reject(480, "Not now")

    up = await line(engine, trunks=[{"name": "all", "allow": ["127.0.0.0/8"]}], max_calls=10_000)
    dice = random.Random(20260101)
    with structlog.testing.capture_logs() as logs:
        await flood(up, dice)
        result = await run_sipp(SCENARIOS / "uac_basic.xml", tmp_path, target=up.target, service="5035550199")
    result.check()
    await up.until(lambda: up.agent.calls == 0)
    failures = [entry for entry in logs if entry["event"].endswith("_failed") or entry.get("exc_info")]
    assert failures == []


async def flood(up: Line, dice: random.Random) -> None:
    async with bare_peer(up.agent.address) as peer:
        for index in range(5000):
            peer.send(mutated(dice, request("INVITE", body=OFFER, host=peer.host)))
            if index % 100 == 99:  # keep within the socket's buffer: every packet is to be read
                marker = unique("ping")
                peer.send(request("OPTIONS", call_id=marker, host=peer.host))
                while (await peer.final()).headers.get("call-id") != [marker]:
                    pass


def mutated(dice: random.Random, data: bytes) -> bytes:
    broken = bytearray(data)
    for _ in range(dice.randint(1, 6)):
        kind = dice.randrange(7)
        at = dice.randrange(len(broken)) if broken else 0
        if kind == 0 and broken:
            broken[at] = dice.randrange(256)
        elif kind == 1:
            del broken[at : at + dice.randint(1, 60)]
        elif kind == 2:
            broken[at:at] = bytes(dice.randrange(256) for _ in range(dice.randint(1, 30)))
        elif kind == 3:
            broken[at:at] = broken[max(0, at - 40) : at] * dice.randint(1, 20)
        elif kind == 4:
            lines = bytes(broken).split(b"\r\n")
            dice.shuffle(lines)
            broken = bytearray(b"\r\n".join(lines))
        elif kind == 5:
            lines = bytes(broken).split(b"\r\n")
            line = dice.randrange(len(lines))
            lines[line] = (
                lines[line].partition(b":")[0] + b":" + dice.choice((b"", b" ", b"\xff\xfe", b"<" * 50, b"-1"))
            )
            broken = bytearray(b"\r\n".join(lines))
        else:
            del broken[at:]
    return bytes(broken)


async def test_guessing_passwords_is_slow_and_its_neighbours_call(guarded: Line) -> None:
    """As many guesses as go through in 2 s: a handful are looked at. The same trunk calls from elsewhere meanwhile."""
    loop = asyncio.get_running_loop()
    async with bare_peer(guarded.agent.address) as guesser, bare_peer(guarded.agent.address, "127.0.0.2") as mine:
        guesser.send(request("INVITE", call_id="first", body=OFFER, host=guesser.host))
        offered = challenges(await guesser.final())[1]
        until, looked_at, tried = loop.time() + 2.0, 0, 0
        with structlog.testing.capture_logs() as logs:
            while loop.time() < until or tried <= 50:  # a busy machine takes longer for as many
                tried += 1
                guess = SipDigestAuth("pbx", f"guess {tried}")
                refused = await attempt(guesser, f"guess{tried}", 1, offered, guess, count=tried)
                assert refused.status_code == 403
                looked_at += not refused.headers.first("retry-after")
                if refused.headers.first("retry-after"):
                    await asyncio.sleep(0.02)  # within the budget of refusals, which would drop the rest unanswered
        assert tried > 50 and looked_at <= 16, (tried, looked_at)
        assert [entry["reason"] for entry in logs if entry["event"] == "sip.rejected"] == ["wrong credentials"]
        mine.send(request("INVITE", call_id="mine", body=OFFER, host=mine.host))
        right = await attempt(mine, "mine", 2, challenges(await mine.final())[0], ACCOUNT)
        assert right.status_code == 200
    for leg in guarded.legs:
        await leg.hangup()
