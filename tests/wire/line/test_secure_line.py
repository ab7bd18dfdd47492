"""A whole line by TLS: a caller's PBX and an agent's phone (baresip), each known by its certificate alone."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from ivr.demo.line import AgentPhone, LineSetup, RunningLine
from tests.certificates import Authority, Credentials, self_signed
from tests.wire.baresip import Baresip, baresip
from tests.wire.line.reloading import reloaded
from tests.wire.line.test_softphone_commands import terminal
from tests.wire.line.watching import logged, mark, until_idle

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]


@dataclass(frozen=True, slots=True)
class Secure:
    """``line`` at ``uri``; ``agent``: its only one; ``house`` signs for all of them."""

    line: RunningLine
    uri: str
    agent: Baresip
    house: Authority
    own: Credentials
    selfmade: Credentials


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def secure(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Secure]:
    folder = tmp_path_factory.mktemp("secure")
    house = Authority(folder / "tls")
    own = house.signs("line", "127.0.0.1", "line.example.com")
    selfmade = self_signed(folder / "tls", "selfmade", "pbx.internal")
    tls = f'listen = "127.0.0.1:0"\ncertificate = "{own.pem}"\nkey = "{own.key_pem}"\nca = "{house.pem}"\n'
    tls += f'client_ca = "{house.pem}"\nrequire_client = "demand"'
    trunks = (
        '[[sip.trunks]]\nname = "pbx"\ntransport = "tls"\ntls_names = ["sip:pbx.example.com"]\n'
        f'[[sip.trunks]]\nname = "selfmade"\ntransport = "tls"\ntls_pin = "{selfmade.pin}"\n'
    )
    phone = house.signs("agent", "127.0.0.1")
    async with baresip(folder / "agent", tls=phone, ca=house.pem) as agent:
        setup = LineSetup(folder / "line", [AgentPhone(agent.uri)], allow="127.0.0.3/32", tls=tls, extra=trunks)
        async with RunningLine.running(setup) as line:
            address = (await logged(line, "sip.tls_listening"))["addresses"][0]
            yield Secure(line, f"sip:line@{address};transport=tls", agent, house, own, selfmade)


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def idle(secure: Secure) -> AsyncIterator[None]:
    secure.agent.events.clear()
    yield
    await until_idle(secure.line)


async def test_a_caller_comes_by_tls_and_is_handed_to_an_agent_by_tls(secure: Secure, tmp_path: Path) -> None:
    line, since = secure.line, mark(secure.line)
    credentials = secure.house.signs("pbx", "sip:pbx.example.com")
    async with baresip(tmp_path, tls=credentials, ca=secure.house.pem) as pbx:
        await pbx.command("dial", secure.uri)
        await pbx.wait("CALL_ESTABLISHED")
        began = await logged(line, "call.start", since=since)
        assert (began["trunk"], began["transport"]) == ("pbx", "tls")
        (live,) = await line.calls(live=True)
        await pbx.press("0")
        await secure.agent.wait("CALL_ESTABLISHED")
        await logged(line, "handoff.connected", since=since)
        await secure.agent.command("hangup")  # by a connection of its own to us, perhaps
        await logged(line, "sip.ended", since=since, by="agent", reason="hung up")
        await pbx.command("hangup")
        await pbx.wait("CALL_CLOSED")
    ended = await logged(line, "call.end", since=since)
    assert ended["transport"] == "tls"
    ends = secure.own.certificate.not_valid_after_utc
    assert (await line.ready())["sip"]["certificate_ends"] == ends.isoformat()
    assert (await line.get(f"/api/calls/{live['call_id']}"))["transport"] == "tls"
    page = f"{line.http}/calls/{live['call_id']}"
    async with aiohttp.ClientSession() as console, console.get(page) as shown:
        assert re.search(r"Signalled by.{1,200}TLS", await shown.text(), re.DOTALL)


async def test_a_self_signed_pbx_is_known_by_its_pin(secure: Secure, tmp_path: Path) -> None:
    since = mark(secure.line)
    async with baresip(tmp_path, tls=secure.selfmade, ca=secure.house.pem) as pbx:
        await pbx.command("dial", secure.uri)
        await pbx.wait("CALL_ESTABLISHED")
        assert (await logged(secure.line, "call.start", since=since))["trunk"] == "selfmade"
        await pbx.command("hangup")
        await pbx.wait("CALL_CLOSED")


async def test_wrong_names_are_not_served_and_foreign_certificates_do_not_get_in(
    secure: Secure, tmp_path: Path
) -> None:
    since = mark(secure.line)
    foreign = Authority(tmp_path / "foreign", "foreign")
    wrong = secure.house.signs("wrong", "sip:elsewhere.example")
    async with baresip(tmp_path / "wrong", tls=wrong, ca=secure.house.pem) as peer:
        await peer.command("dial", secure.uri)
        assert "403" in (await peer.wait("CALL_CLOSED"))["param"]
    async with baresip(
        tmp_path / "other", tls=foreign.signs("pbx", "sip:pbx.example.com"), ca=secure.house.pem
    ) as peer:
        await peer.command("dial", secure.uri)
        refused = await logged(secure.line, "sip.tls_failed", since=since)
    assert "its authority is not one that we believe" in refused["reason"]
    assert not await secure.line.calls(live=True)


async def test_the_command_line_s_phone_calls_by_tls(secure: Secure) -> None:
    own, house = secure.selfmade, secure.house
    words = ("--tls-ca", str(house.pem), "--tls-certificate", str(own.both), "--deaf", "--press", "0")
    uri = f"sips:{secure.uri.partition(':')[2].partition(';')[0]}"
    since = mark(secure.line)
    async with terminal("call", uri, *words) as caller:
        assert await caller.ended() == 0, caller.printed
    assert (await logged(secure.line, "call.start", since=since))["transport"] == "tls"
    async with terminal("call", uri, "--deaf") as stranger:
        assert await stranger.ended() != 0
        assert any("certificate is refused" in line for line in stranger.printed)


async def test_a_reload_takes_a_renewed_certificate_and_rejects_one_that_does_not_fit(
    secure: Secure, tmp_path: Path
) -> None:
    line, own, since = secure.line, secure.own, mark(secure.line)
    before = own.pem.read_bytes(), own.key_pem.read_bytes()
    async with baresip(tmp_path, tls=secure.selfmade, ca=secure.house.pem) as pbx:
        await pbx.command("dial", secure.uri)
        await pbx.wait("CALL_ESTABLISHED")
        other = secure.house.signs("other", "127.0.0.1")
        own.pem.write_bytes(other.pem.read_bytes())
        assert "is not the key of" in (await reloaded(line, "config.rejected"))["error"]
        own.key_pem.write_bytes(other.key_pem.read_bytes())
        await reloaded(line)
        assert (await logged(line, "sip.certificate_renewed", since=since))["sha256"] == other.pin
        await pbx.command("hangup")
        await pbx.wait("CALL_CLOSED")
    own.pem.write_bytes(before[0])
    own.key_pem.write_bytes(before[1])
    await reloaded(line)
