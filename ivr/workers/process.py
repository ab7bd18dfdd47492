"""A supervised child process: spawned in its role over a socket pair, pinged, asked, replaced when it dies or hangs."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import socket
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import structlog

from ivr.errors import UnavailableError
from ivr.workers.frames import FIRST, REQUEST, Life, asked, refused
from ivr.workers.link import Link

log = structlog.get_logger(__name__)
REPLY_S = 5.0
_PING_S = 1.0
_LAPSE_S = 2.0  # a loop that looks later than this was held up itself
_BACK_OFF_S = (0.0, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0)
_STEADY_S = 30.0  # after so long a life the back-off begins anew
_GRACE_S = 2.0  # to end by itself once its socket is closed
_SOURCE = str(Path(__file__).resolve().parents[2])  # where the package ivr is found, also when it isn't installed


@dataclass(frozen=True, slots=True)
class Role:
    """One kind of worker. ``module``: its name and arguments; ``title`` stands in messages, ``name`` in the log.

    A worker silent for ``start_s`` before it is ready, or for ``hung_after_s`` since, is replaced like one that died.
    ``errors``: what it may refuse with; the first is raised for everything else that goes wrong with it.
    ``longest_pause_s`` before one that died young is followed by the next.
    ``socket_buffer``: bytes that the kernel is to hold for each end, 0 for its own choice."""

    name: str
    title: str
    module: Sequence[str]
    errors: Sequence[type[UnavailableError]]
    remedy: str
    start_s: float
    hung_after_s: float
    socket_buffer: int = 0
    longest_pause_s: float = 10.0
    variables: Mapping[str, str] = field(default_factory=dict)

    def command(self, end: socket.socket) -> list[str]:
        """The command line that runs the module on ``end``, which must be passed on to it."""
        return [sys.executable, "-m", *self.module, str(end.fileno())]

    def environment(self) -> dict[str, str]:
        """Ours and the role's ``variables``; the child finds the same ``ivr`` in it."""
        path = os.pathsep.join(filter(None, (_SOURCE, os.environ.get("PYTHONPATH"))))
        return {**os.environ, "PYTHONPATH": path, **self.variables}


class Owner(Protocol):
    """Whose worker it is: knows its protocol, keeps its sessions."""

    def setup(self) -> bytes: ...  # the body of SETUP, for each new process
    def ready(self, body: bytes) -> bool: ...  # what READY says; whether the process can serve with that
    def received(self, kind: int, number: int, body: bytes) -> None: ...  # one frame of the owner's protocol
    def lost(self, reason: str, restart_in_s: float | None) -> None:
        """The process is gone and its sessions with it; a new one follows, unless it was stopped (None)."""


class Child(Protocol):
    """What is asked of ``asyncio.subprocess.Process``."""

    @property
    def pid(self) -> int: ...
    @property
    def returncode(self) -> int | None: ...
    def kill(self) -> None: ...
    async def wait(self) -> int: ...


Spawn = Callable[[Role, socket.socket], Awaitable[Child]]


async def spawn(role: Role, end: socket.socket) -> Child:
    """Start ``role`` on its ``end`` of the pair. Raises OSError."""
    return await asyncio.create_subprocess_exec(
        *role.command(end),
        pass_fds=(end.fileno(),),
        stdin=asyncio.subprocess.DEVNULL,
        env=role.environment(),
    )


class Attention:
    """A watchdog's own: since when it has been looking without a lapse. Times are passed in, seconds.

    Whoever was stopped, or got no processor, for longer than ``lapse_s`` cannot tell how long others were silent: what
    they said waits to be read. Silence counts from ``since`` at the earliest."""

    def __init__(self, now: float, lapse_s: float) -> None:
        self.since = now
        self._looked_at = now
        self._lapse_s = lapse_s

    def look(self, now: float) -> None:
        """To be called regularly, well within ``lapse_s``."""
        if now - self._looked_at > self._lapse_s:
            self.since = now
        self._looked_at = now


