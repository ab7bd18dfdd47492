"""Layered layout from left to right: boxes in columns, links from any height of one to any height of another.

Sugiyama's four steps: ranks (``ranks_of``; whoever calls has taken the circles out), places for long links in the
columns they pass, an order with few crossings (barycentres, the best sweep kept), and heights (least squares under the
order, by pooling adjacent violators). Lengths are in pixels, y grows downwards.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

_SWEEPS = 12
_SETTLINGS = 10
_LANE = 14.0  # height of a link that passes a column


@dataclass(frozen=True, slots=True)
class Box:
    id: str
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Link:
    """``leaves`` and ``enters`` are heights below the tops of the two boxes."""

    source: str
    target: str
    leaves: float
    enters: float


@dataclass(frozen=True, slots=True)
class Layout:
    """``corners``: the top left of each box. ``courses``: for each link, in order, points that come in pairs: between
    the two of a pair it runs level, from one pair to the next it bends."""

    corners: Mapping[str, tuple[float, float]]
    courses: tuple[tuple[tuple[float, float], ...], ...]
    width: float
    height: float


@dataclass(slots=True)
class _Item:
    """A box, or the place where a link passes a column. ``before`` and ``after``: (item, its height, own height)."""

    rank: int
    width: float
    height: float
    y: float = 0.0
    order: float = 0.0
    before: list[tuple[_Item, float, float]] = field(default_factory=list)
    after: list[tuple[_Item, float, float]] = field(default_factory=list)


def ranks_of(names: Sequence[str], links: Iterable[tuple[str, str]]) -> dict[str, int]:
    """The column of each: one right of the rightmost that leads there. ``links`` must have no circle."""
    onward: dict[str, set[str]] = {n: set() for n in names}
    for source, target in links:
        onward[source].add(target)
    waiting = dict.fromkeys(names, 0)
    for targets in onward.values():
        for target in targets:
            waiting[target] += 1
    rank = dict.fromkeys(names, 0)
    ready = [n for n in names if not waiting[n]]
    for name in ready:
        for target in onward[name]:
            rank[target] = max(rank[target], rank[name] + 1)
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    if len(ready) < len(names):
        raise ValueError("the links go in circles")
    return rank


def layered(
    boxes: Sequence[Box],
    ranks: Mapping[str, int],
    links: Sequence[Link],
    *,
    column_gap: float = 48.0,
    row_gap: float = 16.0,
) -> Layout:
    """Places for ``boxes`` in the columns ``ranks`` gives them. Every link must lead to a later column."""
    items = {b.id: _Item(ranks[b.id], b.width, b.height) for b in boxes}
    columns: list[list[_Item]] = [[] for _ in range(max(ranks.values(), default=-1) + 1)]
    for box in boxes:
        columns[ranks[box.id]].append(items[box.id])
    passed = [_lanes(items[link.source], items[link.target], link, columns) for link in links]
    _order(columns)
    _settle(columns, row_gap)
    left = 0.0
    lefts = []
    for index, column in enumerate(columns):
        lefts.append(left)
        bends = sum(len(item.after) for item in column)
        widest = max((item.width for item in column), default=0.0)
        left += widest + (column_gap + min(bends * 2.5, 60.0) if index + 1 < len(columns) else 0.0)
    widths = [max((item.width for item in column), default=0.0) for column in columns]
    top = min((item.y for column in columns for item in column), default=0.0)
    courses = []
    for link, lanes in zip(links, passed, strict=True):
        source, target = items[link.source], items[link.target]
        y = source.y - top + link.leaves
        points = [(lefts[source.rank] + source.width, y), (lefts[source.rank] + widths[source.rank], y)]
        for lane in lanes:
            y = lane.y - top + lane.height / 2
            points += [(lefts[lane.rank], y), (lefts[lane.rank] + widths[lane.rank], y)]
        end = (lefts[target.rank], target.y - top + link.enters)
        courses.append((*points, end, end))
    corners = {name: (lefts[item.rank], item.y - top) for name, item in items.items()}
    bottom = max((item.y - top + item.height for column in columns for item in column), default=0.0)
    return Layout(corners, tuple(courses), left, bottom)


def _lanes(source: _Item, target: _Item, link: Link, columns: list[list[_Item]]) -> list[_Item]:
    """Places in the columns between, joined up with both ends."""
    if target.rank <= source.rank:
        raise ValueError(f"{link.source} leads back to {link.target}")
    lanes = [_Item(rank, 0.0, _LANE) for rank in range(source.rank + 1, target.rank)]
    for lane in lanes:
        columns[lane.rank].append(lane)
    chain = [(source, link.leaves), *((lane, _LANE / 2) for lane in lanes), (target, link.enters)]
    for (one, leaves), (other, enters) in pairwise(chain):
        one.after.append((other, enters, leaves))
        other.before.append((one, leaves, enters))
    return lanes


# --- the order in each column ----------------------------------------------------------------------------------


def _order(columns: list[list[_Item]]) -> None:
    for column in columns:
        for index, item in enumerate(column):
            item.order = index
    best, fewest = [list(c) for c in columns], _crossings(columns)
    for sweep in range(_SWEEPS):
        forward = sweep % 2 == 0
        for column in columns if forward else reversed(columns):
            weights = {id(item): _centre(item.before if forward else item.after, item.order) for item in column}
            column.sort(key=lambda item: weights[id(item)])
            for index, item in enumerate(column):
                item.order = index
        crossings = _crossings(columns)
        if crossings < fewest:
            best, fewest = [list(c) for c in columns], crossings
    for index, column in enumerate(best):
        columns[index][:] = column
        for place, item in enumerate(column):
            item.order = place


def _centre(neighbours: Sequence[tuple[_Item, float, float]], otherwise: float) -> float:
    if not neighbours:
        return otherwise
    return sum(n.order + at / (n.height + 1) for n, at, _ in neighbours) / len(neighbours)


def _crossings(columns: list[list[_Item]]) -> int:
    total = 0
    for column in columns:
        ends: list[tuple[float, float]] = []
        for item in sorted(column, key=lambda i: i.order):
            steps = sorted((own, other.order + at / (other.height + 1)) for other, at, own in item.after)
            ends += [(item.order + own / (item.height + 1), there) for own, there in steps]
        seen: list[float] = []
        for _, there in ends:
            total += len(seen) - bisect_right(seen, there)
            insort(seen, there)
    return total


# --- heights ---------------------------------------------------------------------------------------------------


def _settle(columns: list[list[_Item]], gap: float) -> None:
    for column in columns:
        y = 0.0
        for item in column:
            item.y = y
            y += item.height + gap
    for round_ in range(_SETTLINGS):
        last = round_ == _SETTLINGS - 1
        for column in columns:
            _place(column, gap, lambda item: item.before)
        if not last:
            for column in reversed(columns):
                _place(column, gap, lambda item: [*item.after, *item.before])


def _place(column: list[_Item], gap: float, look: Callable[[_Item], Sequence[tuple[_Item, float, float]]]) -> None:
    """The nearest heights to where the neighbours want each item, that keep the order and the gaps."""
    blocks: list[list[float]] = []  # [sum of wishes, weight, count]
    offset, offsets = 0.0, []
    for item in column:
        offsets.append(offset)
        neighbours = look(item)
        wishes = sorted(n.y + at - own for n, at, own in neighbours)
        weight = 1.0 if neighbours else 0.01
        wish = wishes[(len(wishes) - 1) // 2] if wishes else item.y
        blocks.append([(wish - offset) * weight, weight, 1])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
            total, weight, count = blocks.pop()
            blocks[-1][0] += total
            blocks[-1][1] += weight
            blocks[-1][2] += count
        offset += item.height + (gap if item.width else gap / 4)
    index = 0
    for total, weight, count in blocks:
        for _ in range(int(count)):
            column[index].y = total / weight + offsets[index]
            index += 1
