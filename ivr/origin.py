"""Origin: from where something is asked for, as the audit log tells it. It goes along with a task, as the log's context
does; whoever types at a shell, and the line itself, ask from their machine."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_SOURCE: ContextVar[str] = ContextVar("source", default="")


def source() -> str:
    """An address as ``limits.throttle.source_of`` counts it, or this machine's name."""
    return _SOURCE.get() or socket.gethostname()


@contextmanager
def asked_from(address: str) -> Iterator[None]:
    """What this task does meanwhile, and the tasks that it starts, is asked for from ``address``."""
    token = _SOURCE.set(address)
    try:
        yield
    finally:
        _SOURCE.reset(token)
