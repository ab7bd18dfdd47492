"""API tokens: made once, shown once, and looked at by their hash; looked up at most once a second."""

from __future__ import annotations

import hmac
import re
import secrets
from collections import OrderedDict
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from ivr.accounts.passwords import digest
from ivr.errors import AccountError, StoreUnavailable
from ivr.ports import SCOPES, ApiToken, Scope, TokenStore

FORM = re.compile(r"ivr_([a-z2-7]{10})_[A-Za-z0-9_-]{43}")
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
FRESH_S = 1.0  # so soon a revoked one is none in every process
USED_S = 60.0
MOST_KNOWN = 1000
LONGEST_DAYS = 3650


@dataclass(slots=True)
class _Known:
    found: tuple[ApiToken, str] | None
    asked: float
    told: float = float("-inf")  # when the store heard that it is in use


class Tokens:
    """``now`` is the store's clock, ``clock`` a monotonic one."""

    def __init__(self, store: TokenStore, now: Callable[[], datetime], clock: Callable[[], float]) -> None:
        self.store = store
        self._now, self._clock = now, clock
        self._known: OrderedDict[str, _Known] = OrderedDict()

    async def make(self, label: str, scopes: Collection[str], days: int, by: str) -> tuple[str, ApiToken]:
        """The token, which nobody sees again, and what is kept of it. ``days``: how long it counts, 0 for ever.

        Raises AccountError, StoreUnavailable."""
        label = " ".join(label.split())[:100]
        if not label:
            raise AccountError("a token needs a label", remedy="name the program that will show it")
        if wrong := sorted(set(scopes) - set(SCOPES)):
            raise AccountError(f"there is no scope {', '.join(wrong)}", remedy=f"scopes are {', '.join(SCOPES)}")
        if not scopes:
            raise AccountError("it could do nothing", remedy=f"give it a scope: {', '.join(SCOPES)}")
        if not 0 <= days <= LONGEST_DAYS:
            raise AccountError(f"a token counts for 1 to {LONGEST_DAYS} days, or 0 for ever", remedy="name the days")
        identity = "".join(secrets.choice(_LETTERS) for _ in range(10))
        shown, at = f"ivr_{identity}_{secrets.token_urlsafe(32)}", self._now()
        until = at + timedelta(days=days) if days else None
        made = ApiToken(identity, label, frozenset(cast(Collection[Scope], scopes)), by, at, until)
        await self.store.add(made, digest(shown))
        return shown, made

    async def find(self, shown: str) -> ApiToken | None:
        """The token that ``shown`` is, while it counts. Raises StoreUnavailable."""
        form = FORM.fullmatch(shown)
        if form is None:
            return None
        known = await self._look(form[1])
        token, kept = known.found or (None, digest(""))
        right = hmac.compare_digest(digest(shown), kept)  # also where there is none: it takes as long
        if token is None or not right or not token.counts_at(self._now()):
            return None
        await self._touch(token, known)
        return token

    async def _look(self, identity: str) -> _Known:
        clock = self._clock()
        known = self._known.get(identity)
        if known is not None and clock - known.asked < FRESH_S:
            return known
        found = await self.store.find(identity)
        fresh = _Known(found, clock, known.told if known is not None else float("-inf"))
        self._known.pop(identity, None)
        if found is not None:
            self._known[identity] = fresh
            while len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)
        return fresh

    async def _touch(self, token: ApiToken, known: _Known) -> None:
        """Once a minute; a store that can't be told is told later."""
        clock, now = self._clock(), self._now()
        recently = token.used_at is not None and now - token.used_at < timedelta(seconds=USED_S)
        if clock - known.told >= USED_S and not recently:
            known.told = clock
            with suppress(StoreUnavailable):
                await self.store.used(token.id)

    def forget(self, identity: str) -> None:
        self._known.pop(identity, None)
