"""A worker for a thread that waits, as a real process."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from ivr.errors import MediaUnavailable, SpeechUnavailable
from ivr.workers.blocking import BlockingWorker
from ivr.workers.process import Role
from tests.unit.workers.blocking_child import DIE, ECHO, REFUSE, SLEEP


def role(mood: str, hung_after_s: float = 20.0) -> Role:
    module = ("tests.unit.workers.blocking_child", mood)
    errors = (SpeechUnavailable, MediaUnavailable)
    return Role("test", "the test worker", module, errors, "wait", start_s=20.0, hung_after_s=hung_after_s)


@pytest.fixture
def worker() -> Iterator[BlockingWorker]:
    made = BlockingWorker(role("well"))
    yield made
    made.close()


def test_questions_are_answered_in_order_by_one_process(worker: BlockingWorker) -> None:
    assert worker.pid is None
    bodies = [bytes([n]) * n * 1000 for n in range(100)]
    assert [worker.ask(ECHO, body) for body in bodies[:1]] == [b""]
    pid = worker.pid
    assert [worker.ask(ECHO, body) for body in bodies] == bodies
    assert worker.pid == pid


def test_a_refusal_leaves_the_process_alone(worker: BlockingWorker) -> None:
    worker.start()
    pid = worker.pid
    with pytest.raises(SpeechUnavailable, match="not this"):
        worker.ask(REFUSE, b"")
    assert worker.ask(ECHO, b"still here") == b"still here"
    assert worker.pid == pid


def test_a_death_is_no_answer_and_the_next_question_starts_another(worker: BlockingWorker) -> None:
    assert worker.ask(DIE, b"") is None
    assert worker.pid is None
    assert worker.ask(ECHO, b"again") == b"again"


def test_a_late_answer_is_none_and_its_process_is_gone() -> None:
    worker = BlockingWorker(role("well", hung_after_s=0.3))
    worker.start()
    hung = worker.pid
    assert hung is not None
    assert worker.ask(SLEEP, b"") is None
    with pytest.raises(ProcessLookupError):
        os.kill(hung, 0)


def test_a_process_that_cannot_serve_says_why_every_time() -> None:
    worker = BlockingWorker(role("broken"))
    for _ in range(2):
        with pytest.raises(MediaUnavailable, match="nothing to work with"):
            worker.start()
        assert worker.pid is None


def test_a_signal_to_the_whole_group_leaves_the_process_to_the_line(worker: BlockingWorker) -> None:
    worker.start()
    pid = worker.pid
    assert pid is not None
    for signum in (signal.SIGTERM, signal.SIGINT):
        os.kill(pid, signum)
        assert worker.ask(ECHO, b"still here") == b"still here"
    assert worker.pid == pid
