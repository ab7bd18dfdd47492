"""A worker for what anybody may have written: one request at a time, bounded in time and memory, killed when late.

A thread could not be ended: a hostile file, or a huge one, would go on after nobody waits. The process starts when it
is first needed; a new one follows one that was killed, and knows nothing.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable

import structlog

from ivr.errors import UnavailableError
from ivr.workers.process import Role, Worker

log = structlog.get_logger(__name__)

MOST_MEMORY = 2 << 30  # bytes of its own; the largest flows that we know take a tenth
Tell = Callable[[int, int, bytes], bool]  # kind, number, body


def limit_memory(most: int = MOST_MEMORY) -> None:
    """Of this process, its own data: files that are mapped don't count. More raises MemoryError."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


class BoundedWorker:
    """Owner of the process (``workers.process.Owner``). ``late``: what is raised for a request that took longer than
    ``limit_s``, counted from its own turn; ``forgotten`` is called whenever a process is gone with what it knew."""

    def __init__(
        self,
        role: Role,
        limit_s: float,
        late: Callable[[], UnavailableError],
        *,
        setup: bytes = b"",
        forgotten: Callable[[], None] = lambda: None,
    ) -> None:
        self._role, self._limit_s, self._late = role, limit_s, late
        self._setup, self._forgotten = setup, forgotten
        self._worker: Worker | None = None
        self._turn = asyncio.Lock()

    @property
    def pid(self) -> int | None:
        return self._worker.pid if self._worker is not None else None

    async def start(self) -> Worker:
        """Unless it runs. Raises the role's error where it can't."""
        if self._worker is None:
            self._worker = Worker(self._role, self)
            await self._worker.start()
        worker = self._worker
        if not await worker.wait_up(self._role.start_s):
            raise self._role.errors[0](f"{self._role.title} does not start", remedy="see worker.* in the log")
        return worker

    async def ask(self, kind: int, number: int, body: bytes, *, before: Callable[[Tell], None] | None = None) -> bytes:
        """The answer to a request. ``before`` may tell the same process what it is to know for it. Whoever is cancelled
        while its answer is made ends the process."""
        async with self._turn:
            answered = False
            try:
                worker = await self.start()
                if before is not None:
                    before(worker.send)
                async with asyncio.timeout(self._limit_s):
                    answer = await worker.request(kind, number, body, timeout_s=2 * self._limit_s)
                answered = True
                return answer
            except TimeoutError:
                log.error("worker.late", role=self._role.name, pid=self.pid, limit_s=self._limit_s)
                raise self._late() from None
            finally:
                if not answered:  # late, or nobody waits any more
                    await asyncio.shield(self._kill())

    def tell(self, kind: int, number: int, body: bytes = b"") -> None:
        """The process that there is, if any."""
        if self._worker is not None:
            self._worker.send(kind, number, body)

    async def stop(self) -> None:
        """End the process. Idempotent."""
        worker, self._worker = self._worker, None
        if worker is not None:
            await worker.stop()

    async def _kill(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            await worker.stop(grace_s=0.0)

    # --- for the worker (Owner) ------------------------------------------------------------------------------

    def setup(self) -> bytes:
        return self._setup

    def ready(self, body: bytes) -> bool:
        return True

    def received(self, kind: int, number: int, body: bytes) -> None:
        """It says nothing unasked."""

    def lost(self, reason: str, restart_in_s: float | None) -> None:
        self._forgotten()
        if restart_in_s is not None:
            log.warning("worker.died", role=self._role.name, pid=self.pid, reason=reason, restart_in_s=restart_in_s)
