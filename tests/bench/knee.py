"""The knee of a growth curve: where a line that gets more calls stops being as good, and by its figures why. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

from tests.bench.waits import Waits

Kind = Literal["calls", "talkers"]
GAP_P99_MS = 21.0
ANSWER_P95_S, MOST_SILENCE_S, MOST_ANSWER_S = 0.8, 1.5, 2.5
FIRST_SOUND_P95_S = 1.0  # from the INVITE
_FULL_IDLE = 0.25  # cores; less is none
_ONE_THREAD = 0.85  # of a core: a process with one loop has no more
_SINGLE = ("line", "media")


@dataclass(frozen=True, slots=True)
class Point:
    """One load of a line. Cores and MB are by process; ``sound``: from the INVITE (calls) or from the caller's last
    sound (talkers); ``gap_ms``: the slowest hundredth of the gaps between packets, and None where nobody timed them."""

    kind: Kind
    offered: int
    taken: int
    refused: int
    lost: int  # calls that got no answer, or no sound
    sound: Waits
    answer: Waits
    gap_ms: float | None
    missing: int  # packets
    cores: Mapping[str, float]
    memory_mb: Mapping[str, float]
    callers_cores: float
    neighbours: float
    load: float

    @property
    def used(self) -> float:
        """Cores of the line."""
        return sum(self.cores.values())

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        waits = {name: Waits.from_json(told[name]) for name in ("sound", "answer")}
        return cls(**{**told, **waits})


def complaints(point: Point) -> list[str]:
    """What is not as good as promised, in words."""
    found = []
    if point.lost:
        found.append(f"{point.lost} calls were not answered")
    if point.kind == "calls":
        if point.gap_ms is not None and point.gap_ms > GAP_P99_MS:
            found.append(f"gaps between packets p99 {point.gap_ms:.1f} ms (promised {GAP_P99_MS:g})")
        if point.missing:
            found.append(f"{point.missing} packets were missing")
        if point.sound.count and point.sound.p95 > FIRST_SOUND_P95_S:
            found.append(f"first sound p95 {point.sound.p95:.2f} s after the INVITE (promised {FIRST_SOUND_P95_S:g})")
        return found
    if point.answer.count and point.answer.p95 > ANSWER_P95_S:
        found.append(f"answers p95 {point.answer.p95:.2f} s (promised {ANSWER_P95_S:g})")
    if point.sound.worst > MOST_SILENCE_S:
        found.append(f"somebody heard nothing for {point.sound.worst:.2f} s (promised {MOST_SILENCE_S:g})")
    if point.answer.worst > MOST_ANSWER_S:
        found.append(f"somebody's answer took {point.answer.worst:.2f} s (promised {MOST_ANSWER_S:g})")
    return found


@dataclass(frozen=True, slots=True)
class Knee:
    """``good``: the most offered before it; None where it is at the first point already. ``at``: the first offered from
    it on; None: there is none in what was measured."""

    good: int | None
    at: int | None
    words: Sequence[str]  # sentences


def cost(points: Sequence[Point]) -> float:
    """Cores that each further call takes: the slope of a line of least squares, or what each takes of the last point
    where that says nothing; 0.0 where it can't be told."""
    if not points:
        return 0.0
    mean_x = sum(p.taken for p in points) / len(points)
    mean_y = sum(p.used for p in points) / len(points)
    spread = sum((p.taken - mean_x) ** 2 for p in points)
    slope = sum((p.taken - mean_x) * (p.used - mean_y) for p in points) / spread if spread else 0.0
    last = points[-1]
    return slope if slope > 0 else last.used / last.taken if last.taken else 0.0


def knee(points: Sequence[Point], cores: int) -> Knee:
    """Of points in the order of what was offered, on a machine of so many cores. Raises ValueError without any."""
    if not points:
        raise ValueError("no point, no knee")
    first = next((i for i, p in enumerate(points) if p.refused or complaints(p)), None)
    before = points[:first]
    words = [_spending(before or points[:1], points[0].kind)]
    if first is None:
        last = points[-1]
        words.insert(0, f"No knee up to {_many(last.offered, last.kind)}: everything promised was kept at each load.")
        words.append(_reach(before, cores))
        return Knee(last.offered, None, [word for word in words if word])
    point = points[first]
    good = before[-1].offered if before else None
    where = f"at {point.offered}" if good is not None else f"Already at {_many(point.offered, point.kind)}"
    since = f"Up to {_many(good, point.kind)} everything promised was kept; {where}" if good is not None else where
    if point.refused:
        words.insert(
            0,
            f"{since} the line took {point.taken} and refused {point.refused} (503): the limit is its"
            " admission, which is there so that those inside are served" + _served(point) + ".",
        )
    else:
        words.insert(0, f"{since}: {'; '.join(complaints(point))}.")
        words.append(_reason(point, cores))
    later = [p for p in points[first:] if p.refused and p is not point]
    if later:
        taken = ", ".join(f"{p.taken} of {p.offered}" for p in later)
        words.append(f"Beyond it admission: taken {taken}; the rest got 503.")
    return Knee(good, point.offered, [word for word in words if word])


def _many(number: int, kind: Kind) -> str:
    return f"{number} {kind[:-1] if number == 1 else kind}"


def _served(point: Point) -> str:
    found = complaints(point)
    if not point.answer.count:
        return f"; yet {'; '.join(found)}" if found else ""
    told = f" (their answers: p95 {point.answer.p95:.2f} s, worst {point.answer.worst:.2f} s)"
    return told + (f"; yet {'; '.join(found)}" if found else "")


def _spending(points: Sequence[Point], kind: Kind) -> str:
    """What each call costs, and where that goes."""
    each = cost(points)
    last = points[-1]
    if not last.used or not each:
        return ""
    role, most = max(last.cores.items(), key=lambda item: item[1])
    share = f"{most / last.used:.0%}"
    if len(points) < 2:
        return f"With {_many(last.taken, kind)} the line took {last.used:.2f} cores; {share} of it is {role}."
    return f"Each {kind[:-1]} takes {1000 * each:.1f} ms of CPU a second; {share} of it is {role}."


def _reason(point: Point, cores: int) -> str:
    idle = cores - point.used - point.callers_cores - point.neighbours
    had = (
        f"of {cores} cores the line had {point.used:.2f}, the callers' own programs {point.callers_cores:.2f},"
        f" neighbours {point.neighbours:.2f}"
    )
    if idle < _FULL_IDLE:
        blame = "neighbours had the cores" if point.neighbours > max(point.used, 0.5) else "the cores are full"
        return f"Why: {blame}: {had}."
    for role in _SINGLE:
        if point.cores.get(role, 0.0) >= _ONE_THREAD:
            return f"Why: the {role} process has one thread, and that took {point.cores[role]:.2f} of a core; {had}."
    return f"Why: not for want of CPU in all, {idle:.2f} cores idled; {had}. Bursts of somebody's, or waiting in line."


def _reach(points: Sequence[Point], cores: int) -> str:
    each, last = cost(points), points[-1]
    left = cores - last.callers_cores - last.neighbours
    if not each or len(points) < 2:
        return ""
    most = math.floor(left / each / 10) * 10
    return (
        f"By that cost the {left:.1f} cores that callers' programs and neighbours left would be full at about {most};"
        f" with {last.offered} the line had {last.used:.2f}."
    )
