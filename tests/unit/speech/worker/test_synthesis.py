"""The worker that speaks: its voice is loaded ahead, once, and whoever comes first waits for it."""

from __future__ import annotations

import os
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ivr.errors import SpeechUnavailable
from ivr.speech import wire
from ivr.speech.synthesisers.hibari import HibariSynthesiser
from ivr.speech.wire import Message, Ready, Render, Setup
from ivr.speech.worker.engines import Samples
from ivr.speech.worker.synthesis import SynthesisWorker
from ivr.workers.frames import REQUEST


class Line:
    """Stands for the link to the line."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.answers: list[Future[bytes]] = []

    def send(self, kind: int, number: int = 0, body: bytes = b"") -> None:
        self.sent.append(wire.decode(kind, body)[0])

    def answer(self, asking: int, work: Future[bytes]) -> None:
        self.answers.append(work)


class Voice:
    """Takes its time to load, until ``may`` is set; the first ``failures`` times it can't."""

    name = "hibari"

    def __init__(self, failures: int = 0) -> None:
        self.may, self.begun = threading.Event(), threading.Event()
        self.failures = failures
        self.loads: list[int] = []  # how nice the thread was

    def load(self) -> None:
        self.loads.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        self.begun.set()
        assert self.may.wait(10)
        if len(self.loads) <= self.failures:
            raise SpeechUnavailable("no model here")

    def speak(self, text: str, language: str, voice: str) -> tuple[Samples, int]:
        return np.zeros(800, np.float32), 8000

    def close(self) -> None: ...


def order(worker: SynthesisWorker, message: Message) -> None:
    kind, body = wire.encode(message)
    worker.received(kind, 0, body if isinstance(message, Setup) else REQUEST.pack(1) + body)


def begun(monkeypatch: pytest.MonkeyPatch, voice: Voice) -> tuple[SynthesisWorker, Line]:
    monkeypatch.setattr("ivr.speech.worker.synthesis.HibariSynthesiser", lambda: voice)
    line: Any = Line()
    worker = SynthesisWorker(line)
    order(worker, Setup(preload=("hibari",)))
    assert voice.begun.wait(10)
    return worker, line


def test_it_is_ready_while_it_loads_and_what_comes_meanwhile_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    voice = Voice()
    worker, line = begun(monkeypatch, voice)
    assert line.sent == [Ready((), True)]
    order(worker, Render("hibari", "Hello.", "en-US", ""))
    assert not line.answers[0].done()
    voice.may.set()
    assert line.answers[0].result(10) == bytes(len(line.answers[0].result()))
    assert len(voice.loads) == 1
    worker.close()


def test_loading_ahead_goes_after_others(monkeypatch: pytest.MonkeyPatch) -> None:
    voice = Voice()
    worker, _ = begun(monkeypatch, voice)
    assert voice.loads == [os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) + 5], (
        "nobody else is nicer for it"
    )
    voice.may.set()
    worker.close()


def test_what_could_not_be_loaded_is_told_to_who_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    voice = Voice(failures=2)
    worker, line = begun(monkeypatch, voice)
    voice.may.set()
    for text in ("Hello.", "Once more."):
        order(worker, Render("hibari", text, "en-US", ""))
    with pytest.raises(SpeechUnavailable, match="no model here"):
        line.answers[0].result(10)
    assert line.answers[1].result(10)
    worker.close()


def test_hibari_has_no_threads_that_would_stay_nicer() -> None:
    """Threads of an engine are as nice as who made them."""
    before = threading.active_count(), len([*Path("/proc/self/task").iterdir()])
    synthesiser = HibariSynthesiser()
    synthesiser.load()
    assert (threading.active_count(), len([*Path("/proc/self/task").iterdir()])) == before
    synthesiser.close()
