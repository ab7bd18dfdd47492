"""A line is killed with its callers in the dialogue, in the line and talking: another goes on with all of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.postgres import PostgresServer, postgres_server
from tests.wire.takeover.cluster import AGENT_SAYS, CALLER_SAYS, Cluster, cluster, gap, summary
from tests.wire.takeover.telephone import Telephone

__all__ = ["postgres_server"]

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

WITHIN_S = 6.0  # with a loaded machine in mind; what it takes is printed, and measured by the bench "takeover"


@pytest_asyncio.fixture(loop_scope="session")
async def two_lines(
    postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Cluster]:
    async with cluster(postgres_server, tmp_path_factory.mktemp("two"), agents=4) as made:
        yield made


async def test_calls_go_on_in_another_process(two_lines: Cluster) -> None:
    for agent in two_lines.agents:
        agent.answers_after_s = 0.2
    talking = await two_lines.calls(4)
    await asyncio.sleep(1.0)
    for phone in talking:
        phone.press("0")
    await two_lines.until("talking", talking)
    waiting = await two_lines.calls(6)
    await asyncio.sleep(1.0)
    for phone in waiting:
        phone.press("0")
    await two_lines.until("waiting", waiting)
    speaking = await two_lines.calls(6)
    await asyncio.sleep(4.0)
    before = await two_lines.places()
    victim = two_lines.line_of(talking[0])
    other = next(address for address in two_lines.lines if address != victim)
    lost = {
        name: [phone for phone in phones if two_lines.line_of(phone) == victim]
        for name, phones in (("talking", talking), ("waiting", waiting), ("in the dialogue", speaking))
    }
    died = await two_lines.kill(victim)
    await asyncio.sleep(WITHIN_S)
    for name, phones in lost.items():
        print(f"{name}: {summary([gap(phone, died, WITHIN_S) for phone in phones])}")
    for name, phones in lost.items():
        for phone in phones:
            found = gap(phone, died, WITHIN_S)
            assert found.told and found.heard_s is not None, (name, phone.number, found)
            assert two_lines.line_of(phone) == other
    after = await two_lines.places()
    for phone in lost["waiting"]:
        assert after[phone.call_id]["entered_at"] == before[phone.call_id]["entered_at"], "their place is kept"
        assert after[phone.call_id]["state"] == "waiting"
    for phone in lost["talking"]:
        assert after[phone.call_id]["state"] == "talking"
        assert after[phone.call_id]["agent"] == before[phone.call_id]["agent"]
    new = await two_lines.calls(4)
    assert {two_lines.line_of(phone) for phone in new} == {other}
    statuses = await two_lines.hang_up()
    assert set(statuses) == {200}, statuses
