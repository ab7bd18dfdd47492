"""A conversation over real audio is recorded: who is on which side, and what is recognised there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from ivr.config import SpeechConfig
from ivr.events import RECORDING_AGREED
from ivr.phones.bridge import Bridge
from ivr.phones.recording import CallRecording, SpokenLine
from ivr.recording.archive import Archive
from ivr.softphone import g711
from ivr.speech.service import WorkerSpeechService
from tests.recordings import KEY, archived
from tests.wire.line.agent_phone import AgentSockets, agent_phone
from tests.wire.phones.house import TONES, House, house, speaking

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

CALLER_SAYS = "I would like to talk about my broken disc."
BEN_SAYS = "Let me send you another one today."


async def recorded(
    at: House, caller: AgentSockets, policy: CallRecording, agreed: bool
) -> tuple[Bridge, asyncio.Task[object]]:
    """The bridge runs, and the caller's audio is read as a call's session does."""
    bridge, called = await at.joined(caller)
    context = replace(bridge.ring.context, facts={RECORDING_AGREED: agreed, "caller.id": "10001"})
    ring = replace(bridge.ring, context=context)
    agent = bridge.holder.participant
    bridge = Bridge(called, agent, ring, replace(at.services.switchboard, recording=policy), at.services.floor, at.line)

    async def read() -> None:
        async for _ in called.audio():
            pass

    async def run() -> None:
        reading = asyncio.create_task(read())
        try:
            await bridge.run()
        finally:
            reading.cancel()
            await called.let_go("over")

    return bridge, asyncio.create_task(run())


async def played(archive: Archive, call_id: str = "c1") -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int16]]:
    """Left and right of the one recording, as PCM."""
    (row,) = await archive.of_call(call_id)
    player = await archive.open(row.name, "rosa")
    assert player is not None
    sound = b"".join([piece async for piece in player.read(0, player.size)])
    await player.close()
    return g711.decode(sound[44::2]), g711.decode(sound[45::2])


def pitch(sound: npt.NDArray[np.int16]) -> float:
    spectrum = np.abs(np.fft.rfft(sound.astype(float) * np.hanning(len(sound))))
    return float(np.fft.rfftfreq(len(sound), 1 / 8000)[spectrum.argmax()])


async def test_the_caller_is_left_and_the_agent_right_and_the_file_is_sealed(tmp_path: Path) -> None:
    async with (
        agent_phone() as caller, agent_phone() as ben, archived(tmp_path, KEY) as archive,
        house({"ben": ben.uri}) as at, speaking(caller=caller, ben=ben),
    ):  # fmt: skip
        bridge, running = await recorded(at, caller, CallRecording(recordings=archive), True)
        await asyncio.sleep(4.0)  # of conversation
        await bridge.hang_up()
        await running
        left, right = await played(archive)
    assert len(left) == len(right) and 3.0 < len(left) / 8000 < 5.0
    middle = slice(len(left) // 2 - 4000, len(left) // 2 + 4000)
    assert pitch(left[middle]) == pytest.approx(TONES["caller"], abs=4)
    assert pitch(right[middle]) == pytest.approx(TONES["ben"], abs=4)


async def test_without_consent_there_is_no_file(tmp_path: Path) -> None:
    async with (
        agent_phone() as caller, agent_phone() as ben, archived(tmp_path, KEY) as archive,
        house({"ben": ben.uri}) as at, speaking(caller=caller, ben=ben),
    ):  # fmt: skip
        bridge, running = await recorded(at, caller, CallRecording(recordings=archive), False)
        await asyncio.sleep(1.5)  # of conversation
        await bridge.hang_up()
        await running
        assert await archive.of_call("c1") == [] and list(tmp_path.iterdir()) == []


@dataclass(frozen=True, slots=True)
class Spoken:
    """A house in which people are understood: the caller's phone, Ben's, and where they are recorded."""

    speech: WorkerSpeechService
    caller: AgentSockets
    ben: AgentSockets
    archive: Archive
    at: House

    @asynccontextmanager
    async def quiet(self, bridge: Bridge, running: asyncio.Task[object]) -> AsyncIterator[None]:
        """Both say nothing meanwhile; then the call ends."""
        tasks = [asyncio.create_task(silent(phone)) for phone in (self.caller, self.ben)]
        yield
        await bridge.hang_up()
        await running
        for task in tasks:
            task.cancel()


@asynccontextmanager
async def spoken(folder: Path) -> AsyncIterator[Spoken]:
    """Real workers, real RTP."""
    speech = WorkerSpeechService(SpeechConfig(cache=folder / "cache", workers=1))
    await speech.start()
    try:
        async with (
            agent_phone() as caller, agent_phone() as ben, archived(folder / "kept", KEY) as archive,
            house({"ben": ben.uri}) as at,
        ):  # fmt: skip
            yield Spoken(speech, caller, ben, archive, at)
    finally:
        await speech.stop()


async def test_both_sides_are_written_down_while_they_talk(tmp_path: Path) -> None:
    """Spoken by the line's own voice, over real RTP, recognised by real workers behind the callers'."""
    lines: list[SpokenLine] = []
    told: asyncio.Queue[SpokenLine] = asyncio.Queue()
    async with spoken(tmp_path) as there:
        policy = CallRecording(there.speech, there.archive, transcribe=True, on_line=told.put_nowait)
        bridge, running = await recorded(there.at, there.caller, policy, True)
        await asyncio.gather(
            says(there.caller, there.speech, CALLER_SAYS, 0.5), says(there.ben, there.speech, BEN_SAYS, 5.0)
        )
        async with there.quiet(bridge, running):
            with suppress(TimeoutError):
                async with asyncio.timeout(20.0):
                    while {line.by for line in lines} != {"caller", "ben"}:
                        lines.append(await told.get())
    said = {who: " ".join(line.text.lower() for line in lines if line.by == who) for who in ("caller", "ben")}
    assert "my broken dis" in said["caller"] and "send you another one" in said["ben"], said


class Withdrawn(CallRecording):
    """``call``: whose caller took their consent back."""

    def __init__(self, speech: WorkerSpeechService, archive: Archive) -> None:
        super().__init__(speech, archive)
        self.call: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def withdraw(self, call_id: str) -> None:
        super().withdraw(call_id)
        self.call.set_result(call_id)


async def test_a_caller_who_says_stop_recording_is_heard_though_nothing_is_written_down(tmp_path: Path) -> None:
    async with spoken(tmp_path) as there:
        policy = Withdrawn(there.speech, there.archive)
        bridge, running = await recorded(there.at, there.caller, policy, True)
        await says(there.caller, there.speech, "Please stop recording.", 0.5)
        async with there.quiet(bridge, running), asyncio.timeout(20.0):
            assert await policy.call == "c1"
        (row,) = await there.archive.of_call("c1")
    assert row.ended == "withdrawn" and 0 < row.seconds < 20.0


async def says(phone: AgentSockets, speech: WorkerSpeechService, text: str, after_s: float) -> None:
    clip = await speech.render(text, "en-US")
    await phone.invited.wait()
    pcm = np.frombuffer(clip.pcm, "<i2")
    await phone.rtp.talk(np.concatenate([np.zeros(int(8000 * after_s), np.int16), pcm, np.zeros(8000, np.int16)]))


async def silent(phone: AgentSockets) -> None:
    while True:
        await phone.rtp.talk(np.zeros(8000, np.int16))
