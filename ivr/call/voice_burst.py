"""Voice bursts: where a caller pauses, as loudness tells on the line, whatever the recogniser is busy with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

QUIET_S = 0.6  # longer than most pauses for breath, and than an endpointer that is in time needs
LEAST_S = 0.25  # from the first loud frame to the last: shorter ones are clicks
CLOSED_S = 0.3  # without a frame: the gate has closed
LOUD = 0.12  # of the burst's loudest frame


def loudest(pcm: bytes) -> int:
    """The highest sample of 16-bit PCM, either way; at least one sample."""
    samples = memoryview(pcm)[: len(pcm) & ~1].cast("h")
    return max(max(samples), -min(samples))


def _nobody() -> None:
    return None


class VoiceBurst:
    """One caller's. ``ended`` is called at the end of each burst that may have been speech."""

    def __init__(self, ended: Callable[[], object]) -> None:
        self._ended = ended
        self._began = self._latest = self._frame_at = 0.0
        self._loudest = 0
        self._look: asyncio.TimerHandle | None = None

    def frame(self, pcm: bytes) -> None:
        """16-bit PCM that came through the media's voice gate."""
        if len(pcm) < 2:
            return
        peak = loudest(pcm)
        loop = asyncio.get_running_loop()
        now, before = loop.time(), self._frame_at
        self._frame_at = now
        if now - before > CLOSED_S:
            self._loudest = 0
        self._loudest = max(self._loudest, peak)
        if peak < LOUD * self._loudest:
            return  # the gate's hang-over, or the room
        self._latest = now
        if self._look is None:
            self._began = now
            self._look = loop.call_later(QUIET_S, self._looked)

    @property
    def going_on(self) -> bool:
        return self._look is not None

    def stop(self) -> None:
        """For good."""
        self._ended = _nobody
        if self._look is not None:
            self._look.cancel()
            self._look = None

    def _looked(self) -> None:
        loop = asyncio.get_running_loop()
        left = self._latest + QUIET_S - loop.time()
        if left > 0:
            self._look = loop.call_later(left, self._looked)
            return
        self._look = None
        if self._latest - self._began >= LEAST_S:
            self._ended()
