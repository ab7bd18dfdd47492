"""The drawing of turns as SVG: a bar a turn, a colour a step, milliseconds from the caller's last sound."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape

from ivr.plain_text import printable
from ivr.workshop.timeline.turns import STEPS, Turn, whole

_WIDTH, _LEFT, _RIGHT, _ROW, _BAR = 1120, 290, 190, 24, 16  # beside the bars there is room for what stands there
_LEGEND = 22 * (len(STEPS) // 2 + 1)
_LABEL = 37  # characters
_TICKS = 8


def svg(found: Sequence[Turn], title: str, last: int = 0) -> str:
    """The median and the slow end of all above, then each turn in its order; of these only the ``last`` so many (0:
    all). ``found`` is not empty."""
    drawn = found[-last:]
    rows = [whole(found, 0.5), whole(found, 0.95), *drawn]
    title += f": {len(found)} turns" if len(drawn) == len(found) else f": the last {len(drawn)} of {len(found)} turns"
    top = 50 + _LEGEND
    height = top + _ROW * len(rows) + 60
    longest = max(0.1, *(max(turn.answer_s, sum(turn.steps)) for turn in rows))
    tick = _tick(longest)
    reach = tick * math.ceil(longest / tick)
    return "".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}"',
            ' font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>',
            f'<text x="16" y="28" font-size="17">{_text(title)}</text>',
            *_legend(),
            *_grid(top, height, tick, reach),
            *(piece for place, turn in enumerate(rows) for piece in _row(turn, top + 10 + _ROW * place, reach)),
            "</svg>\n",
        ]
    )


def _text(text: str) -> str:
    return escape(printable(text))


def _tick(longest: float) -> float:
    """A round step of the scale, in seconds."""
    rough = longest / _TICKS
    power = 10 ** math.floor(math.log10(rough))
    return float(next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough))


def _x(seconds: float, reach: float) -> float:
    return round(_LEFT + (_WIDTH - _LEFT - _RIGHT) * seconds / reach, 1)


def _legend() -> Iterator[str]:
    for number, step in enumerate(STEPS):
        x, y = 16 + 490 * (number % 2), 44 + 22 * (number // 2)
        yield f'<rect x="{x}" y="{y}" width="12" height="12" fill="{step.colour}"/>'
        yield f'<text x="{x + 18}" y="{y + 11}">{escape(f"{step.name}: {step.about}")}</text>'
    y = 44 + 22 * (len(STEPS) // 2)
    yield f'<path d="M22,{y - 2} v16" stroke="#000" stroke-width="2"/>'
    yield f'<text x="34" y="{y + 11}">"one moment", for who had to wait</text>'
    yield f'<text x="524" y="{y + 11}">at the end of a bar: ms to the answer; times of day are UTC</text>'


def _grid(top: int, height: int, tick: float, reach: float) -> Iterator[str]:
    for number in range(round(reach / tick) + 1):
        x = _x(number * tick, reach)
        yield f'<line x1="{x}" x2="{x}" y1="{top}" y2="{height - 40}" stroke="#e4e4e4"/>'
        yield f'<text x="{x}" y="{height - 24}" text-anchor="middle">{1000 * number * tick:.0f}</text>'
    yield f'<text x="{_x(reach / 2, reach)}" y="{height - 8}" text-anchor="middle">ms since the last sound</text>'


def _row(turn: Turn, y: int, reach: float) -> Iterator[str]:
    about = f"{turn.at:%H:%M:%S} {turn.call_id[:6]} {turn.state}" if turn.call_id else f"{turn.state} of each step"
    about = about if len(about) <= _LABEL else f"{about[: _LABEL - 1]}…"
    yield f'<text x="{_LEFT - 8}" y="{y + 12}" text-anchor="end">{_text(about)}</text>'
    at = 0.0
    for step, seconds in zip(STEPS, turn.steps, strict=True):
        if seconds > 0:
            width = round(_x(at + seconds, reach) - _x(at, reach), 1)
            yield f'<rect x="{_x(at, reach)}" y="{y}" width="{width}" height="{_BAR}" fill="{step.colour}">'
            yield f"<title>{escape(step.name)} {1000 * seconds:.0f} ms</title></rect>"
        at += seconds
    if turn.filler_s is not None:
        x = _x(min(turn.filler_s, reach), reach)
        yield f'<path d="M{x},{y - 2} v{_BAR + 4}" stroke="#000" stroke-width="2"><title>one moment</title></path>'
    told = f"{1000 * turn.answer_s:.0f}" if turn.call_id else f"{turn.state} of all answers: {1000 * turn.answer_s:.0f}"
    yield f'<text x="{_x(at, reach) + 6}" y="{y + 12}">{_text(told)}</text>'
