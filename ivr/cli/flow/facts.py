"""What the tools know of the line: its configuration, and its vocabularies where the database can be asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

from ivr.actions import ActionRegistry
from ivr.cli.flow.options import existing_store
from ivr.company import Times, company_of
from ivr.config import Config
from ivr.dialogue.checker.facts import LineFacts
from ivr.errors import IvrError
from ivr.events import Term
from ivr.line_facts import line_facts


async def facts_of(config: Config | None) -> LineFacts:
    """A database that isn't there or doesn't answer leaves the vocabularies unknown."""
    return line_facts(config, await _vocabularies(config) if config is not None else None)


async def _vocabularies(config: Config) -> Mapping[str, Sequence[Term]] | None:
    company = company_of(config)
    try:
        store = existing_store(config.store.resolved())
    except IvrError:
        return None
    try:
        office = company.on(store.database, Times(store.now, ZoneInfo(config.flows.time_zone)))
        return await ActionRegistry(office.actions).vocabularies()
    except IvrError:
        return None
    finally:
        await store.close()
