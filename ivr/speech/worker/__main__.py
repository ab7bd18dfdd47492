"""A speech worker's command line, ``python -m ivr.speech.worker ROLE FD``: ROLE is "listen" or "speak".

The listening worker's loop runs voice activity for all its calls; recognition runs in processes of their own. Synthesis
runs in threads (the libraries release the GIL).
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
from collections.abc import Callable
from socket import socket

from ivr.collection import uncollected
from ivr.workers.frames import inherited
from ivr.workers.link import Link, Work, serve

_PATIENCE_S = 1


def work(role: str, end: socket) -> Callable[[Link], Work]:
    """What makes the worker. Forks before there is a loop or a thread."""
    with uncollected():
        if role == "speak":
            from ivr.speech.worker.synthesis import SynthesisWorker

            return SynthesisWorker
        from ivr.speech.worker.prefork import forked
        from ivr.speech.worker.recognition import RecognitionWorker

        gc.freeze()  # a collection of the loop's looks at what calls bring, not at all that was loaded

    prefork = forked([end])
    return lambda line: RecognitionWorker(line, prefork)


def main() -> None:
    end = inherited()
    asyncio.run(serve(end, work(sys.argv[1], end)))
    if sys.argv[1] == "listen":
        signal.alarm(_PATIENCE_S)  # prefork may be deep inside loading a model
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-1, 0)
    os._exit(0)  # threads deep inside a model must not keep a worker alive that nobody listens to


if __name__ == "__main__":
    main()
