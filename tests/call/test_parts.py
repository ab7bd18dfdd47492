"""Mouth, barge-in, input timers, key filter, recorder and journal, each alone, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest
from structlog.testing import capture_logs

from ivr.call.barge_in import BargeIn
from ivr.call.dtmf_filter import SAME_PRESS_S, KeyFilter
from ivr.call.inbox import Inbox, TimerExpired
from ivr.call.input_timers import RECOGNITION_LATE_S, InputTimers
from ivr.call.journal import WRITE_TIMEOUT_S, Counts, Journal, Recorder
from ivr.call.mouth import Mouth
from ivr.call.registry import CallRegistry
from ivr.call.turn_timing import TurnTiming
from ivr.dialogue.engine.contract import Listen, PartFailed, Said, Say, Words
from ivr.dialogue.understanding.grammar_compiler import Outline, StateGrammar
from ivr.errors import StoreUnavailable
from ivr.events import CALLER_ID, Digit, DigitSource, PlayDone
from ivr.ports import CallOpening
from ivr.record import Entered, Entry, Failed, Keyed, Prompted, Understood
from tests.call.fakes import FakeMediaLeg, FakeRecords, FakeSpeech, VirtualClock
from tests.call.virtual import run

NOW = datetime(2026, 3, 3, tzinfo=UTC)
FILLER = Say(0, (Words("one_moment", "One moment."),))


class Bench:
    """A mouth with its media, and what it reported."""

    def __init__(self) -> None:
        self.media = FakeMediaLeg("m")
        self.speech = FakeSpeech()
        self.said: list[tuple[int, bool]] = []
        self.failures: list[str] = []
        self._inbox = Inbox()
        timing = TurnTiming(VirtualClock())
        self.mouth = Mouth(self.media, self.speech, self._inbox, lambda: FILLER, timing)

    async def __aenter__(self) -> Bench:
        work = (self.mouth.run(), self._pump(), self._take())
        self._tasks = [asyncio.create_task(each) for each in work]
        return self

    async def _pump(self) -> None:
        async for event in self.media.events():
            if isinstance(event, PlayDone):
                self.mouth.played(event)

    async def _take(self) -> None:
        while True:
            match await self._inbox.get():
                case Said(token, completed):
                    self.said.append((token, completed))
                case PartFailed("synthesiser", why):
                    self.failures.append(why)

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def test_prompts_are_said_in_order_and_reported_once() -> None:
    async def scenario() -> None:
        async with Bench() as bench:
            await bench.mouth.say(Say(1, (Words("one two"), Words("three"))))
            await bench.mouth.say(Say(2, (Words("four"),)))
            assert bench.mouth.speaking
            await asyncio.sleep(10)
            assert bench.media.heard == ["one two", "three", "four"]
            assert bench.said == [(1, True), (2, True)]
            assert not bench.mouth.speaking

    run(scenario())


def test_stopping_cuts_what_plays_and_drops_what_waits() -> None:
    async def scenario() -> None:
        async with Bench() as bench:
            await bench.mouth.say(Say(1, (Words("a long prompt that goes on"),)))
            await bench.mouth.say(Say(2, (Words("never heard"),)))
            await asyncio.sleep(0.2)
            await bench.mouth.stop()
            await asyncio.sleep(5)
            assert bench.media.cut == ["a long prompt that goes on"]
            assert sorted(bench.said) == [(1, False), (2, False)]
            await bench.mouth.say(Say(3, (Words("afterwards"),)))
            await asyncio.sleep(5)
            assert bench.said[-1] == (3, True)

    run(scenario())


def test_a_cutting_prompt_replaces_the_one_before() -> None:
    async def scenario() -> None:
        async with Bench() as bench:
            await bench.mouth.say(Say(1, (Words("one two three four"),)))
            await asyncio.sleep(0.1)
            await bench.mouth.say(Say(2, (Words("five"),), cut=True))
            await asyncio.sleep(5)
            assert bench.said == [(1, False), (2, True)]

    run(scenario())


def test_without_a_synthesiser_it_says_so_and_goes_on() -> None:
    async def scenario() -> None:
        async with Bench() as bench:
            bench.speech.mute = True
            await bench.mouth.say(Say(1, (Words("unheard"),)))
            await asyncio.sleep(1)
            assert bench.said == [(1, True)]
            assert len(bench.failures) == 1

    run(scenario())


def recorder_on(records: FakeRecords, registry: CallRegistry) -> tuple[Recorder, Journal]:
    journal = Journal(records, "c1")
    journal.begin("1", "2", NOW, {})
    return Recorder("c1", "leg-1", journal, registry, VirtualClock()), journal


def listening(token: int = 1, *, hotword: bool = False, interdigit_s: float = 0.0) -> Listen:
    grammar = StateGrammar(Outline(()), {}, "en-US")
    return Listen(token, grammar, timeout_s=5.0, hotword=hotword, interdigit_s=interdigit_s)


def test_speech_stops_only_what_it_may_and_is_counted_then() -> None:
    async def scenario() -> None:
        recorder, journal = recorder_on(FakeRecords(), CallRegistry())
        async with Bench() as bench:
            barge_in = BargeIn(bench.mouth, recorder)
            assert not await barge_in.by_speech(listening()), "nothing is being said"
            for say, listen in (
                (Say(1, (Words("one two three"),), bargein=False), listening()),
                (Say(2, (Words("one two three"),)), listening(hotword=True)),
                (Say(3, (Words("one two three"),)), None),
            ):
                await bench.mouth.say(say)
                await asyncio.sleep(0.1)
                assert not await barge_in.by_speech(listen)
                await barge_in.by_key()
                await asyncio.sleep(0.1)
                assert bench.said[-1] == (say.token, False), "a key stops them all"
            assert recorder.counts.barge_ins == 0
            await bench.mouth.say(Say(4, (Words("one two three"),)))
            assert await barge_in.by_speech(listening())
            assert recorder.counts.barge_ins == 1
        await journal.finish("", NOW, {})

    run(scenario())


def test_input_timers_run_out_with_the_token_they_were_started_for() -> None:
    async def scenario() -> None:
        inbox = Inbox()
        timers = InputTimers(inbox)
        timers.await_input(listening(7))
        await asyncio.sleep(3)
        timers.await_input(listening(8))  # it runs already
        await asyncio.sleep(2)
        assert await inbox.get() == TimerExpired("no-input", 7)
        timers.await_key(listening(8))  # single keys decide here
        timers.await_key(listening(9, interdigit_s=3.0))
        timers.await_input(listening(9))  # the caller is keying
        timers.await_recognition()
        await asyncio.sleep(3.0)
        assert await inbox.get() == TimerExpired("recognition", 0)
        assert await inbox.get() == TimerExpired("inter-digit", 9)
        timers.await_recognition(1)
        await asyncio.sleep(RECOGNITION_LATE_S[1])
        assert await inbox.get() == TimerExpired("recognition", 1)
        timers.await_input(listening(10))
        timers.await_key(listening(10, interdigit_s=3.0))
        timers.stop()
        await asyncio.sleep(10)
        inbox.put_nowait(Said(1))
        assert await inbox.get() == Said(1), "nothing came before"

    run(scenario())


def test_the_recorder_tells_journal_log_and_live_view_and_counts() -> None:
    async def scenario() -> FakeRecords:
        moves: list[str] = []
        records, registry = FakeRecords(), CallRegistry(lambda: moves.append("moved"))
        recorder, journal = recorder_on(records, registry)
        with capture_logs() as lines:
            recorder.record(Entered("main.menu", "question"))
            recorder.record(Prompted("What can I do?"))
            assert recorder.counts == Counts()
            recorder.record(Keyed("1"))
            recorder.record(Understood("agent"))
            recorder.record(Entered("human.reach", "handoff"))
            recorder.record(Failed("store", "gone"))
        assert recorder.counts == Counts(turns=2, acted=True)
        assert (recorder.state, recorder.fields["flow"]) == ("human.reach", "human")
        assert len(moves) == 6
        assert [line["event"] for line in lines] == [
            f"dialogue.{kind}" for kind in ("state", "prompt", "key", "heard", "state", "error")
        ]
        assert lines[-1]["log_level"] == "error"
        await journal.finish("", NOW, {})
        return records

    records = run(scenario())
    assert [entry.state for entry in records.entries] == ["main.menu"] * 4 + ["human.reach"] * 2


def test_one_press_by_two_transports_is_one_key() -> None:
    keys = KeyFilter()
    assert keys.admit(Digit("5", "rtp"), 1.0)
    assert not keys.admit(Digit("5", "info"), 1.0 + SAME_PRESS_S / 2)
    assert keys.admit(Digit("5", "rtp"), 1.2), "the same transport de-duplicates itself: this is a second press"
    assert keys.admit(Digit("5", "info"), 1.2 + 2 * SAME_PRESS_S)
    assert keys.admit(Digit("6", "info"), 1.2)


def admitted(*presses: tuple[float, str]) -> int:
    """How many presses a filter sees in what is told at the times given: "rtp", "tone" and "info", with a plus for held
    keys, "up" for their release, "lost" for the end of the media process."""
    keys, count = KeyFilter(), 0
    for now, what in presses:
        if what == "up":
            keys.released("8", now)
        elif what == "lost":
            keys.lost(now)
        else:
            source: DigitSource = "rtp" if "rtp" in what else "tone" if "tone" in what else "info"
            count += keys.admit(Digit("8", source, held=what.endswith("+")), now)
    return count


@pytest.mark.parametrize(
    ("presses", "digits"),
    [
        ([(0.0, "rtp+"), (2.5, "up"), (2.55, "info")], 1),
        ([(0.0, "rtp+"), (2.5, "info"), (2.51, "up")], 1),
        ([(0.0, "rtp+"), (30.0, "up"), (30.1, "info")], 1),
        ([(0.0, "info"), (0.03, "rtp+"), (3.0, "up")], 1),
        ([(0.0, "info"), (0.03, "rtp+"), (3.0, "up"), (3.1, "tone")], 1),
        ([(0.0, "rtp+"), (0.2, "up"), (1.7, "up"), (1.75, "info")], 1),
        ([(0.0, "tone+"), (0.1, "up"), (0.15, "info")], 1),
        ([(0.0, "rtp+"), (0.1, "up"), (0.12, "info"), (0.2, "rtp+"), (0.3, "up"), (0.32, "info")], 2),
        ([(0.0, "rtp+"), (0.1, "up"), (0.2, "rtp+"), (0.25, "info"), (0.3, "up"), (0.42, "info")], 2),
        ([(0.0, "rtp+"), (0.1, "up"), (0.2, "rtp+"), (0.3, "up")], 2),
        ([(0.0, "info"), (0.1, "info")], 2),
        ([(0.0, "tone+"), (0.05, "up"), (0.1, "tone+"), (0.15, "up")], 2),
        ([(0.0, "rtp+"), (0.1, "up"), (1.0, "info")], 2),
        ([(0.0, "rtp+"), (0.1, "lost"), (0.3, "info")], 1),
        ([(0.0, "rtp+"), (0.1, "lost"), (3.0, "tone+"), (3.1, "up")], 2),
        ([(0.0, "rtp+"), (0.1, "up"), (1.0, "lost"), (1.1, "info")], 2),
    ],
)
def test_a_press_counts_once_however_long_it_is_and_88_is_two(presses: list[tuple[float, str]], digits: int) -> None:
    assert admitted(*presses) == digits


def keyed(n: int) -> Entry:
    return Entry(Keyed(str(n)), NOW)


def test_the_journal_keeps_order_and_survives_a_dead_store() -> None:
    async def scenario() -> tuple[FakeRecords, Journal, float]:
        records = FakeRecords()
        journal = Journal(records, "c1")
        journal.begin("1", "2", NOW, {})
        for i in range(3):
            journal.append(keyed(i))
        await asyncio.sleep(1)
        records.broken = True
        for i in range(500):
            journal.append(keyed(100 + i))
        before = asyncio.get_running_loop().time()
        await journal.finish("done", NOW, {})
        return records, journal, asyncio.get_running_loop().time() - before

    records, journal, took = run(scenario())
    assert records.entries == [keyed(n) for n in (0, 1, 2)]
    assert journal.lost == 501, "500 entries and the end of the call"
    assert took <= WRITE_TIMEOUT_S


def test_a_store_that_raises_anything_ends_no_call() -> None:
    class Odd(FakeRecords):
        async def update(self, call_id: str, **changes: Any) -> None:
            raise LookupError("a fault of the store itself")

    async def scenario() -> tuple[FakeRecords, Journal]:
        records = Odd()
        journal = Journal(records, "c1")
        journal.begin("1", "2", NOW, {})
        journal.update(n=1)
        journal.append(keyed(1))
        await journal.finish("done", NOW, {})
        return records, journal

    records, journal = run(scenario())
    assert (records.entries, list(records.finished), journal.lost) == ([keyed(1)], ["c1"], 1)


def test_the_end_brings_what_the_beginning_did_not() -> None:
    class Late(FakeRecords):
        opening: CallOpening | None = None

        async def begin(self, *_: object) -> None:
            raise StoreUnavailable("not yet")

        async def finish(self, *_: object) -> None:
            self.opening = _[-1]  # type: ignore[assignment]

    async def scenario() -> CallOpening | None:
        records = Late()
        journal = Journal(records, "c1")
        journal.begin("1", "2", NOW, {"sip_call_id": "x"})
        journal.update(flow="main")
        await journal.finish("done", NOW, {})
        return records.opening

    assert run(scenario()) == CallOpening("1", "2", NOW, {"sip_call_id": "x", "flow": "main"})


def test_a_calls_place_is_written_at_once_and_then_once_a_second() -> None:
    class Saved(FakeRecords):
        at: ClassVar[list[tuple[float, object]]] = []

        async def save_resume_point(
            self, caller_id: str, snapshot: Mapping[str, Any], at: datetime, *, call_id: str = ""
        ) -> None:
            self.at.append((asyncio.get_running_loop().time(), snapshot["state"]))

    class Moving:
        facts: Mapping[str, object] = {CALLER_ID: "10001"}
        mode = "question"
        place = 0

        def snapshot(self) -> Mapping[str, object]:
            return {"state": self.place}

    async def scenario() -> list[tuple[float, object]]:
        records, dialogue = Saved(), Moving()
        journal = Journal(records, "c1")
        journal.begin("1", "2", NOW, {})
        began = asyncio.get_running_loop().time()
        for place in range(25):
            dialogue.place = place
            journal.keep_place(dialogue, NOW)
            await asyncio.sleep(0.1)
        dialogue.place = 99
        journal.keep_place(dialogue, NOW)
        await journal.finish("abandoned", NOW, {})
        return [(round(at - began, 1), place) for at, place in records.at]

    assert run(scenario()) == [(0.0, 0), (1.0, 9), (2.0, 19), (2.5, 99)]


def test_the_journal_writes_again_once_the_store_is_back() -> None:
    async def scenario() -> tuple[FakeRecords, Journal]:
        records = FakeRecords()
        journal = Journal(records, "c1")
        journal.begin("1", "2", NOW, {})
        records.broken = True
        for i in range(5):
            journal.append(keyed(i))
            journal.update(n=i)
            await asyncio.sleep(0.1)
        records.broken = False
        journal.append(keyed(99))
        await asyncio.sleep(0.1)
        journal.append(keyed(100))
        await journal.finish("done", NOW, {})
        return records, journal

    records, journal = run(scenario())
    assert records.entries == [keyed(n) for n in (99, 100)]
    assert "c1" in records.finished
    assert journal.lost >= 10
