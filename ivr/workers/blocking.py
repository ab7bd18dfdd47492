"""Workers without a loop: both ends for threads that wait, one question at a time (no pings: answers will do)."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections import deque
from collections.abc import Callable

from ivr.errors import UnavailableError
from ivr.workers.frames import REQUEST, BrokenFrame, Life, Splitter, asked, frame, refusal, refused
from ivr.workers.role import Role


class Channel:
    """Frames over a socket, one at a time. Not thread-safe."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._splitter = Splitter()
        self._waiting: deque[tuple[int, int, bytes]] = deque()
        self.close = end.close

    def send(self, kind: int, asking: int, body: bytes) -> None:
        """A question or an answer. Raises OSError when the other end is gone."""
        self._socket.sendall(frame(kind, 0, REQUEST.pack(asking) + body))

    def receive(self, timeout_s: float | None = None) -> tuple[int, int, bytes] | None:
        """(kind, number, body) of a question or an answer; None at the end. Raises OSError, BrokenFrame."""
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while not self._waiting:
            self._socket.settimeout(None if until is None else max(until - time.monotonic(), 1e-3))
            data = self._socket.recv(1 << 18)
            if not data:
                return None
            self._waiting.extend(self._splitter.feed(data))
        kind, _, body = self._waiting.popleft()
        return kind, *asked(body)


def answer(end: socket.socket, work: Callable[[int, bytes], bytes]) -> None:
    """The worker's own loop: each question (kind, body) to ``work``, SETUP first. What it raises is its refusal."""
    channel = Channel(end)
    while (question := channel.receive()) is not None:
        kind, asking, body = question
        try:
            reply = Life.REPLY, work(kind, body)
        except Exception as error:  # whoever asked must know, whatever it was
            reply = Life.REFUSED, refusal(error)
        channel.send(reply[0], asking, reply[1])


class BlockingWorker:
    """One process. If it answers late (``hung_after_s``), dies or writes nonsense it is killed; the next question
    starts another one."""

    def __init__(self, role: Role) -> None:
        self._role = role
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Channel | None = None

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
        self._channel = Channel(ours)
        try:
            if self._asked(self._channel, Life.SETUP, b"", self._role.start_s) is None:
                raise self._role.errors[0](f"{self._role.title} does not start", remedy=self._role.remedy)
        except UnavailableError:
            self.close()
            raise

    def ask(self, kind: int, body: bytes) -> bytes | None:
        """The answer; None from a process that gave none, and is gone now. Raises the role's error if it refuses."""
        self.start()
        assert self._channel is not None
        return self._asked(self._channel, kind, body, self._role.hung_after_s)

    def _asked(self, channel: Channel, kind: int, body: bytes, timeout_s: float) -> bytes | None:
        answered = None
        with contextlib.suppress(OSError, BrokenFrame):  # late, gone or mad
            channel.send(kind, 0, body)
            answered = channel.receive(timeout_s)
        if answered is None:
            self.close()
            return None
        if answered[0] == Life.REFUSED:
            raise refused(answered[2], self._role.errors)
        return answered[2]

    def close(self) -> None:
        """Kill the process. Idempotent."""
        if self._channel is not None and self._process is not None:
            self._channel.close()
            self._process.kill()
            self._process.wait()
        self._channel = self._process = None
