"""Goodwill grants of the films company on its database: given once a click, within the policy, and taken back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.errors import ActionError
from ivr.ports import ByAgent, Granted
from ivr.reference import goodwill
from ivr.reference.backend import Order, no_such_member
from ivr.reference.goodwill import BONUS_TITLE, CREDIT, MONTH, UNDO, UNDO_S, Grant
from ivr.reference.sql import SqlRecords
from ivr.reference.tables import disc_reports, discs, goodwill_grants, members, titles
from ivr.store.database import TableGroup, fit, reads, writes
from ivr.store.ledger import Json, Stamp, once, record

_KEPT = goodwill_grants.c
_GRANT = select(
    _KEPT.id, _KEPT.kind, _KEPT.cents, _KEPT.label, _KEPT.agent, _KEPT.display, _KEPT.at, _KEPT.undone_at
)  # fmt: skip


class Grants(TableGroup):
    """``give`` counts what an agent gave since ``day_began``: when today began, where the company is."""

    async def of(self, member: str) -> Sequence[Grant]:
        """Those of the last 30 days, the newest first."""
        return await self._of(member, self._now() - MONTH)

    @reads
    async def _of(self, connection: AsyncConnection, member: str, since: datetime) -> Sequence[Grant]:
        mine = _GRANT.join(members, members.c.id == goodwill_grants.c.member_id).where(members.c.number == member)
        rows = await connection.execute(mine.where(goodwill_grants.c.at >= since).order_by(goodwill_grants.c.id.desc()))
        return [Grant(*row) for row in rows]

    @writes
    async def give(
        self, connection: AsyncConnection, member: str, kind: str, choice: str, by: ByAgent, day_began: datetime
    ) -> Granted:
        """Once a ``by.key``. Raises ActionError for what the policy refuses."""
        if kind not in (BONUS_TITLE, CREDIT):
            raise ActionError(f"there is no goodwill {kind}")
        stamp = Stamp(by.key, goodwill.SCOPE + kind, by.call_id, self._now(), by.name)

        async def effect() -> Json:
            given = _Giving(connection, await _locked(connection, member, by.name), member, by, stamp)
            titles, cents = goodwill.spent(await given.month())
            titles_today, cents_today = goodwill.spent(await given.today(day_began))
            if kind == BONUS_TITLE:
                _allowed(goodwill.title_refused(titles, titles_today))
                return await given.bonus_title(choice)
            amount = int(choice) if choice.isdecimal() else 0
            _allowed(goodwill.credit_refused(amount, cents, cents_today))
            return await given.credit(amount)

        made = await once(connection, stamp, effect)
        row = await connection.execute(_GRANT.where(goodwill_grants.c.id == made["grant"]))
        return Grant(*row.one()).shown(self._now())

    @writes
    async def undo(self, connection: AsyncConnection, member: str, grant: str, by: ByAgent) -> None:
        """Raises ActionError where it is too late, or something depends on it by now."""
        stamp = Stamp(by.key, UNDO, by.call_id, self._now(), by.name)

        async def effect() -> Json:
            giving = _Giving(connection, await _locked(connection, member, by.name), member, by, stamp)
            return await giving.take_back(int(grant) if grant.isdecimal() else 0)

        await once(connection, stamp, effect)


def _allowed(refused: str) -> None:
    if refused:
        raise ActionError(refused)


async def _locked(connection: AsyncConnection, member: str, agent: str) -> int:
    """The member's id; nobody changes what they have meanwhile, and the agent gives nothing else."""
    if connection.dialect.name == "postgresql":
        await connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"goodwill {agent}", 0))))
    row = await connection.execute(select(members.c.id).where(members.c.number == member).with_for_update())
    member_id: int | None = row.scalar_one_or_none()
    if member_id is None:
        raise no_such_member()
    return member_id


