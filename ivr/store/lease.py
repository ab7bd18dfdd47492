"""The lease of a line: a process that serves calls says every few seconds that it lives, and ends the calls of those
that do not any more.

Nobody's clock is compared with another's: beats are by the database's. A line is dead when its beat did not change for
LEASE_S of uninterrupted watching, or when its lock is free. Whoever was taken for dead and is not gets its calls back
with its next beat. Places in the line of waiting callers go by the same beats, and much sooner:
``ivr.store.line.reaping``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import BindParameter, ColumnElement, bindparam, delete, null, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.errors import StoreUnavailable
from ivr.ports import Clock
from ivr.store.database import Database, TableGroup, clock, fit, insert_new, moment, reads, writes
from ivr.store.tables import calls, line_processes

BEAT_S = 0.5
STALL_S = 3.0  # without a beat of its own: it has stood still
SILENT_S = 5.0  # its callers, should they call again, may go on where they were
LEASE_S = 30.0  # longer than any standstill that a line survives
LOST = "lost"

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Seen:
    beat: datetime
    since: float  # monotonic


class LineLease(TableGroup):
    """``line`` is this process, ``node`` the service that it serves; ``drains``: whether it begins no calls now.
    Methods raise StoreUnavailable, but ``run``."""

    def __init__(
        self,
        database: Database,
        now: Callable[[], datetime],
        line: str,
        node: str,
        drains: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(database, now)
        self.drains = drains
        self._line = line
        self._node = fit(node, 100)
        self._seen: dict[str, _Seen] = {}
        self._looked = 0.0
        self._silent: tuple[str, ...] = ()
        self._gone: set[str] = set()
        self._sip = ""
        self._dead: Callable[[], Collection[str]] = tuple
        self.room: int | None = None  # for how many calls of dead lines, as the others are told
        self._reached: Mapping[str, str] = {}
        self._beating_since: float | None = None
        self._monotonic: Callable[[], float] = lambda: 0.0  # once it runs, its clock's

    @property
    def line(self) -> str:
        return self._line

    @property
    def steady(self) -> bool:
        """It has beaten for so long that any other that lives has, too, and did until now: what has stood still until
        this moment says nothing of anybody, itself included."""
        now = self._monotonic()
        return (
            self._beating_since is not None and now - self._looked <= STALL_S and now - self._beating_since >= SILENT_S
        )

    @property
    def dead(self) -> Collection[str]:
        """Lines whose calls others may take over: those that are certainly gone, and those that are silent."""
        return {*self._dead(), *(self._silent if self.steady else ())}

    def learn_of(self, dead: Callable[[], Collection[str]]) -> None:
        """Who is certainly gone, sooner than by its silence."""
        self._dead = dead

    @property
    def silent(self) -> Collection[str]:
        """Lines that were not heard of for a while."""
        return self._silent

    @property
    def reached(self) -> Mapping[str, str]:
        """The other lines that live, as last seen: HOST:PORT where they are dialled, by their ids."""
        return self._reached

    async def reachable_at(self, sip: str) -> None:
        """This line is dialled at ``sip`` (HOST:PORT) from now on."""
        self._sip = fit(sip, 200)
        await self._beat(())

    async def begin(self, gone: Collection[str]) -> int:
        """The first beat, and an end to the calls of lines that are certainly ``gone``: how many."""
        await self._beat(())
        return await self._end(gone)

    def bury(self, gone: Collection[str]) -> None:
        """These lines are certainly dead: their calls end with the next beat."""
        self._gone.update(gone)

    async def run(self, clock: Clock, live: Callable[[], Iterable[str]]) -> None:
        """Beat, and watch the others; until cancelled. ``live``: ids of the calls in progress here."""
        self._monotonic = clock.monotonic
        while True:
            await clock.sleep(BEAT_S)
            try:
                if reopened := await self._beat(tuple(live())):
                    log.warning("calls.reopened", count=reopened)
                beats, left = await self._look()
                self._beat_well(clock.monotonic())
                dead = {*self._watch(beats, clock.monotonic()), *self._gone}
                if (dead or left) and (count := await self._end(dead)):
                    log.warning("calls.reconciled", count=count)
                self._gone -= dead
            except (StoreUnavailable, SQLAlchemyError):
                self._seen.clear()  # nobody could be seen to beat meanwhile
                self._beating_since = None

    def _beat_well(self, now: float) -> None:
        if self._beating_since is None or now - self._looked > STALL_S:
            self._beating_since = now  # after an outage of the database, or a standstill of this process

    async def tidy(self, live: Callable[[], Iterable[str]]) -> None:
        """End the calls of this line that are over, though nothing could keep their end."""
        open_ = await self._open()
        if strays := open_ - set(live()):
            await self._lose(strays)
            log.warning("calls.reconciled", count=len(strays))

    @reads
    async def _open(self, connection: AsyncConnection) -> set[str]:
        mine = select(calls.c.call_id).where(calls.c.line == self._line, calls.c.ended_at.is_(None))
        return set((await connection.execute(mine)).scalars())

    @writes
    async def _lose(self, connection: AsyncConnection, strays: Collection[str]) -> None:
        lost = update(calls).where(calls.c.call_id.in_(list(strays)), calls.c.ended_at.is_(None))
        await connection.execute(lost.values(outcome=LOST, ended_at=self._now()))

    async def close(self) -> None:
        """This line is over, and so is every call that it had."""
        await self._end([self._line])

    @writes
    async def _beat(self, connection: AsyncConnection, live: Collection[str]) -> int:
        """How many of the calls in progress somebody had ended because this line was silent."""
        told = {"sip": self._sip, "room": self.room, "drains": self.drains()}
        beat = _BEAT[connection.dialect.name == "postgresql"]
        known = {"mine": self._line, **{f"its_{name}": value for name, value in told.items()}}
        if (await connection.execute(beat, known)).rowcount:
            return 0
        row = {"id": self._line, "node": self._node, "beat_at": await moment(connection), **told}
        await connection.execute(insert_new(connection, line_processes, line_processes.c.id).values(row))
        ended = calls.c.call_id.in_(live) & calls.c.ended_at.is_not(None) & calls.c.canonical.is_(null())
        reopened = update(calls).where(ended).values(ended_at=None, outcome="")
        return (await connection.execute(reopened)).rowcount if live else 0

    @reads
    async def _look(self, connection: AsyncConnection) -> tuple[dict[str, datetime], bool]:
        """The others' beats, and whether a line that is not there has left a call."""
        rows = (await connection.execute(_OTHERS, {"mine": self._line})).all()
        beats = {row.id: row.beat_at for row in rows}
        self._reached = {row.id: row.sip for row in rows if row.sip}
        left = (await connection.execute(_ONE_LEFT)).first()
        return beats, left is not None

    def _watch(self, beats: dict[str, datetime], now: float) -> list[str]:
        """Who is dead."""
        if now - self._looked > STALL_S:
            self._seen.clear()  # this process stood still itself
        self._looked = now
        for line, beat in beats.items():
            seen = self._seen.get(line)
            if seen is None or seen.beat != beat:
                self._seen[line] = _Seen(beat, now)
        self._seen = {line: seen for line, seen in self._seen.items() if line in beats}
        self._silent = tuple(line for line, seen in self._seen.items() if now - seen.since >= SILENT_S)
        return [line for line, seen in self._seen.items() if now - seen.since >= LEASE_S]

    @writes
    async def _end(self, connection: AsyncConnection, dead: Collection[str]) -> int:
        """Strike ``dead`` out, and end every call of a line that is not there."""
        if dead:
            await connection.execute(delete(line_processes).where(line_processes.c.id.in_(list(dead))))
        lost = update(calls).where(_left()).values(outcome=LOST, ended_at=self._now())
        return (await connection.execute(lost)).rowcount


def _left() -> ColumnElement[bool]:
    """A call that nobody ended, of a line that is not there."""
    return calls.c.ended_at.is_(None) & calls.c.line.is_not(None) & calls.c.line.not_in(select(line_processes.c.id))


# Made once: building and hashing a statement takes longer than running it.
_MINE: BindParameter[str] = bindparam("mine")
_BEAT = {
    postgres: update(line_processes)
    .where(line_processes.c.id == _MINE)
    .values(
        beat_at=clock(postgres),
        **{name: bindparam(f"its_{name}", type_=line_processes.c[name].type) for name in ("sip", "room", "drains")},
    )
    for postgres in (False, True)
}
_OTHERS = select(line_processes).where(line_processes.c.id != _MINE)
_ONE_LEFT = select(calls.c.call_id).where(_left()).limit(1)
