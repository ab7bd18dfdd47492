"""Observers: one that raises is counted, and the others and the call go on."""

from __future__ import annotations

from datetime import datetime

from structlog.testing import capture_logs

from ivr.ports import Moment, RefusedCall
from ivr.telemetry.observers import Observers
from tests.unit.telemetry.observed import START, story, tell


class Broken:
    def observe(self, call_id: str, at: datetime, what: Moment) -> None:
        raise KeyError(call_id)

    def refused(self, at: datetime, call: RefusedCall) -> None:
        raise KeyError(call.reason)


class Attentive:
    def __init__(self) -> None:
        self.told: list[object] = []

    def observe(self, call_id: str, at: datetime, what: Moment) -> None:
        self.told.append(what)

    def refused(self, at: datetime, call: RefusedCall) -> None:
        self.told.append(call)


def test_one_that_raises_costs_neither_the_call_nor_the_others_anything() -> None:
    attentive = Attentive()
    observers = Observers(Broken(), attentive)
    with capture_logs() as logs:
        tell(observers, story())
        observers.refused(START, call := RefusedCall("", "", "", "pbx", 486, "busy"))
    assert attentive.told == [*(what for _, what in story()), call]
    assert observers.failed == len(story()) + 1
    assert [line["event"] for line in logs] == ["telemetry.observer_failed"], "one line a kind, not one a moment"
