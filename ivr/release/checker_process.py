"""The checker process, ``python -m ivr.release.checker_process FD``: what ``checker`` asks, away from the calls."""

from __future__ import annotations

import asyncio
import os
import pickle
from concurrent.futures import ThreadPoolExecutor

import structlog

from ivr.errors import CheckUnavailable, IvrError
from ivr.workers.bounded import MOST_MEMORY, limit_memory
from ivr.workers.frames import Life, asked, inherited
from ivr.workers.link import Link, serve

log = structlog.get_logger(__name__)

NICENESS = 5  # callers go first
TOO_LARGE = CheckUnavailable(
    f"the check took more than {MOST_MEMORY >> 20:,} MB of memory", remedy="split the flow into smaller files"
)


class Checks:
    """``workers.link.Work``: in a thread, so that the loop answers pings meanwhile."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._thread = ThreadPoolExecutor(1)

    def received(self, kind: int, number: int, body: bytes) -> None:
        if kind == Life.SETUP:
            self._link.send(Life.READY)
            return
        asking, question = asked(body)
        self._link.answer(asking, self._thread.submit(_answer, question))

    async def run(self) -> None:
        await asyncio.Event().wait()

    def close(self) -> None:
        os._exit(0)  # the line is gone: nobody waits for what the thread still does


def _answer(question: bytes) -> bytes:
    work, arguments, options = pickle.loads(question)  # noqa: S301 - from the process that started this one
    try:
        return pickle.dumps(work(*arguments, **options))
    except IvrError as error:
        return pickle.dumps(error)
    except MemoryError:
        log.error("checker.memory", work=work.__name__)
        return pickle.dumps(TOO_LARGE)
    except Exception:  # its answer is the role's error
        log.exception("checker.failed", work=work.__name__)
        raise


def main() -> None:
    os.nice(NICENESS)
    limit_memory()
    asyncio.run(serve(inherited(), Checks))


if __name__ == "__main__":
    main()
