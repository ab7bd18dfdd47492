"""The live dialog of a call: what another process needs to go on with it, kept before the 200 and at each state."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog

from ivr.errors import IvrError
from ivr.phones.participant import Participant
from ivr.ports import Clock, LiveDialogs

log = structlog.get_logger(__name__)

BEGIN_S = 0.01  # the caller hears it ring for so much longer, at most
EVERY_S = 1.0
LOOK_S = 5.0  # for what no state tells of: the far end held the call, or moved

Part = Callable[[], Mapping[str, Any] | None]


def _nothing() -> None:
    return None


class LiveDialog:
    """Of one call. ``dialogs`` None: nobody takes over; ``kept``: by another process, None where none had it.
    ``caller``: None while nobody is there yet. ``rest``: the other parts of the snapshot, as they are now; None once
    there is nothing to go on with."""

    def __init__(
        self,
        call_id: str,
        dialogs: LiveDialogs | None,
        clock: Clock,
        kept: Mapping[str, Any] | None = None,
    ) -> None:
        self._call_id = call_id
        self._caller: Participant | None = None
        self._had_caller = "caller" in (kept or {})
        self._dialogs = dialogs
        self._clock = clock
        former = {name: part for name, part in (kept or {}).items() if name != "caller"}
        self.rest: Part = lambda: former
        self._kept: Mapping[str, Any] | None = None
        self._on_file = kept is not None
        self._kept_at = float("-inf")
        self._due: asyncio.TimerHandle | None = None
        self._asked: asyncio.Future[None] | None = None
        self._unkept = False
        self._over = False

    async def begin(self, caller: Participant | None = None) -> None:
        """The call is about to be answered or dialled, or the far end to be told that it is here now: it is on file
        then, unless that takes too long."""
        self._caller = caller
        asked = self._put()
        if asked is not None:
            await asyncio.wait({asked}, timeout=BEGIN_S)

    def at_once(self) -> None:
        """How it is now is kept, and nobody waits for that."""
        self._put()

    def changed(self) -> None:
        """At most once in EVERY_S it is kept how the call is now."""
        if self._dialogs is None or self._over or self._due is not None:
            return
        loop = asyncio.get_running_loop()
        self._due = loop.call_at(max(loop.time(), self._kept_at + EVERY_S), self._put)

    async def follow(self) -> None:
        """Until cancelled."""
        while True:
            await self._clock.sleep(LOOK_S)
            self.changed()

    def over(self) -> None:
        """There is nothing to go on with any more."""
        self._stop()
        if self._dialogs is not None and self._on_file:
            self._ask(self._dialogs.forget(self._call_id))

    def leave(self) -> None:
        """Another process has the call, and keeps it."""
        self._stop()

    def _stop(self) -> None:
        self._over = True
        self.rest = _nothing  # it knows the call, which knows this
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _put(self) -> asyncio.Future[None] | None:
        if self._due is not None:
            self._due.cancel()
            self._due = None
        caller, dialogs = self._caller, self._dialogs
        if dialogs is None or self._over or (caller is None and self._had_caller):
            return None
        snapshot = dict(self.rest() or {})
        if caller is not None:
            if (kept := caller.kept()) is None:
                return None
            snapshot["caller"] = kept
        if not snapshot or snapshot == self._kept:
            return None
        self._on_file = True
        self._kept, self._kept_at = snapshot, asyncio.get_running_loop().time()
        return self._ask(dialogs.keep(self._call_id, caller.leg.sip_call_id if caller is not None else "", snapshot))

    def _ask(self, asking: Awaitable[None]) -> asyncio.Future[None]:
        asked = asyncio.ensure_future(asking)
        asked.add_done_callback(self._settled)
        return asked

    def _settled(self, asked: asyncio.Future[None]) -> None:
        """The call goes on without; once is enough to say so."""
        error = None if asked.cancelled() else asked.exception()
        if error is None:
            self._unkept = False
        elif not self._unkept:
            self._unkept = True
            if isinstance(error, IvrError | TimeoutError | OSError):
                log.warning("dialog.unkept", error=str(error) or type(error).__name__)
            else:
                log.error("dialog.unkept", error=type(error).__name__, exc_info=error)
