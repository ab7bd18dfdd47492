"""How the writes of many calls share a transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ivr.store.spool_folder import Write
from ivr.store.writer import grouped
from tests.unit.examples import examples

KINDS = ("begin", "update", "append", "place", "no place", "finish")


def write(kind: str, call: str | None, number: int = 0) -> Write:
    return Write(kind, {"call_id": call, "number": number})


def of(call: str, groups: Sequence[tuple[str, Sequence[Mapping[str, Any]]]]) -> list[tuple[str, int]]:
    """What a call sees of ``groups``, in order."""
    return [(kind, values["number"]) for kind, group in groups for values in group if values["call_id"] == call]


def test_calls_alike_share_their_statements() -> None:
    writes = [write(kind, call) for call in "abc" for kind in ("begin", "append", "finish")]
    assert [(kind, len(values)) for kind, values in grouped(writes)] == [("begin", 3), ("append", 3), ("finish", 3)]


def test_what_belongs_to_no_call_is_overtaken_by_nothing() -> None:
    writes = [write("begin", "a"), write("claimed", None), write("begin", "b"), write("place", "a")]
    assert [kind for kind, _ in grouped(writes)] == ["begin", "claimed", "begin", "place"]


CALLS = ("a", "b", "c")


@examples(100)
@given(st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from((*CALLS, None))), max_size=40))
def test_no_call_can_tell_the_order_from_its_own(asked: list[tuple[str, str | None]]) -> None:
    writes = [write(kind, call, number) for number, (kind, call) in enumerate(asked)]
    groups = grouped(writes)
    for call in CALLS:
        own = [(each.kind, each.values["number"]) for each in writes if each.values["call_id"] == call]
        assert of(call, groups) == own
    assert sum(len(values) for _, values in groups) == len(writes)
