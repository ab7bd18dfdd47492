"""Accounts and sessions of the house, shared by every process on one database; what happens to them is audited."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Row, case, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.errors import AccountError
from ivr.limits.throttle import FORGOTTEN_AFTER_S
from ivr.ports import Account, AccountRecord, AuditEvent, AuditRow, AuditSearch, Role, Session
from ivr.ports.accounts import SOMEBODY
from ivr.ports.audit import DONE
from ivr.store.account_tables import accounts, first_links, login_failures, sessions, used_log_ins
from ivr.store.audit_log import append, found
from ivr.store.database import TableGroup, fit, insert_new, reads, writes

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

PAUSE = timedelta(seconds=FORGOTTEN_AFTER_S)
MOST_SESSIONS = 20  # an account; the oldest makes room
PROVIDER = "identity provider"  # who it was, in the audit log
SCOPE = "account."  # of what is noted of them in the audit log


class AccountTables(TableGroup):
    """Implements ``ivr.ports.AccountStore``."""

    @reads
    async def exist(self, connection: AsyncConnection) -> bool:
        return (await connection.execute(select(accounts.c.name).limit(1))).first() is not None

    @reads
    async def all(self, connection: AsyncConnection) -> Sequence[AccountRecord]:
        live = select(sessions.c.account).where(sessions.c.expires_at > self._now())
        counts = Counter((await connection.execute(live)).scalars())
        rows = await connection.execute(select(accounts).order_by(accounts.c.name))
        return [_record(row, counts[row.name]) for row in rows]

    @reads
    async def find(self, connection: AsyncConnection, name: str) -> AccountRecord | None:
        row = (await connection.execute(select(accounts).where(accounts.c.name == fit(name, 40)))).one_or_none()
        return _record(row) if row is not None else None

    @writes
    async def add(
        self, connection: AsyncConnection, account: Account, by: str, *, password: str = "", first: str = ""
    ) -> None:
        await _alone(connection)
        there = set((await connection.execute(select(accounts.c.name))).scalars())
        if first and there:
            raise AccountError("there is an account by now", remedy="log in, or ask its owner to add you")
        if first and not await _offered(connection, first, self._now()):
            raise AccountError("that link is over", remedy="ivr accounts link prints a new one")
        if account.name in there:
            raise AccountError(f"there is an account {account.name} already", remedy="take another name, or change it")
        values = {
            "name": account.name,
            "display": fit(account.display, 100),
            "roles": sorted(account.roles),
            "password": password,
            "must_change": not password,
            "created_at": self._now(),
        }
        await connection.execute(insert(accounts).values(values))
        await _somebody_manages(connection)
        await connection.execute(delete(first_links))
        await self._audit(connection, "added", account.name, by, after={"roles": sorted(account.roles)})

    @writes
    async def offer_first(self, connection: AsyncConnection, digest: str, until: datetime) -> None:
        await _alone(connection)
        if (await connection.execute(select(accounts.c.name).limit(1))).first() is not None:
            raise AccountError("there is an account already", remedy="ivr accounts add NAME makes another")
        await connection.execute(delete(first_links).where(first_links.c.until < self._now()))
        await connection.execute(insert(first_links).values(id=digest, until=until))

    @reads
    async def offered_first(self, connection: AsyncConnection, digest: str) -> bool:
        return await _offered(connection, digest, self._now())

    async def set_roles(self, name: str, roles: frozenset[Role], by: str) -> None:
        await self._change(name, "roles", by, {"roles": sorted(roles)})

    async def set_disabled(self, name: str, disabled: bool, by: str) -> None:
        await self._change(name, "disabled" if disabled else "enabled", by, {"disabled": disabled})

    async def set_password(self, name: str, password: str, by: str) -> None:
        fresh = {"password": password, "must_change": False, "one_time": "", "one_time_until": None}
        await self._change(name, "password", by, fresh)

    async def set_one_time(self, name: str, digest: str, until: datetime, by: str) -> None:
        fresh = {"password": "", "must_change": True, "one_time": digest, "one_time_until": until}
        await self._change(name, "one_time", by, fresh)

    @writes
    async def _change(
        self, connection: AsyncConnection, name: str, change: str, by: str, values: Mapping[str, Any]
    ) -> None:
        """Ends the sessions. Secrets are not told."""
        await _alone(connection)
        row = await _known(connection, name)
        if row.subject and change in ("roles", "password", "one_time"):
            raise AccountError(
                f"{name} is vouched for by {row.issuer}", remedy="change it there; it counts from the next log-in on"
            )
        await connection.execute(update(accounts).where(accounts.c.name == name).values(dict(values)))
        await _somebody_manages(connection)
        await connection.execute(delete(sessions).where(sessions.c.account == name))
        told = {key: value for key, value in values.items() if key in ("roles", "disabled")}
        before = {key: row._mapping[key] for key in told}
        await self._audit(connection, change, name, by, before=before, after=told)

    @writes
    async def take_one_time(self, connection: AsyncConnection, name: str, digest: str) -> bool:
        kept = accounts.c
        is_it = (kept.name == name) & (kept.one_time == digest) & (kept.one_time_until > self._now())
        taken = update(accounts).where(is_it, kept.disabled.is_(False)).values(one_time="", one_time_until=None)
        return (await connection.execute(taken)).rowcount == 1

    @writes
    async def guessed(self, connection: AsyncConnection, who: str) -> None:
        now, kept = self._now(), login_failures.c
        again = case((kept.last < now - PAUSE, 1), else_=kept.count + 1)
        fresh = insert_new(connection, login_failures).values(who=who, count=1, last=now)
        one_more = fresh.on_conflict_do_update(index_elements=[kept.who], set_={"count": again, "last": now})
        await connection.execute(one_more)

    @reads
    async def guesses(self, connection: AsyncConnection, who: str) -> tuple[int, datetime | None]:
        kept = login_failures.c
        asked = select(kept.count, kept.last).where(kept.who == who, kept.last >= self._now() - PAUSE)
        row = (await connection.execute(asked)).one_or_none()
        return (row[0], row[1]) if row is not None else (0, None)

    @writes
    async def rehash(self, connection: AsyncConnection, name: str, known: str, renewed: str) -> None:
        is_it = (accounts.c.name == name) & (accounts.c.password == known)
        await connection.execute(update(accounts).where(is_it).values(password=renewed))

    @writes
    async def vouched(
        self,
        connection: AsyncConnection,
        issuer: str,
        subject: str,
        names: Sequence[str],
        display: str,
        roles: frozenset[Role],
    ) -> AccountRecord | None:
        await _alone(connection)
        kept, wanted, display = accounts.c, sorted(roles), fit(display, 100)
        theirs = (kept.issuer == issuer) & (kept.subject == subject)
        row = (await connection.execute(select(accounts).where(theirs))).one_or_none()
        if row is None:
            if not wanted:
                return None
            taken = set((await connection.execute(select(kept.name).where(kept.name.in_(names)))).scalars())
            free = [name for name in names if name not in taken]
            if not free:
                raise AccountError(f"all of {', '.join(names)} are somebody's", remedy="remove one of them")
            values = {"name": free[0], "display": display, "roles": wanted, "issuer": issuer, "subject": subject}
            await connection.execute(insert(accounts).values({**values, "created_at": self._now()}))
            await self._audit(connection, "added", free[0], PROVIDER, after={"roles": wanted, "issuer": issuer})
        else:
            await connection.execute(update(accounts).where(theirs).values(roles=wanted, display=display))
            if row.roles != wanted:  # nobody counts who manages: what the provider takes, it can give back
                await connection.execute(delete(sessions).where(sessions.c.account == row.name))
                before, after = {"roles": row.roles}, {"roles": wanted}
                await self._audit(connection, "roles", row.name, PROVIDER, before=before, after=after)
        return _record((await connection.execute(select(accounts).where(theirs))).one())

    @writes
    async def first_use(self, connection: AsyncConnection, state: str, until: datetime) -> bool:
        used = used_log_ins
        await connection.execute(delete(used).where(used.c.until < self._now()))
        fresh = insert_new(connection, used, used.c.id).values(id=state, until=until)
        return bool((await connection.execute(fresh)).rowcount)

    @writes
    async def remove(self, connection: AsyncConnection, name: str, by: str, *, last: bool = False) -> None:
        await _alone(connection)
        row = await _known(connection, name)
        await connection.execute(delete(accounts).where(accounts.c.name == name))
        await _somebody_manages(connection, or_nobody=last)
        await connection.execute(delete(sessions).where(sessions.c.account == name))
        await self._audit(connection, "removed", name, by, before={"roles": row.roles})

    @writes
    async def begin_session(self, connection: AsyncConnection, session: Session) -> None:
        name, at, kept = session.account.name, session.created_at, sessions.c
        await connection.execute(delete(sessions).where(kept.expires_at < at))
        recent = select(kept.id).where(kept.account == name).order_by(kept.created_at.desc())
        keep = (await connection.execute(recent.limit(MOST_SESSIONS - 1))).scalars().all()
        await connection.execute(delete(sessions).where(kept.account == name, kept.id.not_in(keep)))
        values = {
            "id": session.id,
            "account": name,
            "csrf": session.csrf,
            "created_at": at,
            "seen_at": session.seen_at,
            "expires_at": session.expires_at,
            "source": fit(session.source, 100),
            "program": fit(session.program, 200),
        }
        await connection.execute(insert(sessions).values(values))
        await connection.execute(update(accounts).where(accounts.c.name == name).values(entered_at=at))
        await self._audit(connection, "login", name, name)

    @reads
    async def find_session(self, connection: AsyncConnection, identity: str) -> Session | None:
        whose = _whose().where(sessions.c.id == identity, sessions.c.expires_at > self._now())
        row = (await connection.execute(whose)).one_or_none()
        return _session(row) if row is not None else None

    @reads
    async def find_sessions(self, connection: AsyncConnection, identities: Collection[str]) -> Sequence[Session]:
        those = _whose().where(sessions.c.id.in_(sorted(identities)), sessions.c.expires_at > self._now())
        return [_session(row) for row in await connection.execute(those)]

    @writes
    async def touch_session(self, connection: AsyncConnection, identity: str, expires_at: datetime) -> None:
        used = update(sessions).where(sessions.c.id == identity)
        await connection.execute(used.values(seen_at=self._now(), expires_at=expires_at))

    @writes
    async def end_session(self, connection: AsyncConnection, identity: str, by: str) -> None:
        if (await connection.execute(delete(sessions).where(sessions.c.id == identity))).rowcount:
            await self._audit(connection, "logout", by, by)

    @writes
    async def end_sessions(self, connection: AsyncConnection, name: str, by: str) -> int:
        await _known(connection, name)
        ended = (await connection.execute(delete(sessions).where(sessions.c.account == name))).rowcount
        await self._audit(connection, "logout", name, by, after={"sessions": ended})
        return ended

    @reads
    async def sessions(self, connection: AsyncConnection, name: str = "") -> Sequence[Session]:
        live = _whose().where(sessions.c.expires_at > self._now()).order_by(sessions.c.seen_at.desc())
        rows = await connection.execute(live.where(sessions.c.account == name) if name else live)
        return [_session(row) for row in rows]

    @writes
    async def refused(self, connection: AsyncConnection, name: str, why: str) -> None:
        await self._audit(connection, "login_refused", name, SOMEBODY, result=why)

    @reads
    async def trail(self, connection: AsyncConnection, limit: int = 50) -> Sequence[AuditRow]:
        return (await found(connection, AuditSearch(what=SCOPE, limit=limit))).rows

    async def _audit(
        self,
        connection: AsyncConnection,
        change: str,
        name: str,
        by: str,
        *,
        before: dict[str, Any] | None = None,
        after: dict[str, Any] | None = None,
        result: str = DONE,
    ) -> None:
        await append(connection, AuditEvent(by, f"{SCOPE}{change}", fit(name, 40), before, after, result), self._now())
        if change not in ("login", "login_refused"):
            log.info("account.changed", account=name, change=change, by=by)


async def _alone(connection: AsyncConnection) -> None:
    """Changes wait for each other; SQLite's writers do so anyway."""
    if connection.dialect.name == "postgresql":
        await connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("accounts", 0))))


