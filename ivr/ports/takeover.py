"""Takeover ports: what is kept of calls in progress, so that another process can go on with them."""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Orphan:
    """A call whose process is dead, and which is this process's now. ``entries``: how many its record has at most;
    ``node`` and ``line``: who had it, not heard of for ``silent_s``."""

    call_id: str
    snapshot: Mapping[str, Any]
    node: str
    line: str
    silent_s: float
    caller: str
    called: str
    started_at: datetime
    entries: int


class LiveDialogs(Protocol):
    """Where calls in progress are kept. What one process keeps of a call counts only while the call is its own."""

    def keep(self, call_id: str, sip_call_id: str, snapshot: Mapping[str, Any]) -> Awaitable[None]:
        """Raises StoreUnavailable, once awaited."""

    def forget(self, call_id: str) -> Awaitable[None]:
        """The call is over. Raises StoreUnavailable, once awaited."""


class Orphans(Protocol):
    """Calls of dead processes, each for one heir. Methods raise StoreUnavailable."""

    async def claim(self, room: int) -> Sequence[Orphan]:
        """Those of them that this process goes on with, ``room`` at most: they are its own from now on. The others are
        for other processes, by the room that those have."""

    async def claim_dialog(self, sip_call_id: str) -> Orphan | None:
        """The call with this SIP Call-ID, if its process is dead."""

    async def lost(self) -> Collection[str]:
        """Calls that were this process's, and that others took over because it was silent."""
