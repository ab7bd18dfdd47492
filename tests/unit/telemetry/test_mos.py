"""The estimated mean opinion score, held against figures of G.107 and G.113."""

from __future__ import annotations

from ivr.telemetry.mos import mos


def test_a_clean_leg_is_as_good_as_g711_gets_and_loss_makes_it_worse() -> None:
    clean = mos(1000, 0, 0.0)
    assert clean is not None and 4.3 < clean < 4.42
    one, five, half = mos(990, 10, 1.0), mos(950, 50, 1.0), mos(500, 500, 1.0)
    assert one is not None and five is not None and half is not None
    assert clean > one > five > half >= 1.0
    assert 4.1 < one < 4.4 and 3.2 < five < 4.0


def test_jitter_that_the_buffer_has_to_wait_for_makes_it_worse_and_nothing_heard_has_none() -> None:
    late = mos(1000, 0, 150.0)
    assert late is not None and late < 3.9
    assert mos(0, 50, 0.0) is None
    assert mos(1, 10**6, 500.0) == 1.0
