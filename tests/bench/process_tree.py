"""The CPU that a line's processes took, by what each does, and what others on the machine took meanwhile.

Times are the scheduler's own (schedstat of every thread, nanoseconds): ticks of 10 ms would hide a short call.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

LINE = "line"
_IDLE_CORES = 0.1
ROLES = {"ivr.media.process": "media", "listen": "listening", "speak": "speaking"}


def cpu_seconds(pid: int) -> float:
    """Of all its threads that live, and of the process as a whole where that is more (threads that ended); 0.0 for one
    that is gone."""
    nanoseconds = 0
    for thread in Path(f"/proc/{pid}/task").glob("*"):
        try:
            nanoseconds += int((thread / "schedstat").read_text().split()[0])
        except OSError:  # it ended
            continue
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return nanoseconds / 1e9
    ended = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return max(nanoseconds / 1e9, ended - 0.02)  # ticks are no finer


def descendants(pid: int) -> Iterator[int]:
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found = [int(child) for child in children.read_text().split()]
        except OSError:
            continue
        for child in found:
            yield child
            yield from descendants(child)


def roles(pid: int) -> dict[int, str]:
    """What each process of the line ``pid`` is there for."""
    found = {pid: LINE}
    for child in descendants(pid):
        try:
            words = Path(f"/proc/{child}/cmdline").read_text().split("\0")
        except OSError:
            continue
        found[child] = next((role for word, role in ROLES.items() if word in words), "others")
    return found


def memory_mb(pid: int) -> dict[str, float]:
    """Of the line ``pid``, by role: proportional set size, so that what processes share is counted once."""
    found: dict[str, float] = {}
    for child, role in roles(pid).items():
        try:
            told = Path(f"/proc/{child}/smaps_rollup").read_text()
        except OSError:  # it ended
            continue
        kilobytes = next((int(row.split()[1]) for row in told.splitlines() if row.startswith("Pss:")), 0)
        found[role] = found.get(role, 0.0) + kilobytes / 1024
    return found


async def settled(pid: int, timeout_s: float = 30.0) -> None:
    """Until the line ``pid`` does next to nothing: a line that is ready still loads what no call waits for. Returns
    anyway after ``timeout_s``."""
    await spent_when_settled(Watch.on(pid), timeout_s)


async def spent_when_settled(watch: Watch, timeout_s: float = 30.0) -> Spent:
    """All of what was begun: what the line does once nobody calls any more, until it does next to nothing, belongs to
    the calls before. The second in which that shows is not counted."""
    until = time.monotonic() + timeout_s
    while True:
        spent, began = watch.spent(), time.monotonic()
        await asyncio.sleep(1.0)
        now = time.monotonic()
        if watch.spent().together - spent.together < _IDLE_CORES * (now - began) or now > until:
            return spent


def machine_seconds() -> tuple[float, float]:
    """Seconds that all cores worked, and had in all."""
    ticks = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    idle = ticks[3] + ticks[4]
    hertz = os.sysconf("SC_CLK_TCK")
    return (sum(ticks) - idle) / hertz, sum(ticks) / hertz


def pace() -> float:
    """Milliseconds of CPU that a fixed piece of work takes now: a core that is shared, or a guest of a busy host, is
    slower from one minute to the next, and everything measured on it with it."""
    began = time.process_time()
    for number in range(2000):
        text = json.dumps({"call_id": f"{number:016x}", "values": list(range(20)), "nested": {"a": [number] * 5}})
        json.loads(text)["nested"]["a"].sort()
    return 1000 * (time.process_time() - began)


@dataclass(frozen=True, slots=True)
class Spent:
    """Between two looks, ``took_s`` apart: seconds of CPU by role, cores that everybody else had and who calls, and the
    load average at the end."""

    seconds: Mapping[str, float]
    others_cores: float
    load: float
    own_cores: float = 0.0
    took_s: float = 1.0

    @property
    def cores(self) -> dict[str, float]:
        return {role: used / self.took_s for role, used in self.seconds.items()}

    @property
    def together(self) -> float:
        return sum(self.seconds.values())


@dataclass(slots=True)
class Watch:
    """Begins to count when made. ``own``: processes that are neither the line nor a neighbour (who calls it)."""

    pid: int
    own: list[int] = field(default_factory=list)
    _began: dict[int, float] = field(default_factory=dict)
    _own_began: dict[int, float] = field(default_factory=dict)
    _machine: float = 0.0
    _at: float = 0.0

    @classmethod
    def on(cls, pid: int, *own: int) -> Self:
        watch = cls(pid, [os.getpid(), *own])
        watch._began = {each: cpu_seconds(each) for each in roles(pid)}
        watch._own_began = {each: cpu_seconds(each) for each in watch.own}
        watch._machine, watch._at = machine_seconds()[0], time.monotonic()
        return watch

    def spent(self) -> Spent:
        """A process that came meanwhile counts from its beginning; what one took that went, does not."""
        seconds: dict[str, float] = {}
        for pid, role in roles(self.pid).items():
            seconds[role] = seconds.get(role, 0.0) + cpu_seconds(pid) - self._began.get(pid, 0.0)
        own = sum(cpu_seconds(pid) - began for pid, began in self._own_began.items())
        took = max(time.monotonic() - self._at, 1e-9)
        others = (machine_seconds()[0] - self._machine - sum(seconds.values()) - own) / took
        return Spent(seconds, max(others, 0.0), os.getloadavg()[0], own / took, took)
