"""Least squares: what it fits, and that left-out scores are what fitting without would give."""

from __future__ import annotations

import numpy as np

from ivr.embedding.linear import chances, fitted

GENERATOR = np.random.default_rng(7)
TRUTH = np.repeat([0, 1, 2], 12)
CENTRES = np.array([[2.0, 0, 0, 0], [0, 2.0, 0, 0], [0, 0, 2.0, 0]])
ROWS = (CENTRES[TRUTH] * 4 + GENERATOR.normal(size=(36, 4))).astype(np.float32)


def test_each_class_is_told_from_the_others() -> None:
    linear = fitted(ROWS, TRUTH, np.arange(36), 3)
    scores = ROWS @ linear.weights + linear.bias
    assert (scores.argmax(1) == TRUTH).all()
    assert np.allclose(chances(scores, linear.sharp).sum(1), 1)


def test_a_group_is_left_out_as_a_whole() -> None:
    """Two copies of a mislabelled row speak for each other, unless they are one group."""
    rows = np.vstack([ROWS, ROWS[:1], ROWS[:1]])
    truth = np.append(TRUTH, [2, 2])
    apart = fitted(rows, truth, np.arange(38), 3).left_out[36]
    together = fitted(rows, truth, np.append(np.arange(36), [36, 36]), 3).left_out[36]
    assert together[2] < apart[2], "its copy no longer votes for it"
    assert together.argmax() == 0


def test_the_same_rows_give_the_same_weights() -> None:
    one, other = (fitted(ROWS, TRUTH, np.arange(36), 3) for _ in range(2))
    assert (one.weights == other.weights).all()
    assert one.sharp == other.sharp
