"""The checker as the line uses it for files that anybody may have written: a process of its own, bounded.

It isn't the simulator's, so that its end ends nobody's simulated call. Spoken to over ``workers.frames``: WORK is a
request, a function and its arguments, pickled, and answered with what it returns or raises, pickled: both ends are one
release.
"""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from ivr.errors import CheckUnavailable, IvrError
from ivr.workers.bounded import BoundedWorker
from ivr.workers.frames import FIRST
from ivr.workers.process import Role

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
    """``run`` starts the process."""

    def __init__(self, limit_s: float = LIMIT_S) -> None:
        def late() -> CheckUnavailable:
            return CheckUnavailable(
                f"the check took longer than {limit_s:g} s",
                remedy="undo what was changed last, or split the flow into smaller files",
            )

        self._worker = BoundedWorker(_ROLE, limit_s, late)

    @property
    def pid(self) -> int | None:
        return self._worker.pid

    async def run(self, work: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
        """As ``live.aside``, of what can be pickled. Raises CheckUnavailable, and what ``work`` raises on purpose."""
        asked = await asyncio.to_thread(pickle.dumps, (work, arguments, options))
        answer = await self._worker.ask(WORK, 0, asked)
        done: Any = await asyncio.to_thread(pickle.loads, answer)
        if isinstance(done, IvrError):
            raise done
        result: T = done
        return result

    async def stop(self) -> None:
        """End the process. Idempotent."""
        await self._worker.stop()
