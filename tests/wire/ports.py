"""Ports for programs that can't bind port 0 and tell: beneath those that the system gives to whoever asks for any."""

from __future__ import annotations

import os
import random
import re
import socket
from itertools import cycle

_FIRST, _LAST, _WORKERS = 10000, 15999, 8
"""The system's own begin at 32768, RTP of our lines at 16000: what is free here now stays so until it is bound."""


def _own() -> range:
    """A worker of the test run has a share of its own, so that two never find the same one."""
    worker = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or 0) % _WORKERS
    share = (_LAST + 1 - _FIRST) // _WORKERS
    return range(_FIRST + worker * share, _FIRST + (worker + 1) * share)


_offered = cycle(random.sample(_own(), len(_own())))


def free_port(host: str = "127.0.0.1") -> int:
    """A UDP and TCP port nobody uses now. Raises OSError where the whole share is in use."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in _own():
        port = next(_offered)
        with socket.socket(family, socket.SOCK_DGRAM) as udp, socket.socket(family) as tcp:
            try:
                tcp.bind((host, port))
                udp.bind((host, port))
            except OSError:
                continue
            return port
    raise OSError(f"no port of {_own().start}-{_own().stop - 1} is free at {host}")
