"""A participant of a contact: a SIP dialog and the RTP session that belongs to it.

A call has one, the caller; a bridge transfer joins an agent's to it, and a supervisor's would be a third.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog

from ivr.errors import CallEnded, MediaUnavailable
from ivr.events import (
    Audio,
    Connected,
    Digit,
    KeyReleased,
    LegEnded,
    MediaHeard,
    MediaLost,
    MediaRestored,
    MediaTimeout,
    PlayDone,
    Tapped,
    TransferProgress,
)
from ivr.media.description import MediaDescription, NoCommonCodec, Sdes
from ivr.phones.restoration import Restoration
from ivr.ports import Leg, LegStats, MediaChanged, MediaLeg, TransferAsked

log = structlog.get_logger(__name__)

Heard = Audio | Digit | KeyReleased | PlayDone | MediaHeard | MediaLost | MediaRestored | CallEnded

# A phone that is gone answers no BYE; the leg goes on trying by itself, and nobody need wait for that.
HANGUP_TIMEOUT_S = 0.5
BROWSER = "browser"  # the trunk of a leg to one
MEDIA_CLOSE_TIMEOUT_S = 2.0

T = TypeVar("T")


@dataclass(slots=True)
class TapSink:
    """Where a leg's taps go; nowhere while nobody records."""

    to: Callable[[Tapped], None] | None = None


@dataclass(frozen=True, slots=True)
class Participant:
    """Each of ``signals`` and ``audio`` is for one consumer at a time; CallEnded is the last that they yield.

    ``may_mute``: who sends nothing for long stays as long as their phone answers. ``tied``: they are at a console of
    another process, which says by itself what a hang-up there means."""

    leg: Leg
    media: MediaLeg
    may_mute: bool = False
    tapped: TapSink = field(default_factory=TapSink, compare=False)
    tied: bool = False

    @property
    def encryption(self) -> str:
        """What was agreed on for the media by now: the suite of SRTP, "DTLS", or "none"."""
        remote = self.leg.remote
        if remote is None:
            return "DTLS" if self.leg.trunk == BROWSER else ""
        match remote.secure:
            case None:
                return "none"
            case Sdes(theirs=key):
                return key.suite
        return "DTLS"

    def kept(self) -> Mapping[str, Any] | None:
        """What another process goes on with (``SipEndpoint.restore``, and ``MediaEngine.open`` with its "media"); None:
        it ends with this process."""
        leg, media = self.leg.kept(), self.media.kept()
        return leg if leg is None or media is None else {**leg, "media": media}

    async def aim(self, remote: MediaDescription) -> None:
        """Send where ``remote`` says. Media that are lost just now are aimed once they are restored.

        Raises NoCommonCodec."""
        try:
            await self.media.update(remote)
        except NoCommonCodec:
            raise
        except MediaUnavailable as error:
            log.info("media.unaimed", leg=self.leg.id, why=str(error))

    async def signals(self) -> AsyncIterator[Digit | MediaChanged | TransferProgress | TransferAsked | CallEnded]:
        """What the far end signals; a re-INVITE has aimed the RTP session anew when it is told."""
        async for event in self.leg.events():
            match event:
                case MediaChanged(remote):
                    await self.aim(remote)
                    yield event
                case LegEnded(by=by, reason=reason):
                    yield CallEnded(by, reason)
                    return
                case _:
                    yield event

    async def audio(self) -> AsyncIterator[Heard]:
        """What comes in by RTP, and how our plays end. Media that are lost are restored, the far end keeps its dialog:
        MediaLost, then MediaRestored, or CallEnded where that cannot be."""
        restoration = Restoration(self.leg, self.media)
        try:
            async for event in self.media.events():
                match event:
                    case MediaTimeout(silent_s=silent_s):
                        if not (self.may_mute and await self._lives()):
                            yield CallEnded("network", f"no audio for {silent_s:.0f} s")
                    case MediaLost():
                        yield event
                        yield await restoration.of(event)
                    case Tapped():
                        if self.tapped.to is not None:
                            self.tapped.to(event)
                    case Connected(state="failed", why=why):
                        yield CallEnded("network", f"no encryption: {why}")
                    case Connected():
                        pass  # up; or closed, and the dialog's end follows
                    case _:
                        yield event
        finally:
            restoration.close()

    async def _lives(self) -> bool:
        """Whether the phone answers though it sends nothing; then it has as long again."""
        remote = self.leg.remote
        if remote is None or not await self.leg.answers():
            return False
        log.info("media.muted", leg=self.leg.id)
        await self.aim(remote)
        return True

    async def left(self) -> CallEnded:
        """Waits until they are gone: who ended it, and why."""
        return await first_of(_end_of(self.signals()), _end_of(self.audio()))

    async def let_go(self, reason: str) -> LegStats:
        """Hangs up and closes the RTP session, without waiting long for either; what the session counted."""
        try:
            await hang_up(self.leg, reason)
        finally:
            stats = await close_media(self.media)
        return stats


async def hang_up(leg: Leg, reason: str) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(HANGUP_TIMEOUT_S):
            await leg.hangup(reason)


async def close_media(media: MediaLeg) -> LegStats:
    """Its counts; zeros when the media process is gone."""
    try:
        async with asyncio.timeout(MEDIA_CLOSE_TIMEOUT_S):
            return await media.close()
    except (MediaUnavailable, TimeoutError):
        return LegStats()


async def first_of(*coroutines: Coroutine[Any, Any, T]) -> T:
    """The result of the first to end, of several by now the first named; the rest are cancelled."""
    tasks = [asyncio.create_task(c) for c in coroutines]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return next(task for task in tasks if task.done()).result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def to_the_end(work: Coroutine[Any, Any, T] | asyncio.Task[T]) -> T:
    """The result of ``work``, which no cancelling breaks off: whoever waits is cancelled once it is done."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not task.cancelled():
            task.exception()
        raise cancelled
    return task.result()


async def or_let_go(participant: Participant, work: Coroutine[Any, Any, T]) -> T:
    """The result of ``work``; whatever breaks it off lets go of ``participant``, whom nobody else has yet."""
    done = False
    try:
        result = await work
        done = True
        return result
    finally:
        if not done:
            await to_the_end(participant.let_go("the other side left"))


async def _end_of(events: AsyncIterator[object]) -> CallEnded:
    async for event in events:
        if isinstance(event, CallEnded):
            return event
    return CallEnded("network", "the leg is gone")
