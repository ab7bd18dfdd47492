"""Process metrics: processor time, memory and descriptors of each part of the line, read from /proc; in a thread."""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Usage:
    """Of a process and what it forked."""

    cpu_s: float = 0.0
    resident: int = 0  # bytes; what forks share counts in each
    descriptors: int = 0

    def plus(self, other: Usage) -> Usage:
        return Usage(self.cpu_s + other.cpu_s, self.resident + other.resident, self.descriptors + other.descriptors)


def usage(pid: int, *, forks: bool) -> Usage:
    """Zeros for a process that is gone."""
    found = Usage()
    with contextlib.suppress(OSError, ValueError, IndexError):
        told = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        found = Usage(
            (int(told[11]) + int(told[12])) / _TICKS,
            int(told[21]) * _PAGE,
            sum(1 for _ in (_PROC / str(pid) / "fd").iterdir()),
        )
    for child in _children(pid) if forks else ():
        found = found.plus(usage(child, forks=True))
    return found


def _children(pid: int) -> Iterator[int]:
    with contextlib.suppress(OSError):
        for thread in (_PROC / str(pid) / "task").iterdir():
            yield from map(int, (thread / "children").read_text().split())


def families(pids: Mapping[str, Sequence[int]]) -> Iterator[Metric]:
    """``pids`` by part; the line's own children are the other parts."""
    cpu = CounterMetricFamily("ivr_process_cpu_seconds", "Processor time.", labels=["part"])
    memory = GaugeMetricFamily("ivr_process_resident_bytes", "Resident memory.", labels=["part"])
    descriptors = GaugeMetricFamily("ivr_process_open_descriptors", "Open file descriptors.", labels=["part"])
    for part, processes in pids.items():
        used = Usage()
        for pid in processes:
            used = used.plus(usage(pid, forks=part != "line"))
        cpu.add_metric([part], used.cpu_s)
        memory.add_metric([part], used.resident)
        descriptors.add_metric([part], used.descriptors)
    most = GaugeMetricFamily("ivr_process_max_descriptors", "RLIMIT_NOFILE of the line.")
    most.add_metric([], resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    yield from (cpu, memory, descriptors, most)
