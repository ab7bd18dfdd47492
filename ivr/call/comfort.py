"""Comfort for who waits while humans are tried: ringback where a phone rings, else a word every few seconds."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable
from typing import Self

from ivr.phones.tones import RINGBACK
from ivr.ports import MediaLeg

# A word when nothing has sounded for so long, and again.
FIRST_S = 4.0
AGAIN_S = 8.0
AFTER_TONE_S = 2.0  # its last seconds were a pause already
AFTER_WORDS_S = 1.0  # when something else was being said: it has ended, or nearly
_FIRST_TOKEN = 1_000_001  # far from the mouth's, beyond the whisper's

_CYCLES = 5  # of ringback, ordered at once


class Comfort:
    """A context: one hand-over's, over all the phones that it tries. ``speak`` asks for a word; False: not now, the
    caller hears something already."""

    def __init__(self, media: MediaLeg, speak: Callable[[], bool]) -> None:
        self._media = media
        self._speak = speak
        self._tokens = itertools.count(_FIRST_TOKEN)
        self._rings = False
        self._sounds: int | None = None  # the token of the tone, once it was ordered
        self._changed = asyncio.Event()
        self._due = 0.0  # when the caller has heard nothing for long enough
        self._running: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._due = asyncio.get_running_loop().time() + FIRST_S
        self._running = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        """From now on it is quiet."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        await self.hush()

    def ringing(self) -> None:
        """A phone rings: heard after whatever is still being said."""
        if not self._rings:
            self._rings = True
            self._changed.set()

    def speak(self) -> None:
        """A word, now."""
        self._due = asyncio.get_running_loop().time() + (AGAIN_S if self._speak() else AFTER_WORDS_S)
        self._changed.set()

    async def hush(self) -> None:
        """It doesn't ring any more."""
        sounded, self._rings, self._sounds = self._sounds, False, None
        if sounded is not None:
            self._due = asyncio.get_running_loop().time() + AFTER_TONE_S
            self._changed.set()
            await self._media.stop_playing(sounded)  # a prompt before it is said to its end

    async def _run(self) -> None:
        now = asyncio.get_running_loop().time
        while True:
            self._changed.clear()
            if self._rings:
                self._sounds = next(self._tokens)
                await self._media.play([RINGBACK] * _CYCLES, token=self._sounds)
                self._due = now() + _CYCLES * RINGBACK.seconds
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(self._due):
                    await self._changed.wait()
                continue
            if not self._rings:
                self._due = now() + (AGAIN_S if self._speak() else AFTER_WORDS_S)
