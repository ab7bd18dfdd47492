"""The line as it is remembered: who counts as there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ivr.desk.memory import LineMemory
from ivr.desk.offers import AwaitedOffers
from ivr.ports.line import AgentStatus
from ivr.ports.line_store import CLOSED, LINE_LOST, LOST, RESTED, RETURN_S, SIGNED_OUT, Snapshot
from tests.call.fakes import VirtualClock

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def staffed(reason: str, *, for_s: float = 1.0, until: datetime | None = None) -> bool:
    """Whether somebody is there when the only agent is away for ``reason``."""
    memory = LineMemory(VirtualClock(), AwaitedOffers("here"), None, lambda: None)
    agent = AgentStatus("front", "away", NOW - timedelta(seconds=for_s), ("general",), reason, until=until)
    memory.read(1, Snapshot(NOW, agents=(agent,)))
    return memory.staffed()


@pytest.mark.parametrize("reason", [RESTED, LINE_LOST, LOST, SIGNED_OUT])
async def test_who_is_back_in_a_moment_is_there_and_not_for_ever(reason: str) -> None:
    """A phone whose rest is over or whose process died, a page that is loaded again."""
    assert staffed(reason)
    assert not staffed(reason, for_s=RETURN_S + 1)


@pytest.mark.parametrize("reason", [CLOSED, "lunch", "home"])
async def test_who_went_is_not_there(reason: str) -> None:
    assert not staffed(reason)


async def test_a_phone_that_rests_is_there_by_itself() -> None:
    assert staffed("unreachable", for_s=50.0, until=NOW + timedelta(seconds=10))


@pytest.mark.parametrize("back_in_time", [True, False])
async def test_whose_console_is_gone_may_be_back_in_time(back_in_time: bool) -> None:
    memory = LineMemory(VirtualClock(), AwaitedOffers("here"), None, lambda: None)
    left_at = NOW - timedelta(seconds=1.0 if back_in_time else RETURN_S + 1)
    memory.read(1, Snapshot(NOW, left_at=left_at))
    assert memory.staffed() is back_in_time
