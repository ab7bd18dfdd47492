"""The sandbox of a simulated call: the company's real actions, in memory or on a database, and the desk's calendar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from ivr.actions import ActionRegistry, consent, messages
from ivr.actions.history import HistoryActions
from ivr.actions.http import NAME as HTTP
from ivr.actions.plugins import plugins
from ivr.actions.waiting import WaitingActions
from ivr.company import Held, OpenCompany, Times, company_of
from ivr.config import Agent, Config, DeskConfig, Hours
from ivr.desk import ConfiguredDesk
from ivr.dialogue.flows.library import FlowLibrary
from ivr.dialogue.understanding.classifier import LearningClassifiers
from ivr.embedding.loading import rehearsing
from ivr.errors import ActionError, StoreUnavailable
from ivr.events import MESSAGE_LEAVE, MESSAGE_TAKE, ActionResult, Term
from ivr.ports import ActionCall, Callback, Callbacks, DeskSettings, Destination, ResumePoints
from ivr.store import Store
from ivr.store.memory import MemoryCallbacks, MemoryLedger, MemoryResumePoints
from ivr.workshop.simulate.mock_services import MockServices
from ivr.workshop.simulate.service_recorder import ServiceRecorder

TIME_ZONE = "America/Los_Angeles"

_DAY = "08:00-20:00"
USUAL_DESK = DeskConfig(
    hours=Hours(mon=_DAY, tue=_DAY, wed=_DAY, thu=_DAY, fri=_DAY, sat="09:00-17:00"),
    agents=(Agent(name="front-desk", target="sip:agent@127.0.0.1:5090", skills=("general",), on_call=True),),
)
"""The desk where no configuration says otherwise: the one that ships."""

A_MESSAGE = {"recording": "message", "words": "This is a message.", "seconds": 3, "sureness": 90}
"""There is no voice to record."""


class _NoContexts:
    """A simulated hand-over leaves nothing at the desk."""

    async def keep_context(self, token: str, call_id: str, payload: Mapping[str, Any], expires_at: datetime) -> bool:
        return True

    async def context(self, token: str) -> Mapping[str, Any] | None:
        return None


class Sandbox:
    """In memory, on the example data, which ``reset`` begins anew in no time. For one simulated call at a time.

    ``moment`` is the scripted time; ``settings`` are a supervisor's; ``down`` breaks the store. HTTP services are not
    called from a simulation: ``mocks`` answer, after what the simulation itself says of them; where it is recorded what
    they do answer, ``recorder`` asks them. Plug-ins are never called."""

    def __init__(self, config: Config | None = None) -> None:
        self.company = company_of(config)
        zone = config.flows.time_zone if config is not None else TIME_ZONE
        self.zone = ZoneInfo(zone)
        self.moment = datetime(2026, 1, 1, tzinfo=UTC)
        self.down = False
        self.times = Times(self.now, self.zone)
        desk = config.desk if config is not None else USUAL_DESK
        self.settings = DeskSettings()
        self._cache = config.speech.cache / "classifiers" if config is not None else None
        self._desk = ConfiguredDesk(
            desk, _NoContexts(), base_url="http://desk", time_zone=zone, settings=lambda: self.settings
        )
        self._known: Mapping[str, tuple[Term, ...]] = {}
        self.mocks = MockServices()
        self.recorder: ServiceRecorder | None = None
        self._renew()

    def _renew(self) -> None:
        ledger = MemoryLedger()
        office = self.company.in_memory(self.times, ledger)
        self._open(office, MemoryCallbacks(self.now, ledger), MemoryResumePoints())

    def _open(self, office: OpenCompany, callbacks: Callbacks, points: ResumePoints) -> None:
        self._office, self._callbacks, self._points = office, callbacks, points
        waiting, history = WaitingActions(callbacks), HistoryActions(None, self.now)
        ours = (office.actions, waiting.actions, history.actions, consent.ACTIONS, messages.ACTIONS)
        self._actions = ActionRegistry(*(plugin.rehearsed for plugin in plugins()), *ours)

    @property
    def classifiers(self) -> LearningClassifiers | None:
        """The line's own, fitted when they are first asked for."""
        return rehearsing(self._cache)

    async def reset(self, moment: datetime) -> None:
        """The example data as it is at ``moment``; nothing is broken."""
        self.moment, self.down = moment, False
        self._renew()

    async def close(self) -> None:
        """Nothing stays behind."""

    def now(self) -> datetime:
        return self.moment

    async def perform(self, call: ActionCall) -> ActionResult:
        if call.name == HTTP:
            return self.mocks.perform(call) if self.recorder is None else await self.recorder.perform(call)
        if self.down:
            raise ActionError(f"{call.name}: the store is not available")
        if call.name == MESSAGE_LEAVE:  # there is no voice to record
            return ActionResult("ok")
        if call.name == MESSAGE_TAKE:
            call = replace(call, arguments={**call.arguments, **A_MESSAGE})
        return await self._actions.perform(call)

    async def vocabularies(self) -> Mapping[str, tuple[Term, ...]]:
        """The company's, for everybody. They don't change while a simulation runs."""
        if not self._known:
            self._known = await self._actions.vocabularies()
        return self._known

    async def service_vocabularies(self, library: FlowLibrary, mocks: MockServices) -> Mapping[str, tuple[Term, ...]]:
        """Those that the company's services have, as ``mocks`` say."""
        asked = await self.recorder.vocabularies() if self.recorder is not None else {}
        return {**asked, **mocks.vocabularies(library)}

    async def keep_place(self, caller_id: str, snapshot: Mapping[str, Any]) -> None:
        if not self.down:
            await self._points.save_resume_point(caller_id, snapshot, self.moment)

    async def take_place(self, caller_id: str, not_before: datetime) -> Mapping[str, object] | None:
        return None if self.down else await self._points.take_resume_point(caller_id, not_before)

    async def records(self, caller_id: str) -> Mapping[str, Held] | None:
        """What the company keeps of a caller. Raises StoreUnavailable while ``down``."""
        if self.down:
            raise StoreUnavailable("the store was told to fail")
        return await self._office.records(caller_id)

    async def callbacks(self) -> Sequence[Callback]:
        return await self._callbacks.waiting()

    async def knows(self, phone: str) -> bool:
        """Whether somebody in the example data calls from this number."""
        return await self._office.knows(phone)

    def fact(self, name: str) -> object:
        return self._desk.fact(name, self.moment)

    def destinations(self, skill: str) -> tuple[Destination, ...]:
        return tuple(self._desk.destinations(skill, self.moment))


class StoreSandbox(Sandbox):
    """On a database of the designer's own, which keeps what is done to it."""

    def __init__(self, url: str, config: Config | None = None) -> None:
        super().__init__(config)
        self.store = Store(url, branches=self.company.branches, now=self.now)
        office = self.company.on(self.store.database, self.times)
        self._open(office, self.store.callbacks, self.store.calls)

    async def reset(self, moment: datetime) -> None:
        """Up to date, with today's example data where it is missing; nothing is broken. Raises StoreUnavailable."""
        self.moment, self.down = datetime.now(UTC), False
        await self.store.upgrade()
        await self._office.seed()
        self.moment = moment

    async def close(self) -> None:
        await self.store.close()
