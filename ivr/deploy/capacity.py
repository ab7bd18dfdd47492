"""Capacity: what so many callers cost in cores and machines, and how long a sentence waits for a core (M/G/c).

Pure arithmetic over per-call figures that were measured (``Costs``), and a simulation of the queue before recognition.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass

from ivr.media.description import callers_served
from ivr.media.placement import LEGS

PACKETS_S = 50  # a leg sends and receives, each
FRAME_BYTES = 218  # of G.711 on Ethernet: 160 of sound, RTP 12, UDP 8, IPv4 20, frame 18
SRTP_TAG_BYTES = 10


@dataclass(frozen=True, slots=True)
class Costs:
    """CPU of one call, as it was measured, in ms: of a second in progress (``call``, ``srtp``, ``ear``: voice activity
    while the caller may talk), of a set-up, of a recognised sentence. ``spread``: the sentence's standard deviation by
    its mean."""

    call_ms_s: float = 1.45
    srtp_ms_s: float = 0.45
    ear_ms_s: float = 2.2
    set_up_ms: float = 16.0
    sentence_ms: float = 104.0
    spread: float = 0.64


@dataclass(frozen=True, slots=True)
class Demand:
    """``callers`` at once, each for ``call_s``, who say a sentence every ``sentence_every_s``; ``listening``: the share
    of a call in which they may talk; ``bridged``: the share of callers with an agent, which is a second leg."""

    callers: int
    call_s: float = 120.0
    sentence_every_s: float = 8.0
    listening: float = 0.5
    bridged: float = 0.0
    srtp: bool = True

    @property
    def legs(self) -> float:
        return self.callers * (1 + self.bridged)

    @property
    def set_ups_s(self) -> float:
        return self.callers / self.call_s

    @property
    def sentences_s(self) -> float:
        """Those who talk with an agent are not recognised."""
        return self.callers * (1 - self.bridged) / self.sentence_every_s


@dataclass(frozen=True, slots=True)
class Machines:
    """``load``: how full a machine may be; ``spare``: machines that may be away."""

    cores: int = 8
    load: float = 0.72
    spare: int = 4


@dataclass(frozen=True, slots=True)
class Plan:
    """``cores``: (what for, how many) at full load of each; ``machines`` without the spare ones."""

    cores: Sequence[tuple[str, float]]
    machines: int
    max_calls: int
    media_processes: int
    packets_s: float
    gbit_s: float

    @property
    def sum(self) -> float:
        return sum(cores for _, cores in self.cores)


def planned(demand: Demand, costs: Costs, machines: Machines) -> Plan:
    """Raises ValueError for what can't be: no callers, no cores, a load of none or more than all, less than nothing."""
    if demand.callers < 1 or machines.cores < 1 or not 0 < machines.load < 1 or not 0 <= demand.bridged <= 1:
        raise ValueError("callers and cores are at least 1, the load is between 0 and 1, bridged from 0 to 1")
    shares = demand.listening, 1 - demand.listening
    if not all(each >= 0 for each in (*shares, machines.spare, *astuple(costs))):
        raise ValueError("no cost is negative, nor are spare machines; listening is from 0 to 1")
    ear = demand.callers * (1 - demand.bridged) * demand.listening * costs.ear_ms_s
    rows = [
        ("line and media", demand.legs * costs.call_ms_s / 1000),
        ("SRTP", demand.legs * costs.srtp_ms_s / 1000 if demand.srtp else 0.0),
        (f"set-ups, {demand.set_ups_s:.0f} a second", demand.set_ups_s * costs.set_up_ms / 1000),
        (f"recognition, {demand.sentences_s:.0f} sentences a second", demand.sentences_s * costs.sentence_ms / 1000),
        ("voice activity", ear / 1000),
    ]
    count = max(1, math.ceil(sum(cores for _, cores in rows) / machines.load / machines.cores))
    each = math.ceil(demand.callers / count)
    frame = FRAME_BYTES + (SRTP_TAG_BYTES if demand.srtp else 0)
    return Plan(
        cores=rows,
        machines=count,
        max_calls=math.ceil(each / 10) * 10 if each > 10 else each,
        media_processes=math.ceil(each / callers_served(LEGS)),
        packets_s=demand.legs * PACKETS_S,
        gbit_s=demand.legs * PACKETS_S * frame * 8 / 1e9,
    )


def waits_ms(
    cores: int, load: float, service_ms: Iterator[float], mean_ms: float, arrivals: int, seed: int
) -> list[float]:
    """How long each of ``arrivals`` waited until one of ``cores`` was free, in order of length; they come as a Poisson
    process that keeps the cores busy by ``load``. The first tenth, which found an empty queue, is left out."""
    gap = mean_ms / (cores * load)
    coming = random.Random(seed)
    free = [0.0] * cores
    now, waited = 0.0, []
    for number in range(arrivals):
        now += coming.expovariate(1 / gap)
        begins = max(now, free[0])
        heapq.heapreplace(free, begins + next(service_ms))
        if number >= arrivals // 10:
            waited.append(begins - now)
    return sorted(waited)


def sentences(costs: Costs, seed: int) -> Iterator[float]:
    """How long recognition takes, in ms: gamma-distributed with the mean and spread of ``costs``."""
    drawn, shape = random.Random(seed + 1), 1 / costs.spread**2 if costs.spread else 0.0
    while True:
        yield drawn.gammavariate(shape, costs.sentence_ms / shape) if shape else costs.sentence_ms


def quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
