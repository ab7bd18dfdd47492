"""A company: what one Python package brings to the line (actions, vocabularies, tables, example data, HTTP resources).

``[company] package`` names the package; its ``COMPANY`` is a ``Company``. A second company is a second package: derive
from ``Company`` and ``OpenCompany``, override what it has, and name the package. One that needs no Python (its flows
call ``[[flows.services]]``) is ``package = ""``. Nothing else in the product imports a company.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from importlib import import_module
from typing import Literal
from zoneinfo import ZoneInfo

from aiohttp import web

from ivr.actions import EVERYWHERE, ActionSet
from ivr.actions.plugins import plugins
from ivr.config import CompanyConfig, Config
from ivr.dialogue.flows.signature import ActionSignature
from ivr.errors import ActionError, ConfigError
from ivr.ports import ByAgent, Granted, Panel
from ivr.ports.data_subject import KeptRows
from ivr.store.database import Database
from ivr.store.memory import MemoryLedger
from ivr.store.migration import Branch

Held = str | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """Something kept about a caller that scripts may look at when the call is over.

    ``kind``: "text", "list" (in order), or "parts" (a list of texts; scripts give a part of each)."""

    about: str
    kind: Literal["text", "list", "parts"] = "text"


@dataclass(frozen=True, slots=True)
class Times:
    """``now`` is an aware clock, ``zone`` the company's: together they say what day it is there."""

    now: Callable[[], datetime]
    zone: ZoneInfo

    def today(self) -> date:
        return self.now().astimezone(self.zone).date()


class OpenCompany:
    """A company at work, on a database or in memory. This one has nothing of its own.

    All methods raise StoreUnavailable."""

    @property
    def actions(self) -> ActionSet:
        """A handler for each of the company's signatures, and the vocabularies that it offers to everybody."""
        return ActionSet()

    def routes(self) -> Sequence[web.RouteDef]:
        """HTTP resources beside the line's own, behind the same token."""
        return ()

    async def knows(self, phone: str) -> bool:
        """Whether somebody known calls from this number."""
        return False

    async def records(self, caller_id: str) -> Mapping[str, Held] | None:
        """What is kept of a caller now, by the names in ``Company.records``; None for a stranger."""
        return None

    async def panel(self, caller_id: str) -> Panel | None:
        """What a live agent sees of a member; None for a stranger. This and the next three: ``ports.MemberPanel``."""
        return None

    async def grant(self, caller_id: str, goodwill: str, choice: str, by: ByAgent) -> Granted:
        """Raises ActionError for what the policy refuses."""
        raise ActionError("there is nothing to grant here")

    async def undo(self, caller_id: str, grant_id: str, by: ByAgent) -> None:
        """Raises ActionError where it is too late."""
        raise ActionError("there is nothing to take back")

    async def add_note(self, caller_id: str, text: str, by: ByAgent) -> None:
        raise ActionError("no notes are kept here")

    async def persons(self, phone: str) -> Sequence[str]:
        """Ids of the callers who have this number on file: whose ``kept`` is shown, and who is forgotten."""
        return ()

    async def kept(self, caller_id: str) -> Sequence[KeptRows]:
        """What the company's tables have of one caller, all of it; also of one who is on no file any more."""
        return ()

    async def forget(self, caller_id: str) -> Mapping[str, int]:
        """Delete what ``kept`` shows and doesn't say stays; how many rows, by table. Twice is once."""
        return {}

    async def counts(self) -> Mapping[str, int]:
        """How much there is, by what it is: {"members": 8}."""
        return {}

    async def seed(self) -> Mapping[str, int]:
        """Add the example data that is missing; how much, by what it is."""
        return {}


class Company:
    """What a company is before it is opened. This one is a company without Python."""

    name: str = ""
    signatures: Sequence[ActionSignature] = ()
    records: Mapping[str, Record] = {}
    branches: Sequence[Branch] = ()
    kept: Mapping[str, str] = {}  # why its tables have no time after which their rows go, by table
    identify: str = ""  # the action, without arguments, that finds out who calls; "" where there is none

    def on(self, database: Database, times: Times) -> OpenCompany:
        return OpenCompany()

    def in_memory(self, times: Times, ledger: MemoryLedger) -> OpenCompany:
        """The example data, for simulated calls: fresh each time."""
        return OpenCompany()

    @property
    def examples(self) -> Sequence[str]:
        """Some names out of its vocabularies, to show what callers may say."""
        return ()

    @property
    def all_signatures(self) -> Mapping[str, ActionSignature]:
        """What its flows can do, by name: its own actions, those of plug-ins, and those that every company has.

        Raises ConfigError for a plug-in that can't be used, or that has an action of another's name."""
        ours = {signature.name: signature for signature in (*self.signatures, *EVERYWHERE)}
        theirs = {signature.name: signature for plugin in plugins() for signature in plugin.actions.signatures}
        if clash := sorted(ours.keys() & theirs):
            remedy = "uninstall the plug-in, or have its author rename them"
            raise ConfigError(f"a plug-in has actions of the line's own names: {', '.join(clash)}", remedy=remedy)
        return {**theirs, **ours}


def company_of(config: Config | None) -> Company:
    """The configured company; without a configuration, the one that ships. Raises ConfigError."""
    package = (config.company if config is not None else CompanyConfig()).package
    if not package:
        return Company()
    remedy = 'name an installed package, or write package = "" for a company without one'
    try:
        module = import_module(package)
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError) and f"{package}.".startswith(f"{error.name}.")
        why = f"there is no package {package}" if missing else f"{package} can't be imported: {error}"
        raise ConfigError(f"[company] package: {why}", remedy=remedy) from error
    company = getattr(module, "COMPANY", None)
    if not isinstance(company, Company):
        raise ConfigError(f"[company] package: {package} has no COMPANY", remedy=remedy)
    return company
