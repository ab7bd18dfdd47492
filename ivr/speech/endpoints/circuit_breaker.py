"""A circuit breaker: an endpoint that keeps failing is left alone for a while, and tried again beside the calls."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from ivr.speech.endpoints.failure import EndpointFailed

log = structlog.get_logger()
FAILURES = 3  # in a row, until it is left alone
PAUSE_S, LONGEST_PAUSE_S = 15.0, 300.0  # doubled with each try that fails, too
_REFUSED_S = 300.0  # somebody has to act first


class CircuitBreaker:
    """One endpoint's, called ``name``. ``detail``: what is wrong with it; "" while it answers."""

    def __init__(self, name: str, now: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self.detail = ""
        self._now = now
        self._failures = 0
        self._pause_s = 0.0
        self._until: float | None = None  # left alone
        self._trying = False

    @property
    def closed(self) -> bool:
        """Whether it is to be waited for."""
        return self._until is None

    @property
    def is_due(self) -> bool:
        """Whether it was left alone long enough to be tried."""
        return self._until is not None and not self._trying and self._now() >= self._until

    def due(self) -> bool:
        """As ``is_due``, for the one request that tries it, and that nobody waits for; says so once."""
        due = self.is_due
        self._trying = self._trying or due
        return due

    def succeeded(self) -> None:
        if self._until is not None:
            log.info("endpoint.back", endpoint=self.name)
        self.detail, self._failures, self._pause_s, self._until, self._trying = "", 0, 0.0, None, False

    def failed(self, error: EndpointFailed) -> None:
        """Logged once, when it begins to be left alone. What was asked before that and fails later changes nothing."""
        self.detail = str(error)
        if self._until is not None and not self._trying:
            return
        self._failures += 1
        self._trying = False
        if self._until is None and self._failures < FAILURES and not error.refused and not error.wait_s:
            return
        first = self._until is None
        self._pause_s = min(LONGEST_PAUSE_S, 2 * self._pause_s or PAUSE_S)
        pause_s = error.wait_s or (_REFUSED_S if error.refused else self._pause_s)
        self._until = self._now() + pause_s
        if first:
            log.warning("endpoint.left_alone", endpoint=self.name, error=str(error), seconds=round(pause_s))
