"""Music on hold: what somebody on hold hears, over and over, until they are not."""

from __future__ import annotations

import array
import asyncio
import contextlib
import functools
import itertools
import math
from collections.abc import Sequence

from ivr.errors import MediaUnavailable
from ivr.ports import Clip, MediaLeg

_FIRST_TOKEN = 2_000_001  # far from the mouth's, the whisper's and the comfort's
_ORDERED_S = 30.0  # at once; the next are ordered before they end

_RATE = 8000
_LEVEL = 1500  # of 32767: well below speech
_NOTE_S = 0.5
_TUNE = (  # broken chords in C, a note each half second
    (262, 330, 392, 523, 392, 330), (220, 262, 330, 440, 330, 262),
    (175, 220, 262, 349, 262, 220), (196, 247, 294, 392, 294, 247),
)  # fmt: skip


@functools.cache
def tune() -> Sequence[Clip]:
    """A quiet tune of our own, twelve seconds, for who has no recording. Nobody's rights are in it."""
    bars = [b"".join(_note(hz) for hz in bar) for bar in _TUNE]
    return [Clip(f"music:{number}", bar) for number, bar in enumerate(bars)]


@functools.cache
def _note(hz: int) -> bytes:
    count = int(_NOTE_S * _RATE)
    swell = (min(i / 200, 1.0) * math.exp(-3.0 * i / count) * min((count - i) / 200, 1.0) for i in range(count))
    wave = (math.sin(2 * math.pi * hz * i / _RATE) + 0.2 * math.sin(4 * math.pi * hz * i / _RATE) for i in range(count))
    return array.array("h", (int(_LEVEL * s * w) for s, w in zip(swell, wave, strict=True))).tobytes()


class MusicOnHold:
    """Towards one leg. ``clips``: nothing of them is silence."""

    def __init__(self, media: MediaLeg, clips: Sequence[Clip]) -> None:
        self._media = media
        self._clips = clips
        self._tokens = itertools.count(_FIRST_TOKEN)
        self._playing: asyncio.Task[None] | None = None

    def start(self) -> None:
        """It plays from its beginning; nothing changes where it plays."""
        if self._playing is None and sum(clip.seconds for clip in self._clips) > 0:
            self._playing = asyncio.create_task(self._play())

    async def stop(self) -> None:
        """Silence within one tick."""
        playing, self._playing = self._playing, None
        if playing is not None:
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)
            await self._media.stop_playing()

    async def _play(self) -> None:
        with contextlib.suppress(MediaUnavailable):  # gone, which its events say
            await self._play_on()

    async def _play_on(self) -> None:
        once = sum(clip.seconds for clip in self._clips)
        order = list(self._clips) * max(1, round(_ORDERED_S / once))
        seconds = sum(clip.seconds for clip in order)
        ends = asyncio.get_running_loop().time()
        while True:
            await self._media.play(order, token=next(self._tokens))
            ends += seconds
            await asyncio.sleep(max(0.0, ends - once / 2 - asyncio.get_running_loop().time()))
