"""The writer: what must be in the database in the end goes there at once, or into the spool and there later, in order.

While anything waits, everything that comes joins the queue: nobody waits for a database that is away, and nothing
overtakes what happened before it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.errors import StoreUnavailable
from ivr.ports import Clock
from ivr.store.database import Database
from ivr.store.faults import is_of_the_write
from ivr.store.spool import Batch, Spool, Write

Rule = Callable[[AsyncConnection, Mapping[str, Any]], Awaitable[None]]
"""How writes of one kind are written; twice is once."""

TOGETHER = 50  # writes in one transaction
TOGETHER_S = 10.0
RETRY_S = (0.5, 1.0, 2.0, 5.0)  # the last again and again
TELL_EVERY = 1000

log = structlog.get_logger(__name__)


class Writer:
    """``spool`` None: what the database does not take is refused."""

    def __init__(self, database: Database, rules: Mapping[str, Rule], spool: Spool | None = None) -> None:
        self._database = database
        self._rules = rules
        self._spool = spool

    async def write(self, write: Write) -> None:
        """Raises StoreUnavailable when neither the database nor the spool takes it."""
        spool = self._spool
        if spool is None:
            await self._now([write])
            return
        if not spool.waiting:
            try:
                await self._now([write])
            except (StoreUnavailable, SQLAlchemyError) as error:
                log.warning("journal.spooled", error=str(error), folder=str(spool.folder))
            except asyncio.CancelledError:
                spool.hold(write)
                raise
            else:
                return
        if not await spool.keep(write):
            raise StoreUnavailable("neither the database nor the spool takes anything", remedy=REMEDY)

    async def promise(self, write: Write) -> None:
        """Returns once it is on disk, for a database that is away. Raises StoreUnavailable: then it is not kept."""
        spool = self._spool
        if spool is None or not await spool.promise(write):
            raise StoreUnavailable("neither the database nor the spool takes anything", remedy=REMEDY)
        log.warning("journal.spooled", kind=write.kind, folder=str(spool.folder))

    @property
    def behind(self) -> bool:
        """The database was away, and has not got everything yet."""
        return self._spool is not None and self._spool.waiting > 0

    async def _now(self, writes: Sequence[Write], timeout_s: float | None = None) -> None:
        async def work(connection: AsyncConnection) -> None:
            for write in writes:
                await self._rules[write.kind](connection, write.values)

        await self._database.write(work, timeout_s=timeout_s)

    # -- later ------------------------------------------------------------------------------------------------

    async def recover(self, clock: Clock) -> None:
        """Write what waits whenever the database takes it; runs until cancelled."""
        if (spool := self._spool) is None:
            return
        while True:
            await spool.filled.wait()
            began, written = clock.monotonic(), 0
            while (batch := await spool.oldest()) is not None:
                told = written // TELL_EVERY
                written += await self._recover(batch, clock)
                if not await spool.done(batch):
                    await clock.sleep(RETRY_S[-1])
                if written // TELL_EVERY > told:
                    log.info("journal.recovering", written=written, waiting=spool.waiting)
            if written:
                log.info("journal.recovered", written=written, seconds=round(clock.monotonic() - began, 1))
            elif spool.filled.is_set():
                await clock.sleep(RETRY_S[-1])  # the folder cannot be read now

    async def _recover(self, batch: Batch, clock: Clock) -> int:
        written = 0
        for start in range(0, len(batch.writes), TOGETHER):
            together = batch.writes[start : start + TOGETHER]
            if await self._until_taken(together, clock):
                written += len(together)
            else:
                for write in together:
                    written += await self._alone(write, clock)
        return written

    async def _alone(self, write: Write, clock: Clock) -> bool:
        """A write that the database will never take is set aside, and counted: those behind it must not wait for it."""
        if await self._until_taken([write], clock):
            return True
        assert self._spool is not None
        self._spool.lost += 1
        log.error("journal.unwritable", kind=write.kind)
        return False

    async def _until_taken(self, writes: Sequence[Write], clock: Clock) -> bool:
        """False when it is these writes that are wrong, not the database."""
        tries = 0
        while True:
            try:
                await self._now(writes, TOGETHER_S)
                return True
            except StoreUnavailable as error:
                if is_of_the_write(error.__cause__):
                    return False
            except (SQLAlchemyError, KeyError, ValueError, TypeError):
                return False
            except Exception:
                # Nothing that a driver may raise ends this task: what waits would wait for ever.
                log.exception("journal.recovery_raised", kinds=sorted({write.kind for write in writes}))
                if tries == len(RETRY_S):
                    return False
            await clock.sleep(RETRY_S[min(tries, len(RETRY_S) - 1)])
            tries += 1


REMEDY = "see that the database runs, and that [store] spool has room and may be written"
