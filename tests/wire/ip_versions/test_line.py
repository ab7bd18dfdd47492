"""A line of both IP versions: callers and agents of either, joined across, with keys and with audio both ways."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from ivr.demo.line import AgentPhone, LineSetup, RunningLine
from tests.wire.baresip import Baresip, baresip
from tests.wire.line.reloading import with_agents
from tests.wire.line.watching import logged, mark, until, until_idle
from tests.wire.pitches import RATE, heard_in

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

TONES = {"caller": 425.0, "agent": 1000.0}
HOSTS = {4: "127.0.0.1", 6: "::1"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def line(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningLine]:
    six = '[[sip.trunks]]\nname = "six"\nallow = ["::1"]'
    agents = [AgentPhone("sip:nobody@127.0.0.1:9")]
    setup = LineSetup(Path(tmp_path_factory.mktemp("both")), agents=agents, sip="[::]:0", extra=six)
    async with RunningLine.running(setup) as running:
        yield running


def voice(hertz: float) -> bytes:
    return (8000 * np.sin(2 * np.pi * hertz * np.arange(10 * RATE) / RATE)).astype("<i2").tobytes()


def heard(phone: Baresip) -> set[str]:
    """Who was heard in the last second, so far."""
    samples = phone.hearing().read_bytes()[44:]  # behind the header, which is finished when the call is
    sound = np.frombuffer(samples[: len(samples) & ~1], dtype="<i2").astype(np.float64)
    return heard_in(sound[-RATE:], TONES)


@pytest.mark.parametrize(("calls", "answers"), [(6, 4), (4, 6), (6, 6)])
async def test_a_caller_and_an_agent_of_any_version_talk(
    line: RunningLine, tmp_path: Path, calls: int, answers: int
) -> None:
    port = line.sip.rpartition(":")[2]
    at = f"[{HOSTS[6]}]" if calls == 6 else HOSTS[4]
    async with (
        baresip(tmp_path / "agent", pcm=voice(TONES["agent"]), host=HOSTS[answers]) as agent,
        baresip(tmp_path / "caller", pcm=voice(TONES["caller"]), host=HOSTS[calls]) as caller,
        with_agents(line, [AgentPhone(agent.uri, ring_timeout_s=10)]),
    ):
        since = mark(line)
        await caller.command("dial", f"sip:line@{at}:{port}")
        await caller.wait("CALL_ESTABLISHED")
        invite = await logged(line, "sip.invite", since=since)
        assert invite["source"] == HOSTS[calls]
        await caller.press("0")
        await agent.wait("CALL_ESTABLISHED")
        await logged(line, "handoff.connected", since=since)

        async def talking() -> bool:
            return heard(caller) == {"agent"} and heard(agent) == {"caller"}

        await until(talking)
        await caller.command("hangup")
        await agent.wait("CALL_CLOSED")
        await until_idle(line)
