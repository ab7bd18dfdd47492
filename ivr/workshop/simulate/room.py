"""What stands behind a simulated line: the real actions on a real database, scratch or not, and the desk's calendar."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from typing import Any, Protocol, TypeVar
from zoneinfo import ZoneInfo

from ivr.actions import StoreActions
from ivr.actions.backend import Backend
from ivr.actions.titles import terms
from ivr.config import Agent, Config, DeskConfig, Hours
from ivr.desk import ConfiguredDesk
from ivr.errors import ActionError, IvrError
from ivr.events import ActionResult, Term
from ivr.ports import ActionCall, Destination
from ivr.store import Store, seeding
from ivr.store.calls import CallLog
from ivr.store.members import Membership
from ivr.store.queues import Queues
from ivr.store.services import Callback, MemberServices
from ivr.store.tables import metadata
from ivr.workshop.simulate.scratch_database import ScratchDatabase

R = TypeVar("R")

TIME_ZONE = "America/Los_Angeles"
MOST_REMEMBERED = 300  # database images, about 230 kB each
HTTP = "http.call"

_DAY = "08:00-20:00"
USUAL_DESK = DeskConfig(
    hours=Hours(mon=_DAY, tue=_DAY, wed=_DAY, thu=_DAY, fri=_DAY, sat="09:00-17:00"),
    agents=(
        Agent(
            name="front-desk",
            target="sip:agent@127.0.0.1:5090",
            skills=("general", "retention", "discs"),
            on_call=True,
        ),
    ),
)
"""The desk where no configuration says otherwise: the one that ships."""


@dataclass(frozen=True, slots=True)
class Effects:
    """What the database holds of one member, for scripts to look at. Titles by name, ``until`` in ISO 8601."""

    queue: tuple[str, ...]
    discs: tuple[str, ...]
    notes: tuple[str, ...]
    hold_until: str
    damaged_reports: int


class Backroom(Protocol):
    """Behind one simulated call at a time. ``moment`` is the scripted time; ``down`` breaks the store."""

    moment: datetime
    down: bool
    zone: ZoneInfo

    async def perform(self, call: ActionCall) -> ActionResult: ...
    async def catalogue(self) -> tuple[Term, ...]: ...
    async def keep_place(self, member: str, snapshot: Mapping[str, Any]) -> None: ...
    async def take_place(self, member: str, not_before: datetime) -> Mapping[str, object] | None: ...
    async def effects(self, member: str) -> Effects | None: ...
    async def callbacks(self) -> tuple[Callback, ...]: ...
    def open_now(self, skill: str) -> bool: ...
    def destinations(self, skill: str) -> tuple[Destination, ...]: ...
    async def close(self) -> None: ...


class _NoContexts:
    """A simulated hand-over leaves nothing at the desk."""

    async def keep_context(self, token: str, call_id: str, payload: Mapping[str, Any], expires_at: datetime) -> None:
        return None

    async def context(self, token: str) -> Mapping[str, Any] | None:
        return None


def desk_of(config: Config | None) -> ConfiguredDesk:
    zone = config.flows.time_zone if config is not None else TIME_ZONE
    return ConfiguredDesk(
        config.desk if config is not None else USUAL_DESK, _NoContexts(), base_url="http://desk", time_zone=zone
    )


class _Room:
    """What both rooms share. HTTP services are never called from a simulation: their outcome is the script's."""

    def __init__(self, backend: Backend, calls: CallLog, services: MemberServices, config: Config | None) -> None:
        zone = config.flows.time_zone if config is not None else TIME_ZONE
        self.zone = ZoneInfo(zone)
        self.moment = datetime(2026, 1, 1, tzinfo=UTC)
        self._desk = desk_of(config)
        self._backend = backend
        self._calls = calls
        self._services = services
        self._actions = StoreActions(backend, time_zone=zone, now=self.now)
        self._catalogue: tuple[Term, ...] = ()

    def now(self) -> datetime:
        return self.moment

    async def _perform(self, call: ActionCall) -> ActionResult:
        return ActionResult("ok") if call.name == HTTP else await self._actions.perform(call)

    async def catalogue(self) -> tuple[Term, ...]:
        if not self._catalogue:
            self._catalogue = terms(await self._backend.membership.titles())
        return self._catalogue

    async def effects(self, member: str) -> Effects | None:
        profile = await self._backend.membership.profile(member)
        if profile is None:
            return None
        notes = await self._services.notes(member)
        return Effects(
            tuple(title.name for title in profile.queue),
            tuple(title.name for title in profile.discs),
            tuple(note.text for note in notes),
            profile.hold_until.isoformat() if profile.hold_until is not None else "",
            profile.damaged_reports,
        )

    async def callbacks(self) -> tuple[Callback, ...]:
        return tuple(await self._services.callbacks())

    def open_now(self, skill: str) -> bool:
        return self._desk.open_now(skill, self.moment)

    def destinations(self, skill: str) -> tuple[Destination, ...]:
        return tuple(self._desk.destinations(skill, self.moment))


