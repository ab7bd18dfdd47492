"""Call backs that flows promise: to whom, when, and what is never promised."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from ivr.actions.registry import ActionRegistry
from ivr.actions.waiting import WaitingActions
from ivr.config import Config
from ivr.desk.promises import PromisedCallbacks
from ivr.errors import ActionError
from ivr.events import ActionResult
from ivr.phones.destinations import Destinations
from ivr.ports import ActionCall
from ivr.store.memory import MemoryCallbacks, MemoryLedger
from tests.call.fakes import EPOCH, VirtualClock
from tests.call.line import FakeLine

NOBODY: Mapping[str, object] = {}


class Promising:
    """The action on a line in memory, with the numbers of the usual configuration."""

    def __init__(self, gateway: str = "sip:192.0.2.10") -> None:
        self.line = FakeLine(lambda: EPOCH)
        self.callbacks = MemoryCallbacks(lambda: EPOCH, MemoryLedger())
        trunk = {"name": "out", "allow": ["192.0.2.10"], "gateway": gateway}
        numbers = Destinations(Config.model_validate({"sip": {"trunks": [trunk]}}))
        waiting = WaitingActions(self.callbacks, self.line, Config().flows.numbering.number, numbers.subscriber)
        self._actions = ActionRegistry(waiting.actions)

    async def ask(
        self, caller: str = "5035550142", *, known: Mapping[str, object] = NOBODY, **arguments: str
    ) -> ActionResult:
        facts = {"call.caller": caller, **known}
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


@pytest.mark.parametrize(("level", "person"), [("likely", "member:10004"), ("unverified", "tel:+15035550142")])
async def test_who_only_claims_to_be_a_member_has_no_place_of_theirs_called_back_while_the_line_is_away(
    level: str, person: str
) -> None:
    promising = Promising()
    promising.line.down = True
    known = {"caller.id": "10004", "caller.name": "Lee", "caller.identity": level}
    assert (await promising.ask(known=known)).outcome == "ok"
    promising.line.down = False
    assert await PromisedCallbacks(promising.callbacks, promising.line, VirtualClock()).take_over() == 1
    (place,) = promising.line.places.values()
    assert (place.arrival.person, place.arrival.name, place.state) == (person, "Lee", "callback")
