"""The growth plot as SVG: a column for calls and one for talkers, each with first sound, answer, CPU and memory over
what was offered, the aims, the knee, and below it in words why it is there. Pure."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from html import escape

from tests.bench.knee import ANSWER_P95_S, FIRST_SOUND_P95_S, GAP_P99_MS, MOST_ANSWER_S, Knee, Point

_WIDTH, _PANEL_W, _PANEL_H = 1120, 450, 170
_LEFT, _TOP, _GAP_X, _GAP_Y = 64, 108, 100, 76
_WORDS, _LINE_H = 78, 17  # characters a line below the plot
_INK, _GRID, _AIM, _KNEE = "#222", "#e3e3e3", "#b03030", "#8a5a00"
_STEPS = (1, 2, 2.5, 3, 4, 5, 6, 8, 10)
_ROLES = {  # from the bottom up
    "listening": "#2f6f9f",
    "line": "#c2703d",
    "media": "#5b9a5b",
    "speaking": "#8b6bb1",
    "others": "#999999",
}


@dataclass(frozen=True, slots=True)
class Curve:
    """``at`` gives None where nothing was measured."""

    name: str
    colour: str
    at: Callable[[Point], float | None]
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """``stacked`` curves lie on one another. ``base``: where the axis begins."""

    title: str
    curves: Sequence[Curve]
    stacked: Sequence[Curve] = ()
    aim: float | None = None
    aim_name: str = ""
    least: float = 0.0  # what the axis shows at least
    base: float = 0.0


@dataclass(frozen=True, slots=True)
class Column:
    title: str
    axis: str
    points: Sequence[Point]
    knee: Knee
    panels: Sequence[Panel] = field(default_factory=tuple)


def _role(of: Callable[[Point], float], name: str) -> Curve:
    return Curve(name, _ROLES[name], of)


def _cores() -> list[Curve]:
    return [_role(lambda p, n=name: p.cores.get(n, 0.0), name) for name in _ROLES]  # type: ignore[misc]


def _memory() -> list[Curve]:
    return [_role(lambda p, n=name: p.memory_mb.get(n, 0.0), name) for name in _ROLES]  # type: ignore[misc]


_CPU = Panel(
    "CPU in cores, by process; dashed: what neighbours had",
    (Curve("neighbours", "#000000", lambda p: p.neighbours, dashed=True),),
    _cores(),
    least=0.5,
)
_MB = Panel("Memory in MB (PSS), by process", (), _memory())


def _waits(name: str, part: str, colour: str, dashed: bool = False) -> Curve:
    def at(point: Point) -> float | None:
        waits = getattr(point, part)
        return getattr(waits, name) if waits.count else None

    return Curve(f"{'first sound' if part == 'sound' else 'answer'} {name}", colour, at, dashed)


def calls_column(points: Sequence[Point], knee: Knee) -> Column:
    first = Panel(
        "First sound after the INVITE, in s (nobody talks: no answers)",
        (_waits("p50", "sound", "#2f6f9f"), _waits("p95", "sound", "#2f6f9f", dashed=True)),
        aim=FIRST_SOUND_P95_S,
        aim_name=f"p95 {FIRST_SOUND_P95_S:g} s",
    )
    gaps = Panel(
        "Gap between packets of a call, p99 in ms (20 is even)",
        (Curve("gap p99", "#5b9a5b", lambda p: p.gap_ms),),
        aim=GAP_P99_MS,
        aim_name=f"{GAP_P99_MS:g} ms",
        least=22,
        base=19,
    )
    return Column("Calls that listen", "calls at once", points, knee, (first, gaps, _CPU, _MB))


def talkers_column(points: Sequence[Point], knee: Knee) -> Column:
    waits = Panel(
        "After the caller's last sound, in s",
        (
            _waits("p50", "sound", "#2f6f9f"),
            _waits("p95", "sound", "#2f6f9f", dashed=True),
            _waits("p50", "answer", "#c2703d"),
            _waits("p95", "answer", "#c2703d", dashed=True),
        ),
        aim=ANSWER_P95_S,
        aim_name=f"answer p95 {ANSWER_P95_S:g} s",
    )
    worst = Panel(
        "The worst answer in s; grey: callers refused with 503, in tens",
        (
            Curve("worst answer", "#c2703d", lambda p: p.answer.worst if p.answer.count else None),
            Curve("refused / 10", "#999999", lambda p: p.refused / 10, dashed=True),
        ),
        aim=MOST_ANSWER_S,
        aim_name=f"nobody over {MOST_ANSWER_S:g} s",
    )
    title = "Callers who talk, a sentence every 8 s"
    return Column(title, "talkers offered", points, knee, (waits, worst, _CPU, _MB))


def svg(columns: Sequence[Column], about: str) -> str:
    """All of it. ``about``: machine, date, load, in a line."""
    rows = max((len(column.panels) for column in columns), default=0)
    below = _TOP + rows * (_PANEL_H + _GAP_Y) + 8
    lines = [_wrapped(column) for column in columns]
    height = below + _LINE_H * (max((len(found) for found in lines), default=0) + 2)
    drawn = "".join(
        _column(column, _LEFT + number * (_PANEL_W + _GAP_X), below, lines[number])
        for number, column in enumerate(columns)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        'font-family="sans-serif" font-size="12">'
        f'<rect width="100%" height="100%" fill="#fff"/>'
        f'<text x="16" y="28" font-size="18" fill="{_INK}">How the line grows: CPU, first sound, answer, memory</text>'
        f'<text x="16" y="48" fill="#555">{escape(about)}</text>{drawn}</svg>\n'
    )


def _wrapped(column: Column) -> list[str]:
    return [line for sentence in column.knee.words for line in textwrap.wrap(sentence, _WORDS)]


def _column(column: Column, left: int, below: int, lines: Sequence[str]) -> str:
    most = max((point.offered for point in column.points), default=1)
    drawn = f'<text x="{left}" y="80" font-size="15" font-weight="bold">{escape(column.title)}</text>'
    for number, panel in enumerate(column.panels):
        drawn += "".join(_panel(panel, column, left, _TOP + number * (_PANEL_H + _GAP_Y), most))
    told = "The knee" if column.knee.at is not None else "No knee"
    drawn += f'<text x="{left}" y="{below}" font-weight="bold" fill="{_KNEE}">{told}</text>'
    for number, line in enumerate(lines):
        drawn += f'<text x="{left}" y="{below + _LINE_H * (number + 1)}">{escape(line)}</text>'
    return drawn


def _panel(panel: Panel, column: Column, left: int, top: int, most: int) -> Iterator[str]:
    points = column.points
    heights = [sum(curve.at(point) or 0.0 for curve in panel.stacked) for point in points]
    single = [value for curve in panel.curves for point in points if (value := curve.at(point)) is not None]
    step = nice((max([*heights, *single, panel.aim or 0.0, panel.least], default=1.0) - panel.base) * 1.08 / 4)

    def x(offered: float) -> float:
        return round(left + _PANEL_W * offered / most, 1)

    def y(value: float) -> float:
        return round(top + _PANEL_H * (1 - max(0.0, value - panel.base) / (4 * step)), 1)

    yield f'<text x="{left}" y="{top - 7}" fill="{_INK}">{escape(panel.title)}</text>'
    for number in range(5):
        at = panel.base + step * number
        yield f'<line x1="{left}" x2="{left + _PANEL_W}" y1="{y(at)}" y2="{y(at)}" stroke="{_GRID}"/>'
        yield f'<text x="{left - 6}" y="{y(at) + 4}" text-anchor="end" fill="#555">{at:g}</text>'
    floor = [(x(point.offered), y(panel.base)) for point in points]
    sums = [0.0] * len(points)
    for curve in panel.stacked:
        sums = [total + (curve.at(point) or 0.0) for total, point in zip(sums, points, strict=True)]
        top_edge = [(x(point.offered), y(total)) for point, total in zip(points, sums, strict=True)]
        yield f'<polygon points="{_path([*top_edge, *reversed(floor)])}" fill="{curve.colour}" opacity="0.75"/>'
        floor = top_edge
    for curve in panel.curves:
        found = [(x(p.offered), y(value)) for p in points if (value := curve.at(p)) is not None]
        dash = ' stroke-dasharray="5 3"' if curve.dashed else ""
        yield f'<polyline points="{_path(found)}" fill="none" stroke="{curve.colour}" stroke-width="2"{dash}/>'
        yield from (f'<circle cx="{at_x}" cy="{at_y}" r="2.5" fill="{curve.colour}"/>' for at_x, at_y in found)
    if panel.aim is not None:
        at_y = y(panel.aim)
        across = f'x1="{left}" x2="{left + _PANEL_W}" y1="{at_y}" y2="{at_y}"'
        yield f'<line {across} stroke="{_AIM}" stroke-dasharray="2 3"/>'
        yield f'<text x="{left + 4}" y="{at_y - 4}" fill="{_AIM}">promised: {escape(panel.aim_name)}</text>'
    if column.knee.at is not None:
        at_x = x(column.knee.at)
        yield f'<line x1="{at_x}" x2="{at_x}" y1="{top}" y2="{top + _PANEL_H}" stroke="{_KNEE}" stroke-width="1.5"/>'
        anchor = "end" if column.knee.at > most / 2 else "start"
        shift = -4 if anchor == "end" else 4
        yield (
            f'<text x="{at_x + shift}" y="{top + 13}" text-anchor="{anchor}" fill="{_KNEE}">'
            f"knee: {column.knee.at}</text>"
        )
    for point in _apart(points, most):
        yield (
            f'<text x="{x(point.offered)}" y="{top + _PANEL_H + 15}" text-anchor="middle" fill="#555">'
            f"{point.offered}</text>"
        )
    yield from _legend([*panel.curves, *(c for c in panel.stacked if any(c.at(p) for p in points))], left, top)
    yield (
        f'<text x="{left + _PANEL_W}" y="{top + _PANEL_H + 31}" text-anchor="end" fill="#555">'
        f"{escape(column.axis)}</text>"
    )


def _legend(curves: Sequence[Curve], left: int, top: int) -> Iterator[str]:
    """Under the axis, from the left."""
    at = left
    for curve in curves:
        dash = ' stroke-dasharray="5 3"' if curve.dashed else ""
        y = top + _PANEL_H + 44
        yield f'<line x1="{at}" x2="{at + 16}" y1="{y}" y2="{y}" stroke="{curve.colour}" stroke-width="3"{dash}/>'
        yield f'<text x="{at + 20}" y="{y + 4}" font-size="11" fill="{_INK}">{escape(curve.name)}</text>'
        at += 30 + round(6.2 * len(curve.name))


def _apart(points: Sequence[Point], most: int) -> Iterator[Point]:
    """Those whose numbers don't overlap on the axis."""
    last = -math.inf
    for point in points:
        if point.offered - last >= most * 0.06:
            last = point.offered
            yield point


def _path(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{at_x},{at_y}" for at_x, at_y in points)


def nice(value: float) -> float:
    """The next round number, for the steps of an axis. 1.0 for nothing."""
    if value <= 0 or not math.isfinite(value):
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(round(step * power, 10) for step in _STEPS if step * power >= value * (1 - 1e-9))
