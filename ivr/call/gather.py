"""Gather of one call: what it listens for, with which ears, and until when it waits for speech or keys (VoiceXML)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from ivr.call.awaited_recognition import AwaitedRecognition
from ivr.call.ears import CallEars
from ivr.call.inbox import Inbox
from ivr.call.input_timers import InputTimers
from ivr.call.mouth import Mouth
from ivr.dialogue.engine.contract import Listen, PartFailed
from ivr.events import Audio
from ivr.ports import Clock


class CallGather:
    """``listen``: the dialogue's last wish, None where nothing is listened for. ``paused``: a human has the call.
    ``lost``: the caller's media are; nothing is heard, and nobody waits for an answer. ``held``: nor while their phone
    holds the call; what it sends meanwhile is music.

    ``spawn`` runs a task of the call; ``keys_led``: the dialogue knows already that it hears nothing."""

    def __init__(
        self,
        ears: CallEars,
        mouth: Mouth,
        inbox: Inbox,
        clock: Clock,
        *,
        spawn: Callable[[Coroutine[Any, Any, None]], object],
        keys_led: Callable[[], bool],
    ) -> None:
        self.listen: Listen | None = None
        self.paused = False
        self.lost = False
        self.held = False
        self.ears = ears
        self.timers = InputTimers(inbox)
        self.recognition = AwaitedRecognition(
            *(ears, self.timers, inbox, clock),
            spawn=spawn,
            hangover_s=lambda: self.listen.hangover_s if self.listen is not None else 0.0,
        )
        self._mouth = mouth
        self._inbox = inbox
        self._keys_led = keys_led

    def feed(self, audio: Audio) -> None:
        """What the caller sends."""
        self.ears.feed(audio)
        self.recognition.frame(audio.pcm)

    async def start(self, listen: Listen) -> None:
        """Listen for something else from now on."""
        self.timers.stop("no-input", "inter-digit")
        self.listen = listen
        self._deaf(await self.ears.listen(None if self.held else listen))

    async def anew(self) -> None:
        """Half a sentence is in the ears, and the rest is lost."""
        self._deaf(await self.ears.renew(None if self.paused or self.held else self.listen))

    def await_input(self) -> None:
        """Time runs for the caller, unless somebody speaks or nobody listens."""
        if self.listen is None or self.paused or self.lost or self.held:
            return
        if self._mouth.speaking or self.recognition.under_way:
            return
        self.timers.await_input(self.listen)

    @asynccontextmanager
    async def pause(self) -> AsyncIterator[None]:
        """Nothing is listened for in here; afterwards only what the dialogue then wants."""
        self.paused = True
        self.timers.stop()
        self.listen = None
        try:
            await self.ears.listen(None)
            yield
        finally:
            self.paused = False

    async def close(self) -> None:
        """The call is over."""
        self.timers.stop()
        self.recognition.stop()
        await self.ears.close()

    def _deaf(self, deaf_because: str) -> None:
        if deaf_because and not self._keys_led():
            self._inbox.put_nowait(PartFailed("recogniser", deaf_because))
