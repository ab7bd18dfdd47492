"""The registry of calls in progress, for the API, the console and draining; and what all calls of a service share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from typing import Any, Protocol

from ivr.call.waiting import USUAL, WaitingRules
from ivr.call_search import CallSearch, CallsFound, CallTotals, reason_of, summed
from ivr.phones.switchboard import Switchboard
from ivr.phones.tie_line import TieLine
from ivr.ports import (
    Actions,
    AgentPhone,
    CallObserver,
    CallRecords,
    Clock,
    Desk,
    Floor,
    Line,
    LiveDialogs,
    MediaEngine,
    Messages,
    Offer,
    SpeechService,
    Unobserved,
)
from ivr.record import Happening


class LiveCall(Protocol):
    @property
    def call_id(self) -> str: ...
    def view(self) -> Mapping[str, Any]:
        """State, transcript, slots, outcome, handoff context: what GET /api/calls/{call_id} shows."""

    def note(self, what: Happening) -> None: ...
    async def end(self, reason: str) -> None: ...


class CallRegistry:
    """Knows every live call. ``on_move``: a call came, went or changed its state; ``observer``: told what happens on
    them."""

    def __init__(self, on_move: Callable[[], None] = lambda: None, observer: CallObserver | None = None) -> None:
        self._calls: dict[str, LiveCall] = {}
        self._changed = asyncio.Condition()
        self.on_move = on_move
        self.observer: CallObserver = observer or Unobserved()

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

    def live(self) -> Sequence[Mapping[str, Any]]:
        """Those that this service is in, the newest first."""
        return sorted((call.view() for call in self._registry), key=lambda view: view["started_at"], reverse=True)

    async def find(self, asked: CallSearch) -> CallsFound:
        """Those in progress here come first. Where only these are asked for, no database is."""
        every = self.live()
        now = [view for view in every if asked.matches(view)]
        page = now[asked.offset : asked.offset + asked.limit]
        reasons = summed(*((reason_of(view), 1) for view in now))
        here = CallTotals(len(now), len(now), 0.0, summed(*((view["outcome"], 1) for view in now)), reasons)
        if asked.live:
            return CallsFound(page, here)
        rest = replace(asked, limit=asked.limit - len(page), offset=max(asked.offset - len(now), 0))
        past = await self._records.find(rest, {view["call_id"] for view in every})
        return CallsFound([*page, *past.calls], here.plus(past.totals))

    async def get(self, call_id: str) -> Mapping[str, Any] | None:
        """A past call comes with its ``changes``, by the audit trail."""
        live = self._registry.get(call_id)
        if live is not None:
            return live.view()
        past = await self._records.get(call_id)
        return past and {**past, "changes": await self._changes(call_id)}


@dataclass(frozen=True, slots=True)
class CallServices:
    """``time_zone``: the company's, whose days "tomorrow" counts. ``number``: a telephone number in E.164.
    ``messages``: where what callers leave is kept, None: nowhere; ``tie``: the way to consoles of other processes,
    None: there is one process; ``dialogs``: where calls are kept for others to go on with, None: nowhere."""

    media: MediaEngine
    speech: SpeechService
    actions: Actions
    desk: Desk
    line: Line
    records: CallRecords
    clock: Clock
    registry: CallRegistry
    switchboard: Switchboard
    floor: Floor
    time_zone: tzinfo = UTC
    waiting: Callable[[], WaitingRules] = lambda: USUAL  # as they are now
    number: Callable[[str], str] = str
    messages: Messages | None = None
    tie: TieLine | None = None
    dialogs: LiveDialogs | None = None

    def phone_for(self, offer: Offer) -> tuple[AgentPhone | None, bool]:
        """The phone of whom it is offered to, and whether that is at the other end of a tie line; None: nowhere."""
        there = self.tie.phone_of(offer) if self.tie is not None else None
        return (there or self.floor.phone_of(offer.agent)), there is not None

    def local_time(self) -> datetime:
        """Now, by the company's clock."""
        return self.clock.now().astimezone(self.time_zone)
