"""Traces: what was observed of the calls that are sampled is handed, when they are over, to a thread that tells it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import structlog

from ivr.ports import Began, Moment, Over, RefusedCall
from ivr.telemetry.spans import Span, spans
from ivr.trace_context import Sampling

log = structlog.get_logger(__name__)

MOST_CALLS = 500  # that wait to be told
MOST_MOMENTS = 5_000  # of one call; what comes after is not told
TOGETHER = 20  # calls
STOP_S = 2.0


class SpanSink(Protocol):
    """Where spans go: ``ivr.telemetry.otlp``. In the thread."""

    def send(self, calls: Sequence[tuple[str, Sequence[Span]]]) -> bool:
        """Whether they arrived; takes a bounded time and doesn't raise."""

    def close(self) -> None:
        """``send`` comes back at once from now on."""


class TraceThread:
    """``put`` never waits. ``dropped``: spans that did not arrive, or had no room."""

    def __init__(self, sink: SpanSink) -> None:
        self._sink = sink
        self._calls: queue.Queue[tuple[str, Sequence[tuple[datetime, Moment]]] | None] = queue.Queue(MOST_CALLS)
        self._lost = False
        self._closing = False
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name="traces", daemon=True)
        self._thread.start()

    def put(self, call_id: str, observed: Sequence[tuple[datetime, Moment]]) -> None:
        try:
            self._calls.put_nowait((call_id, observed))
        except queue.Full:
            self.dropped += len(observed)

    def close(self) -> None:
        """What waits is sent, as far as STOP_S are enough."""
        try:
            self._calls.put_nowait(None)
        except queue.Full:
            self._closing = True
        self._thread.join(STOP_S)
        self._closing = True
        self._sink.close()

    def _run(self) -> None:
        while not self._closing:
            waiting = [self._calls.get()]
            while len(waiting) < TOGETHER and not self._calls.empty():
                waiting.append(self._calls.get_nowait())
            calls = [(call_id, _made(call_id, seen)) for call_id, seen in filter(None, waiting)]
            if calls:
                self._send(calls)
            if None in waiting:
                return

    def _send(self, calls: Sequence[tuple[str, Sequence[Span]]]) -> None:
        arrived = self._sink.send(calls)
        if not arrived:
            self.dropped += sum(len(made) for _, made in calls)
        if arrived is self._lost:  # one line when it begins, and one when it is over
            self._lost = not arrived
            (log.info if arrived else log.warning)("traces.back" if arrived else "traces.lost", dropped=self.dropped)


def _made(call_id: str, observed: Sequence[tuple[datetime, Moment]]) -> Sequence[Span]:
    try:
        return spans(call_id, observed)
    except Exception:  # a fault of ours in what is only looked at
        log.exception("traces.failed", call_id=call_id)
        return ()


@dataclass(slots=True)
class CallTraces:
    """Implements ``ivr.ports.CallObserver``: ``done`` gets each sampled call once it is over."""

    sampling: Sampling
    done: Callable[[str, Sequence[tuple[datetime, Moment]]], None]
    _calls: dict[str, list[tuple[datetime, Moment]]] = field(default_factory=dict)

    def refused(self, at: datetime, call: RefusedCall) -> None:
        """No session took it: there is nothing to be seen in it."""

    def observe(self, call_id: str, at: datetime, what: Moment) -> None:
        if isinstance(what, Began) and self.sampling.takes(call_id):
            self._calls[call_id] = []
        observed = self._calls.get(call_id)
        if observed is None:
            return
        if len(observed) < MOST_MOMENTS or isinstance(what, Over):
            observed.append((at, what))
        if isinstance(what, Over):
            self.done(call_id, self._calls.pop(call_id))
