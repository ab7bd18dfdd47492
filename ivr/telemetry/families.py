"""Metric families of one line in a registry of their own, held below one ceiling of series between them."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics

from ivr.telemetry.labels import OTHER

CEILING = 5_000  # series of one line's exposition
RESERVED = 1_000  # of these for what is read from the line's parts at a scrape, and for "other" in each family

DELAY = (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10)
LONG = (1, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)


class Families:
    """Makes them. Once their children come to CEILING - RESERVED series, further values count as "other"."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a series more for each child, that nobody asks for
        self.registry = CollectorRegistry(auto_describe=True)
        self.left = CEILING - RESERVED

    def counter(self, name: str, about: str, *labels: str) -> Counting:
        return Counting(self, Counter(name, about, labels, registry=self.registry), labels)

    def histogram(self, name: str, about: str, *labels: str, buckets: Sequence[float] = DELAY) -> Observing:
        made = Histogram(name, about, labels, buckets=buckets, registry=self.registry)
        return Observing(self, made, labels, len(buckets) + 3)


class Counting:
    """A counter whose children are kept, so that counting costs a look into a table."""

    def __init__(self, families: Families, counter: Counter, labels: Sequence[str]) -> None:
        self._families = families
        self._counter = counter
        self._other = (OTHER,) * len(labels)
        self._children: dict[tuple[str, ...], Counter] = {} if labels else {(): counter}

    def add(self, *values: str, amount: float = 1.0) -> None:
        child = self._children.get(values)
        if child is None:
            if self._families.left <= 0:
                values = self._other
            if (child := self._children.get(values)) is None:
                self._families.left -= 1
                child = self._children[values] = self._counter.labels(*values)
        child.inc(amount)


class Observing:
    """The same of a histogram, a child of which has ``size`` series."""

    def __init__(self, families: Families, histogram: Histogram, labels: Sequence[str], size: int) -> None:
        self._families = families
        self._histogram = histogram
        self._size = size
        self._other = (OTHER,) * len(labels)
        self._children: dict[tuple[str, ...], Histogram] = {} if labels else {(): histogram}

    def add(self, amount: float, *values: str) -> None:
        child = self._children.get(values)
        if child is None:
            if self._families.left < self._size:
                values = self._other
            if (child := self._children.get(values)) is None:
                self._families.left -= self._size
                child = self._children[values] = self._histogram.labels(*values)
        child.observe(amount)
