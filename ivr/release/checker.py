"""The checker as the line uses it for files that anybody may have written: a supervised process, killed when late.

A thread of the line's own could not be ended: a hostile file, or a huge one, would hold up the loop that carries calls
and go on after nobody waits. The process is its own, not the simulator's, so that its end ends nobody's simulated call.
It starts when it is first needed. Spoken to over ``workers.frames``: WORK is a request, a function and its arguments,
pickled, and answered with what it returns or raises, pickled: both ends are one release. One at a time.
"""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import structlog

from ivr.errors import CheckUnavailable, IvrError
from ivr.workers.frames import FIRST
from ivr.workers.process import Role, Worker

log = structlog.get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")
WORK = FIRST
LIMIT_S = 20.0  # the largest flows we know take one

_ROLE = Role(
    name="checker",
    title="the checker",
    module=("ivr.release.checker_process",),
    errors=(CheckUnavailable,),
    remedy="it restarts by itself: try again",
    start_s=30.0,
    hung_after_s=2 * LIMIT_S,  # a thread in one long match lets its loop answer nothing; the limit ends it first
)


class Checker:
    """Owner of the process (``workers.process.Owner``). ``run`` starts it."""

    def __init__(self, limit_s: float = LIMIT_S) -> None:
        self._limit_s = limit_s
        self._worker: Worker | None = None
        self._turn = asyncio.Lock()

    @property
    def pid(self) -> int | None:
        return self._worker.pid if self._worker is not None else None

    async def run(self, work: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
        """As ``live.aside``, of what can be pickled. Raises CheckUnavailable, and what ``work`` raises on purpose."""
        asked = await asyncio.to_thread(pickle.dumps, (work, arguments, options))
        async with self._turn:  # the limit counts from its own turn on
            answer = await self._answer(asked)
        done: Any = await asyncio.to_thread(pickle.loads, answer)
        if isinstance(done, IvrError):
            raise done
        result: T = done
        return result

    async def stop(self) -> None:
        """End the process. Idempotent."""
        worker, self._worker = self._worker, None
        if worker is not None:
            await worker.stop()

    async def _answer(self, asked: bytes) -> bytes:
        answered = False
        try:
            if self._worker is None:
                self._worker = Worker(_ROLE, self)
                await self._worker.start()
            if not await self._worker.wait_up(_ROLE.start_s):
                raise CheckUnavailable("the checker does not start", remedy="see worker.* in the log")
            async with asyncio.timeout(self._limit_s):
                answer = await self._worker.request(WORK, 0, asked, timeout_s=2 * self._limit_s)
            answered = True
            return answer
        except TimeoutError:
            log.error("checker.late", pid=self.pid, limit_s=self._limit_s)
            raise CheckUnavailable(
                f"the check took longer than {self._limit_s:g} s",
                remedy="undo what was changed last, or split the flow into smaller files",
            ) from None
        finally:
            if not answered:  # late, or nobody waits any more
                await asyncio.shield(self._kill())

    async def _kill(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            await worker.stop(grace_s=0.0)

    # --- for the worker (Owner) ------------------------------------------------------------------------------

    def setup(self) -> bytes:
        return b""

    def ready(self, body: bytes) -> bool:
        return True

    def received(self, kind: int, number: int, body: bytes) -> None:
        """It says nothing unasked."""

    def lost(self, reason: str, restart_in_s: float | None) -> None:
        """It keeps nothing."""
        if restart_in_s is not None:
            log.warning("worker.died", role=_ROLE.name, pid=self.pid, reason=reason, restart_in_s=restart_in_s)
