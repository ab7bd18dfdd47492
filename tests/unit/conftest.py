"""Hypothesis for all unit tests: the same examples in every run of the suite, others each time where more are asked."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

from tests.unit.examples import TIMES

settings.register_profile(
    "suite",
    deadline=None,  # how long one takes depends on what else the machine does
    derandomize=not TIMES,
    max_examples=100 * (TIMES or 1),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("suite")
