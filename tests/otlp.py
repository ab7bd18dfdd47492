"""An OTLP/HTTP receiver: what an OpenTelemetry collector is to the line, with the spans that it got."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.test_utils import TestServer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass
class Collector:
    """``status``: what it answers with; ``headers`` of the requests that came."""

    url: str = ""
    status: int = 200
    spans: list[Span] = field(default_factory=list)
    resources: list[dict[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        if body[:2] == b"\x1f\x8b":
            body = gzip.decompress(body)
        self.headers.append(dict(request.headers))
        if self.status == 200:
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                self.resources.append({each.key: each.value.string_value for each in resource.resource.attributes})
                for scope in resource.scope_spans:
                    self.spans.extend(scope.spans)
        answer = ExportTraceServiceResponse().SerializeToString()
        return web.Response(status=self.status, body=answer, content_type="application/x-protobuf")

    def tree(self, trace: int) -> Sequence[tuple[int, str]]:
        """The names of a trace's spans with how deep each is, in the order of their starts."""
        return list(tree([span for span in self.spans if int.from_bytes(span.trace_id, "big") == trace]))


def tree(spans: Sequence[Span], parent: bytes = b"", depth: int = 0) -> Iterator[tuple[int, str]]:
    below = [span for span in spans if span.parent_span_id == parent]
    for span in sorted(below, key=lambda span: (span.start_time_unix_nano, span.end_time_unix_nano)):
        yield depth, span.name
        yield from tree(spans, span.span_id, depth + 1)


def attributes(span: Span) -> dict[str, object]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value") or "string_value") for each in span.attributes}


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    collector = Collector()
    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/v1/traces", collector.take)
    server = TestServer(app)
    await server.start_server()
    collector.url = f"http://127.0.0.1:{server.port}/v1/traces"
    try:
        yield collector
    finally:
        await server.close()
