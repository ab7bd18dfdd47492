"""How urgent what a caller said is, as it waits to be recognised; when it is looked at."""

from __future__ import annotations

import asyncio
import socket
from typing import Any, cast

import numpy as np
import pytest

from ivr.events import EarEvent, SpeechStarted
from ivr.ports import SpeechGrammar
from ivr.speech import wire
from ivr.speech.wire import Engine, Grammar, Listen, Open, Ready
from ivr.speech.worker import recognition
from ivr.speech.worker.attempt import Attempt
from ivr.speech.worker.endpointing import SileroStream
from ivr.speech.worker.recognition import RecognitionWorker, Spoken
from ivr.speech.worker.recognition_queue import LATE_S, Rank
from ivr.workers.link import Link


class Detector:
    spoken_since = False


async def test_an_utterance_is_urgent_once_it_has_ended_until_its_caller_was_given_the_keys() -> None:
    now = asyncio.get_running_loop().time()
    detector: Any = Detector()
    attempt = Attempt(b"", SpeechGrammar("g", "en-US", ("yes",)))
    job = Spoken(detector, attempt, False, now)
    assert (job.rank, job.since) == (Rank.SPECULATIVE, now)
    attempt.ending = (now, False)
    assert (job.rank, job.since) == (Rank.ENDED, now)
    attempt.ending = (now - LATE_S - 1.0, False)
    late = job.rank
    assert late is Rank.LATE
    detector.spoken_since = True
    assert job.rank == Rank.ENDED, "what they said since is not told before this"
    assert Spoken(detector, attempt, True, now).rank is Rank.BACKGROUND


class Line:
    def __init__(self) -> None:
        self.told: list[EarEvent] = []

    def send(self, kind: int, number: int = 0, body: bytes = b"") -> None:
        self.told.append(cast(EarEvent, wire.decode(kind, body)[0]))


async def test_what_callers_say_is_judged_as_it_comes_not_at_the_next_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognition, "_TICK_S", 3600.0)
    monkeypatch.setattr(recognition, "_REST_S", 3600.0)
    monkeypatch.setattr(SileroStream, "probabilities", staticmethod(lambda streams, windows: [0.99 for _ in windows]))
    line, (ours, theirs) = Line(), socket.socketpair()
    worker = RecognitionWorker(cast(Link, line), ours)
    worker._ready = Ready((Engine("e", ("en",)),), True)
    running = asyncio.create_task(worker.run())
    await asyncio.sleep(0)  # it rests now
    grammar = SpeechGrammar("g", "en-US", ("yes",))
    known = Grammar(grammar.key, wire.GRAMMAR.dump_json(grammar))
    for message in (Open("en-US"), known, Listen(grammar.key, 0.5, 9.0)):
        kind, body = wire.encode(message)
        worker.received(kind, 1, body)
    loud = np.full(160, 9000, "<i2").tobytes()
    for number in range(4):
        worker.received(wire.AUDIO, 1, wire.audio(50.0 + 0.02 * number, loud))
    for _ in range(3):  # turns of the loop, in which no time needs to pass
        await asyncio.sleep(0)
    assert [type(event) for event in line.told] == [SpeechStarted]
    running.cancel()
    await asyncio.wait([running])
    worker.close()
    theirs.close()