class _Giving:
    """One agent's hand at one member's things, in one transaction."""

    def __init__(self, connection: AsyncConnection, member_id: int, member: str, by: ByAgent, stamp: Stamp) -> None:
        self._connection = connection
        self._member_id = member_id
        self._member = member
        self._by = by
        self._stamp = stamp
        self._queue = SqlRecords(connection, member, member_id, stamp)

    async def month(self) -> Sequence[Grant]:
        since = self._stamp.at - MONTH
        mine = (goodwill_grants.c.member_id == self._member_id) & (goodwill_grants.c.at >= since)
        return [Grant(*row) for row in await self._connection.execute(_GRANT.where(mine))]

    async def today(self, began: datetime) -> Sequence[Grant]:
        mine = (goodwill_grants.c.agent == self._by.name) & (goodwill_grants.c.at >= began)
        return [Grant(*row) for row in await self._connection.execute(_GRANT.where(mine))]

    async def bonus_title(self, choice: str) -> Json:
        """Shipped now, beyond what the plan has, and off the queue."""
        queue = await self._queue.queue()
        title = int(choice) if choice.isdecimal() else next(iter(queue), 0)
        if title not in queue:
            raise ActionError("that title is not in their queue (any more)")
        name = (await self._connection.execute(select(titles.c.name).where(titles.c.id == title))).scalar_one()
        shipped = {"member_id": self._member_id, "title_id": title, "state": "out", "shipped_at": self._stamp.at}
        disc = (await self._connection.execute(insert(discs).values(shipped).returning(discs.c.id))).scalar_one()
        rest = tuple(each for each in queue if each != title)
        await self._queue.arrange(rest)
        place = queue.index(title) + 1
        before = {"queue": list(queue)}
        after: Json = {"queue": list(rest), "title": title, "disc": disc}
        return await self._kept(BONUS_TITLE, f"Bonus title: {name}", before, after, disc_id=disc, place=place)

    async def credit(self, cents: int) -> Json:
        before = await self._balance()
        await self._set_balance(before + cents)
        label = f"Credit of {goodwill.money(cents)}"
        return await self._kept(CREDIT, label, {"credit": before}, {"credit": before + cents}, cents=cents)

    async def _kept(
        self, kind: str, label: str, before: Json, after: Json, *, cents: int = 0, disc_id: int | None = None,
        place: int = 0,
    ) -> Json:  # fmt: skip
        row = {
            "member_id": self._member_id,
            "kind": kind,
            "cents": cents,
            "disc_id": disc_id,
            "place": place,
            "label": fit(label, 300),
            "agent": fit(self._by.name, 100),
            "display": fit(self._by.display, 100),
            "call_id": fit(self._by.call_id, 100),
            "at": self._stamp.at,
        }
        made = await self._connection.execute(insert(goodwill_grants).values(row).returning(goodwill_grants.c.id))
        grant = made.scalar_one()
        await record(self._connection, self._stamp, self._member, before, after | {"grant": grant})
        return {"grant": grant}

    async def take_back(self, grant: int) -> Json:
        wanted = (goodwill_grants.c.id == grant) & (goodwill_grants.c.member_id == self._member_id)
        found = (await self._connection.execute(select(goodwill_grants).where(wanted))).one_or_none()
        if found is None or found.undone_at is not None:
            raise ActionError("there is nothing to take back")
        if found.agent != self._by.name:
            raise ActionError(f"only {found.display}, who gave it, can take it back")
        if self._stamp.at > found.at + timedelta(seconds=UNDO_S):
            raise ActionError("it is too late to take that back")
        if found.kind == CREDIT:
            before, after = await self._without_credit(found.cents)
        else:
            before, after = await self._without_title(found.disc_id, found.place)
        undone = update(goodwill_grants).where(goodwill_grants.c.id == grant)
        await self._connection.execute(undone.values(undone_at=self._stamp.at))
        await record(self._connection, self._stamp, self._member, before, after | {"grant": grant})
        return {"grant": grant}

    async def _without_credit(self, cents: int) -> tuple[Json, Json]:
        before = await self._balance()
        if before < cents:
            raise ActionError("some of that credit is spent already")
        await self._set_balance(before - cents)
        return {"credit": before}, {"credit": before - cents}

    async def _without_title(self, disc: int, place: int) -> tuple[Json, Json]:
        copy = (await self._connection.execute(select(discs).where(discs.c.id == disc))).one_or_none()
        reported = select(disc_reports.c.id).where(disc_reports.c.disc_id == disc).limit(1)
        if copy is None or copy.state != "out" or (await self._connection.execute(reported)).first() is not None:
            raise ActionError("something was done with that disc already")
        queue = await self._queue.queue()
        back: Order = queue
        if copy.title_id not in queue:
            back = (*queue[: place - 1], copy.title_id, *queue[place - 1 :])
        unlinked = update(goodwill_grants).where(goodwill_grants.c.disc_id == disc)
        await self._connection.execute(unlinked.values(disc_id=None))
        await self._connection.execute(delete(discs).where(discs.c.id == disc))
        await self._queue.arrange(back)
        return {"queue": list(queue), "disc": disc}, {"queue": list(back)}

    async def _balance(self) -> int:
        mine = select(members.c.credit_cents).where(members.c.id == self._member_id)
        cents: int = (await self._connection.execute(mine)).scalar_one()
        return cents

    async def _set_balance(self, cents: int) -> None:
        mine = update(members).where(members.c.id == self._member_id)
        await self._connection.execute(mine.values(credit_cents=cents))
