"""The store as the service sees it: every table group behind one URL, and migrations."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog

from ivr.errors import ConfigError, StoreUnavailable
from ivr.ports import Clock, Orphan
from ivr.sealing import Keys
from ivr.store import callbacks, calls, handoff_contexts, live_dialogs, migration, resume_points, tables
from ivr.store.accounts import AccountTables
from ivr.store.announced import AnnouncementTable
from ivr.store.api_tokens import TokenTable
from ivr.store.audit_log import AuditLogTable
from ivr.store.callbacks import CallbackRequests
from ivr.store.calls import CallLog
from ivr.store.database import TIMEOUT_S, Database
from ivr.store.deaths import Deaths
from ivr.store.desk_history import DeskHistory
from ivr.store.desk_settings import DeskSettingsTable
from ivr.store.flow_drafts import FlowDrafts
from ivr.store.flow_versions import FlowVersions
from ivr.store.handoff_contexts import HandoffContexts
from ivr.store.lease import LOST, LineLease
from ivr.store.ledger import AuditTrail
from ivr.store.line import LineTables
from ivr.store.line.tie_tokens import TieTokens
from ivr.store.live_dialogs import LiveDialogLog
from ivr.store.migration import CORE, Branch
from ivr.store.person import PersonTables
from ivr.store.recordings import RecordingTable
from ivr.store.registrations import RegistrationLeaseTable
from ivr.store.retention import Retention
from ivr.store.spool import Spool
from ivr.store.spool_folder import folder_for, waiting_in
from ivr.store.verification import VerificationLog
from ivr.store.writer import Writer

RULES = {
    **calls.RULES, **resume_points.RULES, **handoff_contexts.RULES, **callbacks.RULES, **live_dialogs.RULES,
}  # fmt: skip
TIDY_S = 30.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """``revision`` is "" for an empty database. ``newer``: a later release has upgraded some of it; ``usable``: this
    one runs on it as it is; ``pending``: how many migrations ``upgrade`` would run.

    Both revisions read like "0002", or "0002, films 0001" with a company's own branch."""

    database: str
    revision: str
    head: str
    newer: bool = False
    usable: bool = True
    pending: int = 0


