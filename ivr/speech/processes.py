"""One speech worker as the line sees it: started, watched, restarted with back-off, spoken to."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from ivr.errors import SpeechUnavailable
from ivr.speech.framing import BrokenFrame, Message, encode_audio, encode_message, read_frame

log = structlog.get_logger()
_PING_S = 1.0
_MUTE_S = 5.0  # a worker that answers no ping for so long hangs
_START_S = 90.0  # loading models on a busy machine
_BACKOFF_S = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
_STEADY_S = 30.0  # after so long the back-off begins anew
_GRACE_S = 1.0
_BEHIND = 256 * 1024  # bytes of unsent audio: 16 s of speech


class Worker:
    """A worker process and its replacements. ``on_message`` gets what belongs to sessions, ``on_death`` the reason."""

    def __init__(
        self,
        role: str,
        settings: Mapping[str, Any],
        on_message: Callable[[Message], None],
        on_death: Callable[[str], None],
    ) -> None:
        self.role = role
        self.engines: list[Mapping[str, Any]] = []
        self.pid: int | None = None
        self.restarts = 0
        self._settings = settings
        self._on_message = on_message
        self._on_death = on_death
        self._ready = asyncio.Event()
        self._complete = asyncio.Event()
        self._changed = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None
        self._replies: dict[int, asyncio.Future[Message]] = {}
        self._numbers = itertools.count(1)
        self._task: asyncio.Task[None] | None = None
        self._heard = 0.0

    @property
    def alive(self) -> bool:
        return self._ready.is_set()

    def start(self) -> None:
        self._task = asyncio.create_task(self._keep(), name=f"speech-{self.role}")

    @property
    def complete(self) -> bool:
        """Everything is loaded that can be."""
        return self._complete.is_set()

    async def wait_ready(self, timeout_s: float) -> bool:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ready.wait(), timeout_s)
        return self.alive

    async def wait_complete(self, timeout_s: float = _START_S) -> bool:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._complete.wait(), timeout_s)
        return self.complete

    async def wait_changed(self) -> None:
        """Until an engine more is loaded, or the process died."""
        await self._changed.wait()

    def _change(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    def send(self, session: int, head: Mapping[str, Any], blob: bytes = b"") -> None:
        """Control messages are never dropped; to a dead worker they are nobody's."""
        if self._writer is not None:
            self._writer.write(encode_message(session, head, blob))

    def send_audio(self, session: int, at: float, pcm: bytes) -> bool:
        """False: dropped, the worker is behind or gone."""
        if self._writer is None or self._writer.transport.get_write_buffer_size() > _BEHIND:
            return False
        self._writer.write(encode_audio(session, at, pcm))
        return True

    async def ask(self, head: Mapping[str, Any], blob: bytes = b"", *, timeout_s: float) -> Message:
        """Send and wait for the reply. Raises SpeechUnavailable when it fails, hangs or dies meanwhile."""
        if not await self.wait_ready(timeout_s):
            raise SpeechUnavailable(f"the {self.role} worker is not running", remedy="see speech.* in the log")
        number = next(self._numbers)
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._replies[number] = future
        try:
            self.send(0, {**head, "id": number}, blob)
            reply = await asyncio.wait_for(future, timeout_s)
        except TimeoutError as error:
            raise SpeechUnavailable(f"the {self.role} worker took too long", remedy="see the log") from error
        finally:
            self._replies.pop(number, None)
        if "error" in reply.head:
            raise SpeechUnavailable(str(reply.head["error"]))
        return reply

    async def _keep(self) -> None:
        failures = 0
        while True:
            began = time.monotonic()
            reason = await self._live()
            self._dead(reason)
            failures = 0 if time.monotonic() - began > _STEADY_S else failures + 1
            wait = _BACKOFF_S[min(failures, len(_BACKOFF_S)) - 1] if failures else _BACKOFF_S[0]
            log.error("worker.died", role=self.role, pid=self.pid, reason=reason, restart_in_s=wait)
            self.restarts += 1
            await asyncio.sleep(wait)

    def _dead(self, reason: str) -> None:
        self._ready.clear()
        self._complete.clear()
        self.engines = []
        self._change()
        self._writer = None
        for future in self._replies.values():
            if not future.done():
                future.set_exception(SpeechUnavailable(f"the {self.role} worker died: {reason}"))
        self._on_death(reason)

    async def _live(self) -> str:
        """One process's life; why it ended."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "ivr.speech.worker",
                    self.role,
                    str(theirs.fileno()),
                    pass_fds=(theirs.fileno(),),
                    stdin=asyncio.subprocess.DEVNULL,
                )
            except OSError as error:
                ours.close()
                return f"it cannot be started: {error}"
        reader, writer = await asyncio.open_connection(sock=ours)
        self.pid, self._writer, self._heard = process.pid, writer, time.monotonic()
        try:
            self.send(0, {"op": "configure", **self._settings})
            async with asyncio.TaskGroup() as tasks:
                watch = tasks.create_task(self._watch(process))
                reason = await self._read(reader)
                watch.cancel()
        finally:
            writer.close()
            try:
                await asyncio.wait_for(process.wait(), _GRACE_S)  # the socket is closed: it ends by itself
            except TimeoutError:
                process.kill()
                await process.wait()
        return f"{reason} ({process.returncode})"

    async def _read(self, reader: asyncio.StreamReader) -> str:
        try:
            while True:
                frame = await read_frame(reader)
                self._heard = time.monotonic()
                if isinstance(frame, Message):
                    self._take(frame)
        except (asyncio.IncompleteReadError, ConnectionError):
            return "the process ended"
        except BrokenFrame as error:
            return f"it wrote nonsense: {error}"

    def _take(self, message: Message) -> None:
        match message.head["op"]:
            case "ready":
                self.engines = list(message.head["engines"])
                if self.engines or message.head["complete"]:
                    self._ready.set()
                if message.head["complete"]:
                    self._complete.set()
                    log.info("worker.ready", role=self.role, pid=self.pid)
                self._change()
            case "reply":
                future = self._replies.get(int(message.head["id"]))
                if future is not None and not future.done():
                    future.set_result(message)
            case "log":
                event = dict(message.head["event"])
                getattr(log, message.head["level"], log.info)(event.pop("event", ""), worker=self.role, **event)
            case "pong":
                pass  # hearing it is all there is to it
            case _:
                self._on_message(message)

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        """Ping; kill what has not answered for long. Loading may take its own time before the first answer."""
        for number in itertools.count():
            await asyncio.sleep(_PING_S)
            self.send(0, {"op": "ping", "n": number})
            if time.monotonic() - self._heard > (_MUTE_S if self.alive else _START_S):
                log.error("worker.hung", role=self.role, pid=process.pid)
                process.kill()
                return
