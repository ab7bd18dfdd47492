"""Waits in seconds, in short: median, the slowest twentieth, the worst."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self


def quantile(values: Sequence[float], share: float) -> float:
    """Of the values as they are, none in between; NaN of none."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


@dataclass(frozen=True, slots=True)
class Waits:
    """``count`` 0: nothing was waited for, and the rest is 0."""

    p50: float
    p95: float
    worst: float
    count: int

    @classmethod
    def of(cls, waits: Sequence[float]) -> Self:
        if not waits:
            return cls(0.0, 0.0, 0.0, 0)
        return cls(quantile(waits, 0.5), quantile(waits, 0.95), max(waits), len(waits))

    def __str__(self) -> str:
        return f"p50 {self.p50:.2f}, p95 {self.p95:.2f}, worst {self.worst:.2f} s of {self.count}"

    def as_json(self) -> dict[str, float]:
        return asdict(self)

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        return cls(told["p50"], told["p95"], told["worst"], told["count"])
