"""What the tools know of the line: its configuration, and its catalogue where the database can be asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ivr.actions import StoreActions
from ivr.actions.registry import CATALOGUE
from ivr.cli.flow.stored import existing_store
from ivr.config import Config
from ivr.dialogue.checker.facts import LineFacts
from ivr.errors import IvrError
from ivr.events import Term
from ivr.line_facts import line_facts


async def facts_of(config: Config | None) -> LineFacts:
    """A database that isn't there or doesn't answer leaves the catalogue unknown."""
    return line_facts(config, await _vocabularies(config) if config is not None else None)


async def _vocabularies(config: Config) -> Mapping[str, Sequence[Term]] | None:
    try:
        store = existing_store(config.store.resolved())
    except IvrError:
        return None
    actions = StoreActions(store)
    try:
        return {CATALOGUE: await actions.vocabulary(CATALOGUE)}
    except IvrError:
        return None
    finally:
        await actions.close()
        await store.close()
