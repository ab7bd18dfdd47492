"""The writer: what must be in the database in the end goes there soon, or into the spool and there later, in order.

What many calls ask for is gathered: one transaction for all of it, at most one in every ``gather_s``. While anything
waits for a database that is away, everything that comes joins the queue: nobody waits for it, and nothing overtakes
what happened before it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.errors import StoreUnavailable
from ivr.ports import Clock
from ivr.store.database import Database
from ivr.store.faults import is_of_the_write
from ivr.store.spool import Spool
from ivr.store.spool_folder import Batch, Write

Rule = Callable[[AsyncConnection, Sequence[Mapping[str, Any]]], Awaitable[None]]
"""How writes of one kind are written, in their order; twice is once."""

GATHER_S = 0.25  # of a line
TOGETHER = 50  # writes in one transaction, of what waited
TOGETHER_S = 10.0
GATHERED = 500  # writes in one transaction, of what comes
SETTLE_S = 0.3  # who reads waits so long for what is under way
RETRY_S = (0.5, 1.0, 2.0, 5.0)  # the last again and again
TELL_EVERY = 1000

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A write, and who waits for it."""

    write: Write
    done: asyncio.Future[None]

    def settle(self, error: Exception | None = None) -> None:
        if self.done.done():  # nobody waits any more
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)


class Writer:
    """``spool`` None: what the database does not take is refused. ``gather_s``: from the beginning of one transaction
    to that of the next; a write that comes after a pause goes at once."""

    def __init__(
        self, database: Database, rules: Mapping[str, Rule], spool: Spool | None = None, gather_s: float = 0.0
    ) -> None:
        self._database = database
        self._rules = rules
        self._spool = spool
        self._gather_s = gather_s
        self._gathered: list[_Asked] = []
        self._under_way: Sequence[_Asked] = ()
        self._began = float("-inf")
        self._wanted = asyncio.Event()  # somebody does not want to wait for the gathering
        self._task: asyncio.Task[None] | None = None

    def write(self, write: Write) -> asyncio.Future[None]:
        """Done once it is kept. Writes are made in the order in which they are asked for, also when nobody waits for
        them. It fails with StoreUnavailable when neither the database nor the spool takes it."""
        loop = asyncio.get_running_loop()
        asked = _Asked(write, loop.create_future())
        self._gathered.append(asked)
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._run(), name="journal")
        return asyncio.shield(asked.done)  # who waits no longer does not take it from those who read

    async def settled(self, about: Callable[[Write], bool] = lambda write: True, within_s: float = SETTLE_S) -> None:
        """What was asked for so far is written now, or as good as: for whoever reads it. Nobody waits, and nothing is
        written sooner, where none of it is ``about`` what is read: else each call that reads were a transaction."""
        waiting = [asked.done for asked in (*self._under_way, *self._gathered) if about(asked.write)]
        if waiting and not self.behind:
            self._wanted.set()
            await asyncio.wait(waiting, timeout=within_s)

    async def close(self) -> None:
        """All that was asked for is kept, or refused."""
        while self._task is not None and not self._task.done():
            self._wanted.set()
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._gathered:
                await self._pause(self._began + self._gather_s - loop.time())
                self._began = loop.time()
                self._under_way, self._gathered = self._gathered[:GATHERED], self._gathered[GATHERED:]
                await self._keep(self._under_way)
                self._under_way = ()
        except asyncio.CancelledError:
            if self._spool is not None:
                for asked in (*self._under_way, *self._gathered):
                    self._spool.hold(asked.write)
            raise

    async def _pause(self, seconds: float) -> None:
        self._wanted.clear()
        if seconds > 0:
            waking = asyncio.get_running_loop().call_later(seconds, self._wanted.set)
            await self._wanted.wait()
            waking.cancel()

    async def _keep(self, asked: Sequence[_Asked]) -> None:
        spool = self._spool
        if spool is None or not spool.waiting:
            problem = await self._tried(asked)
            if problem is None:
                return
            if len(asked) > 1 and not _away(problem):  # one of them is wrong: the others must not suffer for it
                for one in asked:
                    await self._keep([one])
                return
            if spool is None or not isinstance(problem, StoreUnavailable | SQLAlchemyError):
                for one in asked:
                    one.settle(problem)
                return
            log.warning("journal.spooled", error=str(problem), folder=str(spool.folder), writes=len(asked))
        assert spool is not None
        kept = await spool.keep([one.write for one in asked])
        for one, is_kept in zip(asked, kept, strict=True):
            one.settle(None if is_kept else StoreUnavailable(REFUSED, remedy=REMEDY))

    async def _tried(self, asked: Sequence[_Asked]) -> Exception | None:
        """Why the database did not take them; None: it did."""
        try:
            await self._now([one.write for one in asked])
        except Exception as error:  # whatever a driver raises, those who wait are told
            return error
        for one in asked:
            one.settle()
        return None

    async def promise(self, write: Write) -> None:
        """Returns once it is on disk, for a database that is away. Raises StoreUnavailable: then it is not kept."""
        spool = self._spool
        if spool is None or not await spool.promise(write):
            raise StoreUnavailable(REFUSED, remedy=REMEDY)
        log.warning("journal.spooled", kind=write.kind, folder=str(spool.folder))

    @property
    def behind(self) -> bool:
        """The database was away, and has not got everything yet."""
        return self._spool is not None and self._spool.waiting > 0

    async def _now(self, writes: Sequence[Write], timeout_s: float | None = None) -> None:
        async def work(connection: AsyncConnection) -> None:
            for kind, values in grouped(writes):
                await self._rules[kind](connection, values)

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


def grouped(writes: Sequence[Write]) -> Sequence[tuple[str, Sequence[Mapping[str, Any]]]]:
    """``writes`` by kind, in an order that no call can tell from theirs: a write joins those of its kind before it
    unless another kind of the same call came between. One that belongs to no call stays where it is."""
    groups: list[tuple[str, list[Mapping[str, Any]]]] = []
    last: dict[object, int] = {}  # call -> the group of its last write
    barrier = 0
    for write in writes:
        call = write.values.get("call_id")
        if call is None:
            groups.append((write.kind, [write.values]))
            barrier = len(groups)
            continue
        earliest = max(barrier, last.get(call, 0))
        place = next((n for n in range(earliest, len(groups)) if groups[n][0] == write.kind), len(groups))
        if place == len(groups):
            groups.append((write.kind, []))
        groups[place][1].append(write.values)
        last[call] = place
    return groups


def _away(error: Exception) -> bool:
    """It says nothing about what was to be written."""
    return isinstance(error, StoreUnavailable) and not is_of_the_write(error.__cause__)


REFUSED = "neither the database nor the spool takes anything"
REMEDY = "see that the database runs, and that [store] spool has room and may be written"
