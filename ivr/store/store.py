"""The store as the service sees it: every table group behind one URL, and migrations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ivr.store import migration
from ivr.store.callbacks import CallbackRequests
from ivr.store.calls import CallLog, HandoffContexts
from ivr.store.database import TIMEOUT_S, Database
from ivr.store.flow_versions import FlowVersions
from ivr.store.ledger import AuditTrail
from ivr.store.migration import CORE, Branch
from ivr.store.retention import Retention
from ivr.store.tables import metadata
from ivr.store.verification import VerificationLog


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """``revision`` is "" for an empty database; ``up_to_date`` says whether ``upgrade`` has nothing to do.

    Both read like "0002", or "0002, films 0001" with a company's own branch."""

    database: str
    revision: str
    head: str

    @property
    def up_to_date(self) -> bool:
        return self.revision == self.head


class Store:
    """All persistence behind one URL. Connections are made when first needed; ``upgrade`` before first use.

    ``branches``: migrations of tables beside the store's own. ``node``: this service, among those that share the
    database."""

    def __init__(
        self,
        url: str,
        *,
        branches: Sequence[Branch] = (),
        timeout_s: float = TIMEOUT_S,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        node: str = "",
    ) -> None:
        self.database = Database(url, timeout_s=timeout_s)
        self.now = now
        self._branches = (CORE, *branches)
        self.calls = CallLog(self.database, now, node)
        self.handoffs = HandoffContexts(self.database, now)
        self.flow_versions = FlowVersions(self.database, now)
        self.callbacks = CallbackRequests(self.database, now)
        self.audit = AuditTrail(self.database, now)
        self.verification = VerificationLog(self.database, now)
        self.retention = Retention(self.database, now)

    @property
    def name(self) -> str:
        """The URL without its password."""
        return self.database.name

    async def upgrade(self) -> None:
        """Create or migrate the tables; nothing to do when they are current. Raises StoreUnavailable.

        A database in memory belongs to this process alone and is simply created."""
        if self.database.in_memory:
            await self.database.write(lambda connection: connection.run_sync(metadata.create_all))
            return
        await migration.upgrade(self.database.url, self._branches)

    async def status(self) -> StoreStatus:
        """Raises StoreUnavailable when the database cannot be asked."""
        head = migration.head(self._branches)
        if self.database.in_memory:
            return StoreStatus(self.name, head, head)
        revision = await self.database.read(lambda connection: migration.revision(connection, self._branches))
        return StoreStatus(self.name, revision, head)

    async def ping(self) -> None:
        """For /readyz. Raises StoreUnavailable."""
        await self.database.ping()

    async def close(self) -> None:
        await self.database.close()
