"""How a worker process is started, and how it finds its socket: the last argument is an inherited file descriptor."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_SOURCE = str(Path(__file__).resolve().parents[2])  # where the package ivr is found, also when it isn't installed


def command(module: Sequence[str], end: socket.socket) -> list[str]:
    """The command line that runs ``module`` (its name and arguments) on ``end``, which must be passed on to it."""
    return [sys.executable, "-m", *module, str(end.fileno())]


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """Ours and ``more``, in which the child finds the same ``ivr``."""
    path = os.pathsep.join(filter(None, (_SOURCE, os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, **more}


def inherited() -> socket.socket:
    """The worker's own end. Ctrl-C is the line's business from here on: the line closes the socket."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return socket.socket(fileno=int(sys.argv[-1]))
