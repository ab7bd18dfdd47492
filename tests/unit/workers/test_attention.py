"""A watchdog that was held up itself."""

from __future__ import annotations

from ivr.workers.attention import Attention


def test_whoever_looks_in_time_has_looked_all_the_while() -> None:
    attention = Attention(100.0, 2.0)
    for second in range(60):
        attention.look(101.0 + second)
    assert attention.since == 100.0


def test_after_a_lapse_the_looking_begins_anew() -> None:
    attention = Attention(100.0, 2.0)
    attention.look(101.0)
    attention.look(111.0)
    assert attention.since == 111.0
    attention.look(112.0)
    assert attention.since == 111.0
