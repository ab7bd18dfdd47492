"""Connections by TLS: keep-alive, slow and senseless handshakes, floods of them, peers that die; and registrations."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from typing import Any

import pytest
import structlog.testing

from ivr.config import Address
from ivr.sip import connection, network, registration
from ivr.sip.message import SipRequest
from tests.certificates import Authority, Credentials
from tests.unit.sip.messages import OFFER, request, response
from tests.wire.line.watching import until
from tests.wire.sip.conftest import LOCAL, Line
from tests.wire.sip.test_floods import call
from tests.wire.sip.test_tls import BY_ADDRESS, BY_NAME, Secure, answering, dial, failed, ours, own, pbx, secure
from tests.wire.sip.tls_peer import TlsPeer, TlsServer, client_context, connected, server_context

__all__ = ["ours", "own", "pbx", "secure"]
pytestmark = pytest.mark.wire


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep-alives every 0.2 s, whose answer may take 0.5."""
    monkeypatch.setattr(connection, "PING_S", (0.2, 0.2))
    monkeypatch.setattr(connection, "PONG_S", 0.5)


@contextlib.asynccontextmanager
async def agent_of(up: Line, ours: Authority, *, answers_pings: bool) -> Any:
    """An agent's phone that answered a call of ours: the server, its connection, the leg."""
    own = ours.signs("agent", "127.0.0.1")
    async with TlsServer.running(server_context(own), answers_pings=answers_pings) as server:
        dialling = asyncio.create_task(dial(up, f"sip:agent@127.0.0.1:{server.port};transport=tls"))
        peer, _ = await answering(server)
        yield server, peer, await dialling


# --- keep-alive ---


@pytest.mark.usefixtures("hasty")
async def test_connections_of_ours_are_kept_alive(secure: Secure, ours: Authority) -> None:
    up = await secure()
    async with agent_of(up, ours, answers_pings=True) as (server, peer, leg):
        async with asyncio.timeout(20):
            while peer.pings < 5:
                peer.pinged.clear()
                await peer.pinged.wait()
        assert not peer.ended.is_set()
        await leg.hangup()
        await peer.request("BYE")
        assert len(server.peers) == 1


@pytest.mark.usefixtures("hasty")
async def test_who_no_longer_answers_is_given_up_at_once(secure: Secure, ours: Authority) -> None:
    """It did before: whoever waits for it hears so, instead of after 32 s."""
    up = await secure()
    async with agent_of(up, ours, answers_pings=True) as (_, peer, leg):
        async with asyncio.timeout(20):
            await peer.pinged.wait()
        peer.answers_pings = False
        began = time.monotonic()
        with structlog.testing.capture_logs() as logs:
            assert not await leg.answers()
        assert time.monotonic() - began < 3.0
        async with asyncio.timeout(20):
            await peer.ended.wait()
    assert [e["reason"] for e in logs if e["event"] == "sip.unreachable"] == ["no answer to a keep-alive"]


@pytest.mark.usefixtures("hasty")
async def test_who_never_answers_loses_no_request_and_is_not_asked_again(secure: Secure, ours: Authority) -> None:
    """Not everybody knows of RFC 5626: such a phone may ring as long as it likes."""
    up = await secure()
    own = ours.signs("agent", "127.0.0.1")
    async with TlsServer.running(server_context(own), answers_pings=False) as server:
        target = f"sip:agent@127.0.0.1:{server.port};transport=tls"
        dialling = asyncio.create_task(dial(up, target))
        peer = await server.taken()
        invite = await peer.request("INVITE")
        peer.send(response(invite, 180))
        await asyncio.sleep(1.5)  # three times as long as an answer may take
        contact = f"Contact: <sip:agent@127.0.0.1:{server.port};transport=tls>\n"
        peer.send(response(invite, 200, body=OFFER, extra=contact, contact=False))
        leg = await dialling
        await peer.request("ACK")
        await leg.hangup()
        assert peer.pings == 1


