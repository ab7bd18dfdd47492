"""The exposition: all metrics of a line as text, in Prometheus' format or OpenMetrics', whichever is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder

from ivr.telemetry import line_metrics, process_metrics
from ivr.telemetry.families import Families
from ivr.telemetry.labels import Labels
from ivr.telemetry.line_metrics import LineState


class Exposition:
    """``look``: how the line is; ``pids`` of its parts' processes; ``folders`` that it writes to, by name."""

    def __init__(
        self,
        families: Families,
        labels: Labels,
        look: Callable[[], Awaitable[LineState]],
        pids: Callable[[], Mapping[str, Sequence[int]]],
        folders: Mapping[str, Path],
    ) -> None:
        self._registry = families.registry
        self._labels = labels
        self._look = look
        self._pids = pids
        self._folders = folders

    async def render(self, accept: str = "") -> tuple[bytes, str]:
        """The text and its content type. What takes time is done in a thread: hundreds of lines are milliseconds."""
        read = list(line_metrics.families(await self._look(), self._labels))
        return await asyncio.to_thread(self._render, accept, read, self._pids())

    def _render(self, accept: str, read: Sequence[Metric], pids: Mapping[str, Sequence[int]]) -> tuple[bytes, str]:
        encode, content_type = choose_encoder(accept)
        rest = (*read, *process_metrics.families(pids), *line_metrics.disk(self._folders))
        return encode(_Together(self._registry, rest)), content_type


class _Together(CollectorRegistry):
    """What was counted, and what was read for this answer."""

    def __init__(self, counted: CollectorRegistry, read: Iterable[Metric]) -> None:
        super().__init__()
        self._counted = counted
        self._read = read

    def collect(self) -> Iterator[Metric]:
        yield from self._counted.collect()
        yield from self._read
