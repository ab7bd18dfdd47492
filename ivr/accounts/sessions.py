"""Sessions of the console, as the database has them; looked up at most once a second, and remembered for a minute
when it does not answer."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ivr.accounts.passwords import digest
from ivr.errors import StoreUnavailable
from ivr.ports import AccountRecord, AccountStore, Session

LIFE = timedelta(hours=12)
IDLE = timedelta(minutes=30)  # an open conversation with the console (WebSocket) counts as use
TOUCH = timedelta(minutes=1)
FRESH_S = 1.0
AWAY_S = 60.0  # so long a session goes on that the database can't be asked about
RETRY_S = 2.0
MOST_KNOWN = 2000


@dataclass(slots=True)
class _Known:
    session: Session | None
    checked: float  # when the database said so, monotonic
    asked: float


class Sessions:
    """``now`` is the store's clock, ``clock`` a monotonic one."""

    def __init__(self, store: AccountStore, now: Callable[[], datetime], clock: Callable[[], float]) -> None:
        self._store, self._now, self._clock = store, now, clock
        self._known: OrderedDict[str, _Known] = OrderedDict()

    async def begin(self, record: AccountRecord, source: str, program: str) -> tuple[str, Session]:
        """What the browser shows from now on, and the session. Raises StoreUnavailable."""
        secret, at = secrets.token_urlsafe(32), self._now()
        session = Session(
            digest(secret),
            record.account,
            secrets.token_urlsafe(24),
            created_at=at,
            seen_at=at,
            expires_at=at + IDLE,
            source=source,
            program=program,
            must_change=record.must_change,
        )
        await self._store.begin_session(session)
        return secret, session

    async def find(self, secret: str) -> Session | None:
        """Raises StoreUnavailable where nobody can say."""
        if not secret:
            return None
        identity, clock = digest(secret), self._clock()
        known = self._known.get(identity)
        if known is None or clock - known.asked >= (FRESH_S if known.checked == known.asked else RETRY_S):
            known = await self._look(identity, known, clock)
        session = known.session
        return session if session is not None and self._now() < session.expires_at else None

    async def _look(self, identity: str, known: _Known | None, clock: float) -> _Known:
        try:
            session = await self._store.find_session(identity)
        except StoreUnavailable:
            if known is None or clock - known.checked >= AWAY_S:
                self._known.pop(identity, None)
                raise
            known.asked = max(clock, self._clock())
            return known
        self._known.pop(identity, None)
        fresh = _Known(session, clock, clock)
        if session is not None:
            self._known[identity] = fresh
            while len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)
        return fresh

    async def look_again(self, identities: Collection[str]) -> None:
        """What is asked about them within FRESH_S is known then, by one look at the database for all. One that does not
        answer changes nothing."""
        clock = self._clock()
        try:
            found = {each.id: each for each in await self._store.find_sessions(identities)} if identities else {}
        except StoreUnavailable:
            return
        for identity in identities:
            self._known[identity] = _Known(found.get(identity), clock, clock)
            self._known.move_to_end(identity)
        while len(self._known) > max(MOST_KNOWN, len(identities)):
            self._known.popitem(last=False)

    async def touch(self, session: Session) -> None:
        """It is in use. A database that does not answer is told later."""
        now = self._now()
        if not session.id or now - session.seen_at < TOUCH:
            return
        until = min(session.created_at + LIFE, now + IDLE)
        if (known := self._known.get(session.id)) is not None and known.session is not None:
            known.session = replace(known.session, seen_at=now, expires_at=until)
        try:
            await self._store.touch_session(session.id, until)
        except StoreUnavailable:
            return

    async def end(self, session: Session) -> None:
        self._known.pop(session.id, None)
        await self._store.end_session(session.id, session.account.name)

    def forget(self, name: str) -> None:
        """The sessions of ``name`` changed: what was known of them counts no more."""
        for identity, known in list(self._known.items()):
            if known.session is not None and known.session.account.name == name:
                del self._known[identity]
