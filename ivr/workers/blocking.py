"""Workers without a loop: both ends for threads that wait, one question at a time (no pings: answers will do)."""

from __future__ import annotations

import contextlib
import socket
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

from ivr.errors import UnavailableError
from ivr.workers.frames import BrokenFrame, Life, frame, read, refusal, refused

if TYPE_CHECKING:  # espeak's process starts without it
    from ivr.workers.process import Role


def answer(end: socket.socket, work: Callable[[int, bytes], bytes]) -> None:
    """The worker's own loop: each question (kind, body) to ``work``, SETUP first. What it raises is its refusal."""
    stream = end.makefile("rb")
    while (question := read(stream)) is not None:
        try:
            reply = frame(Life.REPLY, 0, work(*question))
        except Exception as error:  # whoever asked must know, whatever it was
            reply = frame(Life.REFUSED, 0, refusal(error))
        end.sendall(reply)


class BlockingWorker:
    """One process. If it answers late (``hung_after_s``), dies or writes nonsense it is killed; the next question
    starts another one."""

    def __init__(self, role: Role) -> None:
        self._role = role
        self._process: subprocess.Popen[bytes] | None = None
        self._end: tuple[socket.socket, BinaryIO] | None = None  # ours, and what is read from it

    @property
    def pid(self) -> int | None:
        """None while there is no process."""
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        """Unless it runs. Raises the role's error, with the process's own reason where it has one."""
        if self._process is not None and self._process.poll() is None:
            return
        self.close()
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                self._role.command(theirs),
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=self._role.environment(),
            )
        self._end = ours, ours.makefile("rb")
        try:
            if self._asked(Life.SETUP, b"", self._role.start_s) is None:
                raise self._role.errors[0](f"{self._role.title} does not start", remedy=self._role.remedy)
        except UnavailableError:
            self.close()
            raise

    def ask(self, kind: int, body: bytes) -> bytes | None:
        """The answer; None from a process that gave none, and is gone now. Raises the role's error if it refuses."""
        self.start()
        return self._asked(kind, body, self._role.hung_after_s)

    def _asked(self, kind: int, body: bytes, timeout_s: float) -> bytes | None:
        assert self._end is not None
        end, stream = self._end
        answered = None
        end.settimeout(timeout_s)
        with contextlib.suppress(OSError, BrokenFrame):  # late, gone or mad
            end.sendall(frame(kind, 0, body))
            answered = read(stream)
        if answered is None:
            self.close()
            return None
        if answered[0] == Life.REFUSED:
            raise refused(answered[1], self._role.errors)
        return answered[1]

    def close(self) -> None:
        """Kill the process. Idempotent."""
        if self._end is not None and self._process is not None:
            for closed in self._end:
                closed.close()
            self._process.kill()
            self._process.wait()
        self._end = self._process = None
