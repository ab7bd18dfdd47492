"""Two hundred reloads under fifty live calls: every call stays on its version, talks on, and is not disturbed."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections import defaultdict
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from ivr.call.registry import CallServices
from ivr.call.session import CallSession
from ivr.clock import SystemClock
from ivr.ports import Clip, Ears
from ivr.sealing import Confidential
from tests.call.fakes import FakeEars, FakeLeg, FakeMedia, FakeMediaLeg, FakeRecords, services
from tests.call.fakes import FakeSpeech as Slow
from tests.release.edition import Desk, Press

RELOADS = 200
CALLS = 50
SAID = re.compile(r"edition (\d+)")


class FastSpeech(Slow):
    """Speaks so fast that a turn takes a fraction of a second of real time."""

    def __init__(self) -> None:
        super().__init__()
        self._opened: defaultdict[str, asyncio.Future[FakeEars]] = defaultdict(asyncio.Future)

    async def open(self, call_id: str, language: str, *, background: bool = False) -> Ears:
        ears = await super().open(call_id, language)
        self._opened[call_id].set_result(self.ears[-1])
        return ears

    async def opened(self, call_id: str) -> FakeEars:
        return await self._opened[call_id]

    async def render(
        self, text: str, language: str, voice: str = "", recording: str = "", *, keep: bool = True
    ) -> Clip:
        return Clip(text, bytes(2 * 8 * 20))


class ListenedTo(FakeMediaLeg):
    """Tells when something is played."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.spoke = asyncio.Event()

    def _next(self) -> None:
        super()._next()
        self.spoke.set()

    async def hears_out(self, text: str, times: int) -> None:
        async with asyncio.timeout(60):
            while sum(text in said for said in self.heard) < times:
                self.spoke.clear()
                await self.spoke.wait()


class Exchange(FakeMedia):
    def made(self, leg: str, kept: Confidential | None) -> FakeMediaLeg:
        return ListenedTo(leg)


class Caller:
    """One call, asking for more again and again until told to hang up."""

    def __init__(self, number: int, shared: CallServices, desk: Desk, media: Exchange, speech: FastSpeech) -> None:
        self.leg = FakeLeg(f"leg-{number}", number=f"503{number:07d}")
        self.session = CallSession(f"{number:016x}", self.leg, shared, desk.entry.open)
        self.expected = desk.edition
        self.turns = 0
        self._media, self._speech = media, speech
        self._enough = asyncio.Event()
        self._greeted = asyncio.Event()
        self._task = asyncio.create_task(self._talk())

    async def _talk(self) -> None:
        running = asyncio.create_task(self.session.run())
        ears = await self._speech.opened(self.session.call_id)
        media = next(leg for leg in self._media.legs if leg.name == self.session.call_id)
        assert isinstance(media, ListenedTo)
        await media.hears_out("What would you like?", 1)
        self._greeted.set()
        while not self._enough.is_set():
            self.turns += 1
            ears.hear("tell me more")
            await media.hears_out("Still edition", self.turns)
            await media.hears_out("What would you like?", self.turns + 1)
            try:
                await asyncio.wait_for(self._enough.wait(), 1.0)
            except TimeoutError:
                continue
        self.leg.end()
        await running
        self.heard = [int(m[1]) for text in media.heard if (m := SAID.search(text))]

    async def answered(self) -> None:
        greeted = asyncio.create_task(self._greeted.wait())
        await asyncio.wait({greeted, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            self._task.result()

    async def hang_up(self) -> None:
        self._enough.set()
        await self._task


@pytest.mark.slow
async def test_reloading_two_hundred_times_disturbs_no_call(tmp_path: Path) -> None:
    press = Press(tmp_path / "flows")
    desk = Desk(press.folder, tmp_path / "ivr.sqlite3", poll_s=2.0)
    media, speech, records = Exchange(), FastSpeech(), FakeRecords()
    shared = services(media=media, speech=speech, records=records, clock=SystemClock())
    numbers = itertools.count(1)

    async def call() -> Caller:
        caller = Caller(next(numbers), shared, desk, media, speech)
        await caller.answered()
        return caller

    with capture_logs() as lines:
        async with desk.running():
            stay = [await call() for _ in range(CALLS // 2)]  # through all of it
            change = [await call() for _ in range(CALLS // 2)]
            done: list[Caller] = []
            for edition in range(1, RELOADS + 1):
                press.print(edition)
                await desk.until(edition)
                await change[0].hang_up()
                done.append(change.pop(0))
                change.append(await call())
                assert change[-1].expected == edition, "a new call gets the new version"
                assert len(shared.registry) == CALLS
            for caller in (*stay, *change):
                await caller.hang_up()
                done.append(caller)
            assert desk.flows.status()["reloads"] == RELOADS
            assert len(await desk.releases.history(limit=1000)) == RELOADS + 1

    assert len(done) == CALLS + RELOADS
    for caller in done:
        assert caller.heard == [caller.expected] * (caller.turns + 1), "every word from the version it began with"
        assert records.finished[caller.session.call_id]["ended_by"] == "caller"
    assert all(caller.expected == 0 and caller.turns > 20 for caller in stay)
    assert not [line for line in lines if line["log_level"] in ("warning", "error", "critical")]
