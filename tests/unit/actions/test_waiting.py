"""Call backs that flows promise: to whom, when, and what is never promised."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ivr.actions.registry import ActionRegistry
from ivr.actions.waiting import WaitingActions
from ivr.config import Config
from ivr.errors import ActionError
from ivr.events import ActionResult
from ivr.phones.destinations import Destinations
from ivr.ports import ActionCall
from ivr.store.memory import MemoryCallbacks, MemoryLedger
from tests.call.fakes import EPOCH
from tests.call.line import FakeLine


class Promising:
    """The action on a line in memory, with the numbers of the usual configuration."""

    def __init__(self, gateway: str = "sip:192.0.2.10") -> None:
        self.line = FakeLine(lambda: EPOCH)
        self.callbacks = MemoryCallbacks(lambda: EPOCH, MemoryLedger())
        trunk = {"name": "out", "allow": ["192.0.2.10"], "gateway": gateway}
        numbers = Destinations(Config.model_validate({"sip": {"trunks": [trunk]}}))
        waiting = WaitingActions(self.callbacks, self.line, Config().flows.numbering.number, numbers.subscriber)
        self._actions = ActionRegistry(waiting.actions)

    async def ask(self, caller: str = "5035550142", **arguments: str) -> ActionResult:
        facts = {"call.caller": caller}
        return await self._actions.perform(ActionCall("callback.request", arguments, f"key of {caller}", caller, facts))


@pytest.mark.parametrize("number", ["9005551212", "911", "1234567", "882312345678"])
async def test_what_would_be_refused_when_it_is_dialled_is_not_promised(number: str) -> None:
    promising = Promising()
    assert (await promising.ask(number=number)).outcome == "no_number"
    assert not promising.line.places and not await promising.callbacks.waiting()


async def test_what_no_trunk_can_dial_is_not_promised() -> None:
    promising = Promising(gateway="")
    with pytest.raises(ActionError, match="no trunk takes calls out"):
        await promising.ask()
    assert not promising.line.places and not await promising.callbacks.waiting()


async def test_a_moment_is_when_they_are_called_and_words_are_for_the_agent_to_read() -> None:
    promising = Promising()
    assert (await promising.ask(when="2026-03-02T10:00:00+00:00")).outcome == "ok"
    assert (await promising.ask(caller="5035550143", when="tomorrow at ten")).outcome == "ok"
    moment, words = promising.line.places.values()
    assert moment.due_at == datetime(2026, 3, 2, 10, tzinfo=UTC) and moment.callback_number == "+15035550142"
    assert words.arrival.said == "tomorrow at ten"
    assert not await promising.callbacks.waiting(), "one promise is kept in one place"
