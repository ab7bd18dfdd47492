"""Encrypted calls outlive their process: baresip goes on by the keys that it has, by SDES and by DTLS-SRTP."""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from ivr.demo.line import AgentPhone, LineSetup, RunningLine
from ivr.softphone.phone import Softphone
from tests.certificates import Authority
from tests.postgres import PostgresServer
from tests.wire.baresip import Baresip, baresip
from tests.wire.line.watching import logged, mark
from tests.wire.ports import free_port
from tests.wire.srtp.conftest import THEIR_TONE, strongest, tone

pytestmark = [pytest.mark.wire, pytest.mark.slow]

AGENTS_TONE, HOST = 900, "127.0.0.1"
LONG_S = 300.0  # at the end of what it says baresip hangs up
SETTLED_S = 6.5  # what no state tells of is looked for every five seconds, and the rollovers are told within


def key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def keyed(setup: LineSetup, current: str, *former: str) -> LineSetup:
    """With these keys, in its environment."""
    named = {f"TAKEOVER_{number}": each for number, each in enumerate((current, *former))}
    sources = [f'"env:{name}"' for name in named]
    extra = f"[takeover]\nkey = {sources[0]}\nformer_keys = [{', '.join(sources[1:])}]"
    return replace(setup, extra=extra, environment={**setup.environment, **named})


def line_setup(folder: Path, *agents: AgentPhone) -> LineSetup:
    return LineSetup(folder, agents, sip=f"127.0.0.1:{free_port()}", srtp="prefer", log_level="debug")


@asynccontextmanager
async def killed(setup: LineSetup, caller: Baresip, *, key: str = "") -> AsyncIterator[str]:
    """A line in a call with ``caller``, with an agent by ``key``, killed once the call was kept. Entered when it is
    dead."""
    async with RunningLine.running(setup) as line:
        at = (await logged(line, "sip.tls_listening"))["addresses"][0] if setup.tls else ""
        await caller.command("dial", f"sip:line@{at};transport=tls" if at else line.uri)
        call = str((await logged(line, "call.start"))["call_id"])
        await caller.wait("CALL_ESTABLISHED")
        if key:
            await caller.press(key)
            await logged(line, "handoff.connected", call_id=call, timeout_s=60)
        await asyncio.sleep(SETTLED_S)
        assert len(caller.heard()) > 16000
        line.process.kill()
        await line.process.wait()
        yield call


async def hears_more(peer: Baresip, frequency: int = 0) -> None:
    """Two seconds of sound that is none of before; of ``frequency`` where one is awaited, else anything but silence."""
    there = len(peer.heard())
    async with asyncio.timeout(30):
        while True:
            heard = peer.heard()[there:]
            found = strongest(heard) if len(heard) >= 32000 else 0
            if found and (not frequency or abs(found - frequency) <= 5):
                return
            await asyncio.sleep(0.2)


async def goes_on(line: RunningLine, call: str, caller: Baresip) -> None:
    """Both ways: what it is told is heard there, and it hears what is said."""
    await logged(line, "call.taken_over", call_id=call, timeout_s=30)
    since = mark(line)
    await hears_more(caller)
    await caller.press("7")
    await logged(line, "dialogue.key", since=since, call_id=call, timeout_s=30)


@pytest.mark.parametrize(
    ("encryption", "suite"),
    [("srtp-mand", "AES_CM_128_HMAC_SHA1_80"), ("dtls_srtp", "DTLS AEAD_AES_128_GCM")],
)
async def test_a_telephone_that_takes_no_new_key_talks_on(tmp_path: Path, encryption: str, suite: str) -> None:
    secret = key()
    setup = keyed(line_setup(tmp_path / "line"), secret)
    async with (
        baresip(tmp_path / "caller", pcm=tone(THEIR_TONE, LONG_S), media_encryption=encryption) as caller,
        killed(setup, caller) as call,
        RunningLine.running(setup) as heir,
    ):
        await goes_on(heir, call, caller)
        await caller.command("hangup")
        end = await logged(heir, "call.end", call_id=call)
        assert end["encryption"] == suite
        assert end["ended_by"] == "caller" and end["packets_received"] > 100
    log = setup.folder.joinpath("ivr.log").read_text()
    assert secret not in log and "PRIVATE KEY" not in log and "inline:" not in log


@pytest.mark.parametrize("encryption", ["srtp-mand", "dtls_srtp"])
async def test_another_node_goes_on_by_the_same_keys(
    postgres_server: PostgresServer, tmp_path: Path, encryption: str
) -> None:
    """It speaks from another address, as another SSRC, and names the same keys, or the same certificate."""
    database, secret = f"sealed_{encryption[:4]}", key()
    await postgres_server.execute(f"CREATE DATABASE {database}")
    setups = []
    for number in (2, 3):
        own = f'{postgres_server.url(database)}"\nspool = "{tmp_path / f"spool-{number}"}'
        host = f"127.0.0.{number}"
        setup = LineSetup(tmp_path / host, sip=f"{host}:{free_port(host)}", srtp="prefer", database=own)
        setups.append(keyed(setup, secret))
    try:
        async with (
            RunningLine.running(setups[1]) as heir,
            baresip(tmp_path / "caller", pcm=tone(THEIR_TONE, LONG_S), media_encryption=encryption) as caller,
            killed(setups[0], caller) as call,
        ):
            there = len(caller.heard())
            await goes_on(heir, call, caller)
            (taken,) = [await logged(heir, "call.taken_over", call_id=call)]
            print(f"{encryption}: taken over after {taken['gap_s']} s, {len(caller.heard()) - there} bytes heard since")
            await caller.command("hangup")
            end = await logged(heir, "call.end", call_id=call)
            assert end["encryption"] not in ("", "none") and end["packets_received"] > 100
    finally:
        await postgres_server.execute(f"DROP DATABASE {database} WITH (FORCE)")


