"""SIP over TLS, both ways, to a peer of another stack: who gets in, who is called, and what a renewal leaves alone."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import structlog.testing
from cryptography.x509.oid import ExtendedKeyUsageOID

from ivr.config import Address
from ivr.errors import ConfigError, DialFailed
from ivr.ports import Leg, Party
from ivr.sip import connection, renewal
from tests.certificates import Authority, Credentials, self_signed
from tests.unit.sip.messages import OFFER, request, response
from tests.wire.line.watching import until
from tests.wire.sip.bare import bare_peer
from tests.wire.sip.conftest import LOCAL, Line, Start
from tests.wire.sip.tls_peer import TlsPeer, TlsServer, client_context, connected, refused, server_context

pytestmark = pytest.mark.wire

CALLER = Party("5035550142", "", "sip:line@127.0.0.1")
BY_NAME = {"name": "pbx", "transport": "tls", "tls_names": ["sip:pbx.example.com"]}
BY_ADDRESS = {"name": "loopback", "allow": ["127.0.0.1"]}
OVER_TLS = {"name": "inside", "transport": "tls", "allow": ["127.0.0.1"]}
Secure = Callable[..., Awaitable[Line]]


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ours"))


@pytest.fixture
def own(ours: Authority) -> Credentials:
    return ours.signs("line", "line.example.com", "127.0.0.1")


@pytest.fixture
def pbx(ours: Authority) -> Credentials:
    return ours.signs("pbx", "sip:pbx.example.com", "www.example.com")


@pytest.fixture
def secure(line: Start, ours: Authority, own: Credentials) -> Secure:
    """``await secure(trunks=[…], tls={…})``: a line that also speaks TLS, and believes ``ours``."""

    async def start(tls: dict[str, Any] | None = None, **settings: Any) -> Line:
        keys = {"listen": "127.0.0.1:0", "certificate": own.pem, "key": own.key_pem}
        keys |= {"ca": ours.pem, "client_ca": ours.pem, **(tls or {})}
        found = {name: value for name, value in keys.items() if value is not None}
        return await line(transports=["udp", "tcp", "tls"], tls=found, **settings)

    return start


async def dial(up: Line, target: str) -> Leg:
    return await up.agent.dial(target, LOCAL, caller=CALLER, headers={}, ring_timeout_s=20)


async def failed(up: Line, target: str) -> DialFailed:
    began = time.monotonic()
    with pytest.raises(DialFailed) as caught:
        await dial(up, target)
    assert time.monotonic() - began < 4.0, "at once"
    return caught.value


# --- who calls us ---


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_trunk_is_known_by_its_certificate_alone(
    secure: Secure, ours: Authority, pbx: Credentials, version: ssl.TLSVersion
) -> None:
    up = await secure(trunks=[BY_NAME])
    context = client_context(ours.pem, pbx)
    context.maximum_version = version
    async with connected(up.agent.tls_address, context, source="127.0.0.7") as peer:
        ok = await peer.call("named")
        leg = up.legs[0]
        assert (leg.trunk, leg.transport) == ("pbx", "tls")
        assert ok.headers.first("contact") == f"<sip:ivr@{up.agent.tls_address};transport=tls>"
        assert ok.headers.first("via").startswith("SIP/2.0/TLS ")
        await leg.hangup()
        bye = await peer.request("BYE")
        assert bye.top_via.transport == "TLS", "by the connection that the call came on"
        assert bye.top_via.port == up.agent.tls_address.port


async def test_who_names_nobody_is_not_served(secure: Secure, ours: Authority, pbx: Credentials) -> None:
    up = await secure(trunks=[BY_NAME])
    for names in (["www.example.com"], ["*.example.com"], ["sip:someone@pbx.example.com"], ["example.com"]):
        other = ours.signs("other", *names)
        async with connected(up.agent.tls_address, client_context(ours.pem, other)) as peer:
            peer.send(request("INVITE", body=OFFER, host=peer.host, transport="TLS"))
            await peer.response(403)
    async with connected(up.agent.tls_address, client_context(ours.pem)) as peer:
        peer.send(request("INVITE", body=OFFER, host=peer.host, transport="TLS"))
        await peer.response(403)
    assert not up.legs


async def test_foreign_expired_and_missing_certificates_are_refused_in_the_handshake(
    secure: Secure, ours: Authority, pbx: Credentials, tmp_path: Path
) -> None:
    up = await secure(trunks=[BY_NAME], tls={"require_client": "demand"})
    theirs = Authority(tmp_path / "theirs", "authority")  # of the same name, too
    bad = {
        "foreign": theirs.signs("pbx", "sip:pbx.example.com"),
        "self-signed": self_signed(tmp_path, "self", "sip:pbx.example.com"),
        "expired": ours.signs("old", "sip:pbx.example.com", days=-1),
        "for programs": ours.signs("code", "sip:pbx.example.com", usage=[ExtendedKeyUsageOID.CODE_SIGNING]),
        "none": None,
    }
    with structlog.testing.capture_logs() as logs:
        for credentials in bad.values():
            assert await refused(up.agent.tls_address, client_context(ours.pem, credentials))
        assert not await refused(up.agent.tls_address, client_context(ours.pem, pbx))
    told = [entry for entry in logs if entry["event"] == "sip.tls_failed"]
    assert told and "its certificate is refused: its authority's signature does not hold" in told[0]["reason"]
    assert len(told) == 1, "one line a source and minute"


async def test_a_pin_lets_a_self_signed_pbx_in_and_no_other(secure: Secure, ours: Authority, tmp_path: Path) -> None:
    ready, other = self_signed(tmp_path, "a", common_name()), self_signed(tmp_path, "b", common_name())
    trunk = {"name": "pbx", "transport": "tls", "tls_pin": ready.pin}
    for tls in ({"client_ca": None}, {"require_client": "demand"}):
        up = await secure(trunks=[trunk], tls=tls)
        async with connected(up.agent.tls_address, client_context(ours.pem, ready)) as peer:
            await peer.call("pinned")
            assert up.legs[0].trunk == "pbx"
            await up.legs[0].hangup()
        assert await refused(up.agent.tls_address, client_context(ours.pem, other))


def common_name() -> str:
    return "pbx.internal"


async def test_unlisted_hosts_are_refused_before_the_handshake(
    secure: Secure, ours: Authority, own: Credentials
) -> None:
    up = await secure(trunks=[BY_ADDRESS, OVER_TLS])
    address = up.agent.tls_address
    reader, writer = await asyncio.open_connection(address.host, address.port, local_addr=("127.0.0.9", 0))
    writer.write(b"\x16\x03\x01")
    async with asyncio.timeout(10):
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
    writer.close()
    async with connected(address, client_context(ours.pem)) as peer:
        await peer.call("listed")
        assert up.legs[0].trunk == "loopback", "the first that lists the address"


async def test_a_trunk_of_tls_is_not_served_without(secure: Secure, pbx: Credentials, ours: Authority) -> None:
    up = await secure(trunks=[OVER_TLS])
    async with bare_peer(up.agent.address) as plain:
        assert (await plain.asked("INVITE"))[0] == 403
    async with connected(up.agent.tls_address, client_context(ours.pem)) as peer:
        await peer.call("inside")
    assert [leg.trunk for leg in up.legs] == ["inside"]


async def test_a_certificate_and_addresses_must_both_fit(secure: Secure, ours: Authority, pbx: Credentials) -> None:
    up = await secure(trunks=[{**BY_NAME, "allow": ["127.0.0.2"]}, BY_ADDRESS])
    context = client_context(ours.pem, pbx)
    async with connected(up.agent.tls_address, context, source="127.0.0.1") as peer:
        peer.send(request("INVITE", body=OFFER, host=peer.host, transport="TLS"))
        await peer.response(403)
    async with connected(up.agent.tls_address, context, source="127.0.0.2") as peer:
        await peer.call("both")
    assert [leg.trunk for leg in up.legs] == ["pbx"]


async def test_contact_and_via_name_the_address_where_tls_is(secure: Secure, ours: Authority) -> None:
    for listen in ("127.0.0.2:0", "0.0.0.0:0"):
        up = await secure(trunks=[BY_ADDRESS], tls={"listen": listen})
        port = up.agent.tls_address.port
        async with connected(Address("127.0.0.2", port), client_context(ours.pem)) as peer:
            ok = await peer.call("elsewhere")
            host = "127.0.0.2" if listen.startswith("127") else "127.0.0.1"
            assert ok.headers.first("contact") == f"<sip:ivr@{host}:{port};transport=tls>"
            await up.legs[0].hangup()
            bye = await peer.request("BYE")
            assert (bye.top_via.host, bye.top_via.port) == (host, port)


# --- sips: ---


async def test_sips_goes_by_tls_alone(secure: Secure, ours: Authority) -> None:
    up = await secure(trunks=[BY_ADDRESS])
    async with bare_peer(up.agent.address) as plain:
        plain.send(request("INVITE", uri="sips:ivr@127.0.0.1", body=OFFER, host=plain.host))
        refusal = await plain.final()
        assert refusal.status_code == 480 and "380" in refusal.headers.first("warning")
    async with connected(up.agent.tls_address, client_context(ours.pem)) as peer:
        peer.send(request("INVITE", uri="sips:ivr@127.0.0.1", body=OFFER, host=peer.host, transport="TLS"))
        assert (await peer.response(400)).reason_phrase == "Contact is not a sips: URI"
        invite = request(
            "INVITE", call_id="sips", uri="sips:ivr@127.0.0.1", body=OFFER, host=peer.host, transport="TLS"
        )
        peer.send(invite.replace(b"Contact: <sip:", b"Contact: <sips:"))
        ok = await peer.response(200)
        assert ok.headers.first("contact") == f"<sips:ivr@{up.agent.tls_address}>"
        uri, tag = "sips:ivr@127.0.0.1", ok.to.tag
        peer.send(request("ACK", uri=uri, call_id="sips", to_tag=tag, host=peer.host, transport="TLS"))
        await up.until(lambda: bool(up.legs))
        async with bare_peer(up.agent.address) as plain:
            plain.send(request("BYE", uri=uri, call_id="sips", to_tag=tag, number=2, host=plain.host))
            assert (await plain.final()).status_code == 403, "no hop without TLS"
        await up.legs[0].hangup()
        bye = await peer.request("BYE")
        assert bye.uri.startswith("sips:far@") and bye.top_via.transport == "TLS"


# --- whom we call ---


async def answering(server: TlsServer, **how: Any) -> tuple[TlsPeer, Any]:
    peer = await server.taken()
    invite = await peer.request("INVITE")
    contact = f"Contact: <{how.get('scheme', 'sip')}:agent@127.0.0.1:{server.port};transport=tls>\r\n"
    peer.send(response(invite, 200, body=OFFER, extra=contact.replace("\r\n", "\n"), contact=False))
    return peer, invite


async def test_agents_are_called_by_tls_and_shown_our_certificate(secure: Secure, ours: Authority) -> None:
    up = await secure()
    agent = ours.signs("agent", "127.0.0.1")
    async with TlsServer.running(server_context(agent, ours.pem)) as server:
        dialling = asyncio.create_task(dial(up, f"sips:agent@127.0.0.1:{server.port}"))
        peer, invite = await answering(server, scheme="sips")
        leg = await dialling
        assert leg.transport == "tls" and invite.uri.startswith("sips:")
        assert invite.headers.first("contact") == f"<sips:ivr@{up.agent.tls_address}>"
        await peer.request("ACK")
        await leg.hangup()
        await peer.request("BYE")
        assert len(server.peers) == 1, "all by one connection"


async def test_a_phone_that_answers_sips_with_sip_over_tls_means_tls(secure: Secure, ours: Authority) -> None:
    """As most phones do. One whose contact would lead out of TLS is not spoken with, and hears so."""
    up = await secure()
    async with TlsServer.running(server_context(ours.signs("agent", "127.0.0.1"))) as server:
        target = f"sips:agent@127.0.0.1:{server.port}"
        dialling = asyncio.create_task(dial(up, target))
        peer, _ = await answering(server)
        leg = await dialling
        await peer.request("ACK")
        await leg.hangup()
        assert (await peer.request("BYE")).top_via.transport == "TLS"
        dialling = asyncio.create_task(dial(up, target))
        invite = await peer.request("INVITE")
        plain = f"Contact: <sip:agent@127.0.0.1:{server.port}>\n"
        peer.send(response(invite, 200, body=OFFER, extra=plain, contact=False))
        with pytest.raises(DialFailed, match="Contact is not a sips: URI"):
            await dialling
        for method in ("ACK", "BYE"):
            ended = await peer.request(method)
            assert (ended.call_id, ended.top_via.transport) == (invite.call_id, "TLS")


async def test_no_byte_of_sip_goes_to_whom_we_did_not_mean(secure: Secure, ours: Authority, tmp_path: Path) -> None:
    up = await secure()
    theirs = Authority(tmp_path / "theirs", "theirs")
    for wrong, why in (
        (ours.signs("w1", "elsewhere.example"), "names elsewhere.example, not 127.0.0.1"),
        (theirs.signs("w2", "127.0.0.1"), "its authority is not one that we believe"),
        (ours.signs("w3", "127.0.0.1", days=-1), "it has expired"),
        (self_signed(tmp_path, "w4", "127.0.0.1"), "it signed itself"),
    ):
        async with TlsServer.running(server_context(wrong)) as server:
            error = await failed(up, f"sip:agent@127.0.0.1:{server.port};transport=tls")
            assert error.status == 503 and why in str(error)
            for peer in server.peers:
                with pytest.raises(ConnectionError):
                    await peer.next()


async def test_a_trunk_says_whom_its_certificate_names_or_which_it_is(
    secure: Secure, ours: Authority, pbx: Credentials, tmp_path: Path
) -> None:
    selfmade = self_signed(tmp_path, "self", "whatever.internal")
    for theirs, other, keys in (
        (pbx, selfmade, {"tls_names": ["pbx.example.com"]}),
        (selfmade, pbx, {"tls_pin": selfmade.pin}),
    ):
        up = await secure(trunks=[{"name": "pbx", "transport": "tls", "allow": ["127.0.0.1"], **keys}])
        async with TlsServer.running(server_context(theirs)) as server:
            dialling = asyncio.create_task(dial(up, f"sip:agent@127.0.0.1:{server.port}"))
            await answering(server)
            leg = await dialling
            assert (leg.trunk, leg.transport) == ("pbx", "tls"), "by the transport of its trunk"
            await leg.hangup()
        async with TlsServer.running(server_context(other)) as server:
            assert (await failed(up, f"sip:agent@127.0.0.1:{server.port}")).status == 503


async def test_a_far_end_that_refuses_us_is_told_at_once(secure: Secure, ours: Authority, tmp_path: Path) -> None:
    """With TLS 1.3 it says so only after the handshake, when our INVITE is on its way."""
    up = await secure()
    elsewhere = Authority(tmp_path / "elsewhere")
    agent = ours.signs("agent", "127.0.0.1")
    async with TlsServer.running(server_context(agent, elsewhere.pem)) as server:
        error = await failed(up, f"sip:agent@127.0.0.1:{server.port};transport=tls")
    assert error.status == 503 and re.search("unknown ca|may not believe our certificate", str(error))


async def test_a_far_end_that_never_shakes_hands_is_given_up(secure: Secure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HANDSHAKE_S", 0.5)
    up = await secure()
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    error = await failed(up, f"sip:agent@127.0.0.1:{port};transport=tls")
    assert error.status == 503 and "no TLS handshake in time" in str(error)
    server.close()


async def test_without_tls_nobody_is_called_by_it(line: Start) -> None:
    up = await line()
    assert (await failed(up, "sips:agent@127.0.0.1:5061")).status == 480


async def test_a_line_may_speak_nothing_but_tls(line: Start, ours: Authority, own: Credentials) -> None:
    tls = {"listen": "127.0.0.1:0", "certificate": own.pem, "key": own.key_pem, "ca": ours.pem}
    up = await line(transports=["tls"], tls=tls)
    assert up.agent.address == up.agent.tls_address
    assert await up.agent.reachable_at() == f"{up.agent.tls_address};transport=tls"
    async with connected(up.agent.tls_address, client_context(ours.pem)) as peer:
        await peer.call("only")
    agent = ours.signs("agent", "127.0.0.1")
    async with TlsServer.running(server_context(agent)) as server:
        dialling = asyncio.create_task(dial(up, f"sip:agent@127.0.0.1:{server.port}"))
        await answering(server)
        assert (await dialling).transport == "tls"


# --- renewal ---


async def test_a_renewal_leaves_connections_and_calls_alone(
    secure: Secure, ours: Authority, own: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty calls under way; a bad pair changes nothing, a good one counts for who connects next."""
    monkeypatch.setattr(renewal, "LOOK_EVERY_S", 0.1)
    up = await secure(trunks=[BY_ADDRESS])
    address, context = up.agent.tls_address, client_context(ours.pem)
    peers: list[TlsPeer] = []
    async with asyncio.timeout(60):
        stack = [connected(address, context) for _ in range(20)]
        for number, each in enumerate(stack):
            peers.append(await each.__aenter__())
            await peers[-1].call(f"renewal-{number}")
        was = peers[0].certificate
        with structlog.testing.capture_logs() as logs:
            good, bad = ours.signs("next", "line.example.com"), ours.signs("other", "line.example.com")
            bad.pem.replace(own.pem)  # and its key has not come yet
            await logged(logs, "sip.certificate_rejected")
            async with connected(address, context) as new:
                assert new.certificate == was
            own.key_pem.write_bytes(good.key_pem.read_bytes())
            good.pem.replace(own.pem)
            await logged(logs, "sip.certificate_renewed")
        async with connected(address, context) as new:
            assert new.certificate != was
        assert up.agent.load().certificate_ends == good.certificate.not_valid_after_utc
        for number, peer in enumerate(peers):
            assert not peer.ended.is_set()
            leg = next(leg for leg in up.legs if leg.sip_call_id == f"renewal-{number}")
            hanging_up = asyncio.create_task(leg.hangup())
            await peer.request("BYE")
            await hanging_up
        for each in stack:
            await each.__aexit__(None, None, None)


