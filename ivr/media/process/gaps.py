"""A histogram of the times between what should come every 20 ms: packets of a leg, ticks of the media process."""

from __future__ import annotations

from bisect import bisect_left
from math import ceil

_BOUNDS: tuple[float, ...] = (5, 10, 15, 17, 18, 19, 19.5, 20, 20.5, 21, 21.5, 22, 22.5, 23, 24, 25, 26, 28, 30)  # ms
_BOUNDS += (33, 36, 40, 45, 50, 60, 80, 100, 150, 200, 500)
_BUCKETS = tuple(bisect_left(_BOUNDS, halves / 2) for halves in range(1001))  # by half milliseconds, rounded up


class Gaps:
    """A histogram of times between packets, cheap enough for every packet of every call."""

    __slots__ = (
        "_counts",
        "_last",
    )

    def __init__(self) -> None:
        self._counts = [0] * (len(_BOUNDS) + 1)
        self._last = 0.0

    def sent(self, now: float) -> None:
        """A packet left at ``now`` (seconds)."""
        if self._last:
            halves = ceil((now - self._last) * 2000.0)
            self._counts[_BUCKETS[halves] if halves <= 1000 else -1] += 1
        self._last = now

    def pause(self) -> None:
        """Sending stopped on purpose (hold): the next gap doesn't count."""
        self._last = 0.0

    def percentile(self, share: float) -> float:
        """Upper bound in ms of the bucket that holds the ``share`` quantile; 0 before two packets."""
        total = sum(self._counts)
        wanted, seen = share * total, 0
        for count, bound in zip(self._counts, _BOUNDS, strict=False):
            seen += count
            if total and seen >= wanted:
                return bound
        return _BOUNDS[-1] if total else 0.0