async def test_a_newer_key_seals_and_a_former_one_opens(tmp_path: Path) -> None:
    setup, former, newer = line_setup(tmp_path / "line"), key(), key()
    async with (
        baresip(tmp_path / "caller", pcm=tone(THEIR_TONE, LONG_S), media_encryption="srtp-mand") as caller,
        killed(keyed(setup, former), caller) as call,
        RunningLine.running(keyed(setup, newer, former)) as heir,
    ):
        await goes_on(heir, call, caller)
        await caller.command("hangup")
        await logged(heir, "call.end", call_id=call)


@pytest.mark.parametrize("heirs", ["another", "none"])
async def test_without_the_key_such_a_call_is_taken_over_and_ends(tmp_path: Path, heirs: str) -> None:
    """As before there were keys: it is said why, and who must act."""
    setup = line_setup(tmp_path / "line")
    async with (
        baresip(tmp_path / "caller", pcm=tone(THEIR_TONE, LONG_S), media_encryption="dtls_srtp") as caller,
        killed(keyed(setup, key()), caller) as call,
        RunningLine.running(keyed(setup, key()) if heirs == "another" else setup) as heir,
    ):
        told = await logged(heir, "takeover.keys_unreadable", call_id=call)
        assert "[takeover] key" in told["error"]
        await logged(heir, "call.taken_over", call_id=call, timeout_s=30)
        end = await logged(heir, "call.end", call_id=call, timeout_s=40)
        assert "no encryption" in end["end_reason"]
        if heirs == "none":
            await logged(heir, "takeover.keys_unkept")


@pytest.mark.parametrize("kept", [True, False])
async def test_a_telephone_that_follows_new_keys_talks_on_in_any_case(tmp_path: Path, kept: bool) -> None:
    setup = line_setup(tmp_path / "line")
    setup = keyed(setup, key()) if kept else setup
    async with Softphone.open(srtp=True) as phone:
        async with RunningLine.running(setup) as line:
            await phone.call(line.uri)
            await phone.wait_answered()
            call = str((await logged(line, "call.start"))["call_id"])
            await heard_by(phone)
            await asyncio.sleep(SETTLED_S)
            line.process.kill()
            await line.process.wait()
        async with RunningLine.running(setup) as heir:
            await logged(heir, "call.taken_over", call_id=call, timeout_s=30)
            since = mark(heir)
            await heard_by(phone)
            await phone.press("7")
            await logged(heir, "dialogue.key", since=since, call_id=call, timeout_s=30)
            await phone.hangup()
            end = await logged(heir, "call.end", call_id=call)
            assert end["encryption"] == "AES_CM_128_HMAC_SHA1_80" and end["ended_by"] == "caller"


async def heard_by(phone: Softphone) -> None:
    """Half a second of what is said to it now."""
    loud = 0
    async with asyncio.timeout(30):
        async for sound in phone.listen():
            loud += sound.level_db > -30
            if loud >= 25:
                return


async def test_a_conversation_by_tls_and_srtp_is_joined_again(tmp_path: Path) -> None:
    """The caller's keys and the agent's, both by SDES over TLS: each hears the other again, by what they have."""
    house = Authority(tmp_path / "tls")
    own = house.signs("line", HOST)
    tls = f'listen = "{HOST}:0"\ncertificate = "{own.pem}"\nkey = "{own.key_pem}"\nca = "{house.pem}"\n'
    tls += f'client_ca = "{house.pem}"\nrequire_client = "demand"'
    trunk = '[[sip.trunks]]\nname = "pbx"\ntransport = "tls"\ntls_names = ["sip:pbx.example.com"]\nsrtp = "require"'
    async with (
        baresip(
            tmp_path / "agent",
            pcm=tone(AGENTS_TONE, LONG_S),
            media_encryption="srtp-mand",
            tls=house.signs("agent", HOST),
            ca=house.pem,
        ) as agent,
        baresip(
            tmp_path / "pbx",
            pcm=tone(THEIR_TONE, LONG_S),
            media_encryption="srtp-mand",
            tls=house.signs("pbx", "sip:pbx.example.com", HOST),
            ca=house.pem,
        ) as pbx,
    ):
        phone = AgentPhone(agent.uri, srtp="require", ring_timeout_s=10)
        setup = keyed(line_setup(tmp_path / "line", phone), key())
        setup = replace(setup, tls=tls, allow="127.0.0.3/32", extra=f"{setup.extra}\n{trunk}")
        async with killed(setup, pbx, key="0") as call, RunningLine.running(setup) as heir:
            await logged(heir, "call.taken_over", call_id=call, timeout_s=30)
            await asyncio.gather(hears_more(pbx, AGENTS_TONE), hears_more(agent, THEIR_TONE))
            await pbx.command("hangup")
            end = await logged(heir, "call.end", call_id=call)
            assert (end["transport"], end["outcome"]) == ("tls", "handed over")
            assert end["encryption"].startswith("A") and end["agent_encryption"].startswith("A")
            await agent.wait("CALL_CLOSED")
