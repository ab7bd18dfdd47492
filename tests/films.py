"""The films company on a database, for tests."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from ivr.actions import ActionRegistry
from ivr.actions.callbacks import CallbackActions
from ivr.company import Times
from ivr.reference import COMPANY
from ivr.reference.company import OpenFilms
from ivr.store import Store

ZONE = ZoneInfo("America/Los_Angeles")


def films_store(url: str, **options: Any) -> Store:
    """A store that has the company's tables once it is upgraded."""
    return Store(url, branches=COMPANY.branches, **options)


def films_on(store: Store) -> OpenFilms:
    return COMPANY.on(store.database, Times(store.now, ZONE))


def actions_on(store: Store) -> ActionRegistry:
    """The company's actions and the promise to call back, as the service puts them together."""
    return ActionRegistry(films_on(store).actions, CallbackActions(store.callbacks).actions)
