"""Call backs that were promised while the line was away stand in it afterwards, once."""

from __future__ import annotations

import pytest

from ivr.desk.promises import PromisedCallbacks
from ivr.errors import StoreUnavailable
from ivr.store.memory import MemoryCallbacks, MemoryLedger
from tests.call.fakes import EPOCH, VirtualClock
from tests.call.line import FakeLine


async def promised(*numbers: str) -> MemoryCallbacks:
    callbacks = MemoryCallbacks(lambda: EPOCH, MemoryLedger())
    for number in numbers:
        await callbacks.request(
            number, name="Ada", caller_id="", skill="discs", wanted="tomorrow", key=number, call_id="c"
        )
    return callbacks


async def test_they_are_taken_over_in_order_and_closed() -> None:
    callbacks, line = await promised("+15035550101", "+15035550102"), FakeLine(lambda: EPOCH)
    taken = PromisedCallbacks(callbacks, line, VirtualClock())
    assert await taken.take_over() == 2
    assert [(p.state, p.callback_number, p.arrival.skill) for p in line.places.values()] == [
        ("callback", "+15035550101", "discs"),
        ("callback", "+15035550102", "discs"),
    ]
    assert line.places[1].arrival.said == "tomorrow"
    assert await taken.take_over() == 0 and not await callbacks.waiting()


async def test_while_the_line_is_away_they_stay_promised() -> None:
    callbacks, line = await promised("+15035550101"), FakeLine(lambda: EPOCH)
    line.down = True
    with pytest.raises(StoreUnavailable):
        await PromisedCallbacks(callbacks, line, VirtualClock()).take_over()
    assert len(await callbacks.waiting()) == 1
