"""The pool and its processes' own code over real sockets; the recogniser does what the test says, in threads here."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import structlog

from ivr.events import Cause, Recognition
from ivr.ports import SpeechGrammar
from ivr.speech.worker.attempt import Outcome
from ivr.speech.worker.endpointing import SileroModel
from ivr.speech.worker.engines import Cancelled, Samples, never
from ivr.speech.worker.prefork import Forked
from ivr.speech.worker.recogniser_process import Order, RecogniserProcess, samples_of
from ivr.speech.worker.recognition_pool import RecognitionPool
from ivr.speech.worker.recognition_queue import Rank

GRAMMAR = SpeechGrammar("g", "en-US", ("yes", "no"))
PATIENCE_S = 20.0


class Commanded:
    """Recognises once it may; what it says is the number of samples. ``compiled``, ``began``: what it was asked."""

    name, languages = "commanded", ("en",)

    def __init__(self) -> None:
        self.may = threading.Event()
        self.compiled: list[str] = []
        self.began: list[int] = []
        self.hurried: list[int] = []  # of those, while others waited
        self.until_hurried = False  # it has no end before
        self.failing: Exception | None = None
        self.dies = False
        self.end: socket.socket | None = None

    def load(self) -> None: ...

    def compile(self, grammar: SpeechGrammar) -> Sequence[str]:
        self.compiled.append(grammar.key)
        return ("unheard",)

    def recognise(
        self,
        speech: Samples,
        grammar: SpeechGrammar,
        cancelled: Callable[[], bool] = never,
        *,
        hurried: Callable[[], bool] = never,
    ) -> Recognition:
        self.began.append(len(speech))
        while not self.may.wait(0.002) or self.until_hurried:
            if cancelled():
                raise Cancelled
            if self.until_hurried and hurried():
                break
            if self.dies and self.end is not None:
                self.end.shutdown(socket.SHUT_RDWR)
                raise Cancelled
        if self.failing is not None:
            raise self.failing
        if hurried():
            self.hurried.append(len(speech))
        return Recognition(Cause.SUCCESS, transcript=str(len(speech)))


@dataclass(eq=False)
class Wanted:
    """A job of so many samples."""

    samples: int
    rank: Rank = Rank.ENDED
    since: float = 0.0
    wanted: bool = True
    order: Order = Order.RECOGNISE
    grammar: SpeechGrammar = GRAMMAR
    said: asyncio.Future[str] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def pcm(self) -> bytes:
        return bytes(2 * self.samples)

    def done(self, outcome: Outcome) -> None:
        self.said.set_result(outcome.recognition.transcript or outcome.recognition.cause.value)

    def failed(self, why: str) -> None:
        self.said.set_result(f"failed: {why}")


class Rig:
    """A pool and what its processes run."""

    def __init__(self) -> None:
        self.logged: list[bytes] = []
        self.pool = RecognitionPool(self.logged.append)
        self.logging = False
        self.recognisers: list[Commanded] = []
        self._vad = SileroModel()

    async def process(self, generation: int = 1) -> Commanded:
        """One more, under this process's id."""
        ours, theirs = socket.socketpair()
        recogniser = Commanded()
        recogniser.end = theirs
        self.recognisers.append(recogniser)
        process = RecogniserProcess(theirs, [recogniser], self._vad)
        if self.logging:
            process.own_log()
        threading.Thread(target=process.run, daemon=True).start()
        self.pool.join(ours, Forked(os.getpid(), generation))
        await asyncio.sleep(0)
        return recogniser

    async def until(self, met: Callable[[], Any]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not met():
                self.pool.tick(asyncio.get_running_loop().time())
                await asyncio.sleep(0.002)

    async def said(self, job: Wanted) -> str:
        await self.until(job.said.done)
        return job.said.result()


@pytest.fixture
async def rig() -> Rig:
    return Rig()


async def test_the_oldest_ended_utterance_is_recognised_first(rig: Rig) -> None:
    recogniser = await rig.process()
    jobs = [Wanted(1, since=1.0), Wanted(9, Rank.SPECULATIVE, 1.0), Wanted(3, since=3.0), Wanted(2, since=2.0)]
    for job in jobs:
        rig.pool.submit(job)
    assert rig.pool.waiting == 2 or not recogniser.began
    recogniser.may.set()
    assert [await rig.said(job) for job in jobs] == ["1", "9", "3", "2"]
    assert recogniser.began == [1, 2, 3, 9]
    assert {1, 2} == set(recogniser.hurried)  # somebody else waited behind them
    assert rig.pool.idle


async def test_who_is_at_work_hurries_from_when_somebody_waits(rig: Rig) -> None:
    recogniser = await rig.process()
    recogniser.until_hurried = True
    thorough, guess = Wanted(1), Wanted(9, Rank.SPECULATIVE)
    rig.pool.submit(thorough)
    rig.pool.submit(guess)
    await rig.until(lambda: recogniser.began)
    recogniser.may.set()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await rig.said(thorough)  # for a guess nobody hurries
    guess.rank = Rank.ENDED  # the pause was the end
    assert await rig.said(thorough) == "1"
    recogniser.until_hurried = False
    assert await rig.said(guess) == "9" and recogniser.hurried == [1], "nobody waits behind the last one"


async def test_two_processes_take_turns_and_a_grammar_is_sent_to_each_once(rig: Rig) -> None:
    for recogniser in (await rig.process(), await rig.process()):
        recogniser.may.set()
    assert [await rig.said(job) for job in _submitted(rig, [Wanted(n, since=n) for n in range(1, 9)])]
    assert all(recogniser.began for recogniser in rig.recognisers)


def _submitted(rig: Rig, jobs: list[Wanted]) -> list[Wanted]:
    for job in jobs:
        rig.pool.submit(job)
    return jobs


async def test_what_nobody_waits_for_any_more_is_broken_off(rig: Rig) -> None:
    recogniser = await rig.process()
    unwanted, next_one = Wanted(1), Wanted(2, since=1.0)
    rig.pool.submit(unwanted)
    await rig.until(lambda: recogniser.began)
    rig.pool.submit(next_one)
    unwanted.wanted = False
    await rig.until(lambda: len(recogniser.began) == 2)
    recogniser.may.set()
    assert await rig.said(next_one) == "2" and not unwanted.said.done()


async def test_transcription_gives_way_to_who_waits_and_is_taken_up_again(rig: Rig) -> None:
    recogniser = await rig.process()
    transcription, caller = Wanted(5, Rank.BACKGROUND), Wanted(1, Rank.SPECULATIVE)
    rig.pool.submit(transcription)
    await rig.until(lambda: recogniser.began)
    rig.pool.submit(caller)
    await rig.until(lambda: len(recogniser.began) == 2)
    recogniser.may.set()
    assert await rig.said(caller) == "1" and await rig.said(transcription) == "5"
    assert recogniser.began == [5, 1, 5]


async def test_an_utterance_whose_process_dies_is_tried_on_another_once(rig: Rig) -> None:
    dying, spare = await rig.process(), Wanted(7)
    dying.dies = True
    rig.pool.submit(spare)
    await rig.until(lambda: dying.began)
    next_one = await rig.process()
    next_one.may.set()
    assert await rig.said(spare) == "7" and next_one.began == [7]


async def test_an_utterance_that_kills_two_processes_is_given_up(rig: Rig) -> None:
    for recogniser in (await rig.process(), await rig.process()):
        recogniser.dies = True
    killer = Wanted(7)
    rig.pool.submit(killer)
    assert await rig.said(killer) == "failed: its process died"


async def test_a_process_that_sleeps_over_an_utterance_is_killed_and_a_slow_one_is_not(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed: list[int] = []
    state = "R"
    monkeypatch.setattr(os, "kill", lambda pid, signum: killed.append(pid))
    monkeypatch.setattr("ivr.speech.worker.recognition_pool._scheduled", lambda pid: (state, 1.0))
    recogniser = await rig.process()
    rig.pool.submit(Wanted(1))
    await rig.until(lambda: recogniser.began)
    now = asyncio.get_running_loop().time()
    for tenths in range(100):
        rig.pool.tick(now + tenths / 10)
    assert killed == [], "it only gets no processor"
    state = "S"
    rig.pool.tick(now + 10.0)
    state = "R"
    rig.pool.tick(now + 10.7)
    state = "S"
    for tenths in range(7):
        rig.pool.tick(now + 10.8 + tenths / 10)
    assert killed == [], "it slept for a moment"
    rig.pool.tick(now + 11.6)
    assert killed == [os.getpid()]
    recogniser.may.set()


async def test_a_process_that_goes_on_for_ever_is_killed(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[int] = []
    spent_s = 100.0
    monkeypatch.setattr(os, "kill", lambda pid, signum: killed.append(pid))
    monkeypatch.setattr("ivr.speech.worker.recognition_pool._scheduled", lambda pid: ("R", spent_s))
    recogniser = await rig.process()
    rig.pool.submit(Wanted(1))
    await rig.until(lambda: recogniser.began)
    now = asyncio.get_running_loop().time()
    for tenths in range(6, 46):
        spent_s = 100.0 + tenths / 10
        rig.pool.tick(now + tenths / 10)
    assert killed == []
    spent_s += 0.5
    rig.pool.tick(now + 5.0)
    assert killed == [os.getpid()]
    recogniser.may.set()


async def test_what_a_recogniser_raises_is_told(rig: Rig) -> None:
    recogniser = await rig.process()
    recogniser.failing = ValueError("odd")
    recogniser.may.set()
    job = Wanted(1)
    rig.pool.submit(job)
    assert await rig.said(job) == "failed: ValueError('odd')"
    unheard = Wanted(1, grammar=SpeechGrammar("es", "es-ES", ("sí",)))
    rig.pool.submit(unheard)
    assert "no recogniser for es-ES" in await rig.said(unheard)


@pytest.fixture
def own_log() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.mark.usefixtures("own_log")
async def test_grammars_are_prepared_in_every_process_and_their_unknown_words_logged(rig: Rig) -> None:
    rig.pool, rig.logging = RecognitionPool(rig.logged.append, lambda: [GRAMMAR]), True
    first = await rig.process()
    await rig.until(lambda: first.compiled == ["g"])
    second = await rig.process()
    await rig.until(lambda: second.compiled == ["g"])
    rig.pool.prepare(GRAMMAR)
    other = SpeechGrammar("h", "en-US", ("agent",))
    rig.pool.prepare(other)
    await rig.until(lambda: first.compiled == second.compiled == ["g", "h"])
    await rig.until(lambda: len(rig.logged) == 4)
    assert b"grammar.words_unknown" in rig.logged[0]


async def test_a_recording_without_speech_is_no_input(rig: Rig) -> None:
    recogniser = await rig.process()
    recogniser.may.set()
    job = Wanted(16000, order=Order.SEARCH)
    rig.pool.submit(job)
    assert await rig.said(job) == Cause.NO_INPUT_TIMEOUT.value and recogniser.began == []


async def test_those_who_hear_more_languages_replace_those_before(rig: Rig) -> None:
    older = await rig.process()
    job = Wanted(1)
    rig.pool.submit(job)
    await rig.until(lambda: older.began)
    newer = await rig.process(generation=2)
    older.may.set()
    newer.may.set()
    assert await rig.said(job) == "1", "what it was at is finished"
    jobs = [Wanted(n, since=n) for n in range(2, 6)]
    assert [await rig.said(job) for job in _submitted(rig, jobs)] == ["2", "3", "4", "5"]
    assert older.began == [1] and newer.began == [2, 3, 4, 5]


def test_samples_lie_between_minus_one_and_one() -> None:
    assert samples_of(np.array([-32768, 0, 16384], "<i2").tobytes()).tolist() == [-1.0, 0.0, 0.5]
