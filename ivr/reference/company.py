"""The films company, as ``[company] package`` finds it: its parts put together, on a database or in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from aiohttp import web

from ivr.actions import ActionSet
from ivr.company import Company, Held, OpenCompany, Record, Times
from ivr.reference import api, discs, holds, members, notes, queue, seed_data
from ivr.reference.backend import Backend
from ivr.reference.catalogue import CATALOGUE, Catalogue
from ivr.reference.memory import MemoryFilms
from ivr.reference.sql.members import SqlMembership
from ivr.reference.sql.queues import SqlQueues
from ivr.reference.sql.seeding import seed
from ivr.reference.sql.services import SqlServices
from ivr.store.database import Database
from ivr.store.memory import MemoryLedger
from ivr.store.migration import Branch
from ivr.store.retention import LONG_S

SIGNATURES = (*members.SIGNATURES, *queue.SIGNATURES, *discs.SIGNATURES, *notes.SIGNATURES, *holds.SIGNATURES)


class SqlFilms:
    """Implements ``ivr.reference.backend.Backend`` on a database."""

    def __init__(self, database: Database, times: Times) -> None:
        self.membership = SqlMembership(database)
        self.queues = SqlQueues(database, times.now)
        self.services = SqlServices(database, times.now)


class OpenFilms(OpenCompany):
    def __init__(self, backend: Backend, times: Times, database: Database | None = None) -> None:
        self.membership = backend.membership
        self.queues = backend.queues
        self.services = backend.services
        self._times = times
        self._database = database
        self._actions = self._action_set()

    @property
    def actions(self) -> ActionSet:
        return self._actions

    def _action_set(self) -> ActionSet:
        handlers = {
            **members.MemberActions(self.membership).handlers(),
            **queue.QueueActions(self.membership, self.queues).handlers(),
            **discs.DiscActions(self.membership, self.services).handlers(),
            **notes.NoteActions(self.membership, self.services).handlers(),
            **holds.HoldActions(self.membership, self.services, self._times.today).handlers(),
        }
        catalogue = Catalogue(self.membership, self._times.now)
        return ActionSet(SIGNATURES, handlers, {CATALOGUE: catalogue.terms})

    def routes(self) -> Sequence[web.RouteDef]:
        return api.routes(self.membership.profile)

    async def knows(self, phone: str) -> bool:
        return bool(await self.membership.numbers_by_phone(phone))

    async def records(self, caller_id: str) -> Mapping[str, Held] | None:
        profile = await self.membership.profile(caller_id)
        if profile is None:
            return None
        return {
            "queue": tuple(title.name for title in profile.queue),
            "discs": tuple(title.name for title in profile.discs),
            "notes": tuple(note.text for note in await self.services.notes(caller_id)),
            "hold_until": profile.hold_until.isoformat() if profile.hold_until is not None else "",
        }

    async def counts(self) -> Mapping[str, int]:
        return {"titles": len(await self.membership.titles()), "members": await self.membership.count()}

    async def seed(self) -> Mapping[str, int]:
        if self._database is None:
            return {}
        return await self._database.write(partial(seed, now=self._times.now()), timeout_s=LONG_S)


class Films(Company):
    name = "films"
    signatures = SIGNATURES
    records: Mapping[str, Record] = {
        "queue": Record("the member's titles, in order", "list"),
        "discs": Record("the titles at the member's home", "list"),
        "notes": Record("parts of the notes kept about the member, one each", "parts"),
        "hold_until": Record('YYYY-MM-DD, or "" for no hold'),
    }
    identify = "member.identify_by_caller"
    branches = (Branch("films", Path(__file__).parent / "migrations"),)

    def on(self, database: Database, times: Times) -> OpenFilms:
        return OpenFilms(SqlFilms(database, times), times, database)

    def in_memory(self, times: Times, ledger: MemoryLedger) -> OpenFilms:
        return OpenFilms(MemoryFilms(times.now, ledger), times)

    @property
    def examples(self) -> Sequence[str]:
        return tuple(name for name, _ in seed_data.members()[0].queue)


COMPANY = Films()
