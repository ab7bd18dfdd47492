"""Least squares, one class against all, with the scores that each example would have had, had it not been there.

Those left-out scores come in closed form (Allen's PRESS statistic, here for whole groups of examples): thresholds are
fitted on them, and a designer's report is made of them. Rows are weighted so that each class counts the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

RIDGE = 10.0
SHARPNESS = (2.0, 3.0, 4.0, 6.0, 8.0, 10.0, 12.0, 15.0)

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Whole = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Linear:
    """``weights`` [features, classes] and ``bias`` [classes] make scores of a row; ``sharp`` makes them chances.

    ``left_out`` [examples, classes]: scores of the examples without themselves and the rest of their group."""

    weights: Floats
    bias: Floats
    sharp: float
    left_out: Floats


def chances(scores: npt.NDArray[Any], sharp: float) -> Doubles:
    """Softmax over the last axis."""
    sharpened = np.asarray(scores, np.float64) * sharp
    raised = np.exp(sharpened - sharpened.max(-1, keepdims=True))
    shares: Doubles = raised / raised.sum(-1, keepdims=True)
    return shares


def fitted(rows: Floats, truth: Whole, groups: Whole, classes: int) -> Linear:
    """``rows`` [examples, features]; ``truth``: each one's class; ``groups``: examples that are left out together."""
    n = len(truth)
    weight = np.bincount(truth, minlength=classes)[truth].astype(np.float64) ** -0.5
    weight *= n / weight.sum()
    target = np.full((n, classes), -1 / max(classes - 1, 1))
    target[np.arange(n), truth] = 1
    centre, bias = (weight[:, None] * rows).sum(0) / n, (weight[:, None] * target).sum(0) / n
    scale = np.sqrt(weight)[:, None]
    x = ((rows - centre) * scale).astype(np.float32)
    kernel = (x @ x.T).astype(np.float64)
    kernel[np.diag_indices(n)] += RIDGE
    inverse = np.linalg.inv(kernel)
    dual = inverse @ ((target - bias) * scale)
    weights = x.T.astype(np.float64) @ dual
    left = np.empty((n, classes))
    order = np.argsort(groups, kind="stable")
    for own in np.split(order, np.flatnonzero(np.diff(groups[order])) + 1):
        without = np.linalg.solve(inverse[np.ix_(own, own)], dual[own])
        left[own] = ((target[own] - bias) * scale[own] - without) / scale[own] + bias
    sharp = min(SHARPNESS, key=lambda s: _loss(left, truth, weight, s))
    return Linear(
        weights.astype(np.float32), (bias - centre @ weights).astype(np.float32), sharp, left.astype(np.float32)
    )


def _loss(left: Doubles, truth: Whole, weight: Doubles, sharp: float) -> float:
    right = chances(left, sharp)[np.arange(len(truth)), truth]
    return float(-(np.log(right + 1e-9) * weight).mean())
