"""A failing endpoint is left alone, told of once, and tried again."""

from __future__ import annotations

from structlog.testing import capture_logs

from ivr.speech.endpoints.circuit_breaker import FAILURES, LONGEST_PAUSE_S, PAUSE_S, CircuitBreaker
from ivr.speech.endpoints.failure import EndpointFailed

FAILS = EndpointFailed("it fails (500)")


class Time:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_it_opens_after_some_failures_in_a_row_and_says_so_once() -> None:
    time = Time()
    breaker = CircuitBreaker("ear", time)
    with capture_logs() as logs:
        for _ in range(FAILURES - 1):
            breaker.failed(FAILS)
        breaker.succeeded()  # not in a row
        for _ in range(FAILURES - 1):
            breaker.failed(FAILS)
        assert breaker.closed and not breaker.due() and not logs
        breaker.failed(FAILS)
        assert not breaker.closed and breaker.detail == str(FAILS)
        pause_s = PAUSE_S
        for _ in range(8):  # each try fails, too
            time.now += pause_s - 0.1
            assert not breaker.due()
            time.now += 0.2
            assert breaker.due() and not breaker.due(), "one at a time"
            breaker.failed(FAILS)
            pause_s = min(LONGEST_PAUSE_S, 2 * pause_s)
        time.now += LONGEST_PAUSE_S + 1
        assert breaker.due()
        breaker.succeeded()
    assert breaker.closed and not breaker.detail
    assert [entry["event"] for entry in logs] == ["endpoint.left_alone", "endpoint.back"]
    assert logs[0]["endpoint"] == "ear" and logs[0]["error"] == str(FAILS)


def test_what_somebody_has_to_mend_opens_it_at_once_for_long() -> None:
    time = Time()
    breaker = CircuitBreaker("ear", time)
    breaker.failed(EndpointFailed("it refuses the key (401)", refused=True, remedy="check api_key"))
    assert not breaker.closed and "check api_key" in breaker.detail
    time.now += 2 * PAUSE_S
    assert not breaker.due()


def test_it_keeps_to_the_time_that_it_is_asked_for() -> None:
    time = Time()
    breaker = CircuitBreaker("ear", time)
    breaker.failed(EndpointFailed("it was asked too often (429)", wait_s=7.0))
    time.now += 6.9
    assert not breaker.closed and not breaker.due()
    time.now += 0.2
    assert breaker.due()
