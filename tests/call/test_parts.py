"""The mouth, the key filter and the journal, each alone, in virtual time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from ivr.call.dtmf_filter import SAME_PRESS_S, KeyFilter
from ivr.call.journal import WRITE_TIMEOUT_S, Journal
from ivr.call.mouth import Mouth
from ivr.dialogue.engine.contract import Say, Words
from ivr.events import Digit, PlayDone
from ivr.record import Entry, Keyed
from tests.call.fakes import FakeMediaLeg, FakeRecords, FakeSpeech
from tests.call.virtual import run

NOW = datetime(2026, 3, 3, tzinfo=UTC)


class Bench:
    """A mouth with its media, and what it reported."""

    def __init__(self) -> None:
        self.media = FakeMediaLeg("m")
        self.speech = FakeSpeech()
        self.said: list[tuple[int, bool]] = []
        self.failures: list[str] = []
        self.mouth = Mouth(self.media, self.speech, lambda t, c: self.said.append((t, c)), self.failures.append)

    async def __aenter__(self) -> Bench:
        self._tasks = [asyncio.create_task(self.mouth.run()), asyncio.create_task(self._pump())]
        return self

    async def _pump(self) -> None:
        async for event in self.media.events():
            if isinstance(event, PlayDone):
                self.mouth.played(event)

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


def test_one_press_by_two_transports_is_one_key() -> None:
    keys = KeyFilter()
    assert keys.admit(Digit("5", "rtp"), 1.0)
    assert not keys.admit(Digit("5", "info"), 1.0 + SAME_PRESS_S / 2)
    assert keys.admit(Digit("5", "rtp"), 1.2), "the same transport de-duplicates itself: this is a second press"
    assert keys.admit(Digit("5", "info"), 1.2 + 2 * SAME_PRESS_S)
    assert keys.admit(Digit("6", "info"), 1.2)


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
