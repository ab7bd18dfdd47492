"""The blocking end of a worker's socket, and a worker for a thread that waits for each answer (no loop, no pings)."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections import deque
from collections.abc import Sequence

from ivr.workers.child import command, environment
from ivr.workers.frames import REQUEST, BrokenFrame, Life, Refusal, Splitter, asked, frame


class Channel:
    """Frames over a socket, one at a time. Not thread-safe."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._splitter = Splitter()
        self._waiting: deque[tuple[int, int, bytes]] = deque()

    def send(self, kind: int, number: int = 0, body: bytes = b"") -> None:
        """Raises OSError when the other end is gone."""
        self._socket.sendall(frame(kind, number, body))

    def receive(self, timeout_s: float | None = None) -> tuple[int, int, bytes] | None:
        """The next frame (kind, number, body); None at the end of the stream. Raises TimeoutError, BrokenFrame."""
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while not self._waiting:
            self._socket.settimeout(None if until is None else max(until - time.monotonic(), 1e-3))
            data = self._socket.recv(1 << 18)
            if not data:
                return None
            self._waiting.extend(self._splitter.feed(data))
        return self._waiting.popleft()

    def close(self) -> None:
        self._socket.close()


class Refused(Exception):
    """The worker answered that it will not; ``refusal`` says why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class BlockingWorker:
    """One process, one question at a time. Whoever answers late, dies or writes nonsense is killed; the next question
    starts another one. The process says READY when it serves, REPLY or REFUSED to each question."""

    def __init__(self, module: Sequence[str], *, start_s: float, answer_s: float) -> None:
        self._module = module
        self._start_s = start_s
        self._answer_s = answer_s
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Channel | None = None
        self._asked = 0

    @property
    def pid(self) -> int | None:
        """None while there is no process."""
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        """Unless it runs. Raises Refused with the process's own reason, or with that it does not start."""
        if self._process is not None and self._process.poll() is None:
            return
        self.close()
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                command(self._module, theirs),
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment({}),
            )
        self._channel, self._asked = Channel(ours), 0
        first = self._received(self._start_s)
        if first is None or first[0] != Life.READY:
            self.close()
            raise Refused(Refusal.unpack(first[1]) if first is not None else Refusal("", "it does not start"))

    def ask(self, kind: int, body: bytes) -> bytes | None:
        """The answer; None from a process that did not give one, and is gone now. Raises Refused."""
        self.start()
        assert self._channel is not None
        self._asked += 1
        with contextlib.suppress(OSError):  # it died since: no answer will come
            self._channel.send(kind, 0, REQUEST.pack(self._asked) + body)
        answer = self._received(self._answer_s)
        if answer is None:
            self.close()
            return None
        if answer[0] == Life.REFUSED:
            raise Refused(Refusal.unpack(answer[1]))
        return answer[1]

    def _received(self, timeout_s: float) -> tuple[int, bytes] | None:
        """Kind, and body without the question's number; None for nothing of use."""
        assert self._channel is not None
        try:
            received = self._channel.receive(timeout_s)
        except (OSError, BrokenFrame):  # late, gone or mad
            return None
        if received is None:
            return None
        kind, _, body = received
        if kind == Life.READY:
            return kind, body
        number, rest = asked(body)
        return (kind, rest) if number == self._asked else None

    def close(self) -> None:
        """Kill the process. Idempotent."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
