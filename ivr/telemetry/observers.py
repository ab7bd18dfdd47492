"""Observers of calls, told one after another; what one of them raises is counted, and costs no call anything."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import structlog

from ivr.ports import CallObserver, Moment, RefusedCall

log = structlog.get_logger(__name__)


class Observers:
    """Implements ``ivr.ports.CallObserver``. ``failed``: how often one raised; the first time each kind is logged."""

    def __init__(self, *observers: CallObserver) -> None:
        self._observers: Sequence[CallObserver] = observers
        self._told: set[type[Exception]] = set()
        self.failed = 0

    def observe(self, call_id: str, at: datetime, what: Moment) -> None:
        for each in self._observers:
            try:
                each.observe(call_id, at, what)
            except Exception as error:  # whatever is measured of a call, the call comes first
                self._failed(error, type(what).__name__)

    def refused(self, at: datetime, call: RefusedCall) -> None:
        for each in self._observers:
            try:
                each.refused(at, call)
            except Exception as error:
                self._failed(error, "RefusedCall")

    def _failed(self, error: Exception, what: str) -> None:
        self.failed += 1
        if type(error) not in self._told:
            self._told.add(type(error))
            log.error("telemetry.observer_failed", what=what, exc_info=error)