@pytest.mark.usefixtures("hasty")
async def test_an_idle_connection_without_an_answer_is_closed_and_that_is_no_news(
    secure: Secure, ours: Authority
) -> None:
    up = await secure()
    own = ours.signs("agent", "127.0.0.1")
    with structlog.testing.capture_logs() as logs:
        async with TlsServer.running(server_context(own), answers_pings=False) as server:
            dialling = asyncio.create_task(failed(up, f"sip:agent@127.0.0.1:{server.port};transport=tls"))
            peer = await server.taken()
            peer.send(response(await peer.request("INVITE"), 486))
            assert (await dialling).status == 486
            async with asyncio.timeout(20):
                await peer.ended.wait()
    assert not [entry for entry in logs if entry["event"] == "sip.unreachable"]


async def test_a_double_line_break_is_answered(secure: Secure, ours: Authority) -> None:
    up = await secure(trunks=[BY_ADDRESS])
    address = up.agent.tls_address
    reader, writer = await asyncio.open_connection(address.host, address.port, ssl=client_context(ours.pem))
    for _ in range(3):
        writer.write(b"\r\n\r\n")
        async with asyncio.timeout(20):
            assert await reader.readexactly(2) == b"\r\n"
    writer.close()


# --- whoever comes without a sensible handshake ---


async def closed_after(address: Address, first: bytes, drip: bytes = b"", source: str = "127.0.0.1") -> float:
    """How long the line keeps a connection that begins with ``first``, and goes on with ``drip`` ten times a second."""
    reader, writer = await asyncio.open_connection(address.host, address.port, local_addr=(source, 0))
    began = time.monotonic()

    async def dripping() -> None:
        while drip:
            writer.write(drip)
            await asyncio.sleep(0.1)

    task = asyncio.create_task(dripping())
    writer.write(first)
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(20):
            while await reader.read(65536):
                pass
    task.cancel()
    writer.close()
    return time.monotonic() - began


def hello() -> bytes:
    """A ClientHello."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    shaking = client_context(None).wrap_bio(incoming, outgoing)
    with contextlib.suppress(ssl.SSLWantReadError):
        shaking.do_handshake()
    return outgoing.read()


async def test_handshakes_end_in_time_whatever_comes(secure: Secure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HANDSHAKE_S", 0.6)
    up = await secure(trunks=[BY_ADDRESS])
    address = up.agent.tls_address
    half = hello()[:100]
    for first, drip in ((b"", b""), (half, b""), (half, b"\0"), (hello(), b"")):
        assert 0.4 < await closed_after(address, first, drip) < 5.0
    for garbage in (
        b"GET / HTTP/1.1\r\n\r\n",
        request("OPTIONS"),
        b"\x80" * 200,
        b"\x16\x03\x01\xff\xff" + b"\0" * 70000,
    ):
        assert await closed_after(address, garbage) < 0.6, "at once"
    assert up.agent.load().connections == 0


async def test_a_flood_of_handshakes_leaves_room_for_trunks(
    secure: Secure, ours: Authority, pbx: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody may begin one where trunks are known by certificate: so many a second, and no more."""
    monkeypatch.setattr(network, "STRANGE_BURST", 30.0)
    monkeypatch.setattr(network, "STRANGE_RATE", 5.0)
    up = await secure(trunks=[BY_NAME, {**BY_ADDRESS, "allow": ["127.0.0.1"]}])
    address = up.agent.tls_address
    with structlog.testing.capture_logs() as logs:
        strangers = [f"127.0.0.{2 + n % 16}" for n in range(400)]
        flood = [asyncio.create_task(closed_after(address, hello(), source=host)) for host in strangers]
        async with connected(address, client_context(ours.pem, pbx)) as peer:
            await peer.call("in-the-flood")
        assert await call(up) < 4.0
        assert up.agent.load().connections_refused == 0, "handshakes were too many, not connections"
        for each in flood:
            each.cancel()
        await asyncio.gather(*flood, return_exceptions=True)
    lines = [entry for entry in logs if entry["event"] in ("sip.connection_refused", "sip.tls_failed")]
    assert any(entry["reason"] == "too many handshakes" for entry in lines)
    assert len(lines) <= 2 * 16, "one line a source"


# --- peers that die ---


async def alone(up: Line) -> None:
    """Returns once no connection is up."""

    async def none() -> bool:
        return not up.agent.load().connections

    await until(none)