class StoreRoom(_Room):
    """On a database of the designer's own, which keeps what is done to it."""

    def __init__(self, store: Store, config: Config | None = None) -> None:
        super().__init__(store, store.calls, store.services, config)
        store.now = self.now
        self.store = store
        self.down = False

    async def perform(self, call: ActionCall) -> ActionResult:
        if self.down:
            raise ActionError(f"{call.name}: the member store is not available")
        return await self._perform(call)

    async def keep_place(self, member: str, snapshot: Mapping[str, Any]) -> None:
        if not self.down:
            await self._calls.save_resume_point(member, snapshot, self.moment)

    async def take_place(self, member: str, not_before: datetime) -> Mapping[str, object] | None:
        return None if self.down else await self._calls.take_resume_point(member, not_before)

    async def close(self) -> None:
        await self._actions.close()
        await self.store.close()


@dataclass(slots=True, eq=False)
class _Image:
    """The database after some history, and what came of whatever was done to it then."""

    data: bytes
    outcomes: dict[object, tuple[Any, _Image]] = field(default_factory=dict)


class ScratchRoom(_Room):
    """On a seeded scratch database in memory, thrown away at the end; ``reset`` begins anew in no time.

    What an action does depends on the database, the call's facts, its arguments and the time, on nothing else. So an
    outcome is remembered under exactly these, with the database it leaves behind: repeating a script (on every
    change of a file, say) asks the database only where something new happens.
    """

    def __init__(self, config: Config | None = None) -> None:
        self.database = ScratchDatabase()
        self.membership = Membership(self.database)
        self.queues = Queues(self.database, self.now)
        self.services = MemberServices(self.database, self.now)
        calls = CallLog(self.database, self.now)
        super().__init__(self, calls, self.services, config)
        self._seeded: dict[object, _Image] = {}  # by day: what the seed shipped "last week" depends on it
        self._image: _Image | None = None
        self._loaded: _Image | None = None
        self._images = 0
        self.asked = 0  # of the database
        self.remembered = 0

    @property
    def down(self) -> bool:
        return self.database.down

    @down.setter
    def down(self, value: bool) -> None:
        self.database.down = value

    async def reset(self, moment: datetime) -> None:
        """The demonstration data as it is at ``moment``; nothing is broken."""
        self.moment, self.down = moment, False
        day = moment.astimezone(self.zone).date()
        if self._images > MOST_REMEMBERED:
            self._images = 0
            self._seeded.clear()
        if day not in self._seeded:
            midnight = datetime.combine(day, time(), self.zone)
            fresh = ScratchDatabase()
            await fresh.write(lambda connection: connection.run_sync(metadata.create_all))
            await fresh.write(lambda connection: seeding.seed(connection, midnight))
            self._seeded[day] = _Image(fresh.save())
            await fresh.close()
        self._image = self._seeded[day]

    async def perform(self, call: ActionCall) -> ActionResult:
        if call.name == HTTP:
            return await self._perform(call)
        key = (call.name, repr(call.arguments), call.key, call.call_id, repr(call.facts), call.language)
        return await self._remembering(key, lambda: self._perform(call))

    async def keep_place(self, member: str, snapshot: Mapping[str, Any]) -> None:
        if not self.down:
            await self._remembering(
                ("keep", member, repr(snapshot)), lambda: self._calls.save_resume_point(member, snapshot, self.moment)
            )

    async def take_place(self, member: str, not_before: datetime) -> Mapping[str, object] | None:
        if self.down:
            return None
        key = ("take", member, not_before)
        return await self._remembering(key, lambda: self._calls.take_resume_point(member, not_before))

    async def catalogue(self) -> tuple[Term, ...]:
        await self._asking()
        return await super().catalogue()

    async def effects(self, member: str) -> Effects | None:
        return await self._remembering(("effects", member), lambda: super(ScratchRoom, self).effects(member))

    async def callbacks(self) -> tuple[Callback, ...]:
        return await self._remembering(("callbacks",), super().callbacks)

    async def knows(self, phone: str) -> bool:
        """Whether a demonstration member calls from this number."""
        await self._asking()
        return bool(await self.membership.numbers_by_phone(phone))

    async def _remembering(self, key: object, work: Callable[[], Awaitable[R]]) -> R:
        if self.down:
            return await work()
        image = await self._now_at()
        whole = (self.moment, key)
        if whole in image.outcomes:
            self.remembered += 1
            result, self._image = image.outcomes[whole]
            return result  # type: ignore[no-any-return]
        await self._asking()
        before = self.database.changes
        self.asked += 1
        result = await work()
        if self.database.changes != before:
            self._images += 1
            self._image = self._loaded = _Image(self.database.save())
        assert self._image is not None
        image.outcomes[whole] = (result, self._image)
        return result

    async def _now_at(self) -> _Image:
        if self._image is None:
            await self.reset(self.moment)
        assert self._image is not None
        return self._image

    async def _asking(self) -> None:
        """Before the database is asked, it must be the one that the call's history left."""
        image = await self._now_at()
        if self._loaded is not image:
            self.database.load(image.data)
            self._loaded = image

    async def close(self) -> None:
        await self._actions.close()
        await self.database.close()


async def store_room(url: str, config: Config | None = None) -> StoreRoom:
    """A room on ``url``, brought up to date and seeded. Raises StoreUnavailable, ConfigError."""
    store = Store(url)
    try:
        await store.upgrade()
        await store.seed()
    except IvrError:
        await store.close()
        raise
    return StoreRoom(store, config)
