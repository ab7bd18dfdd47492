"""Drain: begun, taken back, and the last one, which is not."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from ivr.drain import Drain
from ivr.errors import UnavailableError
from ivr.readiness import Life, Lifecycle
from tests.call.fakes import FakeEndpoint
from tests.call.virtual import run


class Endpoint(FakeEndpoint):
    refusing: tuple[int, int] | None = None

    def refuse_new_calls(self, status: int, retry_after_s: int) -> None:
        self.refusing = (status, retry_after_s)

    def take_new_calls(self) -> None:
        self.refusing = None


class Calls:
    def __init__(self, count: int, ends_after_s: float = 0.0) -> None:
        self.count, self._ends_after_s = count, ends_after_s

    def __len__(self) -> int:
        return self.count

    async def drained(self) -> None:
        await asyncio.sleep(self._ends_after_s)
        self.count = 0


def draining(calls: Calls) -> tuple[Drain, Endpoint, Lifecycle]:
    lifecycle, endpoint = Lifecycle(), Endpoint()
    lifecycle.reach(Life.SERVING)
    return Drain(lifecycle, endpoint, calls), endpoint, lifecycle


def test_it_is_begun_once_and_taken_back() -> None:
    drain, endpoint, lifecycle = draining(Calls(2))
    with capture_logs() as logs:
        drain.begin("rosa", 30)
        drain.begin("sam", 60)
        assert (drain.state, endpoint.refusing, drain.calls, drain.final) == ("draining", (503, 30), 2, False)
        drain.undo("rosa")
        drain.undo("rosa")
    assert (drain.state, endpoint.refusing, lifecycle.life) == ("serving", None, Life.SERVING)
    assert [(entry["event"], entry["by"]) for entry in logs] == [
        ("service.draining", "rosa"),
        ("service.drain_undone", "rosa"),
    ]


@pytest.mark.parametrize(("seconds", "left"), [(5.0, 0), (1.0, 2)])
def test_the_last_one_waits_for_calls_so_long_at_most_and_is_not_taken_back(seconds: float, left: int) -> None:
    async def main() -> None:
        drain, endpoint, _ = draining(Calls(2, ends_after_s=3.0))
        drain.begin("rosa", 30)
        with capture_logs() as logs:
            finishing = asyncio.create_task(drain.finish(seconds))
            await asyncio.sleep(0.5)
            with pytest.raises(UnavailableError, match="stopping"):
                drain.undo("rosa")
            await finishing
        assert endpoint.refusing == (503, int(seconds)) and drain.final and drain.calls == left
        assert ("service.drain_incomplete" in [entry["event"] for entry in logs]) == bool(left)

    run(main())