async def test_a_peer_that_dies_in_mid_call_is_heard_of_when_it_is_asked(secure: Secure, ours: Authority) -> None:
    up = await secure(trunks=[BY_ADDRESS])
    with structlog.testing.capture_logs() as logs:
        async with connected(up.agent.tls_address, client_context(ours.pem)) as peer:
            await peer.call("dies")
            leg = up.legs[0]
            peer.abort()
            await alone(up)
        assert not [e for e in logs if e["event"] == "sip.unreachable"], "nobody waited for it"
        began = time.monotonic()
        assert not await leg.answers()
        await leg.hangup()
        assert time.monotonic() - began < 6.0


async def test_a_call_goes_on_by_another_connection_to_the_same_identity(
    secure: Secure, ours: Authority, pbx: Credentials
) -> None:
    """The PBX closed the connection that the call came on, and listens (RFC 5923): it must still be the same."""
    up = await secure(trunks=[BY_NAME])
    other = ours.signs("other", "sip:elsewhere.example")
    for credentials, reached in ((pbx, True), (other, False)):
        async with TlsServer.running(server_context(credentials)) as server:
            async with connected(up.agent.tls_address, client_context(ours.pem, pbx)) as peer:
                peer.host = f"127.0.0.1:{server.port};transport=tls"
                await peer.call(f"moves-{reached}")
                leg = up.legs[-1]
            await alone(up)
            hanging_up = asyncio.create_task(leg.hangup())
            if reached:
                assert isinstance(await (await server.taken()).request("BYE"), SipRequest)
            await hanging_up


async def test_another_process_goes_on_with_a_call_of_a_pbx_known_by_its_certificate(
    secure: Secure, ours: Authority, pbx: Credentials
) -> None:
    """Its contact is an address, which its certificate does not name, and it never connected to the heir."""
    dead, heir = await secure(trunks=[BY_NAME]), await secure(trunks=[BY_NAME])
    async with TlsServer.running(server_context(pbx)) as server:
        async with connected(dead.agent.tls_address, client_context(ours.pem, pbx)) as peer:
            peer.host = f"127.0.0.1:{server.port};transport=tls"
            await peer.call("inherited")
            kept = dead.legs[0].kept()
            assert kept is not None
            dead.legs[0].leave()
        leg = heir.agent.restore(kept)
        going_on = asyncio.create_task(leg.reinvite(LOCAL))
        taken = await server.taken()
        invite = await taken.request("INVITE")
        assert (invite.call_id, invite.top_via.transport) == ("inherited", "TLS")
        assert invite.contact.uri.port == heir.agent.tls_address.port
        contact = f"Contact: <sip:far@127.0.0.1:{server.port};transport=tls>\n"
        taken.send(response(invite, 200, body=OFFER, extra=contact, contact=False))
        await taken.request("ACK")
        assert (await going_on).port == 40_000
        await leg.hangup()
        await taken.request("BYE")


# --- registration ---


async def registered(peer: TlsPeer) -> SipRequest:
    asked = await peer.request("REGISTER")
    contact = f"Contact: {asked.headers.first('contact')};expires=300\n"
    peer.send(response(asked, 200, extra=contact, contact=False))
    return asked


@pytest.mark.parametrize("scheme", ["sip", "sips"])
async def test_a_trunk_is_registered_with_by_tls_and_anew_when_its_connection_goes(
    secure: Secure, ours: Authority, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setenv("TRUNK_PASSWORD", "correct horse")
    monkeypatch.setattr(registration, "FLOW_RETRY_S", 0.1)
    provider = ours.signs("provider", "127.0.0.1")
    async with TlsServer.running(server_context(provider)) as server:
        account = {
            "username": "line",
            "password": "env:TRUNK_PASSWORD",
            "register": f"{scheme}:127.0.0.1:{server.port}",
        }
        up = await secure(trunks=[{"name": "provider", "transport": "tls", **account}])
        peer = await server.taken()
        asked = await registered(peer)
        secured = f"<{scheme}:line@{up.agent.tls_address}"
        assert asked.top_via.transport == "TLS" and asked.headers.first("contact").startswith(secured)
        await peer.call("by-its-own-connection")
        assert up.legs[0].trunk == "provider", "by the connection that we opened to it"
        peer.abort()
        again = await registered(await server.taken())
        assert again.cseq.number > asked.cseq.number


def test_the_kernel_watches_too() -> None:
    """For those who answer no keep-alive."""
    with socket.socket() as stream:
        connection.kept_alive(stream)
        assert stream.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
