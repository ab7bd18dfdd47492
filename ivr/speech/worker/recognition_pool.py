"""The recognition pool: the recogniser processes as the listening worker sees them, and one queue for all of them.

A process that dies or hangs costs nobody an utterance: the one it was at is tried once more on another, then given up.
Its successor is forked by ``prefork``."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import structlog

from ivr.dialogue.understanding.speech_grammar import SpeechGrammar
from ivr.speech.known_grammars import KnownGrammars
from ivr.speech.wire import GRAMMAR
from ivr.speech.worker.attempt import Outcome
from ivr.speech.worker.prefork import Forked
from ivr.speech.worker.recogniser_process import KEY_END, OUTCOME, Order
from ivr.speech.worker.recognition_queue import Rank, RecognitionQueue
from ivr.workers.frames import Life
from ivr.workers.link import Link
from ivr.workers.process import Attention

log = structlog.get_logger()
_OVERDUE_S = 0.5  # a recognition that takes longer is looked after: it is given up once it
_ASLEEP_S = 0.75  # has slept for so long, which nobody does who works,
_HUNG_S = 4.0  # or went on for so much processor time
_LAPSE_S = 1.0  # a loop that looks later than this was held up itself
_TRIES = 2


class Job(Protocol):
    """What is asked of a recogniser process (``recognition_queue.Waiting``). ``order``: RECOGNISE or SEARCH."""

    @property
    def grammar(self) -> SpeechGrammar: ...
    @property
    def order(self) -> Order: ...
    @property
    def pcm(self) -> bytes: ...
    @property
    def rank(self) -> Rank: ...
    @property
    def since(self) -> float: ...
    @property
    def wanted(self) -> bool: ...
    def done(self, outcome: Outcome) -> None: ...
    def failed(self, why: str) -> None: ...


@dataclass(slots=True, eq=False)
class Process:
    """One recogniser process."""

    forked: Forked
    link: Link
    grammars: KnownGrammars[bool] = field(default_factory=KnownGrammars)  # that it keeps
    task: Task | None = None
    began: float = 0.0  # the task (the loop's time)
    cancelled: bool = False  # the task is
    hurried: bool = False  # others wait for its end
    overdue_at: float | None = None  # seconds of processor time it had taken when the task was late
    asleep_since: float | None = None

    def hangs(self, now: float) -> bool:
        """Asked again and again once its task is late: whether it sleeps over it, or goes on for ever. Who only gets
        no processor is slow, not hung."""
        state, spent_s = _scheduled(self.forked.pid)
        if self.overdue_at is None:
            self.overdue_at = spent_s
        if state not in "ST":
            self.asleep_since = None
        elif self.asleep_since is None:
            self.asleep_since = now
        asleep_s = 0.0 if self.asleep_since is None else now - self.asleep_since
        return asleep_s > _ASLEEP_S or spent_s - self.overdue_at > _HUNG_S


def _scheduled(pid: int) -> tuple[str, float]:
    """State ("R" runs or could, "S" sleeps, "T" is stopped) and seconds of processor time of a process (proc(5))."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:  # gone: its socket tells
        return "R", 0.0
    return fields[0], (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(slots=True, eq=False)
class Task:
    """A job, or a preparation of ``grammar`` for the one ``process``."""

    grammar: SpeechGrammar
    came: float
    job: Job | None = None
    process: Process | None = None
    tries: int = 0

    @property
    def rank(self) -> Rank:
        return self.job.rank if self.job is not None else Rank.PREPARATION

    @property
    def since(self) -> float:
        return self.job.since if self.job is not None else self.came

    @property
    def wanted(self) -> bool:
        return self.job is None or self.job.wanted


class RecognitionPool:
    """Runs on the worker's loop. ``tick`` regularly, well within a second."""

    def __init__(
        self, logged: Callable[[bytes], None], in_use: Callable[[], Iterable[SpeechGrammar]] = lambda: ()
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._logged = logged  # the body of a process's LOG
        self._in_use = in_use  # what a new process has to know first
        self._queue: RecognitionQueue[Task] = RecognitionQueue()
        self._processes: list[Process] = []
        self._joining: set[asyncio.Task[None]] = set()
        self._numbers = itertools.count(1)
        self._attention = Attention(self._loop.time(), _LAPSE_S)

    @property
    def waiting(self) -> int:
        """How many utterances that are over wait for a process."""
        return self._queue.waiting(Rank.ENDED)

    @property
    def idle(self) -> bool:
        """Whether a process has nothing to do."""
        return any(p.task is None for p in self._processes)

    def submit(self, job: Job) -> None:
        """``done`` or ``failed`` is called once, unless nobody wants the job any more."""
        self._queue.put(Task(job.grammar, self._loop.time(), job))
        self._dispatch()

    def prepare(self, grammar: SpeechGrammar) -> None:
        """In every process that does not know it, when that has nothing else to do."""
        for process in self._processes:
            if grammar.key not in process.grammars:
                self._queue.put(Task(grammar, self._loop.time(), process=process))
        self._dispatch()

    # --- the processes ---------------------------------------------------------------------------------------

    def join(self, end: socket.socket, forked: Forked) -> None:
        """A process was forked."""
        task = self._loop.create_task(self._join(end, forked))
        self._joining.add(task)
        task.add_done_callback(self._joining.discard)

    async def _join(self, end: socket.socket, forked: Forked) -> None:
        process = Process(forked, Link(lambda kind, number, body: self._received(process, kind, body)))
        await process.link.take(end)
        process.link.ended.add_done_callback(lambda _: self._died(process))
        self._processes.append(process)
        self._retire()
        for grammar in {grammar.key: grammar for grammar in self._in_use()}.values():
            self._queue.put(Task(grammar, self._loop.time(), process=process))
        self._dispatch()

    def _retire(self) -> None:
        """Older generations hear fewer languages: they go once they have nothing to do."""
        newest = max(p.forked.generation for p in self._processes)
        for process in [p for p in self._processes if p.forked.generation < newest and p.task is None]:
            self._processes.remove(process)
            process.link.close()

    def _died(self, process: Process) -> None:
        if process not in self._processes:
            return
        self._processes.remove(process)
        task = process.task
        log.error("recogniser.died", pid=process.forked.pid, while_recognising=task is not None)
        if task is None or task.job is None or not task.wanted:
            return
        if task.tries < _TRIES:
            self._queue.put(task)
            self._dispatch()
        else:
            task.job.failed("its process died")

    @property
    def busy(self) -> bool:
        """Something is being read."""
        return any(process.task is not None for process in self._processes)

    def tick(self, now: float) -> None:
        """What is running and no longer wanted is broken off; who hangs is killed."""
        self._attention.look(now)
        self._hurry()  # who paused may have ended
        for process in self._processes:
            if process.task is None:
                continue
            if not process.task.wanted:
                self._break_off(process)
            if now - max(process.began, self._attention.since) > _OVERDUE_S and process.hangs(now):
                log.error("recogniser.hung", pid=process.forked.pid)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.forked.pid, signal.SIGKILL)

    # --- the queue -------------------------------------------------------------------------------------------

    def _dispatch(self) -> None:
        """Give work to whoever has none."""
        while idle := [p for p in self._processes if p.task is None]:
            task = self._queue.take(lambda task: task.process is None or task.process in idle)
            if task is None:
                return
            knowing = (p for p in idle if task.grammar.key in p.grammars)
            self._begin(task.process or next(knowing, idle[0]), task)
        if self._queue.waiting(Rank.SPECULATIVE):  # who is waited for needs not wait for who isn't
            for process in self._processes:
                if process.task is not None and process.task.rank is Rank.BACKGROUND:
                    self._break_off(process)
                    break
        self._hurry()

    def _hurry(self) -> None:
        """Somebody who has ended waits: those who are at work look at nothing twice."""
        if self.waiting:
            for process in self._processes:
                job = process.task.job if process.task is not None else None
                if job is not None and job.order is Order.RECOGNISE and not process.hurried:
                    process.hurried = True
                    process.link.send(Order.HURRY)

    def _begin(self, process: Process, task: Task) -> None:
        grammar, job = task.grammar, task.job
        if process.grammars.get(grammar.key) is None:
            process.grammars.put(grammar.key, True)
            process.link.send(Order.GRAMMAR, 0, GRAMMAR.dump_json(grammar))
        elif job is None:
            return  # it was prepared by a recognition
        process.task, process.began = task, self._loop.time()
        process.cancelled = process.hurried = False
        process.overdue_at = process.asleep_since = None
        task.tries += 1
        order, pcm = (job.order, job.pcm) if job is not None else (Order.PREPARE, b"")
        process.link.send(order, next(self._numbers) & 0xFFFFFFFF, grammar.key.encode() + KEY_END + pcm)

    def _break_off(self, process: Process) -> None:
        if not process.cancelled:
            process.cancelled = True
            process.link.send(Order.CANCEL)

    def _received(self, process: Process, kind: int, body: bytes) -> None:
        if kind == Life.LOG:
            self._logged(body)
            return
        task, process.task = process.task, None
        assert task is not None
        self._retire()
        if task.job is not None and task.wanted:
            if kind == Order.DONE:
                task.job.done(OUTCOME.validate_json(body))
            elif kind == Order.FAILED:
                task.job.failed(body.decode())
            else:  # it gave way, and is taken up again
                task.tries = 0
                self._queue.put(task)
        elif task.job is None and kind == Order.FAILED:
            log.error("grammar.not_compiled", grammar=task.grammar.key, error=body.decode())
        self._dispatch()

    def close(self) -> None:
        """The line is gone."""
        for process in self._processes:
            process.link.close()
