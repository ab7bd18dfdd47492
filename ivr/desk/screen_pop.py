"""Screen pop: the hand-over's context, kept for a day behind an unguessable link that the agent opens."""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog

from ivr.errors import StoreUnavailable
from ivr.ports import ContextStore, HandoffContext

log = structlog.get_logger(__name__)

TOKEN_BYTES = 24  # 192 bits; short enough for User-to-User
LINK_LIFE = timedelta(hours=24)
IN_HAND = 1000
PATIENCE_S = 0.5  # a caller who asked for a human does not wait for a slow database


class ScreenPops:
    """``base_url`` is where agents reach this service."""

    def __init__(self, contexts: ContextStore, base_url: str, now: Callable[[], datetime]) -> None:
        self._contexts = contexts
        self._base_url = base_url.rstrip("/")
        self._now = now
        self._in_hand: OrderedDict[str, tuple[datetime, Mapping[str, Any]]] = OrderedDict()

    async def keep(self, context: HandoffContext) -> str:
        """The link. With the store gone the context stays in this process: the hand-over goes on."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        expires_at = self._now() + LINK_LIFE
        payload = context.to_json()
        try:
            async with asyncio.timeout(PATIENCE_S):
                there = await self._contexts.keep_context(token, context.call_id, payload, expires_at)
        except (StoreUnavailable, TimeoutError):
            there = False
        if not there:
            log.warning("handoff.kept_in_memory", call_id=context.call_id)
            self._in_hand[token] = (expires_at, payload)
            while len(self._in_hand) > IN_HAND:
                self._in_hand.popitem(last=False)
        return self.url_of(token)

    def url_of(self, token: str) -> str:
        return f"{self._base_url}/handoff/{token}"

    async def context(self, token: str) -> Mapping[str, Any] | None:
        """What the link shows; None when it was never given out or is too old. Raises StoreUnavailable."""
        kept = self._in_hand.get(token)
        if kept is not None:
            expires_at, payload = kept
            return payload if expires_at > self._now() else None
        return await self._contexts.context(token)
