"""Telemetry of a line, wired: who observes its calls, what is read of its parts, and where that goes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import structlog

from ivr import __version__
from ivr.config import Config
from ivr.dialogue.flows.library import FlowLibrary
from ivr.errors import ConfigError
from ivr.extras import installing
from ivr.lifespan import Lifespan
from ivr.ports import CallObserver, Clock, HttpAnswered, LineView, RefusedCall
from ivr.readiness import Parts
from ivr.sip.traffic import SipTraffic
from ivr.store.database import Way
from ivr.telemetry.call_detail import CallDetailFile, CallDetails
from ivr.telemetry.call_metrics import CallMetrics
from ivr.telemetry.exposition import Exposition
from ivr.telemetry.families import Families
from ivr.telemetry.labels import Labels
from ivr.telemetry.line_metrics import LineState
from ivr.telemetry.loop_lag import LoopLag
from ivr.telemetry.observers import Observers
from ivr.telemetry.traces import CallTraces, TraceThread
from ivr.trace_context import Sampling
from ivr.workers.process import Worker

log = structlog.get_logger(__name__)

TRANSACTION = (0.001, 0.005, 0.02, 0.05, 0.1, 0.5, 1, 2)


@dataclass(frozen=True, slots=True)
class Measured:
    """What is asked how it is. ``config``: as reloads have left it, and whether the file was right (``config_ok``);
    ``libraries``: the flows that serve; ``refused_credentials``, ``certificates`` (ends of validity) by name."""

    parts: Parts
    workers: Callable[[], Mapping[str, Sequence[Worker]]]
    config: Callable[[], Config]
    config_ok: Callable[[], bool]
    view: Callable[[], LineView]
    traffic: Callable[[], SipTraffic]
    skills: Callable[[], frozenset[str]]
    libraries: Callable[[], Sequence[FlowLibrary]]
    actions: frozenset[str]
    refused_credentials: Callable[[], Mapping[str, int]]
    retention_done_at: Callable[[], datetime | None]
    certificates: Callable[[], Mapping[str, datetime]] = field(default=dict)
    taken_over: Callable[[], int] = lambda: 0


class LineTelemetry:
    """``observers`` are told of calls from the first one on; ``expose`` answers once it is known what is measured
    (``measure``)."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self._clock = clock
        self._families = Families()
        self._labels = Labels.of(config)
        self._metrics = CallMetrics(self._families, self._labels)
        self._store = self._families.histogram(
            "ivr_store_duration_seconds", "Transactions.", "kind", "result", buckets=TRANSACTION
        )
        self._lag = LoopLag(self._families)
        self._exposition: Exposition | None = None
        self._measured: Measured | None = None
        self.details = CallDetailFile()
        self.details.apply(config.cdr.path)
        self.sampling = Sampling(config.traces.share if config.traces.endpoint else 0.0)
        self._traces = _trace_thread(config)
        observers: list[CallObserver] = [self._metrics, CallDetails(config.node, self.details.write)]
        if self._traces is not None:
            observers.append(CallTraces(self.sampling, self._traces.put))
        self.observers = Observers(*observers)

    # -- what tells of itself --------------------------------------------------------------------------------------

    def refused(self, call: RefusedCall) -> None:
        self.observers.refused(self._clock.now(), call)

    def http_answered(self, call_id: str, answered: HttpAnswered) -> None:
        self.observers.observe(call_id, self._clock.now(), answered)

    def transaction(self, way: Way, took_s: float, done: bool) -> None:
        """Of the database."""
        self._store.add(took_s, way, "done" if done else "failed")

    # -- what is asked ----------------------------------------------------------------------------------------------

    def measure(self, config: Config, measured: Measured) -> None:
        self._measured = measured
        self._labels.actions = measured.actions
        self._labels.skills = measured.skills
        self._labels.reasons = lambda: _reasons(measured.libraries())
        self._labels.spoken = lambda: {tag for each in measured.libraries() for tag in each.universals.languages}
        self._metrics.prepare()
        folders = {"store": config.store.spool_folder, "recordings": config.recording.folder}
        if config.logs.path != "-":
            folders["logs"] = Path(config.logs.path).parent
        if config.cdr.path:
            folders["cdr"] = Path(config.cdr.path).parent
        self._exposition = Exposition(self._families, self._labels, self._look, self._pids, folders)

    async def expose(self, accept: str) -> tuple[bytes, str]:
        """The exposition and its content type."""
        assert self._exposition is not None
        return await self._exposition.render(accept)

    async def _look(self) -> LineState:
        measured = self._measured
        assert measured is not None
        details = self.details.status
        return LineState(
            version=__version__,
            at=self._clock.now(),
            readiness=await measured.parts.readiness(),
            live=self._metrics.live,
            max_calls=measured.config().sip.max_calls,
            view=measured.view(),
            traffic=measured.traffic(),
            restarts={name: sum(each.restarts for each in workers) for name, workers in measured.workers().items()},
            media_legs_max=measured.config().media.legs_per_process,
            config_ok=measured.config_ok(),
            refused_credentials=measured.refused_credentials(),
            certificates=measured.certificates(),
            taken_over=measured.taken_over(),
            spools={"cdr": details} if details is not None else {},
            done_at=measured.retention_done_at(),
            observers_failed=self.observers.failed,
            spans_dropped=self._traces.dropped if self._traces is not None else 0,
        )

    def _pids(self) -> Mapping[str, Sequence[int]]:
        workers = self._measured.workers() if self._measured is not None else {}
        parts = {part: [each.pid for each in those if each.pid] for part, those in workers.items()}
        return {"line": [os.getpid()], **{part: pids for part, pids in parts.items() if pids}}

    # -- its life -----------------------------------------------------------------------------------------------------

    def begin(self, lifespan: Lifespan) -> None:
        lifespan.beside(self._lag.run(), "loop lag")

    def check(self, config: Config) -> None:
        """Raises ConfigError for what could not be measured with."""
        self.details.check(config.cdr.path)

    def apply(self, config: Config) -> None:
        """What a reload may change; it was checked a moment ago."""
        self._labels.apply(config)
        self._metrics.prepare()
        try:
            self.details.apply(config.cdr.path)
        except ConfigError as error:
            log.error("cdr.unopened", error=str(error))

    def reopen(self) -> None:
        """Files that were renamed."""
        self.details.reopen()

    async def close(self) -> None:
        """What waits is written and sent, for two seconds at most."""
        await asyncio.gather(asyncio.to_thread(self.details.close), asyncio.to_thread(self._stop_traces))

    def _stop_traces(self) -> None:
        if self._traces is not None:
            self._traces.close()


def _trace_thread(config: Config) -> TraceThread | None:
    """None where nothing is traced; then nothing of it is loaded. Raises ConfigError."""
    traces = config.traces
    if not traces.endpoint:
        return None
    try:
        from ivr.telemetry.otlp import OtlpSink  # an extra
    except ImportError as error:
        raise ConfigError("[traces] needs OpenTelemetry", remedy=f"{installing('otel')}, or empty it") from error
    token = traces.token.reveal() if traces.token.source else ""
    return TraceThread(OtlpSink(traces.endpoint, token, config.node))


def _reasons(libraries: Sequence[FlowLibrary]) -> frozenset[str]:
    return frozenset(risk.reason for each in libraries for risk in each.universals.risks.values())
