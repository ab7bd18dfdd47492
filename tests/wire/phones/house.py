"""A house with agents for wire tests: the real user agent and media process, a floor of phones, a line of one place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import numpy as np

from ivr.call.registry import CallServices
from ivr.config import Config
from ivr.media.engine import ProcessMediaEngine
from ivr.phones.bridge import Bridge
from ivr.phones.destinations import Destinations
from ivr.phones.floor import AgentFloor
from ivr.phones.participant import Participant
from ivr.phones.switchboard import Switchboard
from ivr.ports import HandoffContext, Party, Ring
from ivr.sip.agent import SipUserAgent
from tests.call.fakes import FakeDesk, FakeSpeech, services
from tests.call.told_line import ToldLine
from tests.wire.line.agent_phone import AgentSockets
from tests.wire.media.far_end import FarEnd
from tests.wire.pitches import heard_in

TONES = {"caller": 425.0, "ben": 700.0, "cleo": 1000.0, "sue": 1300.0}  # who speaks, by the pitch of their voice
STORY = HandoffContext("c1", "asked", "general", 5, Party("+15035550101"), "en-US")


@dataclass(frozen=True)
class House:
    """``caller`` is whoever was dialled as one."""

    services: CallServices
    line: ToldLine

    async def joined(self, caller: AgentSockets) -> tuple[Bridge, Participant]:
        """The caller at this phone, and ben at his, in a bridge that is not run yet."""
        switchboard = self.services.switchboard
        called = await switchboard.dial("caller", caller.uri, Party("line"), headers={}, ring_timeout_s=5)
        ring = Ring(self.line.offer("ben"), STORY, "", {}, 5.0)
        phone = self.services.floor.phone_of("ben")
        assert phone is not None
        leg, media = await phone.ring(ring, wanted=True)
        ben = Participant(leg, media, may_mute=True)
        return Bridge(called, ben, ring, switchboard, self.services.floor, self.line), called


@asynccontextmanager
async def house(agents: Mapping[str, str], *, outside: Sequence[str] = (), gateway: str = "") -> AsyncIterator[House]:
    """``agents``: SIP URIs by name; ``gateway``: where numbers are called."""
    config = Config.model_validate(
        {
            "sip": {
                "listen": "127.0.0.1:0",
                "trunks": [{"name": "out", "allow": ["127.0.0.1/32"], "gateway": gateway}],
            },
            "desk": {
                "agents": [{"name": name, "target": target} for name, target in agents.items()],
                "line": {"outside": list(outside)},
            },
        }
    )
    engine = ProcessMediaEngine("127.0.0.1", (20_000, 29_999))
    endpoint = SipUserAgent(config.sip)
    await engine.start()
    await endpoint.start(lambda leg: None)
    made = services(media=engine, desk=FakeDesk(contexts=[STORY]))
    switchboard = Switchboard(endpoint, engine, FakeSpeech(), made.desk, "sip:line@127.0.0.1", Destinations(config))
    floor = AgentFloor(config.desk.agents, switchboard, engine)
    try:
        yield House(replace(made, switchboard=switchboard, floor=floor), ToldLine())
    finally:
        await floor.close()
        await endpoint.stop()
        await engine.stop()


@asynccontextmanager
async def speaking(**phones: AgentSockets) -> AsyncIterator[None]:
    """Everybody speaks, each in their own voice, until this is left."""

    async def speak(phone: AgentSockets, hz: float) -> None:
        await phone.invited.wait()
        wave = 4000 * np.sin(2 * np.pi * hz * np.arange(8000) / 8000)
        while True:
            await phone.rtp.talk(wave.astype(np.int16))

    speeches = [asyncio.create_task(speak(phone, TONES[name])) for name, phone in phones.items()]
    try:
        yield
    finally:
        for speech in speeches:
            speech.cancel()
        await asyncio.gather(*speeches, return_exceptions=True)


async def voices(far: FarEnd, within: float = 30.0) -> set[str]:
    """Who is heard here in the next half second; "music" for whatever sounds and is nobody's voice."""
    far.forget()
    arrivals = await far.received(25, within=within)
    return heard_in(np.concatenate([np.asarray(frame, dtype=np.float64) for frame in far.signal(arrivals)]), TONES)


async def hears(far: FarEnd, *names: str, within: float = 30.0) -> None:
    """Returns once exactly these are heard here. Raises AssertionError with who was heard instead."""
    heard: set[str] = set()
    try:
        async with asyncio.timeout(within):
            while heard != set(names):
                heard = await voices(far)
    except TimeoutError:
        raise AssertionError(f"heard {sorted(heard)}, not {sorted(names)}") from None
