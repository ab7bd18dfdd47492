"""Two whole units on one machine behind Kamailio: calls spread by Call-ID, and each stays with its unit to the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

from ivr.demo.line import LineSetup, RunningLine
from tests.bench.process_tree import roles
from tests.wire.kamailio import HOST, Kamailio, kamailio
from tests.wire.ports import free_port
from tests.wire.sipp import start_sipp

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

STAYS = Path(__file__).with_name("uac_stays.xml")
UNIT_HOST = "127.0.0.2"  # of both: their ports tell them apart
MEDIA_PORTS = ("20000-24999", "25000-29999")
CALLS = 41  # odd: whoever deals them out in turn does it otherwise the second time


@dataclass(frozen=True, slots=True)
class Units:
    """By HOST:PORT of their signalling."""

    proxy: Kamailio
    lines: Mapping[str, RunningLine]

    async def called(self, folder: Path, name: str) -> list[list[str]]:
        """CALLS calls, with the Call-IDs NAME-1, NAME-2, …, a re-INVITE in each: what SIPp noted, in words."""
        options = ("-d", "300", "-cid_str", f"{name}-%u")
        run = await start_sipp(STAYS, folder, target=self.proxy.target, calls=CALLS, rate=20, options=options)
        result = (await run.result()).check(CALLS)
        return [line.split() for line in result.logged.splitlines() if line]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def units(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Units]:
    setups = {}
    for ports in MEDIA_PORTS:
        address = f"{UNIT_HOST}:{free_port(UNIT_HOST)}"
        folder = Path(tmp_path_factory.mktemp("unit"))
        setups[address] = LineSetup(folder, sip=address, allow=f"{HOST}/32", media_ports=ports)
    async with kamailio(list(setups)) as proxy, AsyncExitStack() as stack:
        lines = {
            address: await stack.enter_async_context(RunningLine.running(setup)) for address, setup in setups.items()
        }
        for address in lines:
            await proxy.until("up", address)
        yield Units(proxy, lines)


async def test_each_unit_has_processes_of_its_own(units: Units) -> None:
    trees = [roles(line.process.pid) for line in units.lines.values()]
    assert trees[0].keys().isdisjoint(trees[1].keys())
    for tree in trees:
        assert {"line", "media", "listening", "speaking"} <= set(tree.values())


async def test_calls_spread_by_call_id_and_stay_with_their_unit(units: Units, tmp_path: Path) -> None:
    name = uuid4().hex[:8]
    first = await units.called(tmp_path / "first", name)
    kept = {word: {w[1]: w[2] for w in first if w[0] == word} for word in ("answered", "asked_again", "ended")}
    assert len(kept["answered"]) == CALLS
    assert kept["answered"] == kept["asked_again"] == kept["ended"], "re-INVITE and BYE find the call's own unit"
    spread = Counter(kept["answered"].values())
    assert spread.keys() == units.lines.keys() and min(spread.values()) >= CALLS // 5, spread
    for _, _, address, port in first:
        low, high = map(int, units.lines[address].setup.media_ports.split("-"))
        assert low <= int(port) <= high, "the audio is that unit's"
    for address, line in units.lines.items():
        kept_there = {call["sip_call_id"] for call in (await line.get(f"/api/calls?q={name}&limit=500"))["calls"]}
        mine = {call for call, unit in kept["answered"].items() if unit == address}
        assert kept_there == mine, "each unit has its own calls, and no other's"

    again = await units.called(tmp_path / "again", name)
    assert {w[1]: w[2] for w in again if w[0] == "answered"} == kept["answered"], "by the Call-ID, and by nothing else"
