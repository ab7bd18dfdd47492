"""A user agent and a media process of our own, without a dialogue: who calls hears a tone, and their keys are noted."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from ivr.config import SipConfig, Trunk, parse_address
from ivr.errors import CallEnded
from ivr.events import Digit, Tapped
from ivr.media.clip import Clip, LegStats
from ivr.media.description import NoCommonCodec, SrtpPolicy
from ivr.media.engine import ProcessMediaEngine
from ivr.media.leg import ProcessMediaLeg
from ivr.phones.participant import Participant
from ivr.ports import Leg, MediaChanged, Party
from ivr.sip.agent import SipUserAgent

_SHARE = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 10
PORTS = (50000 + 500 * _SHARE, 50499 + 500 * _SHARE)  # other tests are elsewhere
OUR_TONE, THEIR_TONE = 700, 500


def tone(frequency: int, seconds: float = 10.0) -> bytes:
    signal = 8000 * np.sin(2 * np.pi * frequency * np.arange(int(8000 * seconds)) / 8000)
    return bytes(signal.astype("<i2").tobytes())


def strongest(pcm: bytes) -> int:
    """The frequency of the last 0.2 s that are not silent; 0 for nothing heard."""
    samples = np.frombuffer(pcm[: len(pcm) // 2 * 2], dtype="<i2")
    for at in range(len(samples) - 1600, -1, -400):
        piece = samples[at : at + 1600]
        if np.abs(piece).mean() > 1000:
            return int(np.abs(np.fft.rfft(piece)).argmax()) * 5
    return 0


@dataclass(slots=True)
class Talk:
    """One call, its keys and what it counted."""

    leg: Leg
    media: ProcessMediaLeg
    keys: list[str] = field(default_factory=list)
    changes: list[MediaChanged] = field(default_factory=list)
    ended: CallEnded | None = None
    stats: LegStats = field(default_factory=LegStats)
    tapped: bytes = b""


class Desk:
    """Takes calls, and makes them."""

    def __init__(self, agent: SipUserAgent, engine: ProcessMediaEngine) -> None:
        self.agent = agent
        self.engine = engine
        self.talks: list[Talk] = []
        self._changed = asyncio.Condition()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def uri(self) -> str:
        return f"sip:ivr@{self.agent.address}"

    def take(self, leg: Leg) -> None:
        self._tasks.append(asyncio.create_task(self._answer(leg)))

    async def _answer(self, leg: Leg) -> None:
        offered = leg.remote
        try:
            media = await self.engine.open(leg.id, offered)
        except NoCommonCodec:
            await leg.reject(488, "Not Acceptable Here")
            return
        with suppress(CallEnded):
            remote = await leg.answer(media.local)
            if remote != offered:
                await media.update(remote)
            await self._talk(leg, media)

    async def call(self, target: str, srtp: SrtpPolicy | None = None) -> Talk:
        media = await self.engine.open(f"out-{len(self.talks)}", None, caller=False)
        party = Party("5035550100", "", "sip:line@127.0.0.1")
        try:
            leg = await self.agent.dial(target, media.local, caller=party, headers={}, ring_timeout_s=10, srtp=srtp)
        except BaseException:
            await media.close()
            raise
        assert leg.remote is not None
        await media.update(leg.remote)
        self._tasks.append(asyncio.create_task(self._talk(leg, media)))
        return await self.talk(len(self.talks))

    async def _talk(self, leg: Leg, media: ProcessMediaLeg) -> None:
        talk = Talk(leg, media)
        self.talks.append(talk)
        await self._tell()
        await media.play([Clip("tone", tone(OUR_TONE, 30.0))], token=1)
        await media.tap(True)
        participant = Participant(leg, media)
        participant.tapped.to = lambda tapped: self._keep(talk, tapped)
        async with asyncio.TaskGroup() as group:
            over = asyncio.Event()
            watching = [group.create_task(each(participant, talk, over)) for each in (self._signals, self._audio)]
            await over.wait()
            for task in watching:
                task.cancel()
        talk.stats = await media.close()
        await leg.hangup()
        await self._tell()

    def _keep(self, talk: Talk, tapped: Tapped) -> None:
        talk.tapped += tapped.payload
        self._tasks.append(asyncio.create_task(self._tell()))

    async def _signals(self, participant: Participant, talk: Talk, over: asyncio.Event) -> None:
        async for event in participant.signals():
            if isinstance(event, MediaChanged):
                talk.changes.append(event)
            if isinstance(event, CallEnded):
                talk.ended = event
                over.set()
            await self._tell()

    async def _audio(self, participant: Participant, talk: Talk, over: asyncio.Event) -> None:
        async for event in participant.audio():
            if isinstance(event, Digit):
                talk.keys.append(event.key)
            if isinstance(event, CallEnded):
                talk.ended = event
                over.set()
            await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def until(self, true: Callable[[], object], within: float = 15.0) -> None:
        async with self._changed, asyncio.timeout(within):
            await self._changed.wait_for(true)

    async def talk(self, number: int = 0, within: float = 15.0) -> Talk:
        await self.until(lambda: len(self.talks) > number, within)
        return self.talks[number]

    async def over(self, talk: Talk) -> LegStats:
        await self.until(lambda: talk.ended is not None and talk.stats.codec)
        return talk.stats

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.agent.stop()


Desks = Callable[[SrtpPolicy], Awaitable[Desk]]


def sip_config(srtp: SrtpPolicy, **given: Any) -> SipConfig:
    """Also what a configuration file is refused without TLS."""
    trunk = Trunk(name="loopback", allow=("127.0.0.1/32",), **given).model_copy(update={"srtp": srtp})
    return SipConfig(listen=parse_address("127.0.0.1:0")).model_copy(update={"trunks": (trunk,)})


@asynccontextmanager
async def desk(engine: ProcessMediaEngine, srtp: SrtpPolicy) -> AsyncIterator[Desk]:
    agent = SipUserAgent(sip_config(srtp))
    made = Desk(agent, engine)
    await agent.start(made.take)
    yield made
    await made.close()


@pytest.fixture
async def engine() -> AsyncIterator[ProcessMediaEngine]:
    running = ProcessMediaEngine("127.0.0.1", PORTS, timeout_s=10.0)
    await running.start()
    yield running
    await running.stop()


@pytest.fixture
async def preferring(engine: ProcessMediaEngine) -> AsyncIterator[Desk]:
    async with desk(engine, "prefer") as made:
        yield made


@pytest.fixture
async def plain(engine: ProcessMediaEngine) -> AsyncIterator[Desk]:
    async with desk(engine, "off") as made:
        yield made


@pytest.fixture
async def requiring(engine: ProcessMediaEngine) -> AsyncIterator[Desk]:
    async with desk(engine, "require") as made:
        yield made
