"""systemd's notification protocol (sd_notify(3)): that the line is ready, reloads, stops, and that its loop turns."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections import deque
from collections.abc import MutableMapping
from enum import StrEnum
from typing import Self

import structlog

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

TURN_S = 5.0  # how often something is told at least while the line starts or stops
PATIENCE_S = 30.0  # what a start or a stop may take longer, counted from each turn of the loop
_RETRY_S = 0.2
_MOST_WAITING = 32


class _Phase(StrEnum):
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"


class Notifier:
    """Tells ``$NOTIFY_SOCKET``; without one every method does nothing. Nothing waits, nothing raises: what a full
    socket can't take is sent a moment later, in order.

    While the line starts or stops each turn of its loop asks for PATIENCE_S more (EXTEND_TIMEOUT_USEC), so that
    neither a first start that renders every prompt nor a long drain meets a timeout of the unit."""

    def __init__(self, address: str = "", watchdog_s: float = 0.0) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address  # "@" is Linux's abstract name
        self._watchdog_s = watchdog_s
        self._phase = _Phase.STARTING
        self._status = ""
        self._waiting: deque[bytes] = deque(maxlen=_MOST_WAITING)
        self._later: asyncio.TimerHandle | None = None
        self._failed = False

    @classmethod
    def taken(cls, environment: MutableMapping[str, str] = os.environ) -> Self:
        """What systemd asks of this process. It is taken out of ``environment``: the children are not the service."""
        address = environment.pop("NOTIFY_SOCKET", "")
        micros, watched = environment.pop("WATCHDOG_USEC", ""), environment.pop("WATCHDOG_PID", "")
        ours = watched in ("", str(os.getpid()))
        usable = address[:1] in ("/", "@") and len(address) > 1
        return cls(address if usable else "", int(micros) / 1e6 if ours and micros.isdecimal() else 0.0)

    @property
    def interval_s(self) -> float:
        """How often ``watch`` tells: half the watchdog's time, so that one late turn is no death."""
        return min(TURN_S, self._watchdog_s / 2) if self._watchdog_s else TURN_S

    def status(self, text: str) -> None:
        """One line of what is going on, for ``systemctl status``."""
        if text != self._status:
            self._status = text
            self._tell(f"STATUS={text.splitlines()[0] if text else ''}")

    def ready(self, status: str) -> None:
        """The start, or a reload, is over."""
        self._phase = _Phase.RUNNING
        self._status = status
        self._tell("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """A reload begins; ``ready`` ends it. Before the first ``ready`` there is nothing to tell."""
        if self._phase is _Phase.RUNNING:
            self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}", "STATUS=reloading")
            self._status = "reloading"

    def reloaded(self, status: str) -> None:
        if self._phase is _Phase.RUNNING:
            self.ready(status)

    def stopping(self, status: str) -> None:
        self._phase = _Phase.STOPPING
        self._status = status
        self._tell("STOPPING=1", f"STATUS={status}", self._more_time())

    async def watch(self) -> None:
        """For as long as the loop turns."""
        while self._address:
            alive = ["WATCHDOG=1"] if self._watchdog_s else []
            more = [self._more_time()] if self._phase is not _Phase.RUNNING else []
            if alive or more:
                self._tell(*alive, *more)
            await asyncio.sleep(self.interval_s)

    @staticmethod
    def _more_time() -> str:
        return f"EXTEND_TIMEOUT_USEC={int(PATIENCE_S * 1e6)}"

    def _tell(self, *assignments: str) -> None:
        if self._address:
            self._waiting.append("\n".join(assignments).encode())
            self._send()

    def _send(self) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later = None
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as told:
                told.setblocking(False)
                while self._waiting:
                    told.sendto(self._waiting[0], self._address)
                    self._waiting.popleft()
        except BlockingIOError:
            with contextlib.suppress(RuntimeError):  # no loop any more: the next message takes it along
                self._later = asyncio.get_running_loop().call_later(_RETRY_S, self._send)
        except OSError as error:
            self._waiting.clear()
            if not self._failed:
                log.warning("systemd.unreachable", error=str(error), remedy="Type=notify needs NotifyAccess=main")
            self._failed = True
        else:
            self._failed = False
