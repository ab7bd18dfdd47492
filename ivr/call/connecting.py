"""Connecting a caller with a human, as the dialogue asks for it: begun, wanted more, asked about, given up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from ivr.call.handed_over import Pause
from ivr.call.handoff import Handoff
from ivr.call.inbox import Inbox
from ivr.call.registry import CallServices
from ivr.call.waiting_music import WaitingMusic
from ivr.dialogue.engine.contract import AskPlace, Connect, Disconnect, HandoffDone, HandoffSlow, PlaceTold

DISCONNECT_S = 3.0  # for the line to take back an offer


class Connecting:
    """One caller's. ``spawn`` runs what takes time beside the call; ``paused`` surrounds what a human has; ``quiet``:
    whether the caller hears nothing, who could. ``token``: of the latest Connect."""

    def __init__(
        self,
        handoff: Handoff,
        inbox: Inbox,
        music: WaitingMusic,
        services: CallServices,
        *,
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        paused: Pause,
        quiet: Callable[[], bool],
    ) -> None:
        self._handoff = handoff
        self._inbox = inbox
        self._music = music
        self._services = services
        self._spawn = spawn
        self._paused = paused
        self._quiet = quiet
        self._under_way: asyncio.Task[None] | None = None
        self.token = 0

    async def start(self, connect: Connect, language: str) -> None:
        """A second one while the caller waits already: the same place, wanted more."""
        self.token = connect.token
        place = self._handoff.place
        if self._under_way is not None and connect.waits and place.held:
            await place.move(connect)
            return
        self._under_way = self._spawn(self._connect(connect))
        if connect.waits:
            rules = self._services.waiting()
            name = rules.music if connect.music is None else connect.music
            self._spawn(self._music.load(name, language))

    async def stop(self, disconnect: Disconnect) -> None:
        """The caller leaves the line: what comes next finds their place as they left it."""
        connecting, self._under_way = self._under_way, None
        await self._music.off()
        if connecting is not None and disconnect.token == self.token:
            self._handoff.leaving(disconnect.keep)
            connecting.cancel()
            await asyncio.wait({connecting}, timeout=DISCONNECT_S)

    def ask_place(self, ask: AskPlace) -> None:
        place = self._handoff.place
        if place.held:
            place.ask()
        else:
            self._inbox.put_nowait(PlaceTold(ask.token, 0, asked=True))

    async def _connect(self, connect: Connect) -> None:
        def still_trying() -> bool:
            if self._quiet():
                self._inbox.put_nowait(HandoffSlow(connect.token))
            return self._quiet()

        outcome = await self._handoff.run(connect, self._paused, still_trying)
        self._under_way = None
        await self._music.off()
        self._inbox.put_nowait(HandoffDone(self.token, outcome))
