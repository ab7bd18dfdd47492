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
from tests.wire.baresip import Baresip, baresip
from tests.wire.line.watching import logged, mark
from tests.wire.sipp import free_port
from tests.wire.srtp.conftest import THEIR_TONE, strongest, tone

pytestmark = [pytest.mark.wire, pytest.mark.slow]

AGENTS_TONE = 900
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
async def killed(setup: LineSetup, caller: Baresip, *, target: str = "", key: str = "") -> AsyncIterator[str]:
    """A line in a call with ``caller`` that was killed once the call was kept. Entered when it is dead."""
    async with RunningLine.running(setup) as line:
        await caller.command("dial", target or line.uri)
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
    async with baresip(tmp_path / "caller", pcm=tone(THEIR_TONE, 90), media_encryption=encryption) as caller:
        async with killed(setup, caller) as call:
            async with RunningLine.running(setup) as heir:
                await goes_on(heir, call, caller)
                await caller.command("hangup")
                end = await logged(heir, "call.end", call_id=call)
                assert end["encryption"] == suite
                assert end["ended_by"] == "caller" and end["packets_received"] > 100
    log = setup.folder.joinpath("ivr.log").read_text()
    assert secret not in log and "PRIVATE KEY" not in log and "inline:" not in log
