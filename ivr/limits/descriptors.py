"""File descriptors (RLIMIT_NOFILE): how many a process of the line may have, what calls need, what servers may keep."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import resource
from collections.abc import Mapping
from typing import Any

import structlog

from ivr.limits.connections import ConnectionLimits
from ivr.limits.throttle import CountedLog

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

SOCKETS_A_LEG = 2  # RTP and RTCP
LEGS_A_CALL = 2  # the caller's, and the agent's once they talk
RESERVE = 64  # what a process needs beside: log, database, event loop, pipes to workers, DNS, HTTP services
_PLENTY = 1 << 20  # more is never used, and some systems allow a thousand times that


def limit() -> int:
    """Return how many descriptors a process may have open; it inherits this to its children."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _PLENTY if soft == resource.RLIM_INFINITY else soft


def attainable() -> int:
    """Return what ``raise_limit`` will make of it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or hard == resource.RLIM_INFINITY:
        return _PLENTY
    return max(soft, min(hard, _PLENTY))


def raise_limit() -> int:
    """Raise the soft limit to the hard one; return what holds then. Nothing needs ``select``, whose sets end at
    1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < attainable():
        with contextlib.suppress(OSError, ValueError):  # some systems name a hard limit that they don't grant
            resource.setrlimit(resource.RLIMIT_NOFILE, (attainable(), hard))
    return limit()


def needed(max_calls: int) -> int:
    """Return how many the media process needs, which has most of them, while every call talks to an agent."""
    return max_calls * LEGS_A_CALL * SOCKETS_A_LEG + RESERVE


def shortage(max_calls: int, available: int) -> str:
    """Say what is wrong with ``available`` descriptors for ``max_calls``; "" when they are enough."""
    if available >= needed(max_calls):
        return ""
    serves = max(0, (available - RESERVE) // (LEGS_A_CALL * SOCKETS_A_LEG))
    return f"{available} allowed, {needed(max_calls)} needed for max_calls = {max_calls}: enough for {serves} calls"


def remedy(max_calls: int) -> str:
    return f"allow more (LimitNOFILE={needed(max_calls)} in the systemd unit, or ulimit -n), or lower sip.max_calls"


def warn(max_calls: int) -> str:
    """Log that what is allowed is too few for ``max_calls``; what is wrong, "" where nothing is."""
    if problem := shortage(max_calls, limit()):
        log.warning("service.descriptors_short", problem=problem, remedy=remedy(max_calls))
    return problem


class Exhaustion:
    """The event loop's exception handler: that a server could not accept, which asyncio says once a second and then
    tries again, is one line a minute."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._log = CountedLog(log, "service.descriptors_exhausted", loop.time, "error")

    def __call__(self, loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
            self._log.note("here", error=str(error), limit=limit(), remedy="allow more (LimitNOFILE, ulimit -n)")
        else:
            loop.default_exception_handler(dict(context))


# --- what servers may keep, so that half of the limit is always left for calls, database and services --------------


def sip_connections() -> ConnectionLimits:
    """Connections of trunks, and of hosts that have shown no credentials yet."""
    share = limit() // 16
    return ConnectionLimits(
        most=min(512, 4 * share),
        unproven=min(128, share),
        unproven_a_source=min(16, share),
        a_source=min(64, 2 * share),
    )


def http_connections() -> ConnectionLimits:
    share = limit() // 16
    return ConnectionLimits(most=min(256, 2 * share), unproven=min(128, share), unproven_a_source=min(32, share // 2))


def backlog() -> int:
    """Return how many connections may be accepted at once before the limits above are looked at."""
    return max(8, min(100, limit() // 16))
