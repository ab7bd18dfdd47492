"""Held connections: WebSockets and event streams, which end a second after who opened them may have them no more, in
every process: one look at the database a second for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from aiohttp import web

from ivr.errors import StoreUnavailable

LOOK_S = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    request: web.Request
    still: Callable[[], Awaitable[bool]]
    session: str


@dataclass(slots=True)
class HeldConnections:
    """``look_again``: at these sessions, all at once, before each is asked about."""

    look_again: Callable[[Collection[str]], Awaitable[None]]
    _held: set[_Held] = field(default_factory=set)
    _watching: asyncio.Task[None] | None = None

    @contextmanager
    def open(self, request: web.Request, still: Callable[[], Awaitable[bool]], session: str = "") -> Iterator[None]:
        """What ``request`` is answered with ends when ``still`` says no; what raises StoreUnavailable says nothing.
        ``session``: the id of the one that it needs."""
        held = _Held(request, still, session)
        self._held.add(held)
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            self._held.discard(held)

    async def _watch(self) -> None:
        while self._held:
            await asyncio.sleep(LOOK_S)
            await self.look_again({held.session for held in self._held if held.session})
            for held in tuple(self._held):
                if held in self._held and not await _may(held) and held.request.transport is not None:
                    held.request.transport.close()


async def _may(held: _Held) -> bool:
    try:
        return await held.still()
    except StoreUnavailable:
        return True  # a conversation that is under way is not cut because nobody can be asked