class Store:
    """All persistence behind one URL. Connections are made when first needed, after ``upgrade`` or ``prepare``.

    ``branches``: migrations of tables beside the store's own. ``node``: this service, among those that share the
    database. ``line``: this process, where it serves calls: it ``begin``s after the upgrade and is ``run``; "" for one
    that only looks. ``spool``: the folder where writes of lines wait for a database that is away, at most ``spool_mb``
    for each; None for nowhere. ``keys``: what live calls need confidentially is sealed by these. ``gather_s``: what
    calls have to write goes into one transaction in so many seconds. ``drains``: whether the line begins no calls
    now."""

    def __init__(
        self,
        url: str,
        *,
        branches: Sequence[Branch] = (),
        timeout_s: float = TIMEOUT_S,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        node: str = "",
        line: str = "",
        spool: Path | None = None,
        spool_mb: int = 64,
        gather_s: float = 0.0,
        keys: Keys = live_dialogs.UNSEALED,
        drains: Callable[[], bool] = lambda: False,
    ) -> None:
        self.database = Database(url, timeout_s=timeout_s)
        self.now = now
        self._branches = (CORE, *branches)
        self.spool_folder = folder_for(spool, self.database.identity) if spool is not None else None
        self._spool = (
            Spool(self.spool_folder, line, spool_mb * 1_000_000) if line and self.spool_folder is not None else None
        )
        self._lease = LineLease(self.database, now, line, node, drains) if line else None
        self._deaths = Deaths(self.database, now, line, self.spool_folder)
        if self._lease is not None:
            self._lease.learn_of(lambda: self._deaths.certain)
        self._writer = writer = Writer(self.database, RULES, self._spool, gather_s)
        self.calls = CallLog(self.database, now, writer, node, self._lease)
        self._inherited: Sequence[Orphan] = ()
        self.dialogs = LiveDialogLog(self.database, now, writer, self._lease, self._deaths, node, keys)
        self.handoffs = HandoffContexts(self.database, now, writer)
        self.flow_versions = FlowVersions(self.database, now)
        self.drafts = FlowDrafts(self.database, now)
        self.callbacks = CallbackRequests(self.database, now, writer)
        self.audit = AuditTrail(self.database, now)
        self.audit_log = AuditLogTable(self.database, now)
        self.line = LineTables(self.database, now, self._lease)
        self.ties = TieTokens(self.database, now, self._lease)
        self.verification = VerificationLog(self.database, now)
        self.accounts = AccountTables(self.database, now)
        self.tokens = TokenTable(self.database, now)
        self.announced = AnnouncementTable(self.database, now)
        self.desk_settings = DeskSettingsTable(self.database, now)
        self.desk_history = DeskHistory(self.database, now)
        self.recordings = RecordingTable(self.database, now)
        self.registrations = RegistrationLeaseTable(self.database, now, self._lease, node)
        self.retention = Retention(self.database, now, self.spool_folder)
        self.persons = PersonTables(self.database, now, self.retention)

    @property
    def name(self) -> str:
        """The URL without its password."""
        return self.database.name

    async def upgrade(self, tell: migration.Tell = lambda applied: None, *, patient: bool = False) -> None:
        """Create or migrate the tables; nothing to do when they are current, or newer and of use. ``tell`` hears of
        each migration; ``patient``: it may take long. Raises StoreUnavailable.

        A database in memory belongs to this process alone and is simply created."""
        if self.database.in_memory:
            await self.database.write(lambda connection: connection.run_sync(tables.metadata.create_all))
            return
        timeout_s = None if patient else migration.UPGRADE_S
        await migration.upgrade(self.database.url, self._branches, tell, timeout_s)

    async def prepare(self) -> None:
        """Before a line begins. A file is this machine's, and upgraded; PostgreSQL is shared with lines of another
        release, perhaps, and only looked at. Raises StoreUnavailable, with what the operator has to do."""
        if self.database.sqlite:
            await self.upgrade()
            return
        now = await self.status()
        if now.usable:
            if now.newer:
                log.info("store.newer", revision=now.revision, head=now.head)
            return
        if now.newer:
            raise StoreUnavailable(
                f"{now.database} is at revision {now.revision}, which keeps this release ({now.head}) out",
                remedy=migration.NEWER,
            )
        said = f"is at revision {now.revision}, this release needs {now.head}" if now.revision else "is empty"
        raise StoreUnavailable(f"{now.database} {said}", remedy="run: ivr db upgrade")

    async def status(self) -> StoreStatus:
        """Raises StoreUnavailable when the database cannot be asked."""
        head = migration.head(self._branches)
        if self.database.in_memory:
            return StoreStatus(self.name, head, head)
        found = await self.database.read(lambda connection: migration.standings(connection, self._branches))
        revision = migration.joined(self._branches, [each.revision for each in found])
        newer, usable = any(each.newer for each in found), all(each.runs for each in found)
        return StoreStatus(self.name, revision, head, newer, usable, sum(each.pending for each in found))

    async def begin(self, *, heir: bool = False) -> int:
        """This line serves calls from now on; how many calls of dead ones were ended. Who waited with one of these is
        away, and keeps the place. ``heir``: those that it can go on with are ``inherited`` instead, where no other
        line lives that will. Raises StoreUnavailable."""
        if self._lease is None:
            return 0
        gone = await self._spool.adopt() if self._spool is not None else ()
        self._inherited = await self.dialogs.inherit(gone) if heir else ()
        ended = await self._lease.begin(gone) + await self.calls.end_unfinished(LOST, self.now())
        await self.line.reap(silent=False)
        return ended

    async def run(self, clock: Clock, live: Callable[[], Iterable[str]]) -> None:
        """Beside the calls, until cancelled. ``live``: ids of those in progress."""
        if self._lease is None:
            return
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._lease.run(clock, live))
            if self._spool is not None:
                tasks.create_task(self._writer.recover(clock))
            tasks.create_task(self._tidy(self._lease, clock, live))

    async def _tidy(self, lease: LineLease, clock: Clock, live: Callable[[], Iterable[str]]) -> None:
        """What lines of this machine left that died and were not started again, and this line's own loose ends."""
        while True:
            await clock.sleep(TIDY_S)
            if self._spool is not None:
                lease.bury(await self._spool.adopt())
            with suppress(StoreUnavailable):
                await lease.tidy(live)
                await self.dialogs.sweep()

    @property
    def inherited(self) -> Sequence[Orphan]:
        """Calls of before this process was started again."""
        return self._inherited

    def has_room(self, calls: int | None) -> None:
        """For so many calls of dead lines; None: it takes none over, and loses none to others."""
        if self._lease is not None:
            self._lease.room = calls

    @property
    def waiting(self) -> int:
        """How many writes wait for the database in this line's spool."""
        return self._spool.waiting if self._spool is not None else 0

    @property
    def lost(self) -> int:
        """How many writes neither the database nor the spool took."""
        return self._spool.lost if self._spool is not None else 0

    @property
    def unpurged(self) -> str:
        """Why retention failed last; "" when it didn't."""
        return self.retention.trouble

    def spooled(self) -> int:
        """How many writes wait on disk, of all lines of this machine."""
        return waiting_in(self.spool_folder) if self.spool_folder is not None else 0

    async def ping(self) -> None:
        """For /readyz: whether a call could be written down now. Raises StoreUnavailable."""
        await self.database.ping((tables.calls, tables.call_entries))

    async def whole_id(self, beginning: str) -> str:
        """The id of the one call that begins so. Raises ConfigError for none and for several; StoreUnavailable."""
        found = await self.calls.ids(beginning.strip().lower()) if beginning.strip() else []
        if len(found) == 1 or beginning in found:
            return beginning if beginning in found else found[0]
        if not found:
            raise ConfigError(
                f"there is no call {beginning} in {self.name}",
                remedy="/api/calls and ivr tail have the ids; their beginning will do",
            )
        raise ConfigError(
            f"several calls begin with {beginning}: {', '.join(found[:5])}{', …' if len(found) > 5 else ''}",
            remedy="write more of the one you mean",
        )

    async def close(self) -> None:
        """The line serves no longer; what the database did not take waits in the spool."""
        await self._writer.close()
        if self._lease is not None:
            with suppress(StoreUnavailable):
                await self._lease.close()
                await self.line.reap(silent=False)
        if self._spool is not None:
            await self._spool.close()
        await self.database.close()
