"""Recovery of a call whose recogniser is late or gone, or whose media are: nobody waits in silence for them. And of one
that the caller's phone has held."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from ivr.call.dtmf_filter import KeyFilter
from ivr.call.gather import CallGather
from ivr.call.input_timers import RECOGNITION_LATE_S
from ivr.call.message import MessageRecording
from ivr.call.mouth import Mouth
from ivr.dialogue.engine.contract import DialogueEvent, Interrupted, PartFailed, RecognitionLate, SpeechLost
from ivr.events import MediaRestored, RecogniserFailed
from ivr.ports import Clock

log = structlog.get_logger(__name__)

MOST_RESTORED = 3  # losses of media in a minute, after which a person is the better company


class Recovery:
    """One call's. ``tell``: the dialogue."""

    def __init__(
        self,
        gather: CallGather,
        mouth: Mouth,
        keys: KeyFilter,
        message: MessageRecording,
        clock: Clock,
        tell: Callable[[DialogueEvent], Awaitable[None]],
    ) -> None:
        self._gather = gather
        self._mouth = mouth
        self._keys = keys
        self._message = message
        self._clock = clock
        self._tell = tell

    async def ears_behind(self) -> None:
        """The caller has paused, and the recogniser has not come to it yet."""
        gather = self._gather
        if gather.paused or gather.listen is None or self._mouth.speaking or not gather.recognition.unheard():
            return
        await self.recognition_late(0)

    async def recognition_late(self, step: int) -> None:
        """First a word; then keys, which the reading may still come before; then, once all is said, a human."""
        gather, last = self._gather, step == len(RECOGNITION_LATE_S) - 1
        if gather.paused or gather.listen is None or self._message.active:
            gather.recognition.under_way = False
            return
        if last and self._mouth.speaking:
            gather.timers.await_recognition(step)
            return
        log.warning("recognition.late", step=step)
        if step == 0:
            await self._mouth.murmur()
        else:
            await self._tell(RecognitionLate(given_up=last))
        if not last:
            gather.timers.await_recognition(step + 1)
        else:
            gather.recognition.given_up()
            gather.await_input()

    async def recogniser_failed(self, failed: RecogniserFailed) -> None:
        """Whoever was speaking is asked to say it again where another worker hears them, once; else it is a failure."""
        gather = self._gather
        lost = gather.recognition.lost()
        if gather.paused or not await gather.ears.recover(gather.listen):
            await self._tell(PartFailed("recogniser", failed.reason))
            return
        log.info("recogniser.replaced")
        if lost:
            await self._tell(SpeechLost())
        gather.await_input()

    async def media_lost(self) -> None:
        """Nothing is heard, and what was being said is half a sentence."""
        gather = self._gather
        gather.lost = True
        self._keys.lost(self._clock.monotonic())
        gather.recognition.lost()
        gather.timers.stop()
        await gather.anew()

    async def media_restored(self, restored: MediaRestored) -> None:
        """What was being said begins anew by itself; a question that had been asked is asked again."""
        gather = self._gather
        gather.lost = False
        if gather.paused:
            return
        if restored.count >= MOST_RESTORED:
            await self._tell(PartFailed("media", f"lost {restored.count} times"))
        elif not self._mouth.speaking:
            await self._tell(Interrupted())
        gather.await_input()

    async def holds(self, on: bool) -> None:
        """The caller's phone holds the call, or goes on (RFC 3264 section 8.4): what was asked is asked again then."""
        gather = self._gather
        if on == gather.held:
            return
        log.info("call.held" if on else "call.resumed")
        gather.held = on
        if on:
            gather.recognition.lost()
            gather.timers.stop()
        await gather.anew()
        if on or gather.paused or gather.lost:
            return
        if not self._mouth.speaking:
            await self._tell(Interrupted(by_noise=True))  # nothing failed
        gather.await_input()
