"""An hour on the phone, in virtual time: memory stays flat."""

from __future__ import annotations

import asyncio
import gc
import logging
import tracemalloc
from collections.abc import Iterator, Sequence

import pytest
import structlog

from ivr.dialogue.flows.library import FlowLibrary
from ivr.record import Entry
from tests.call.fakes import TITLES, FakeRecords
from tests.call.test_session import Rig, library
from tests.call.virtual import run

__all__ = ["library"]

TURN_S = 12.0
# What a call may keep of its second half hour: its transcript, which the agent gets, and nothing else.
TRANSCRIPT_BYTES = 250_000


class ForgetfulRecords(FakeRecords):
    """The store keeps entries elsewhere: they are not this process's memory."""

    async def append_all(self, call_id: str, entries: Sequence[Entry], first: int | None = None) -> None:
        return None


@pytest.fixture
def no_log() -> Iterator[None]:
    """Its lines are on their way to a file, which is not this process's memory either."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.mark.usefixtures("no_log")
def test_an_hour_long_call_holds_memory_flat(library: FlowLibrary) -> None:
    async def scenario() -> tuple[int, int, float]:
        rig = Rig(library)
        rig.records = ForgetfulRecords()
        async with rig.call():
            sizes: list[int] = []
            turns = 0
            while (now := asyncio.get_running_loop().time()) < 3600:
                if now > 1800 and not sizes:
                    gc.collect()
                    tracemalloc.start()
                    sizes.append(tracemalloc.get_traced_memory()[0])
                await rig.say(f"move {TITLES[turns % 4]} to the top", TURN_S)
                turns += 1
                rig.caller.heard.clear()
                rig.caller.cut.clear()
                rig.actions.calls.clear()
            gc.collect()
            grown = tracemalloc.get_traced_memory()[0] - sizes[0]
            tracemalloc.stop()
            assert not rig.leg.hung_up, "no clock on people"
        return turns, grown, rig.canonical["seconds"]

    turns, grown, seconds = run(scenario())
    assert seconds > 3600
    assert turns > 250
    assert grown < TRANSCRIPT_BYTES, f"{grown} bytes grown in half an hour"
