"""Which media process a leg goes to, and where those of a conversation meet."""

from __future__ import annotations

import pytest

from ivr.media.description import port_shares
from ivr.media.placement import Here, Place, meeting, order


@pytest.mark.parametrize(
    ("places", "cap", "tried"),
    [
        ([Place(3), Place(1), Place(2)], 10, [1, 2, 0]),
        ([Place(3), Place(1, up=False), Place(2)], 10, [2, 0, 1]),
        ([Place(9), Place(1)], 9, [1]),
        ([Place(9), Place(9)], 9, []),
        ([Place(5, of_call=1), Place(1)], 10, [0, 1]),
        ([Place(5, up=False, of_call=1), Place(1)], 10, [0, 1]),
        ([Place(9, of_call=1), Place(7)], 9, [1]),
        ([Place(9, of_call=1), Place(8)], 9, []),
    ],
    ids=[
        "the fewest legs first",
        "one that is away last",
        "not one that is full",
        "all are full",
        "beside the call's other leg, however many are there",
        "beside it also while that one is away: it is back soon, and with it the other leg",
        "where that is full, to one with room for both",
        "which none has",
    ],
)
def test_a_new_leg(places: list[Place], cap: int, tried: list[int]) -> None:
    assert order(places, cap) == tried


@pytest.mark.parametrize(
    ("heres", "chosen"),
    [
        ([Here(9, count=1), Here(2, count=1, browsers=1)], 1),
        ([Here(9, count=2), Here(2, count=1)], 0),
        ([Here(10, count=1), Here(10, count=1, browsers=1), Here(3)], 2),
        ([Here(10, count=1), Here(10, count=1, browsers=1)], 1),
        ([Here(4, count=1), Here(4, count=1, browsers=1, up=False)], 0),
        ([Here(4, count=1, fixed=1), Here(4, count=1, browsers=1)], 0),
        ([Here(4, count=1, fixed=1), Here(4, count=1, fixed=1)], None),
        ([Here(4, count=1), Here(1, count=1, browsers=1, ending=True)], 0),
    ],
    ids=[
        "a browser stays",
        "who are more stay",
        "where neither has room, all go to one that has",
        "where none has room, they meet all the same",
        "not in one that is away",
        "who can't be moved stays",
        "two who can't be moved",
        "not in one that is to go",
    ],
)
def test_a_conversation_meets(heres: list[Here], chosen: int | None) -> None:
    assert meeting(heres, 10) == chosen


@pytest.mark.parametrize(("low", "high", "count"), [(16000, 16999, 1), (16001, 16999, 3), (20000, 20007, 4)])
def test_ports_are_shared_out_in_whole_pairs(low: int, high: int, count: int) -> None:
    shares = port_shares(low, high, count)
    assert len(shares) == count
    ports = [port for first, last in shares for port in range(first, last + 1)]
    assert len(ports) == len(set(ports)) and low <= min(ports) and max(ports) <= high
    assert all(first % 2 == 0 and last % 2 == 1 for first, last in shares)
    assert len(ports) >= high - low - 1, "none but an odd one at each end is lost"
