"""Recording of a conversation, in virtual time: consent, sides, holds, pauses, and the caller's right to end it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from ivr.errors import IvrError
from ivr.events import RECORDING_AGREED, Cause, Heard, Recognition, Tapped
from ivr.phones.bridge import Bridge
from ivr.phones.participant import Participant
from ivr.phones.recording import FLUSH_S, CallRecording, SpokenLine
from ivr.ports import HandoffContext, OpenPlayer, OpenRecording, Party, RecordingAbout, RecordingRow
from tests.call.fakes import EPOCH, FakeLeg, FakeMediaLeg, FakeSpeech
from tests.call.test_bridge import Talk
from tests.call.virtual import run

SECOND = 8000
SILENCE = b"\xff"


@dataclass
class Kept:
    """ports.OpenRecording in memory. ``full``: the disk is."""

    about: RecordingAbout
    sound: bytearray = field(default_factory=bytearray)
    why: str = ""
    agents: Sequence[str] = ()
    full: bool = False
    name: str = "r1"

    async def write(self, seconds: Sequence[bytes], *, last: bool = False) -> bool:
        if not self.full:
            self.sound += b"".join(seconds)
        return not self.full

    async def close(self, why: str, agents: Sequence[str]) -> None:
        self.why, self.agents = why, tuple(agents)

    @property
    def left(self) -> bytes:
        return bytes(self.sound[0::2])

    @property
    def right(self) -> bytes:
        return bytes(self.sound[1::2])


class Shelf:
    """ports.Recordings in memory. ``barred``: none can be begun."""

    def __init__(self, *, full: bool = False, barred: bool = False) -> None:
        self.kept: list[Kept] = []
        self._full = full
        self._barred = barred

    async def begin(self, about: RecordingAbout) -> OpenRecording | None:
        if self._barred:
            return None
        self.kept.append(Kept(about, full=self._full))
        return self.kept[-1]

    async def keep(self, call_id: str, wav: bytes, caller_id: str = "") -> str:
        raise NotImplementedError

    async def find(self, name: str) -> RecordingRow | None:
        raise NotImplementedError

    async def of_call(self, call_id: str) -> Sequence[RecordingRow]:
        return [
            RecordingRow(kept.name, "conversation", call_id, "10001", (), EPOCH, ended=kept.why)
            for kept in self.kept
            if kept.about.call_id == call_id
        ]

    async def open(self, name: str, by: str) -> OpenPlayer | None:
        raise NotImplementedError


class Recorded(Talk):
    """A caller who agreed or not, and ben; what each says is put onto their leg's tap."""

    def __init__(self, policy: CallRecording, agreed: bool | None, language: str, tied: bool) -> None:
        super().__init__(None, "ends")
        self.running.cancel()
        facts: dict[str, object] = {"caller.id": "10001"}
        if agreed is not None:
            facts[RECORDING_AGREED] = agreed
        context = HandoffContext("c1", "asked", "general", 5, Party("+15035550101"), language, facts)
        self.ring = replace(self.ring, context=context)
        self.caller, self.agent, self.phone = FakeMediaLeg("caller"), FakeMediaLeg("ben"), FakeLeg("ben-leg")
        self.member = Participant(FakeLeg("caller-leg"), self.caller)
        self.bridge = Bridge(
            self.member, Participant(self.phone, self.agent, may_mute=True, tied=tied), self.ring,
            replace(self.switchboard, recording=policy), self.floor,
        )  # fmt: skip
        self.reading = asyncio.create_task(self._read())
        self.running = asyncio.create_task(self.bridge.run())

    async def _read(self) -> None:
        async for _ in self.member.audio():
            pass

    async def says(self, caller: bytes, agent: bytes, seconds: int = 1, codec: str = "PCMU") -> None:
        """Each side one byte a sample, on the legs that are tapped."""
        for _ in range(seconds):
            at = asyncio.get_running_loop().time()
            for leg, said in ((self.caller, caller), (self.agent, agent)):
                if leg.tapped:
                    leg._queue.put_nowait(Tapped(codec, said * SECOND, at))
            await asyncio.sleep(1.0)

    @property
    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = self.bridge.view()["recording"]
        return found


