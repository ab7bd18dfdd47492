"""Budgets, waits and counted lines by source; time is turned by hand."""

from __future__ import annotations

import pytest
import structlog
import structlog.testing

from ivr.limits.throttle import (
    FREE_GUESSES,
    FREE_GUESSES_PROVEN,
    LAST_WAIT_S,
    SOURCES_KEPT,
    Budgets,
    CountedLog,
    Guesses,
    source_of,
)

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Hand:
    """A clock turned by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Hand:
    return Hand()


def test_a_flood_is_one_line_a_minute(clock: Hand) -> None:
    rejections = CountedLog(log, "sip.rejected", clock)
    with structlog.testing.capture_logs() as logs:
        for second in range(130):
            clock.now = 1000.0 + second
            rejections.note("198.51.100.7", reason="unknown source")
            rejections.note("198.51.100.8", reason="unknown source")
    assert [(entry["source"], entry["suppressed"]) for entry in logs] == [
        ("198.51.100.7", 0), ("198.51.100.8", 0),
        ("198.51.100.7", 59), ("198.51.100.8", 59),
        ("198.51.100.7", 59), ("198.51.100.8", 59),
    ]  # fmt: skip


def test_many_forged_sources_do_not_fill_the_log(clock: Hand) -> None:
    rejections = CountedLog(log, "sip.rejected", clock)
    with structlog.testing.capture_logs() as logs:
        for number in range(10_000):
            rejections.note(f"198.51.{number >> 8}.{number & 255}", reason="unknown source")
    assert len(logs) == 200


def test_a_budget_is_a_burst_and_then_a_rate(clock: Hand) -> None:
    budgets = Budgets(rate=10.0, burst=20.0, now=clock)
    assert sum(budgets.take("a") for _ in range(1000)) == 20
    assert budgets.take("b"), "another source has its own"
    clock.now += 1.0
    assert sum(budgets.take("a") for _ in range(1000)) == 10
    clock.now += 3600.0
    assert sum(budgets.take("a") for _ in range(1000)) == 20
    for number in range(SOURCES_KEPT * 2):
        budgets.take(f"forged {number}")
    assert len(budgets) == SOURCES_KEPT


def test_waits_grow_and_are_forgotten(clock: Hand) -> None:
    guesses = Guesses(clock)
    for number in range(FREE_GUESSES):
        assert guesses.wait_s("a") == 0.0
        guesses.failed("a", f"guess {number}")
    waits = []
    for number in range(10):
        waits.append(guesses.wait_s("a"))
        clock.now += waits[-1]
        guesses.failed("a", f"more {number}")
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0, LAST_WAIT_S]
    assert guesses.wait_s("b") == 0.0
    clock.now += 601.0
    assert guesses.wait_s("a") == 0.0
    guesses.failed("a", "guess 0")
    assert guesses.wait_s("a") == 0.0


def test_a_stale_secret_is_no_guess(clock: Hand) -> None:
    guesses = Guesses(clock)
    for _ in range(1000):
        guesses.failed("a", "last year's token")
    assert guesses.wait_s("a") == 0.0


def test_where_the_right_secret_came_from_more_is_forgiven_but_not_everything(clock: Hand) -> None:
    guesses = Guesses(clock)
    guesses.passed("proxy")
    for number in range(FREE_GUESSES_PROVEN - 1):
        guesses.failed("proxy", f"guess {number}")
    assert guesses.wait_s("proxy") == 0.0
    guesses.passed("proxy")
    guesses.failed("proxy", "one more")
    assert guesses.wait_s("proxy") == 1.0, "a success among them wipes out nothing"


@pytest.mark.parametrize(
    ("host", "source"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::1", "::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1:2:3:4", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("not an address:", "not an address:"),
    ],
)
def test_the_owner_of_a_prefix_is_one_source(host: str, source: str) -> None:
    assert source_of(host) == source
