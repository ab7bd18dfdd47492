"""Traces: the spans of a call as a collector gets them, and that a collector that is gone costs no call anything."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import Callable

from structlog.testing import capture_logs

from ivr.ports import HttpAnswered, Moment, Over
from ivr.record import CallerActed, Decided, HandedOver, Keyed, Understood
from ivr.telemetry.otlp import OtlpSink
from ivr.telemetry.spans import Span, spans
from ivr.telemetry.traces import MOST_CALLS, CallTraces, TraceThread
from ivr.trace_context import Sampling, span_id, trace_id
from tests.otlp import Collector, attributes, collecting
from tests.unit.telemetry.observed import CANONICAL, STATS, after, entry, story, tell

WHOLE = [
    (0, "call"),
    (1, "answer"),
    (1, "turn 1"),
    (2, "prompt"),
    (2, "hearing"),
    (2, "recognition"),
    (2, "action"),
    (3, "http"),
    (1, "turn 2"),
    (2, "prompt"),
    (1, "hand-over 1"),
    (2, "dial"),
    (2, "wait"),
    (2, "dial"),
    (2, "whisper"),
    (2, "talk"),
]


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not happened():  # noqa: ASYNC110 - a thread tells nobody
            await asyncio.sleep(0.01)


async def sent(collector: Collector, share: float = 1.0, token: str = "") -> None:
    thread = TraceThread(OtlpSink(collector.url, token, "line-1"))
    tell(CallTraces(Sampling(share), thread.put), story())
    await asyncio.to_thread(thread.close)


async def test_a_collector_gets_the_call_as_a_tree_under_the_id_that_follows_from_the_calls() -> None:
    async with collecting() as collector:
        await sent(collector, token="hunter2")
        found = {span.name: span for span in collector.spans}
    assert sorted(collector.tree(trace_id("c1"))) == sorted(WHOLE)
    assert [name for depth, name in collector.tree(trace_id("c1")) if depth < 2] == [
        name for depth, name in WHOLE if depth < 2
    ]
    assert collector.headers[0]["Authorization"] == "Bearer hunter2"
    assert collector.resources[0] | {"service.name": "ivr", "service.instance.id": "line-1"} == collector.resources[0]
    call = attributes(found["call"])
    assert (call["ivr.call_id"], call["ivr.outcome"], call["ivr.entry"]) == ("c1", "handed over", "main")
    assert found["http"].span_id == span_id("c1", "http key-1").to_bytes(8, "big"), "what the traceparent named"
    whole = (found["call"].start_time_unix_nano, found["call"].end_time_unix_nano)
    assert whole == tuple(round(after(at).timestamp() * 1e9) for at in (0.0, 49.1))
    for span in collector.spans:
        assert whole[0] <= span.start_time_unix_nano <= span.end_time_unix_nano <= whole[1]


def test_each_span_lies_in_its_parent() -> None:
    made = spans("c1", [(after(at), what) for at, what in story()])
    by_id = {span.id: span for span in made}
    assert len(by_id) == len(made)
    for span in made:
        parent = by_id.get(span.parent)
        assert (parent is None) == (span.name == "call")
        if parent is not None and span.name not in ("hearing", "dial"):  # which may begin before it is known of them
            assert parent.start - 1e-6 <= span.start <= span.end <= parent.end + 1e-6, span


def test_no_span_holds_a_number_a_word_or_a_key() -> None:
    private: list[tuple[float, Moment]] = [
        (50.0, entry(50.0, Understood("my card is four two", "success", "pay", {"card": "4242"}, 0.9))),
        (50.0, entry(50.0, Keyed("7"))),
        (50.0, entry(50.0, Decided("filled", "+15035550142"))),
        (50.0, entry(50.0, CallerActed("say", "four two"))),
        (50.0, entry(50.0, HandedOver("+15035550142", "asked"))),
        (51.0, HttpAnswered("deliveries", "GET", 0, 0.1, "http key-2")),
        (60.0, Over("failed", "caller", 200, {**CANONICAL, "caller": "+15035550142"}, STATS)),
    ]
    made = spans("c1", [(after(at), what) for at, what in [*story()[:-1], *private]])
    told = repr([(span.name, span.attributes) for span in made])
    for secret in ("5035550142", "5035550100", "four two", "4242", "my card", "hold my discs", "'7'"):
        assert secret not in told
    assert next(span for span in made if span.name == "call").failed


async def test_a_share_is_sampled_by_the_calls_id_and_the_services_are_told_whether() -> None:
    sampling, kept = Sampling(0.25), []
    traces = CallTraces(sampling, lambda call_id, observed: kept.append(call_id))
    for number in range(2000):
        tell(traces, [*story()[:1], *story()[-1:]], f"call {number}")
    assert 400 < len(kept) < 600
    header = sampling.traceparent(kept[0], "http a")
    assert header == f"00-{trace_id(kept[0]):032x}-{span_id(kept[0], 'http a'):016x}-01"
    other = next(f"call {n}" for n in range(2000) if f"call {n}" not in kept)
    assert sampling.traceparent(other, "x").endswith("-00") and Sampling().traceparent("c1", "x") == ""


async def test_a_collector_that_refuses_costs_spans_which_are_counted_and_one_line() -> None:
    async with collecting() as collector:
        collector.status = 400
        thread = TraceThread(OtlpSink(collector.url, "", "line-1"))
        traces = CallTraces(Sampling(1.0), thread.put)
        with capture_logs() as logs:
            for number in range(3):
                tell(traces, story(), f"c{number}")
                await until(lambda: thread.dropped >= len(WHOLE) * (number + 1))  # noqa: B023
            collector.status = 200
            tell(traces, story(), "c9")
            await until(lambda: bool(collector.spans))
            await asyncio.to_thread(thread.close)
    assert [line["event"] for line in logs if line["event"].startswith("traces.")] == ["traces.lost", "traces.back"]


def test_a_dead_endpoint_holds_up_neither_calls_nor_the_end_and_a_full_queue_is_counted() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)  # it takes the connection and never answers
        thread = TraceThread(OtlpSink(f"http://127.0.0.1:{deaf.getsockname()[1]}/v1/traces", "", "line-1"))
        traces = CallTraces(Sampling(1.0), thread.put)
        began, moments = time.perf_counter(), story()
        for number in range(MOST_CALLS + 200):
            tell(traces, moments, f"c{number}")
        per_call_s = (time.perf_counter() - began) / (MOST_CALLS + 200)
        assert per_call_s < 0.005
        assert thread.dropped >= (200 - 40) * len(moments)
        began = time.perf_counter()
        thread.close()
        assert time.perf_counter() - began < 3.0


class Stuck:
    def send(self, calls: object) -> bool:
        time.sleep(30)
        return False

    def close(self) -> None: ...


def test_whatever_it_is_sent_by_the_end_comes_within_two_seconds() -> None:
    thread = TraceThread(Stuck())
    thread.put("c1", [])
    began = time.perf_counter()
    thread.close()
    assert 1.5 < time.perf_counter() - began < 2.5


def test_opentelemetry_is_loaded_only_where_spans_go_somewhere() -> None:
    code = (
        "import ivr.service, ivr.line_telemetry, sys; print([m for m in sys.modules if m.startswith('opentelemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_call_without_anything_is_still_one_span() -> None:
    made = spans("c1", [(after(at), what) for at, what in (story()[0], story()[-1])])
    assert [(span.name, span.parent) for span in made] == [("call", 0)] and isinstance(made[0], Span)
