"""A whole line that prefers SRTP: a caller and an agent with baresip talk, encrypted; it is told, and no key is."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest

from ivr.demo.line import AgentPhone, LineSetup, RunningLine
from tests.wire.baresip import Baresip, baresip
from tests.wire.line.watching import logged
from tests.wire.srtp.conftest import THEIR_TONE, strongest, tone

pytestmark = [pytest.mark.wire, pytest.mark.slow]

AGENTS_TONE = 900


async def heard(peer: Baresip, frequency: int) -> None:
    """Its file grows by itself, and nothing tells when."""
    async with asyncio.timeout(30):
        while abs(strongest(peer.heard()) - frequency) > 5:  # noqa: ASYNC110
            await asyncio.sleep(0.2)


async def called(line: RunningLine, caller: Baresip) -> str:
    await caller.command("dial", line.uri)
    return str((await logged(line, "call.start"))["call_id"])


@pytest.mark.parametrize(
    ("at_caller", "callers", "at_agent", "agents"),
    [
        ("srtp-mand", "AES_CM_128_HMAC_SHA1_80", "srtp-mand", "AEAD_AES_256_GCM"),
        ("dtls_srtp", "DTLS AEAD_AES_128_GCM", "", "none"),
    ],
)
async def test_a_caller_and_an_agent_talk(
    tmp_path: Path, at_caller: str, callers: str, at_agent: str, agents: str
) -> None:
    """The dialogue speaks and hears keys, the agent is rung, best effort first; the trace of it all names no key."""
    async with baresip(tmp_path / "agent", pcm=tone(AGENTS_TONE, 60), media_encryption=at_agent) as agent:
        setup = LineSetup(
            tmp_path / "line",
            agents=[AgentPhone(agent.uri, srtp="prefer")],
            srtp="prefer",
            log_level="debug",
        )
        async with (
            RunningLine.running(setup) as line,
            baresip(tmp_path / "caller", pcm=tone(THEIR_TONE, 60), media_encryption=at_caller) as caller,
        ):
            call = await called(line, caller)
            await logged(line, "sip.answered")
            await caller.press("0")
            await logged(line, "handoff.connected", call_id=call, timeout_s=60)
            await logged(line, "dialogue.handoff", call_id=call, encryption=agents)
            for peer, frequency in ((caller, AGENTS_TONE), (agent, THEIR_TONE)):
                await heard(peer, frequency)
            await caller.command("hangup")
            end = await logged(line, "call.end", call_id=call)
            assert (end["encryption"], end["agent_encryption"]) == (callers, agents)
            shown = await line.get(f"/api/calls/{call}")
            assert shown["canonical"]["encryption"] == callers
            assert shown["canonical"]["agent_encryption"] == agents
        log = setup.folder.joinpath("ivr.log").read_text()
    assert not re.search(r"inline:[A-Za-z0-9+/]{20}", log)
    assert not re.search(r"[A-Za-z0-9+/]{40}={0,2}\"", log.replace("/work", "")), "what looks like a key"
    assert any(json.loads(text)["level"] == "debug" for text in log.splitlines())
