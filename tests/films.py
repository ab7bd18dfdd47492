"""The films company on a database, for tests."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from ivr.actions import ActionRegistry, consent, messages
from ivr.actions.registry import parse
from ivr.actions.waiting import WaitingActions
from ivr.company import Times
from ivr.events import CALLER_ID, ActionResult
from ivr.ports import ActionCall
from ivr.reference import COMPANY
from ivr.reference.company import OpenFilms
from ivr.reference.queue import Edit, rearrange
from ivr.store import Store
from ivr.store.ledger import Json

ZONE = ZoneInfo("America/Los_Angeles")


def films_store(url: str, **options: Any) -> Store:
    """A store that has the company's tables once it is upgraded."""
    return Store(url, branches=COMPANY.branches, **options)


def films_on(store: Store) -> OpenFilms:
    return COMPANY.on(store.database, Times(store.now, ZONE))


async def edited(store: Store, edit: Edit, *, key: str, call_id: str) -> Json:
    """Member 10001's queue, changed by ``edit`` as by an action: outcome, ``before`` and ``after``."""
    return await rearrange(films_on(store).backend, "10001", ActionCall("queue.test", {}, key, call_id, {}), edit)


async def done(store: Store, name: str, member: str, *, key: str, call_id: str, **arguments: object) -> ActionResult:
    """An action on behalf of a member. Raises what its handler raises."""
    action = films_on(store).actions
    signature = next(each for each in action.signatures if each.name == name)
    call = ActionCall(name, arguments, key, call_id, {CALLER_ID: member})
    return await action.handlers[name](parse(signature, call))


def actions_on(store: Store) -> ActionRegistry:
    """The company's actions and the promise to call back, as the service puts them together."""
    ours = (films_on(store).actions, WaitingActions(store.callbacks).actions)
    return ActionRegistry(*ours, consent.ACTIONS, messages.ACTIONS)
