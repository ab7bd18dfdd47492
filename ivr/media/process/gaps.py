"""A histogram of the times between what should come every 20 ms: packets of a leg, ticks of the media process."""

from __future__ import annotations

from bisect import bisect_left

_BOUNDS: tuple[float, ...] = (5, 10, 15, 17, 18, 19, 19.5, 20, 20.5, 21, 21.5, 22, 22.5, 23, 24, 25, 26, 28, 30)  # ms
_BOUNDS += (33, 36, 40, 45, 50, 60, 80, 100, 150, 200, 500)


class Gaps:
    """A histogram of times between packets, cheap enough for every packet of every call."""

    def __init__(self) -> None:
        self._counts = [0] * (len(_BOUNDS) + 1)
        self._total = 0
        self._last = 0.0

    def sent(self, now: float) -> None:
        """A packet left at ``now`` (seconds)."""
        if self._last:
            self._counts[bisect_left(_BOUNDS, (now - self._last) * 1000.0)] += 1
            self._total += 1
        self._last = now

    def pause(self) -> None:
        """Sending stopped on purpose (hold): the next gap doesn't count."""
        self._last = 0.0

    def percentile(self, share: float) -> float:
        """Upper bound in ms of the bucket that holds the ``share`` quantile; 0 before two packets."""
        wanted, seen = share * self._total, 0
        for count, bound in zip(self._counts, _BOUNDS, strict=False):
            seen += count
            if self._total and seen >= wanted:
                return bound
        return _BOUNDS[-1] if self._total else 0.0