@asynccontextmanager
async def recorded(
    policy: CallRecording, agreed: bool | None = True, language: str = "en-US", *, tied: bool = False
) -> AsyncIterator[Recorded]:
    talk = Recorded(policy, agreed, language, tied)
    await talk.joined()
    try:
        yield talk
    finally:
        for task in (talk.running, talk.reading):
            task.cancel()
        await asyncio.gather(talk.running, talk.reading, return_exceptions=True)
        await talk.floor.close()


def in_virtual_time(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    run(scenario())


def test_who_agreed_is_recorded_the_caller_left_and_the_agent_right() -> None:
    shelf = Shelf()

    async def scenario() -> None:
        async with recorded(CallRecording(recordings=shelf)) as talk:
            assert talk.caller.tapped and talk.agent.tapped and talk.told["on"]
            await talk.says(b"\x11", b"\x22", 3)
            await talk.bridge.hang_up()
            await talk.over()

    in_virtual_time(scenario)
    (kept,) = shelf.kept
    assert kept.about == RecordingAbout("c1", "10001", "ben")
    assert kept.left == b"\x11" * 3 * SECOND and kept.right == b"\x22" * 3 * SECOND
    assert (kept.why, kept.agents) == ("over", ("ben",))


@pytest.mark.parametrize(("agreed", "why"), [(False, "did not agree"), (None, "was not asked")])
def test_who_did_not_agree_is_not_tapped_and_the_page_says_why(agreed: bool | None, why: str) -> None:
    shelf = Shelf()

    async def scenario() -> None:
        async with recorded(CallRecording(FakeSpeech(), shelf, transcribe=True), agreed) as talk:
            await talk.says(b"\x11", b"\x22")
            assert not talk.caller.tapped and not talk.agent.tapped
            assert not talk.told["on"] and why in talk.told["why_not"] and why in talk.told["untranscribed"]
            with pytest.raises(IvrError, match=why):
                await talk.bridge.record(True)

    in_virtual_time(scenario)
    assert shelf.kept == []


def test_where_it_is_off_nobody_is_recorded_whatever_they_said() -> None:
    async def scenario() -> None:
        async with recorded(CallRecording()) as talk:
            assert not talk.caller.tapped and talk.told["why_not"] == "Recording is off on this line."

    in_virtual_time(scenario)


def test_a_hold_and_what_is_said_in_it_is_silence() -> None:
    shelf = Shelf()

    async def scenario() -> None:
        async with recorded(CallRecording(recordings=shelf)) as talk:
            await talk.says(b"\x11", b"\x22")
            await talk.bridge.hold(True)
            assert not talk.caller.tapped and not talk.agent.tapped
            await talk.says(b"\x11", b"\x22", 2)
            await talk.bridge.hold(False)
            await talk.says(b"\x11", b"\x22")
            await talk.bridge.hang_up()
            await talk.over()

    in_virtual_time(scenario)
    kept = shelf.kept[0]
    assert kept.left == b"\x11" * SECOND + SILENCE * 2 * SECOND + b"\x11" * SECOND
    assert kept.right == b"\x22" * SECOND + SILENCE * 2 * SECOND + b"\x22" * SECOND


def test_the_agent_pauses_it_where_something_is_private() -> None:
    shelf = Shelf()

    async def scenario() -> None:
        async with recorded(CallRecording(recordings=shelf)) as talk:
            await talk.says(b"\x11", b"\x22")
            await talk.bridge.record(False)
            assert talk.told["paused"] and not talk.told["on"]
            await talk.says(b"\x44", b"\x55", 2)
            await talk.bridge.record(True)
            await talk.says(b"\x11", b"\x22")
            await talk.bridge.hang_up()
            await talk.over()

    in_virtual_time(scenario)
    assert b"\x44" not in shelf.kept[0].left and b"\x55" not in shelf.kept[0].right
    assert len(shelf.kept[0].left) == 4 * SECOND


def test_a_caller_who_takes_it_back_is_not_recorded_again_in_this_call() -> None:
    shelf = Shelf()
    policy = CallRecording(recordings=shelf)

    async def scenario() -> None:
        async with recorded(policy) as talk:
            await talk.says(b"\x11", b"\x22")
            await talk.bridge.withdraw_recording()
            assert not talk.caller.tapped and "took their consent back" in talk.told["why_not"]
            await talk.says(b"\x44", b"\x55")
        async with recorded(policy) as again:
            assert not again.caller.tapped

    in_virtual_time(scenario)
    (kept,) = shelf.kept
    assert kept.why == "withdrawn" and kept.left == b"\x11" * SECOND


def test_what_was_taken_back_at_one_line_is_not_recorded_at_another() -> None:
    shelf, speech = Shelf(), FakeSpeech()
    lines: list[SpokenLine] = []

    async def scenario() -> None:
        async with recorded(CallRecording(recordings=shelf)) as talk:
            await talk.says(b"\x11", b"\x22")
            await talk.bridge.withdraw_recording()
        async with recorded(CallRecording(speech, shelf, transcribe=True, on_line=lines.append)) as other:
            await other.says(b"\x44", b"\x55")
            assert not other.caller.tapped and not other.agent.tapped
            assert "took their consent back" in other.told["why_not"]

    in_virtual_time(scenario)
    assert len(shelf.kept) == 1 and speech.ears == [] and lines == []


def test_with_an_agent_at_another_lines_console_it_is_that_lines_to_record() -> None:
    """A hold, a pause and the caller's wish are known there alone."""
    shelf, speech = Shelf(), FakeSpeech()

    async def scenario() -> None:
        async with recorded(CallRecording(speech, shelf, transcribe=True), tied=True) as talk:
            await talk.says(b"\x11", b"\x22")
            assert not talk.caller.tapped and not talk.agent.tapped and "console records it" in talk.told["why_not"]

    in_virtual_time(scenario)
    assert shelf.kept == [] and speech.ears == []


def test_back_at_the_machine_nothing_is_recorded_whatever_is_keyed_there() -> None:
    shelf = Shelf()

    async def scenario() -> None:
        async with recorded(CallRecording(recordings=shelf)) as talk:
            await talk.says(b"\x11", b"\x22")
            await talk.bridge.back_to_machine()
            await talk.over()
            assert not talk.caller.tapped
            await talk.says(b"\x44", b"\x55", 2)

    in_virtual_time(scenario)
    assert shelf.kept[0].left == b"\x11" * SECOND and shelf.kept[0].why == "over"


def test_a_full_disk_ends_the_recording_and_not_the_call() -> None:
    shelf = Shelf(full=True)

    async def scenario() -> None:
        async with recorded(CallRecording(recordings=shelf)) as talk:
            await talk.says(b"\x11", b"\x22", 2)
            assert not talk.caller.tapped and "could not be written" in talk.told["why_not"]
            assert not talk.running.done()

    in_virtual_time(scenario)


def test_one_that_can_not_be_begun_is_told_as_none() -> None:
    async def scenario() -> None:
        async with recorded(CallRecording(FakeSpeech(), Shelf(barred=True))) as talk:
            await talk.says(b"\x11", b"\x22")
            assert not talk.caller.tapped and not talk.told["on"] and "could not be begun" in talk.told["why_not"]
            assert not talk.running.done()

    in_virtual_time(scenario)


def test_a_law_is_recorded_as_mu_law() -> None:
    shelf = Shelf()

    async def scenario() -> None:
        async with recorded(CallRecording(recordings=shelf)) as talk:
            await talk.says(b"\xd5", b"\xd5", codec="PCMA")
            await talk.bridge.hang_up()
            await talk.over()

    in_virtual_time(scenario)
    assert set(shelf.kept[0].left) <= {0xFF, 0x7F, 0xFE, 0x7E}


def test_both_sides_are_written_down_and_stop_recording_stops_it() -> None:
    shelf, speech = Shelf(), FakeSpeech()
    lines: list[SpokenLine] = []

    async def scenario() -> None:
        policy = CallRecording(speech, shelf, transcribe=True, on_line=lines.append)
        async with recorded(policy) as talk:
            await talk.says(b"\x11", b"\x22")
            caller, agent = speech.ears
            now = asyncio.get_running_loop().time()
            agent._queue.put_nowait(Heard(Recognition(Cause.NO_MATCH, transcript="How can I help?"), now))
            caller._queue.put_nowait(Heard(Recognition(Cause.NO_MATCH, transcript="Please stop recording."), now - 9))
            await talk.says(b"\x11", b"\x22")
            assert not talk.caller.tapped and "took their consent back" in talk.told["untranscribed"]

    in_virtual_time(scenario)
    assert [(line.by, line.text, line.late) for line in lines] == [
        ("ben", "How can I help?", False),
        ("caller", "Please stop recording.", True),
    ]
    assert shelf.kept[0].why == "withdrawn"


@pytest.mark.parametrize(
    ("language", "words"),
    [("en-US", "Oh, could you stop recording me, please?"), ("es-ES", "Por favor, deje de grabar.")],
)
def test_stop_recording_said_by_the_caller_is_heard_where_nothing_is_written_down(language: str, words: str) -> None:
    shelf, speech = Shelf(), FakeSpeech()
    speech.recognised = ("en-US", "es-ES")
    lines: list[SpokenLine] = []

    async def scenario() -> None:
        async with recorded(CallRecording(speech, shelf, on_line=lines.append), language=language) as talk:
            await talk.says(b"\x11", b"\x22")
            (caller,) = speech.ears  # and nobody's else
            assert caller.language == language and talk.told["on"] and not talk.told["transcribing"]
            caller.read("That one is fine.")
            await talk.says(b"\x11", b"\x22")
            assert talk.told["on"]
            caller.read(words)
            await talk.says(b"\x11", b"\x22")
            assert not talk.caller.tapped and not talk.agent.tapped
            assert "took their consent back" in talk.told["why_not"] and not talk.running.done()

    in_virtual_time(scenario)
    assert lines == [] and shelf.kept[0].why == "withdrawn"


def test_where_nobody_agreed_or_nothing_is_recorded_nobody_is_listened_to() -> None:
    speech = FakeSpeech()

    async def scenario() -> None:
        for policy, agreed in ((CallRecording(speech, Shelf()), False), (CallRecording(speech), True)):
            async with recorded(policy, agreed) as talk:
                await talk.says(b"\x11", b"\x22")
                assert talk.told["unheard"] == ""

    in_virtual_time(scenario)
    assert speech.ears == []


def test_where_stop_recording_is_not_heard_the_agent_is_told_and_a_recogniser_that_is_back_hears_it() -> None:
    shelf, speech = Shelf(), FakeSpeech()

    async def scenario() -> None:
        async with recorded(CallRecording(speech, shelf)) as talk:
            await talk.says(b"\x11", b"\x22")
            speech.deaf = True
            speech.ears[0].crash()
            await talk.says(b"\x11", b"\x22")
            assert talk.told["unheard"] == "killed" and talk.told["on"] and speech.ears[0].closed
            await talk.says(b"\x11", b"\x22", 6)
            assert talk.told["unheard"] == "no recogniser"
            speech.deaf = False
            await talk.says(b"\x11", b"\x22", 6)
            assert talk.told["unheard"] == "" and talk.told["on"]
            speech.ears[1].read("Stop the recording.")
            await talk.says(b"\x11", b"\x22")
            assert not talk.told["on"]
        async with recorded(CallRecording(recordings=Shelf())) as talk:
            assert talk.told["unheard"] == "there is no recogniser"

    in_virtual_time(scenario)
    assert shelf.kept[0].why == "withdrawn"


def test_a_caller_who_hangs_up_as_they_are_heard_to_want_no_recording_has_withdrawn_it() -> None:
    shelf = Shelf()

    async def scenario() -> None:
        async with recorded(CallRecording(recordings=shelf)) as talk:
            await talk.says(b"\x11", b"\x22")
            withdrawing = asyncio.create_task(talk.bridge.withdraw_recording())
            await asyncio.sleep(FLUSH_S / 2)  # it waits for what the taps still have
            assert not withdrawing.done()
            await talk.bridge.hang_up()
            await talk.over()
            await withdrawing

    in_virtual_time(scenario)
    (kept,) = shelf.kept
    assert kept.why == "withdrawn" and kept.left == b"\x11" * SECOND
