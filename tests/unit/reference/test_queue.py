"""Editing a queue, held against what the words mean."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ivr.reference import queue

ORDERS = st.lists(st.integers(1, 30), unique=True, max_size=12).map(tuple)
TITLES = st.integers(1, 30)


@given(ORDERS, TITLES, st.integers(-3, 15))
def test_to_position(order: tuple[int, ...], title: int, position: int) -> None:
    outcome, after = queue.to_position(order, title, position)
    assert sorted(after) == sorted(order)
    target = len(order) if position == -1 else position
    if title not in order:
        assert outcome == "not_in_queue"
    elif not 1 <= target <= len(order):
        assert outcome == "out_of_range"
    elif order[target - 1] == title:
        assert outcome == "already_there"
    else:
        assert outcome == "ok"
        assert after[target - 1] == title
        assert [t for t in after if t != title] == [t for t in order if t != title]
        return
    assert after == order


@given(ORDERS, TITLES, TITLES, st.booleans())
def test_beside(order: tuple[int, ...], title: int, other: int, after: bool) -> None:
    outcome, result = queue.beside(order, title, other, after=after)
    assert sorted(result) == sorted(order)
    if outcome not in ("ok", "already_there"):
        assert result == order
        assert title not in order or other not in order or title == other
        return
    assert result.index(title) - result.index(other) == (1 if after else -1)
    assert [t for t in result if t != title] == [t for t in order if t != title]
    assert (outcome == "already_there") == (result == order)


@given(ORDERS, TITLES, TITLES)
def test_swapping_twice_changes_nothing(order: tuple[int, ...], title: int, other: int) -> None:
    outcome, result = queue.swapped(order, title, other)
    if outcome != "ok":
        assert result == order
        return
    assert result.index(title) == order.index(other)
    assert result.index(other) == order.index(title)
    assert queue.swapped(result, title, other) == ("ok", order)


@given(ORDERS, TITLES, st.booleans())
def test_adding_and_removing(order: tuple[int, ...], title: int, top: bool) -> None:
    outcome, result = queue.added(order, title, top=top)
    if title in order:
        assert (outcome, result) == ("already_in_queue", order)
        assert queue.removed(order, title) == ("ok", tuple(t for t in order if t != title))
    else:
        assert result[0 if top else -1] == title
        assert queue.removed(result, title) == ("ok", order)
        assert queue.removed(order, title) == ("not_in_queue", order)
