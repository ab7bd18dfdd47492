"""A recogniser process: one thread, forked with its models loaded; one job at a time over a socket to the listening
worker. What arrives while it works says that nobody waits for the result any more, or who else waits."""

from __future__ import annotations

import contextlib
import ctypes
import json
import select
import socket
from collections import deque
from collections.abc import Sequence
from enum import IntEnum
from typing import Any

import numpy as np
import structlog
from pydantic import TypeAdapter

from ivr.dialogue.spoken.language import served
from ivr.dialogue.understanding.speech_grammar import SpeechGrammar
from ivr.errors import SpeechUnavailable
from ivr.events import Cause, Recognition
from ivr.speech.known_grammars import KnownGrammars, SharedParts
from ivr.speech.worker.attempt import Outcome
from ivr.speech.worker.endpointing import SileroModel, speech_span
from ivr.speech.worker.engines import TELEPHONE_RATE, Cancelled, Recogniser, Samples
from ivr.speech.worker.manner import Measured, measure
from ivr.workers.frames import FIRST, Life, Splitter, frame

OUTCOME = TypeAdapter(Outcome)
_READ = 1 << 18  # bytes
_IDLE_S = 10  # sooner, and the next caller would wait for the pages to come back
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
_LARGE, _SPARE = 2 << 20, 4 << 20  # bytes: a block of its own, given back when it is free; free ones that are kept


class Order(IntEnum):
    """Frames in both directions; the number is the job's. ``KEY_END`` parts a grammar's key from what follows it."""

    # to the process
    GRAMMAR = FIRST  # all of it, before it is named
    PREPARE = FIRST + 1  # key
    RECOGNISE = FIRST + 2  # key, KEY_END, PCM of one utterance
    SEARCH = FIRST + 3  # key, KEY_END, PCM that has an utterance in it, or none
    CANCEL = FIRST + 4
    HURRY = FIRST + 5  # others wait: no second look at the one that is worked at
    # and back
    DONE = FIRST + 8  # OUTCOME; nothing for a preparation
    FAILED = FIRST + 9  # what the recogniser raised
    DROPPED = FIRST + 10  # it was cancelled


KEY_END = b"\n"


def able(recognisers: Sequence[Recogniser], language: str) -> Recogniser | None:
    """Who hears ``language``: the first, unless one is exact."""
    found = [r for r in recognisers if served(language, r.languages)]
    return max(found, key=lambda r: language in r.languages, default=None)


class RecogniserProcess:
    """``run`` returns when the listening worker is gone."""

    def __init__(self, end: socket.socket, recognisers: Sequence[Recogniser], vad: SileroModel) -> None:
        self._end = end
        self._recognisers = recognisers
        self._vad = vad
        self._grammars: KnownGrammars[SpeechGrammar] = KnownGrammars()
        self._shared = SharedParts()
        self._splitter = Splitter()
        self._arrived: deque[tuple[int, int, bytes]] = deque()
        self._over = False
        self._waited_for = False  # by others, who want what is worked at out of their way
        self._poll = select.poll()
        self._poll.register(end, select.POLLIN)

    def own_log(self) -> None:
        """Log over the socket from now on: the line writes the log."""
        structlog.configure(processors=[structlog.processors.format_exc_info, self._log])

    def run(self) -> None:
        with contextlib.suppress(ConnectionError):  # it is gone, and we had something to say
            while (order := self._next()) is not None:
                kind, number, body = order
                if kind == Order.GRAMMAR:
                    grammar = self._shared.parsed(body)
                    self._grammars.put(grammar.key, grammar)
                elif kind not in (Order.CANCEL, Order.HURRY):  # else it came when the job was done already
                    self._waited_for = False
                    self._answer(number, *self._worked(kind, body))

    def _next(self) -> tuple[int, int, bytes] | None:
        """What to do next; None once the worker is gone. Who waits long enough gives back what memory it needs not."""
        if not self._arrived and not self._over and not self._poll.poll(1000 * _IDLE_S):
            give_back_memory()
        while not self._arrived and not self._over:
            self._read()
        return self._arrived.popleft() if self._arrived else None

    def _worked(self, kind: int, body: bytes) -> tuple[Order, bytes]:
        key, _, pcm = body.partition(KEY_END)
        try:
            grammar = self._grammars.get(key.decode())
            if grammar is None:
                raise LookupError(f"the grammar {key.decode()} was never sent")
            recogniser = able(self._recognisers, grammar.language)
            if recogniser is None:
                raise SpeechUnavailable(f"no recogniser for {grammar.language}", remedy="ivr models get NAME")
            if kind == Order.PREPARE:
                self._prepare(recogniser, grammar)
                return Order.DONE, b""
            span = speech_span(self._vad, pcm) if kind == Order.SEARCH else (0, len(pcm) // 2)
            return Order.DONE, OUTCOME.dump_json(self._recognised(recogniser, grammar, pcm, span))
        except Cancelled:
            return Order.DROPPED, b""
        except Exception as error:  # whatever it meets: the caller must not wait for ever
            return Order.FAILED, (str(error) if isinstance(error, SpeechUnavailable) else repr(error)).encode()

    def _recognised(
        self, recogniser: Recogniser, grammar: SpeechGrammar, pcm: bytes, span: tuple[int, int] | None
    ) -> Outcome:
        if span is None:
            duration_s = len(pcm) / 2 / TELEPHONE_RATE
            return Outcome(
                Recognition(Cause.NO_INPUT_TIMEOUT, duration_s=duration_s, engine=recogniser.name), Measured()
            )
        speech = samples_of(pcm[2 * span[0] : 2 * span[1]])
        found = recogniser.recognise(speech, grammar, self._interrupted, hurried=self._hurried)
        return Outcome(found, measure(speech))

    def _prepare(self, recogniser: Recogniser, grammar: SpeechGrammar) -> None:
        if unknown := recogniser.compile(grammar):
            structlog.get_logger().warning(
                "grammar.words_unknown", engine=recogniser.name, grammar=grammar.key, count=len(unknown)
            )

    def _interrupted(self) -> bool:
        """Asked in mid-work, between two steps of the decoder."""
        if not self._arrived and not self._over and self._poll.poll(0):
            self._read()
        while self._arrived and self._arrived[0][0] == Order.HURRY:
            self._arrived.popleft()
            self._waited_for = True
        return bool(self._arrived) or self._over

    def _hurried(self) -> bool:
        return not self._interrupted() and self._waited_for

    def _read(self) -> None:
        data = self._end.recv(_READ)
        self._over = not data
        self._arrived.extend(self._splitter.feed(data))

    def _answer(self, number: int, kind: int, body: bytes) -> None:
        self._end.sendall(frame(kind, number, body))

    def _log(self, _: object, method: str, event: Any) -> str:
        self._answer(0, Life.LOG, json.dumps([method, {k: str(v) for k, v in event.items()}]).encode())
        raise structlog.DropEvent


def hold_little_memory() -> None:
    """For this process and what it forks: a recognition needs some 40 MB for a moment, which the C library would keep,
    and scatter what stays among them, each process for itself (mallopt(3); large blocks cost 4 % of time)."""
    with contextlib.suppress(AttributeError):  # glibc has it
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, _LARGE)
        library.mallopt(_M_TRIM_THRESHOLD, _SPARE)


def give_back_memory() -> None:
    """What is free, to the system."""
    with contextlib.suppress(AttributeError):  # glibc has it
        ctypes.CDLL(None).malloc_trim(0)


def samples_of(pcm: bytes) -> Samples:
    """16-bit PCM as samples of -1..1."""
    return np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32768.0)
