"""How long an edit takes to be checked, and how long the loop that serves calls waits for its turn meanwhile.

python -m tests.bench.flow_reload
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from pathlib import Path

from ivr.config import load_config
from ivr.line_facts import line_facts
from ivr.release.candidate import Candidate, examine_folder
from ivr.release.live import aside

ROOT = Path(__file__).parents[2]
ROUNDS = 8
TICK_S = 0.002


async def _lag(stop: asyncio.Event, late: list[float]) -> None:
    while not stop.is_set():
        began = time.perf_counter()
        await asyncio.sleep(TICK_S)
        late.append(time.perf_counter() - began - TICK_S)


async def _measure(name: str, work: Callable[[], object]) -> None:
    late: list[float] = []
    took: list[float] = []
    for _ in range(ROUNDS):
        stop = asyncio.Event()
        watcher = asyncio.create_task(_lag(stop, late))
        began = time.perf_counter()
        done = work()
        if asyncio.iscoroutine(done):
            await done
        took.append(time.perf_counter() - began)
        stop.set()
        await watcher
    late.sort()
    took.sort()
    print(
        f"{name:34} {took[len(took) // 2] * 1e3:6.0f} ms; the loop waits p50 {late[len(late) // 2] * 1e3:5.1f}, "
        f"p99 {late[int(len(late) * 0.99)] * 1e3:5.1f}, most {late[-1] * 1e3:5.1f} ms"
    )


async def main() -> None:
    config = load_config(ROOT / "config.toml")
    facts = line_facts(config)
    folder = config.flows.directory

    def checked() -> Candidate:
        return examine_folder(folder, facts)

    assert checked().library is not None
    await _measure("nothing", lambda: asyncio.sleep(0.3))
    await _measure("in a usual thread", lambda: asyncio.to_thread(checked))
    await _measure("aside", lambda: aside(checked))
    gc.collect()
    gc.freeze()
    await _measure("aside, start-up frozen (the line)", lambda: aside(checked))


if __name__ == "__main__":
    asyncio.run(main())
