"""A process of its own at the line, which tests kill: ``python -m tests.contract.line.worker NAME URL SPOOL``.

Orders come as JSON lines on standard input, and each is confirmed on standard output: callers who wait and talk, agents
at consoles, places that are just held."""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from pathlib import Path
from typing import Any

from ivr.clock import SystemClock
from ivr.config import DeskConfig, LineConfig
from ivr.desk import WaitingLine
from ivr.ports import Arrival, Offer
from ivr.store import Store

TALK_S = 0.1
UNANSWERED = 0.05
BACK_S = 0.3  # an agent who did not answer is available again after this
CONFIG = DeskConfig(line=LineConfig(wrap_up_s=0.2, offer_s=15.0))


class Worker:
    def __init__(self, name: str, url: str, spool: str) -> None:
        self.rng = random.Random(name)
        folder = Path(spool) if spool else None
        self.store = Store(url, timeout_s=10.0, line=name, node=f"node of {name}", spool=folder)
        self.store.line.apply(CONFIG.line)
        self.line = WaitingLine(self.store.line, CONFIG, SystemClock())
        self.paired_ms: list[float] = []
        self.failed: list[str] = []
        self.tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        await self.store.begin()
        pair = self.store.line.pair

        async def timed() -> Offer | None:
            began = time.perf_counter()
            offer = await pair()
            if offer is not None:
                self.paired_ms.append(1000 * (time.perf_counter() - began))
            return offer

        self.store.line.pair = timed  # type: ignore[method-assign]
        await self.line.begin()
        beside = [asyncio.ensure_future(self.store.run(SystemClock(), tuple)), asyncio.ensure_future(self.line.run())]
        print(json.dumps({"ready": True}), flush=True)
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while order := await reader.readline():
            print(json.dumps(await self.obey(**json.loads(order))), flush=True)
        for task in (*self.tasks, *beside):
            task.cancel()
        await asyncio.gather(*self.tasks, *beside, return_exceptions=True)
        await self.store.close()

    async def obey(self, do: str, **told: Any) -> Any:
        if do == "agents":
            for name in told["names"]:
                await self.line.sign_in(name, skills=told["skills"])
                await self.line.set_state(name, "idle")
        elif do == "callers":
            for person in told["people"]:
                self.start(self.call(person, told["seconds"] * self.rng.random(), told["urgent"]))
        elif do == "hold":
            return [(await self.line.enter(self.arrival(person))).id for person in told["people"]]
        elif do == "call back":
            return [
                (await self.line.ask_call_back(self.arrival(person), "+15035550101")).id for person in told["people"]
            ]
        elif do == "report":
            return {"paired_ms": self.paired_ms, "failed": self.failed, "calls": len(self.tasks)}
        return True

    def start(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.over)

    def over(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failed.append(repr(error))

    def arrival(self, person: str, skill: str = "general", priority: int = 5) -> Arrival:
        return Arrival(f"member:{person}", f"{person} at {self.store.line.line}", skill, priority, member=person)

    async def call(self, person: str, after_s: float, urgent: float) -> None:
        await asyncio.sleep(after_s)
        risk = random.Random(person).random() < urgent  # the same whoever is called
        place = await self.line.enter(self.arrival(person, "retention" if risk else "general", 8 if risk else 5))
        while True:
            offer = await self.line.offered(place.id)
            if self.rng.random() < UNANSWERED:
                await self.line.released(offer, "no_answer")
                self.start(self.back(offer.agent))
            elif await self.line.answered(offer):
                await asyncio.sleep(self.rng.expovariate(1 / TALK_S))
                await self.line.finished(place.id, offer.agent, "solved")
                await self.line.set_state(offer.agent, "idle")
                return

    async def back(self, agent: str) -> None:
        await asyncio.sleep(BACK_S)
        await self.line.set_state(agent, "idle")


if __name__ == "__main__":
    asyncio.run(Worker(*sys.argv[1:4]).run())