async def logged(logs: Any, event: str) -> None:
    async def told() -> bool:
        return any(entry["event"] == event for entry in logs)

    await until(told)


async def test_who_is_revoked_gets_in_no_more_and_is_let_go_of(
    secure: Secure, ours: Authority, pbx: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a list that comes while the PBX is connected; another PBX of the same authority notices nothing."""
    monkeypatch.setattr(renewal, "LOOK_EVERY_S", 0.1)
    crl = ours.revokes()
    up = await secure(trunks=[{**BY_NAME, "tls_names": ["pbx.example.com", "other.example.com"]}], tls={"crl": crl})
    address, other = up.agent.tls_address, ours.signs("other", "other.example.com")
    async with (
        connected(address, client_context(ours.pem, pbx)) as revoked,
        connected(address, client_context(ours.pem, other)) as kept,
    ):
        await revoked.call("revoked")
        await kept.call("kept")
        with structlog.testing.capture_logs() as logs:
            ours.revokes(pbx)
            await logged(logs, "sip.revocations_renewed")
            await asyncio.wait_for(revoked.ended.wait(), 10)
            assert await refused(address, client_context(ours.pem, pbx))
            told = next(entry for entry in logs if entry["event"] == "sip.tls_failed")
            assert told["reason"] == "its certificate is refused: it, or who signed it, is revoked"
        assert not await refused(address, client_context(ours.pem, other)) and not kept.ended.is_set()


async def test_what_is_wrong_with_the_files_is_told_before_anything_is_bound(secure: Secure, ours: Authority) -> None:
    with pytest.raises(ConfigError, match=r"expired on .*\n.*is not the key of"):
        await secure(tls={"certificate": ours.signs("old", "a.example", days=-1).pem})