class Worker:
    """A worker process and its replacements. ``up``: it serves; ``pid``: None while there is no process; ``restarts``:
    how many were replaced."""

    def __init__(self, role: Role, owner: Owner, spawn: Spawn = spawn) -> None:
        self.up = False
        self.pid: int | None = None
        self.restarts = 0
        self._role = role
        self._owner = owner
        self._spawn = spawn
        self._link: Link | None = None
        self._attention = Attention(0.0, _LAPSE_S)
        self._pings: deque[asyncio.Future[None] | None] = deque()  # not answered yet; who waits for the answer
        self._changed = asyncio.Event()
        self._requests: dict[int, asyncio.Future[bytes]] = {}
        self._numbers = itertools.count(1)
        self._task: asyncio.Task[None] | None = None
        self._reason = ""
        self._grace_s = _GRACE_S

    @property
    def healthy(self) -> bool:
        """Up, and not silent for so long that it will be replaced."""
        return self.up and self._silent_s(asyncio.get_running_loop().time()) < self._role.hung_after_s

    async def start(self) -> str:
        """Returns once the process is ready, or the first one has shown why it cannot be: the reason, else ""."""
        self._reason = ""
        self._task = asyncio.create_task(self._keep(), name=f"worker-{self._role.name}")
        while not self.up and not self._reason:
            await self.wait_changed()
        return "" if self.up else self._reason

    async def stop(self, grace_s: float = _GRACE_S) -> None:
        """End the process, by force after ``grace_s``. Idempotent."""
        self._grace_s = grace_s
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def wait_changed(self) -> None:
        """Until the process says READY, or is lost."""
        await self._changed.wait()

    async def wait_until(self, met: Callable[[], bool], timeout_s: float) -> bool:
        """Whether ``met``, looked at after every change, within ``timeout_s``; at once where nothing runs."""
        if met():
            return True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while not met() and self._task is not None:
                    await self.wait_changed()
        return met()

    async def wait_up(self, timeout_s: float) -> bool:
        """Whether the process serves, waiting for a restart under way."""
        return await self.wait_until(lambda: self.up, timeout_s)

    # --- what is said to it ----------------------------------------------------------------------------------

    @property
    def unsent(self) -> int:
        """Bytes that the process is behind with, beside what the kernel holds."""
        return 0 if self._link is None else self._link.unsent

    def send(self, kind: int, number: int = 0, body: bytes = b"") -> bool:
        """Tell the process. False when there is none: its sessions know already, or will at once."""
        if self._link is None:
            return False
        self._link.send(kind, number, body)
        return True

    async def answers(self, within_s: float) -> bool:
        """Whether the process has come to what was sent so far, within ``within_s``. A dead one has nothing to do."""
        if self._link is None:
            return True
        pong: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ping(self._link, pong)
        done, _ = await asyncio.wait((pong,), timeout=within_s)
        return bool(done)

    def _ping(self, link: Link, pong: asyncio.Future[None] | None = None) -> None:
        self._pings.append(pong)
        link.send(Life.PING)

    async def request(self, kind: int, number: int = 0, body: bytes = b"", *, timeout_s: float = REPLY_S) -> bytes:
        """Ask the process. Raises one of the role's errors when it refuses, dies or takes too long."""
        role = self._role
        if not self.up:
            raise role.errors[0](f"{role.title} is not running", remedy=role.remedy)
        asking = next(self._numbers) & 0xFFFFFFFF
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bytes] = loop.create_future()

        def late() -> None:
            if not future.done():
                future.set_exception(role.errors[0](f"{role.title} did not answer in {timeout_s:g} s"))

        self._requests[asking] = future
        timer = loop.call_later(timeout_s, late)
        try:
            self.send(kind, number, REQUEST.pack(asking) + body)
            return await future
        finally:
            timer.cancel()
            self._requests.pop(asking, None)

    # --- what it says ----------------------------------------------------------------------------------------

    def _received(self, kind: int, number: int, body: bytes) -> None:
        if kind >= FIRST:
            self._owner.received(kind, number, body)
        elif kind in (Life.REPLY, Life.REFUSED):
            asking, answer = asked(body)
            future = self._requests.get(asking)
            if future is None or future.done():
                return
            if kind == Life.REPLY:
                future.set_result(answer)
            else:
                future.set_exception(refused(answer, self._role.errors))
        elif kind == Life.PONG:
            pong = self._pings.popleft() if self._pings else None
            if pong is not None and not pong.done():
                pong.set_result(None)
        elif kind == Life.READY:
            self.up = self._owner.ready(body) or self.up
            self._change()
        elif kind == Life.LOG:
            level, event = json.loads(body)
            getattr(log, level, log.info)(event.pop("event", ""), **{**event, "worker": self._role.name})

    def _change(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    # --- its life --------------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        """Lives, one after another, with pauses that grow while they are short."""
        loop = asyncio.get_running_loop()
        short = 0
        while True:
            began = loop.time()
            try:
                reason = await self._live()
            except OSError as error:
                reason = f"{self._role.title} cannot be started: {error}"
            except asyncio.CancelledError:
                self._lose("the service stops", None)
                raise
            if loop.time() - began > _STEADY_S:
                short = 0
            pause = min(_BACK_OFF_S[min(short, len(_BACK_OFF_S) - 1)], self._role.longest_pause_s)
            short += 1
            self.restarts += 1
            self._lose(reason, pause)
            await asyncio.sleep(pause)

    async def _live(self) -> str:
        """One process's life; why it ended. Raises OSError when there can be none."""
        ours, theirs = socket.socketpair()
        for end in (ours, theirs) if self._role.socket_buffer else ():
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._role.socket_buffer)
        link = Link(self._received)
        self._pings.clear()
        child: Child | None = None
        grace_s: float | None = None
        try:
            with theirs:
                await link.take(ours)
                child = await self._spawn(self._role, theirs)
            self.pid = child.pid
            self._link = link
            link.send(Life.SETUP, 0, self._owner.setup())
            reason = await self._watch(link)
            grace_s = _GRACE_S if link.ended.done() else 0.0
        finally:
            self.up = False
            self._link = None
            link.close()
            if child is not None:
                await _reap(child, self._grace_s if grace_s is None else grace_s)
        return f"{reason} ({child.returncode})" if grace_s else reason

    async def _watch(self, link: Link) -> str:
        """Why the process is of no use any more, once it isn't. A machine that was paused is no reason."""
        loop, title = asyncio.get_running_loop(), self._role.title
        self._attention = Attention(loop.time(), _LAPSE_S)
        while True:
            self._ping(link)
            await asyncio.wait((link.ended,), timeout=_PING_S)
            if link.ended.done():
                return f"{title} died" if not link.ended.result() else f"{title} broke: {link.ended.result()}"
            now = loop.time()
            self._attention.look(now)
            if self._silent_s(now) > (self._role.hung_after_s if self.up else self._role.start_s):
                log.error("worker.hung", role=self._role.name, pid=self.pid)
                return f"{title} hung" if self.up else f"{title} did not start"

    def _silent_s(self, now: float) -> float:
        heard_at = self._link.heard_at if self._link is not None else now
        return now - max(heard_at, self._attention.since)

    def _lose(self, reason: str, restart_in_s: float | None) -> None:
        self._reason = reason
        for future in self._requests.values():
            if not future.done():
                future.set_exception(self._role.errors[0](reason))
        self._owner.lost(reason, restart_in_s)
        self.pid = None
        self._change()


async def _reap(child: Child, grace_s: float) -> None:
    """Wait for the end of ``child``, for ``grace_s`` without force."""
    try:
        async with asyncio.timeout(grace_s):
            await child.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()
