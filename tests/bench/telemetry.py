"""What measuring a call costs the line: metrics and its detail record on the loop; its spans, in their thread."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence

from ivr.ports import CallObserver
from ivr.telemetry.call_detail import CallDetails
from ivr.telemetry.call_metrics import CallMetrics
from ivr.telemetry.families import Families
from ivr.telemetry.labels import Labels
from ivr.telemetry.observers import Observers
from ivr.telemetry.otlp import OtlpSink
from ivr.telemetry.spans import spans
from ivr.telemetry.traces import CallTraces
from ivr.trace_context import Sampling
from tests.bench.figures import Figure, tell
from tests.unit.telemetry.observed import CONFIG, after, story

AIM_US = 50.0  # a call, of the loop's time, for metrics alone
CALLS = 2000


def best_of(runs: int, work: Callable[[], object]) -> float:
    """Seconds of this process's own time, of the quickest run."""

    def once() -> float:
        began = time.process_time()
        work()
        return time.process_time() - began

    return min(once() for _ in range(runs))


def observed(observer: CallObserver, calls: int = CALLS) -> float:
    """Microseconds a call."""
    moments = [(after(at), what) for at, what in story()]

    def work() -> None:
        for number in range(calls):
            call_id = f"{number:016x}"
            for at, what in moments:
                observer.observe(call_id, at, what)

    return best_of(5, work) / calls * 1e6


def metrics_us() -> float:
    return observed(CallMetrics(Families(), Labels.of(CONFIG)))


def exported(calls: int) -> None:
    moments = [(after(at), what) for at, what in story()]
    sink = OtlpSink("http://127.0.0.1:9/v1/traces", "", "line")
    for number in range(calls):
        for span in spans(f"{number}", moments):
            sink._readable(number + 1, span)


def main(arguments: Sequence[str] = ()) -> int:
    parser = argparse.ArgumentParser(prog="telemetry", description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.parse_args(arguments)
    moments = len(story())
    alone = metrics_us()
    everybody = Observers(
        CallMetrics(Families(), Labels.of(CONFIG)),
        CallDetails("line", lambda line: None),
        CallTraces(Sampling(1.0), lambda call_id, made: None),
    )
    whole, made = observed(everybody), best_of(3, lambda: exported(200)) / 200 * 1e6
    print(f"a call of {moments} moments: metrics {alone:.0f} µs; with its detail record and traces {whole:.0f} µs")
    print(f"its spans, in their thread: {made:.0f} µs")
    figure = Figure("measuring a call: metrics", round(alone, 1), "µs", AIM_US)
    tell(figure, Figure("measuring a call: with its detail record and traces", round(whole, 1), "µs"))
    return 0 if figure.met else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
