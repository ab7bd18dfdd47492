"""The events of a leg that wait to be read: all of them, but for audio beyond ten seconds and taps beyond sixty."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from ivr.events import (
    Audio,
    Connected,
    Digit,
    KeyReleased,
    MediaEvent,
    MediaHeard,
    MediaTimeout,
    Tapped,
)
from ivr.media.clip import LegStats
from ivr.media.wire import Kind

_MOST_AUDIO = 500  # frames (10 s) that may wait to be read
_MOST_TAPPED = 60 * 8000  # bytes (60 s) likewise: a recording's disk may stand still for a while
_FRAME = 160  # bytes of G.711


class LegEvents:
    """In the order in which they are put. ``name``: the leg's."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._dropped = 0  # frames
        self._tapped_dropped = 0
        self._events: asyncio.Queue[MediaEvent | None] = asyncio.Queue()
        self._audio_waiting = 0
        self._tapped_waiting = 0  # bytes

    def put(self, event: MediaEvent) -> None:
        self._events.put_nowait(event)

    def received(self, kind: int, value: Any) -> None:
        """What the media process says of the far end."""
        match kind:
            case Kind.DIGIT:
                self.put(Digit(*value))
            case Kind.RELEASED:
                self.put(KeyReleased(*value))
            case Kind.HEARD:
                self.put(MediaHeard(self._name))
            case Kind.CONNECTED:
                self.put(Connected(self._name, *value))
            case Kind.TIMEOUT:
                self.put(MediaTimeout(self._name, value))

    def put_audio(self, pcm: bytes, at: float) -> None:
        """20 ms of speech."""
        if self._audio_waiting >= _MOST_AUDIO:
            self._dropped += 1
            return
        self._audio_waiting += 1
        self.put(Audio(pcm, at))

    def put_tapped(self, codec: str, payload: bytes, at: float) -> None:
        """About a second of what came in."""
        if self._tapped_waiting >= _MOST_TAPPED:
            self._tapped_dropped += len(payload) // _FRAME
            return
        self._tapped_waiting += len(payload)
        self.put(Tapped(codec, payload, at))

    def counted_in(self, stats: LegStats) -> LegStats:
        """``stats``, and what was dropped here."""
        return replace(
            stats,
            audio_dropped_frames=stats.audio_dropped_frames + self._dropped,
            tap_dropped_frames=stats.tap_dropped_frames + self._tapped_dropped,
        )

    def end(self) -> None:
        """Nothing follows."""
        self._events.put_nowait(None)

    async def read(self) -> AsyncIterator[MediaEvent]:
        """For one reader, until the end."""
        while True:
            event = await self._events.get()
            if event is None:
                self._events.put_nowait(None)  # so that a second reader ends too
                return
            if isinstance(event, Audio):
                self._audio_waiting -= 1
            elif isinstance(event, Tapped):
                self._tapped_waiting -= len(event.payload)
            yield event
