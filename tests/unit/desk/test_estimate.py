"""How long a caller waits, and the bound that is kept."""

from __future__ import annotations

import random

import pytest

from ivr.desk.estimate import FEW, Promise, Ratios, WaitEstimate, bucket, erlang_wait


@pytest.mark.parametrize(("ahead", "expected"), [(0, 0), (1, 1), (2, 1), (3, 2), (6, 2), (7, 3), (40, 3)])
def test_buckets_of_how_many_are_ahead(ahead: int, expected: int) -> None:
    assert bucket(ahead) == expected


def test_the_queue_length_with_abandonment() -> None:
    assert erlang_wait(0, 2, 300.0, 0.0) == pytest.approx(150.0)
    assert erlang_wait(3, 2, 300.0, 0.0) == pytest.approx(600.0), "without abandonment: (n + 1) h / s"
    theta = 1 / 480
    assert erlang_wait(2, 3, 300.0, theta) == pytest.approx(1 / 0.01 + 1 / (0.01 + theta) + 1 / (0.01 + 2 * theta))
    assert erlang_wait(0, 30, 60.0, 0.0) == 15.0, "never less than a quarter of a minute"


def test_the_handle_time_is_of_the_last_sixty_and_begins_as_configured() -> None:
    estimate = WaitEstimate(300.0)
    assert estimate.handle_s == 300.0
    for _ in range(20):
        estimate.handled(100.0)
    assert estimate.handle_s == pytest.approx(200.0), "twenty times the configured one at first"
    for _ in range(60):
        estimate.handled(90.0)
    assert estimate.handle_s == pytest.approx(90.0)


def test_abandonment_is_of_the_last_two_hundred_and_of_those_waiting() -> None:
    estimate = WaitEstimate(300.0)
    assert estimate.abandonment(0.0) == pytest.approx(1 / 900)
    estimate.ended(100.0, gave_up=True)
    estimate.ended(50.0, gave_up=False)
    assert estimate.abandonment(150.0) == pytest.approx(2 / 1200)
    for _ in range(200):
        estimate.ended(10.0, gave_up=False)
    assert estimate.abandonment(0.0) == pytest.approx(1 / 2900)


def test_nothing_honest_can_be_said_with_nobody_on_duty() -> None:
    assert WaitEstimate(300.0).expect("first", 0, 0, 0.0) is None


def test_with_few_truths_the_bound_is_twice_the_estimate() -> None:
    estimate = WaitEstimate(300.0)
    for _ in range(FEW - 1):
        estimate.learn("first", 0, 100.0, 50.0)
    expected = estimate.expect("first", 0, 1, 0.0)
    assert expected is not None and expected.within_s == pytest.approx(2 * expected.seconds)
    estimate.learn("first", 0, 100.0, 50.0)
    expected = estimate.expect("first", 0, 1, 0.0)
    assert expected is not None and expected.within_s == pytest.approx(0.5 * expected.seconds)
    other = estimate.expect("again", 0, 1, 0.0)
    assert other is not None and other.within_s == pytest.approx(2 * other.seconds), "each sentence learns for itself"
    longer = estimate.expect("first", 1, 1, 0.0)
    assert longer is not None and longer.within_s == pytest.approx(2 * longer.seconds), "and each bucket"


def test_quantiles_as_everybody_has_them() -> None:
    ratios = Ratios(4)
    for value in (9.0, 4.0, 1.0, 2.0, 3.0):
        ratios.add(value)
    assert len(ratios) == 4, "the oldest is gone"
    assert ratios.quantile(0.0) == 1.0
    assert ratios.quantile(1.0) == 4.0
    assert ratios.quantile(0.5) == pytest.approx(2.5)
    assert ratios.quantile(0.8) == pytest.approx(3.4)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_promise_is_kept_while_the_world_changes(seed: int) -> None:
    """Twice as long all of a sudden: the quantile follows until four of five are kept again."""
    dice, promise = random.Random(seed), Promise()
    kept = []
    for number in range(3000):
        ratio = dice.expovariate(1.0) * (2.0 if number > 1000 else 1.0)
        kept.append(ratio <= promise.factor)
        promise.learn(ratio)
    assert 0.77 <= sum(kept[200:1000]) / 800 <= 0.85
    assert 0.78 <= sum(kept[1500:]) / 1500 <= 0.84
