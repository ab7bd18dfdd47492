"""OpenTelemetry's exporter: spans by OTLP over HTTP. Loaded only where [traces] endpoint is set (ivr[otel])."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from ivr import __version__
from ivr.telemetry.spans import Span
from ivr.trace_context import trace_id

SEND_S = 1.5
_KINDS = {"server": SpanKind.SERVER, "client": SpanKind.CLIENT, "internal": SpanKind.INTERNAL}
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)


class OtlpSink:
    """Implements ``ivr.telemetry.traces.SpanSink``. ``endpoint``: the whole URL; ``node``: which line tells."""

    def __init__(self, endpoint: str, token: str, node: str) -> None:
        # It would log a line for each attempt; what becomes of spans is told by who counts them.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._exporter = OTLPSpanExporter(endpoint=endpoint, headers=headers, timeout=SEND_S)
        named = {"service.name": "ivr", "service.version": __version__, "service.instance.id": node}
        self._resource = Resource(named)
        self._scope = InstrumentationScope("ivr", __version__)

    def send(self, calls: Sequence[tuple[str, Sequence[Span]]]) -> bool:
        made = [self._readable(trace_id(call_id), span) for call_id, spans in calls for span in spans]
        try:
            return self._exporter.export(made) is SpanExportResult.SUCCESS
        except Exception:  # whatever its transport raises: nothing of a call depends on it
            return False

    def close(self) -> None:
        self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def _readable(self, trace: int, span: Span) -> ReadableSpan:
        parent = SpanContext(trace, span.parent, is_remote=False, trace_flags=_SAMPLED) if span.parent else None
        return ReadableSpan(
            name=span.name,
            context=SpanContext(trace, span.id, is_remote=False, trace_flags=_SAMPLED),
            parent=parent,
            resource=self._resource,
            attributes=span.attributes,
            kind=_KINDS[span.kind],
            status=Status(StatusCode.ERROR) if span.failed else Status(),
            start_time=round(span.start * 1e9),
            end_time=round(span.end * 1e9),
            instrumentation_scope=self._scope,
        )