async def _offered(connection: AsyncConnection, digest: str, now: datetime) -> bool:
    is_it = (first_links.c.id == digest) & (first_links.c.until > now)
    return (await connection.execute(select(first_links.c.id).where(is_it))).first() is not None


async def _known(connection: AsyncConnection, name: str) -> Row[Any]:
    row = (await connection.execute(select(accounts).where(accounts.c.name == fit(name, 40)))).one_or_none()
    if row is None:
        raise AccountError(f"there is no account {fit(name, 40)!r}", remedy="ivr accounts list, or /accounts, has them")
    return row


async def _somebody_manages(connection: AsyncConnection, *, or_nobody: bool = False) -> None:
    """One account that is a supervisor's can be used; else the change is none. ``or_nobody``: or there is none."""
    kept = (await connection.execute(select(accounts.c.roles, accounts.c.disabled))).all()
    if not (or_nobody and not kept) and not any("supervisor" in row.roles and not row.disabled for row in kept):
        raise AccountError(
            "nobody would be left who may manage accounts", remedy="make somebody a supervisor first, who stays enabled"
        )


def _account(row: Row[Any]) -> Account:
    return Account(row.name, frozenset(row.roles), row.display)


def _record(row: Row[Any], open_sessions: int = 0) -> AccountRecord:
    return AccountRecord(
        _account(row),
        row.password,
        row.disabled,
        row.must_change,
        row.created_at,
        row.entered_at,
        open_sessions,
        row.issuer,
    )


def _whose() -> Any:
    """Sessions with their accounts; those of a disabled one are none."""
    columns = (*sessions.c, accounts.c.name, accounts.c.display, accounts.c.roles, accounts.c.must_change)
    joined = sessions.join(accounts, accounts.c.name == sessions.c.account)
    return select(*columns).select_from(joined).where(accounts.c.disabled.is_(False))


def _session(row: Row[Any]) -> Session:
    return Session(
        row.id,
        _account(row),
        row.csrf,
        created_at=row.created_at,
        seen_at=row.seen_at,
        expires_at=row.expires_at,
        source=row.source,
        program=row.program,
        must_change=row.must_change,
    )
