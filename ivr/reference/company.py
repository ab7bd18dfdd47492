"""The films company, as ``[company] package`` finds it: its parts put together, on a database or in memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, time
from functools import partial
from pathlib import Path

from aiohttp import web

from ivr.actions import ActionSet
from ivr.company import Company, Held, OpenCompany, Record, Times
from ivr.ports import ActionCall, ByAgent, Granted, Panel, VerificationTries
from ivr.ports.data_subject import KeptRows
from ivr.reference import deliveries, members, panel, queue, seed_data
from ivr.reference.backend import Backend, MemberProfile, MemberRecords
from ivr.reference.grants import Grants
from ivr.reference.member_file import MEMBERSHIP, SERVICE, MemberFile
from ivr.reference.memory import MemoryFilms
from ivr.reference.sql import SqlFilms, seed
from ivr.reference.titles import CATALOGUE, Catalogue
from ivr.store.database import Database
from ivr.store.ledger import Json
from ivr.store.memory import MemoryLedger
from ivr.store.migration import Branch
from ivr.store.retention import LONG_S
from ivr.store.verification import MemoryVerificationLog, VerificationLog
from ivr.web.backend import in_time
from ivr.web.formats import json_response

AGENT_NOTE = "agent"
SIGNATURES = (*members.SIGNATURES, *queue.SIGNATURES)


def queue_routes(profile_of: Callable[[str], Awaitable[MemberProfile | None]]) -> Sequence[web.RouteDef]:
    """A member's queue as an HTTP resource."""

    async def member_queue(request: web.Request) -> web.Response:
        """The titles in order; 404 for a stranger. Raises StoreUnavailable."""
        number = request.match_info["number"]
        profile = await in_time(profile_of(number))
        if profile is None:
            raise web.HTTPNotFound(text="no such member")
        entries = [{"position": i, "title": t.name, "id": t.id} for i, t in enumerate(profile.queue, 1)]
        return json_response({"member": number, "queue": entries})

    return [web.get("/api/members/{number}/queue", member_queue)]


class OpenFilms(OpenCompany):
    def __init__(
        self, backend: Backend, tries: VerificationTries, times: Times, database: Database | None = None
    ) -> None:
        self.backend = backend
        self._tries = tries
        self._times = times
        self._database = database
        self._grants = None if database is None else Grants(database, times.now)
        self._catalogue = Catalogue(backend, times.now)

    @property
    def actions(self) -> ActionSet:
        handlers = {
            **members.MemberActions(self.backend, self._tries).handlers(),
            **queue.QueueActions(self.backend).handlers(),
        }
        return ActionSet(SIGNATURES, handlers, {CATALOGUE: self._catalogue.terms})

    def routes(self) -> Sequence[web.RouteDef]:
        return [*queue_routes(self.backend.profile), *deliveries.routes(self.backend, self._times.today)]

    async def knows(self, phone: str) -> bool:
        return bool(await self.backend.numbers_by_phone(phone))

    async def records(self, caller_id: str) -> Mapping[str, Held] | None:
        profile = await self.backend.profile(caller_id)
        if profile is None:
            return None
        return {
            "queue": tuple(title.name for title in profile.queue),
            "discs": tuple(title.name for title in profile.discs),
            "notes": tuple(note.text for note in await self.backend.notes(caller_id)),
            "hold_until": profile.hold_until.isoformat() if profile.hold_until is not None else "",
        }

    async def panel(self, caller_id: str) -> Panel | None:
        profile = await self.backend.profile(caller_id)
        if profile is None:
            return None
        given = None if self._grants is None else await self._grants.of(caller_id)
        return panel.panel_of(profile, await self.backend.notes(caller_id), given, self._times.now())

    async def grant(self, caller_id: str, goodwill: str, choice: str, by: ByAgent) -> Granted:
        if self._grants is None:
            return await super().grant(caller_id, goodwill, choice, by)
        began = datetime.combine(self._times.today(), time(), self._times.zone)
        return await self._grants.give(caller_id, goodwill, choice, by, began)

    async def undo(self, caller_id: str, grant_id: str, by: ByAgent) -> None:
        if self._grants is None:
            return await super().undo(caller_id, grant_id, by)
        return await self._grants.undo(caller_id, grant_id, by)

    async def add_note(self, caller_id: str, text: str, by: ByAgent) -> None:
        async def change(records: MemberRecords) -> Json:
            await records.add_note(text, AGENT_NOTE, by.display)
            return {}

        call = ActionCall("notes.add", {}, by.key, by.call_id, {}, actor=by.name)
        await self.backend.change(caller_id, call, change)

    async def persons(self, phone: str) -> Sequence[str]:
        return await self.backend.numbers_by_phone(phone)

    async def kept(self, caller_id: str) -> Sequence[KeptRows]:
        return [] if self._database is None else await MemberFile(self._database, self._times.now).kept(caller_id)

    async def forget(self, caller_id: str) -> Mapping[str, int]:
        return {} if self._database is None else await MemberFile(self._database, self._times.now).forget(caller_id)

    async def counts(self) -> Mapping[str, int]:
        return {"titles": len(await self.backend.titles()), "members": await self.backend.count()}

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
    kept: Mapping[str, str] = {
        **dict.fromkeys(("members", "member_phones", "member_pins", "queue_entries", "discs", "holds"), MEMBERSHIP),
        **dict.fromkeys(("disc_reports", "goodwill_grants"), SERVICE),
        **dict.fromkeys(("notes", "note_changes"), "until the member, an agent or ivr forget deletes them"),
        "titles": "the catalogue; nobody's data",
    }
    identify = "member.identify_by_caller"
    branches = (Branch("films", Path(__file__).parent / "migrations"),)

    def on(self, database: Database, times: Times) -> OpenFilms:
        return OpenFilms(SqlFilms(database, times.now), VerificationLog(database, times.now), times, database)

    def in_memory(self, times: Times, ledger: MemoryLedger) -> OpenFilms:
        return OpenFilms(MemoryFilms(times.now, ledger), MemoryVerificationLog(times.now), times)

    @property
    def examples(self) -> Sequence[str]:
        return tuple(name for name, _ in seed_data.members()[0].queue)


COMPANY = Films()
