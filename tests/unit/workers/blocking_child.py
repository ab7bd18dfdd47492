"""A worker for ``test_blocking``: answers, refuses, dies or says nothing, as it is asked."""

from __future__ import annotations

import os
import sys
import time

from ivr.errors import MediaUnavailable
from ivr.workers.blocking import answer
from ivr.workers.frames import FIRST, Life, inherited

ECHO, REFUSE, DIE, SLEEP = range(FIRST, FIRST + 4)


def work(kind: int, body: bytes) -> bytes:
    if kind == Life.SETUP and sys.argv[1] == "broken":
        raise MediaUnavailable("nothing to work with", remedy="buy some")
    if kind == REFUSE:
        raise ValueError("not this")
    if kind == DIE:
        os._exit(3)
    if kind == SLEEP:
        time.sleep(60)
    return body


if __name__ == "__main__":
    answer(inherited(), work)
