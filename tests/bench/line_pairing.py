"""Pairing of callers with agents, in the database and as a caller sees it; ``python -m tests.bench line_pairing``.

On SQLite and PostgreSQL with one process, and with two processes on one PostgreSQL at ten callers a second. Beside it a
transaction that asks for the time only: on a machine with more to do than processors both wait for their turn, and the
aim is for one that has not."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import structlog

from ivr.clock import SystemClock
from ivr.config import DeskConfig
from ivr.desk import WaitingLine
from ivr.ports import Arrival
from ivr.store import Store
from ivr.store.database import moment
from tests.contract.line.test_several_processes import worker
from tests.postgres import PostgresServer, start_server, stop_server

AIM_MS = 10.0


def told(what: str, times: Sequence[float]) -> float:
    found = sorted(times)
    median = statistics.median(found)
    p95, load = found[int(0.95 * len(found))], os.getloadavg()[0]
    print(f"{what:44} {len(found):5} times: median {median:6.1f} ms, p95 {p95:6.1f} ms, load {load:.1f}")
    return median


async def alone(what: str, url: str, count: int) -> float:
    """One process: the transaction, and what a caller sees of it."""
    store = Store(url, line="bench", timeout_s=10.0)
    await store.upgrade()
    await store.begin()
    for n in range(5):
        await store.line.sign_in(f"agent{n}", skills=("general",))
        await store.line.set_state(f"agent{n}", "idle")
    pairs: list[float] = []
    nothing: list[float] = []
    for n in range(count):
        place = await store.line.enter(Arrival(f"member:{n}", f"call{n}", "general", 5))
        began = time.perf_counter()
        offer = await store.line.pair()
        pairs.append(1000 * (time.perf_counter() - began))
        began = time.perf_counter()
        await store.database.write(moment)
        nothing.append(1000 * (time.perf_counter() - began))
        assert offer is not None and await store.line.answered(offer)
        await store.line.finished(place.id, offer.agent)
        await store.line.set_state(offer.agent, "idle")
    line = WaitingLine(store.line, DeskConfig(), SystemClock())
    await line.begin()
    beside = asyncio.ensure_future(line.run())
    whole: list[float] = []
    for n in range(count):
        began = time.perf_counter()
        place = await line.enter(Arrival(f"member:w{n}", f"call{n}", "general", 5))
        offer = await line.offered(place.id)
        whole.append(1000 * (time.perf_counter() - began))
        await line.answered(offer)
        await line.finished(place.id, offer.agent)
        await line.set_state(offer.agent, "idle")
    beside.cancel()
    await asyncio.gather(beside, return_exceptions=True)
    await store.close()
    told(f"{what}: a transaction of one statement, beside", nothing)
    median = told(f"{what}: pairing", pairs)
    told(f"{what}: from entering to the offer", whole)
    return median


async def together(url: str, seconds: float) -> float:
    store = Store(url)
    await store.upgrade()
    await store.close()
    callers = int(5 * seconds)
    async with worker("a", url) as a, worker("b", url) as b:
        for each, name in ((a, "a"), (b, "b")):
            await each.told(do="agents", names=[f"{name}{n}" for n in range(5)], skills=["general", "retention"])
        for each, name in ((a, "a"), (b, "b")):
            people = [f"{name}{n}" for n in range(callers)]
            await each.told(do="callers", people=people, seconds=seconds, urgent=0.15)
        await asyncio.sleep(seconds + 2.0)
        reports = [await each.told(do="report") for each in (a, b)]
    return told("two processes, 10 callers a second: pairing", [ms for report in reports for ms in report["paired_ms"]])


async def measured(server: PostgresServer, count: int, seconds: float) -> Sequence[float]:
    for name in ("one", "two"):
        await server.execute(f"CREATE DATABASE {name}")
    with tempfile.TemporaryDirectory() as folder:
        sqlite = f"sqlite+aiosqlite:///{Path(folder)}/line.sqlite3"
        return [
            await alone("SQLite", sqlite, count),
            await alone("PostgreSQL", server.url("one"), count),
            await together(server.url("two"), seconds),
        ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=15.0)
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    server = start_server()
    try:
        medians = asyncio.run(measured(server, options.count, options.seconds))
    finally:
        stop_server(server)
    print(f"aim: a median of at most {AIM_MS:.0f} ms, at a load of at most {os.cpu_count()}")
    return 0 if max(medians) <= AIM_MS else 1


if __name__ == "__main__":
    raise SystemExit(main())
