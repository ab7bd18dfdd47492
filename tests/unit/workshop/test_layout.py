"""The layout: nothing overlaps, lines lead forward, for any graph."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.workshop.picture.layout import Box, Link, layered, ranks_of
from tests.unit.examples import examples


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[Box], list[Link]]:
    count = draw(st.integers(1, 14))
    boxes = [
        Box(f"b{i}", draw(st.floats(20, 300)), draw(st.floats(20, 300))) for i in range(count)
    ]  # fmt: skip
    pairs = draw(st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=30))
    links = [Link(f"b{min(p)}", f"b{max(p)}", 10.0, 10.0) for p in pairs if p[0] != p[1]]
    return boxes, links


@examples(50)
@given(graphs())
def test_boxes_never_overlap_and_lines_join_them(graph: tuple[list[Box], list[Link]]) -> None:
    boxes, links = graph
    ranks = ranks_of([b.id for b in boxes], [(link.source, link.target) for link in links])
    layout = layered(boxes, ranks, links)
    sizes = {b.id: b for b in boxes}
    for one, other in combinations(boxes, 2):
        (x, y), (u, v) = layout.corners[one.id], layout.corners[other.id]
        apart = x + one.width <= u or u + other.width <= x or y + one.height <= v + 1e-6 or v + other.height <= y + 1e-6
        assert apart, f"{one.id} and {other.id} overlap"
    for link, course in zip(links, layout.courses, strict=True):
        x, y = layout.corners[link.source]
        assert course[0] == pytest.approx((x + sizes[link.source].width, y + link.leaves))
        u, v = layout.corners[link.target]
        assert course[-1] == pytest.approx((u, v + link.enters))
        assert [p[0] for p in course] == sorted(p[0] for p in course), "never backwards"
    for box in boxes:
        x, y = layout.corners[box.id]
        assert x >= -1e-6
        assert y >= -1e-6
        assert x + box.width <= layout.width + 1e-6
        assert y + box.height <= layout.height + 1e-6


def test_ranks_follow_the_longest_way() -> None:
    assert ranks_of(["a", "b", "c"], [("a", "b"), ("b", "c"), ("a", "c")]) == {"a": 0, "b": 1, "c": 2}


def test_circles_are_refused() -> None:
    with pytest.raises(ValueError, match="circles"):
        ranks_of(["a", "b"], [("a", "b"), ("b", "a")])


def test_a_crossing_that_can_be_avoided_is_avoided() -> None:
    boxes = [Box(n, 50, 20) for n in "abcd"]
    links = [Link("a", "d", 10, 10), Link("b", "c", 10, 10)]
    layout = layered(boxes, ranks_of(list("abcd"), [("a", "d"), ("b", "c")]), links)
    assert (layout.corners["a"][1] < layout.corners["b"][1]) == (layout.corners["d"][1] < layout.corners["c"][1])
