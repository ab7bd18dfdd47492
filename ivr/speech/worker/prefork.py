"""Prefork: a process of one thread that loads the recognisers once, and forks those that hear; a dead one is replaced.

The models' pages are shared by all of them. It is forked itself from the listening worker before that has a loop, so
that no thread and no loop is ever copied, and hands each child's socket over to it. It ends when the worker does.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ivr.collection import uncollected
from ivr.dialogue.spoken.language import served
from ivr.speech import wire
from ivr.speech.vendors import MOONSHINE_LANGUAGES, sherpa_models, vosk_models
from ivr.speech.wire import Engine, Ready, Setup
from ivr.speech.worker.endpointing import SileroModel
from ivr.speech.worker.engines import Recogniser
from ivr.speech.worker.recogniser_process import RecogniserProcess, give_back_memory, hold_little_memory
from ivr.workers.frames import Life

LARGEST = 1 << 16  # bytes of a message between the two
_BRIEF_S = 1.0  # a child that lived no longer has a fault of its own
_PAUSE_S = 0.25  # before it is replaced
COURTESY = 2  # of nice(2): where there is too much to hear, what callers and their answers wait for goes first


@dataclass(frozen=True, slots=True)
class Forked:
    """A recogniser process, as told to the listening worker; its socket comes with it. A later ``generation`` hears
    more languages, and replaces the one before."""

    pid: int
    generation: int


def build_recognisers(kind: str, vosk: Path, sherpa: Path) -> list[Recogniser]:
    """In the order of preference: Moonshine for English first, then a model a language, Vosk's or one for sherpa-onnx;
    ``vosk`` and ``sherpa`` hold them."""
    found: list[Recogniser] = []
    if kind in ("auto", "moonshine"):
        from ivr.speech.recognisers.moonshine import MoonshineRecogniser

        found.append(MoonshineRecogniser())
    if kind in ("auto", "vosk"):
        for language, directory in vosk_models(vosk).items():
            if kind == "vosk" or not served(language, MOONSHINE_LANGUAGES):
                from ivr.speech.recognisers.vosk import VoskRecogniser

                found.append(VoskRecogniser(directory, language))
    if kind in ("auto", "sherpa"):
        heard = [language for recogniser in found for language in recogniser.languages]
        for language, directory in sherpa_models(sherpa).usable.items():
            if not served(language, heard):
                from ivr.speech.recognisers.sherpa import SherpaRecogniser

                found.append(SherpaRecogniser(directory, language))
    return found


def forked(inherited: Sequence[socket.socket]) -> socket.socket:
    """Fork the prefork process, which closes what it ``inherited``: the worker's end of a socket to it. Setup goes in
    first; Ready and Forked come out, each one packet."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        try:
            for each in (*inherited, ours):
                each.close()
            if setup := theirs.recv(LARGEST):
                message, _ = wire.decode(Life.SETUP, setup)
                assert isinstance(message, Setup)
                Prefork(theirs, message).run()
        finally:
            os._exit(0)
    theirs.close()
    return ours


def parse(packet: bytes) -> Ready | Forked:
    """A packet that came out."""
    kind, body = packet[0], packet[1:]
    if kind != Life.READY:
        return Forked(**json.loads(body))
    ready, _ = wire.decode(Life.READY, body)
    assert isinstance(ready, Ready)
    return ready


class Prefork:
    """``run`` returns when the worker is gone."""

    def __init__(
        self,
        worker: socket.socket,
        setup: Setup,
        build: Callable[[str, Path, Path], Sequence[Recogniser]] = build_recognisers,
    ) -> None:
        self._worker = worker
        self._setup = setup
        self._build = build
        self._recognisers: list[Recogniser] = []
        self._vad = SileroModel()
        self._generation = 0
        self._children: dict[int, tuple[int, int, float]] = {}  # by pidfd: pid, generation, forked at

    def run(self) -> None:
        os.nice(self._setup.nice)
        hold_little_memory()
        try:
            self._load()
            while self._watch():
                pass
        except BrokenPipeError:  # the worker died meanwhile
            pass
        finally:
            for pid, _, _ in self._children.values():
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)

    def _load(self) -> None:
        """Fork as soon as somebody can be heard, and once more when all is loaded: a big model keeps nobody waiting."""
        engines: list[Engine] = []
        setup = self._setup
        with uncollected():
            wanted = self._build(setup.recogniser, Path(setup.vosk_models), Path(setup.sherpa_models))
        for left, recogniser in zip(range(len(wanted) - 1, -1, -1), wanted, strict=True):
            detail = ""
            try:
                with uncollected():
                    recogniser.load()
                self._recognisers.append(recogniser)
            except Exception as error:  # whatever a library raises: callers in other languages are heard all the same
                detail = str(error) or repr(error)
            engines.append(Engine(recogniser.name, tuple(recogniser.languages), detail))
            if self._recognisers and (not left or not self._generation):
                self._generation += 1
                gc.collect()
                gc.freeze()  # what is shared stays shared: no collection writes to it
                give_back_memory()
                for _ in range(self._setup.processes):
                    self._fork()
            self._tell(Ready(tuple(engines), not left))
        if not wanted:
            self._tell(Ready((), True))

    def _tell(self, ready: Ready) -> None:
        kind, body = wire.encode(ready)
        self._worker.send(bytes([kind]) + body)

    def _fork(self) -> None:
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            try:
                for each in (ours, self._worker):
                    each.close()
                for watched in self._children:
                    os.close(watched)
                os.nice(COURTESY)
                process = RecogniserProcess(theirs, self._recognisers, self._vad)
                process.own_log()
                process.run()
            finally:
                os._exit(0)
        theirs.close()
        self._children[os.pidfd_open(pid)] = pid, self._generation, time.monotonic()
        packet = b"\0" + json.dumps({"pid": pid, "generation": self._generation}).encode()
        socket.send_fds(self._worker, [packet], [ours.fileno()])
        ours.close()

    def _watch(self) -> bool:
        """Until a child dies, which is replaced, or the worker does: then False."""
        poll = select.poll()
        for fd in (self._worker.fileno(), *self._children):
            poll.register(fd, select.POLLIN)
        for fd, _ in poll.poll():
            if fd == self._worker.fileno():
                return False
            pid, generation, born = self._children.pop(fd)
            os.close(fd)
            os.waitpid(pid, 0)
            if generation == self._generation:
                if time.monotonic() - born < _BRIEF_S:
                    time.sleep(_PAUSE_S)
                self._fork()
        return True
