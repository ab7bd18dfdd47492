"""The registry of calls in progress, for the API, the console and draining; and what all calls of a service share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any, Protocol

from ivr.ports import Actions, CallRecords, Clock, Desk, MediaEngine, SipEndpoint, SpeechService


class LiveCall(Protocol):
    @property
    def call_id(self) -> str: ...
    def view(self) -> Mapping[str, Any]:
        """State, transcript, slots, outcome, handoff context: what GET /api/calls/{call_id} shows."""

    async def end(self, reason: str) -> None: ...


class CallRegistry:
    """Knows every live call. ``on_move``: a call came, went or changed its state."""

    def __init__(self, on_move: Callable[[], None] = lambda: None) -> None:
        self._calls: dict[str, LiveCall] = {}
        self._changed = asyncio.Condition()
        self.on_move = on_move

    def __len__(self) -> int:
        return len(self._calls)

    def __iter__(self) -> Iterator[LiveCall]:
        return iter(tuple(self._calls.values()))

    def get(self, call_id: str) -> LiveCall | None:
        return self._calls.get(call_id)

    async def enter(self, call: LiveCall) -> None:
        self._calls[call.call_id] = call
        await self._notify()

    async def leave(self, call: LiveCall) -> None:
        self._calls.pop(call.call_id, None)
        await self._notify()

    async def _notify(self) -> None:
        self.on_move()
        async with self._changed:
            self._changed.notify_all()

    async def drained(self) -> None:
        """Returns when no call is left."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._calls)


Changes = Callable[[str], Awaitable[Sequence[Mapping[str, Any]]]]


class CallHistory:
    """Calls in progress from the registry, past ones from the records, as one list: ``ivr.web.backend.Calls``.

    ``changes``: what a call changed, in order."""

    def __init__(self, registry: CallRegistry, records: CallRecords, changes: Changes) -> None:
        self._registry = registry
        self._records = records
        self._changes = changes

    async def recent(self, limit: int, live: bool | None) -> Sequence[Mapping[str, Any]]:
        now = [call.view() for call in self._registry] if live is not False else []
        if live:
            return now[:limit]
        ids = {call["call_id"] for call in now}
        past = await self._records.recent(limit, live=live)
        return [*now, *(row for row in past if row["call_id"] not in ids)][:limit]

    async def get(self, call_id: str) -> Mapping[str, Any] | None:
        """A past call comes with its ``changes``, by the audit trail."""
        live = self._registry.get(call_id)
        if live is not None:
            return live.view()
        past = await self._records.get(call_id)
        return past and {**past, "changes": await self._changes(call_id)}


@dataclass(frozen=True, slots=True)
class CallServices:
    """``caller_id``: the SIP URI that agents' phones are called from. ``time_zone``: the company's, whose days
    "tomorrow" counts."""

    endpoint: SipEndpoint
    media: MediaEngine
    speech: SpeechService
    actions: Actions
    desk: Desk
    records: CallRecords
    clock: Clock
    registry: CallRegistry
    caller_id: str
    time_zone: tzinfo = UTC

    def local_time(self) -> datetime:
        """Now, by the company's clock."""
        return self.clock.now().astimezone(self.time_zone)
