"""One kind of worker process: module, patience, errors; how it is started, and how it finds its socket."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ivr.errors import UnavailableError

_SOURCE = str(Path(__file__).resolve().parents[2])  # where the package ivr is found, also when it isn't installed


@dataclass(frozen=True, slots=True)
class Role:
    """One kind of worker. ``module``: its name and arguments; ``title`` stands in messages, ``name`` in the log.

    A worker silent for ``start_s`` before it is ready, or for ``hung_after_s`` since, is replaced like one that died.
    ``errors``: what it may refuse with; the first is raised for everything else that goes wrong with it.
    ``socket_buffer``: bytes that the kernel is to hold for each end, 0 for its own choice.
    """

    name: str
    title: str
    module: Sequence[str]
    errors: Sequence[type[UnavailableError]]
    remedy: str
    start_s: float
    hung_after_s: float
    socket_buffer: int = 0
    variables: Mapping[str, str] = field(default_factory=dict)

    def command(self, end: socket.socket) -> list[str]:
        """The command line that runs the module on ``end``, which must be passed on to it."""
        return [sys.executable, "-m", *self.module, str(end.fileno())]

    def environment(self) -> dict[str, str]:
        """Ours and the role's ``variables``; the child finds the same ``ivr`` in it."""
        path = os.pathsep.join(filter(None, (_SOURCE, os.environ.get("PYTHONPATH"))))
        return {**os.environ, "PYTHONPATH": path, **self.variables}


def inherited() -> socket.socket:
    """The worker's own end, the last argument. Ctrl-C is the line's business: the line closes the socket."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return socket.socket(fileno=int(sys.argv[-1]))
