"""A conversation: its parties, watched and mixed; the caller hears music while on hold."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol

import structlog

from ivr.errors import CallEnded, MediaUnavailable
from ivr.media.description import held
from ivr.phones.browser_phone import joinable
from ivr.phones.conference import Party, hears
from ivr.phones.music import MusicOnHold
from ivr.phones.participant import Participant, first_of, to_the_end
from ivr.phones.recording import ConversationRecording
from ivr.ports import Clip, MediaChanged, MediaLeg, TransferAsked

log = structlog.get_logger(__name__)


class Watched(Protocol):
    """What is told of the parties, one thing at a time."""

    async def left(self, party: Party, ended: CallEnded) -> None: ...
    async def phone_holds(self, party: Party, on: bool) -> None: ...
    async def transfer_asked(self, party: Party, asked: TransferAsked) -> None: ...


class Conversation:
    """The caller's signals and audio are somebody else's to read; everybody else's are read here.

    ``on_crash`` is told of whatever breaks in here."""

    def __init__(
        self,
        caller: Participant,
        name: str,
        music: Sequence[Clip],
        watched: Watched,
        on_crash: Callable[[BaseException], None],
        recording: ConversationRecording,
        changed: Callable[[], None],
    ) -> None:
        self.caller = Party("caller", name, caller, asyncio.get_running_loop().time())
        self.parties: list[Party] = [self.caller]
        self._watched = watched
        self._on_crash = on_crash
        self.recording = recording
        self._changed = changed
        self._music = MusicOnHold(caller.media, music)
        self._watching: dict[Party, asyncio.Task[None]] = {}
        self.closed = False
        self._hear: dict[Party, Sequence[MediaLeg]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def named(self, name: str) -> Party | None:
        return next((party for party in self.parties if party.name == name and party is not self.caller), None)

    def admit(self, party: Party) -> None:
        """They are in it; ``mix`` makes them heard."""
        self.parties.append(party)
        self._watching[party] = self.spawn(self._watch(party), f"watch {party.name}")

    async def part(self, party: Party, reason: str) -> None:
        """They leave, and their phone is hung up, whoever is cancelled meanwhile."""
        if party not in self.parties:
            return
        self.parties.remove(party)
        self._hear.pop(party, None)
        watching = self._watching.pop(party)
        await to_the_end(_parted(party, watching if watching is not asyncio.current_task() else None, reason))

    async def mix(self, *, held: bool, conference: bool) -> None:
        """Everybody hears whom they are to hear now; music starts and stops with ``held``."""
        if not held:
            await self._music.stop()
        order = hears(self.parties, held=held, conference=conference)
        for party, others in order.items():
            heard = [joinable(other.participant.media) for other in others]
            if heard != self._hear.get(party, []):
                self._hear[party] = heard
                try:
                    await party.participant.media.hear(heard)
                except MediaUnavailable as error:  # gone, which its events say; or to be tried again
                    self._hear.pop(party, None)
                    log.warning("conversation.unheard", who=party.role, why=str(error))
        await self.recording.follow(order, self.caller, self.spawn, self._changed)
        if held:
            self._music.start()

    async def close(self) -> None:
        """Everybody but the caller is let go of."""
        self.closed = True
        await self.recording.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(MediaUnavailable):
            await self._music.stop()
            await self.caller.participant.media.hear([])
        for party in self.parties[1:]:
            await party.participant.let_go("the conversation is over")
        del self.parties[1:]

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Beside the conversation, and no longer than it."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_crash(error)

    async def _watch(self, party: Party) -> None:
        ended = await first_of(self._signals(party), _audio(party))
        await self._watched.left(party, ended)

    async def _signals(self, party: Party) -> CallEnded:
        if (remote := party.participant.leg.remote) is not None and held(remote):
            await self._watched.phone_holds(party, True)
        async for event in party.participant.signals():
            match event:
                case CallEnded():
                    return event
                case MediaChanged(remote=remote):
                    await self._watched.phone_holds(party, held(remote))
                case TransferAsked():
                    await self._watched.transfer_asked(party, event)
        return CallEnded("network", "the leg is gone")


async def _parted(party: Party, watching: asyncio.Task[None] | None, reason: str) -> None:
    if watching is not None:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    await party.participant.let_go(reason)


async def _audio(party: Party) -> CallEnded:
    async for event in party.participant.audio():
        if isinstance(event, CallEnded):
            return event
    return CallEnded("network", "the media are gone")
