"""One leg's RTP session as the line sees it: commands to the media process, events (DTMF, audio, play done) from it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any, Protocol

from ivr.errors import MediaUnavailable
from ivr.events import Audio, Digit, KeyReleased, MediaEvent, MediaLost, MediaTimeout, PlayDone
from ivr.media import wire
from ivr.media.clip import Clip, LegStats
from ivr.media.description import MediaDescription
from ivr.media.resolution import resolved
from ivr.media.wire import KEYS, Kind

_MOST_AUDIO = 500  # frames (10 s) that may wait to be read


class Commands(Protocol):
    """The engine, as its legs use it."""

    def send(self, kind: Kind, leg: int, value: object = None) -> None: ...
    async def request(self, kind: Kind, leg: int, value: object = None) -> Any: ...
    def send_play(self, leg: int, token: int, clips: Sequence[Clip], *, stop_on_key: bool, gap_ms: int) -> None: ...
    def forget_leg(self, leg: int) -> None: ...


class ProcessMediaLeg:
    """Implements ``ivr.ports.MediaLeg``.

    Order of events: as they happened in the media process; a key comes before the PlayDone it causes. Once the media
    process is lost, every unfinished token gets PlayDone, then comes MediaLost and ``events`` ends; commands that
    would need media raise MediaUnavailable from then on, ``stop_playing``, ``listen(False)`` and ``close`` don't."""

    def __init__(self, commands: Commands, number: int, name: str, local: MediaDescription) -> None:
        self._commands = commands
        self._number = number
        self.name = name  # the SIP leg's id
        self.local = local  # what to put into our SDP
        self._events: asyncio.Queue[MediaEvent | None] = asyncio.Queue()
        self._tokens: set[int] = set()
        self._audio_waiting = 0
        self._dropped = 0
        self._listening = False
        self._gone = ""
        self._stats = LegStats()

    async def update(self, remote: MediaDescription) -> MediaDescription:
        """(Re)aim at ``remote``. Raises NoCommonCodec (nothing has changed then) or MediaUnavailable."""
        self._check()
        order = wire.described(await resolved(remote))
        local = wire.description(await self._commands.request(Kind.UPDATE, self._number, order))
        assert local is not None
        self.local = local
        return local

    async def play(self, clips: Sequence[Clip], *, token: int, stop_on_key: bool = False, gap_ms: int = 0) -> None:
        """Queue ``clips``; ``token`` must be of no play still unfinished. Waits for ever while the far end holds."""
        self._check()
        if token in self._tokens:
            raise ValueError(f"token {token} is still playing on {self.name}")
        self._tokens.add(token)
        self._commands.send_play(self._number, token, clips, stop_on_key=stop_on_key, gap_ms=gap_ms)

    async def stop_playing(self) -> None:
        """Silence within one tick (20 ms)."""
        self._tell(Kind.STOP)

    async def listen(self, on: bool) -> None:
        """Take what the far end says as Audio events, or leave it; keys always come."""
        if on:
            self._check()
        self._listening = on
        self._tell(Kind.LISTEN, on)

    async def bridge(self, other: object | None) -> None:
        """Join with ``other``, a leg of the same engine; both leave whomever they were joined with. None parts."""
        if other is None:
            self._tell(Kind.BRIDGE, 0)
            return
        self._check()
        if not isinstance(other, ProcessMediaLeg) or other._commands is not self._commands:
            raise TypeError("only legs of one media engine can be joined")
        other._check()
        self._tell(Kind.BRIDGE, other._number)

    async def whisper(self, clips: Sequence[Clip], *, token: int) -> None:
        """Play over the other party's voice (halved meanwhile); the other party hears nothing of it."""
        await self.play(clips, token=token)

    async def press(self, keys: str) -> None:
        """Send keys to the far end: telephone-events, or tones where it takes none."""
        self._check()
        if any(key not in KEYS for key in keys):
            raise ValueError("keys are 0-9, *, # and A-D")
        self._tell(Kind.PRESS, keys)

    async def events(self) -> AsyncIterator[MediaEvent]:
        """For one reader. Ends after ``close`` or MediaLost."""
        while True:
            event = await self._events.get()
            if event is None:
                self._events.put_nowait(None)  # so that a second reader ends too
                return
            if isinstance(event, Audio):
                self._audio_waiting -= 1
            yield event

    async def stats(self) -> LegStats:
        """Counts so far; the last known ones once the leg is gone."""
        if not self._gone:
            self._keep(await self._commands.request(Kind.STATS, self._number))
        return self._stats

    async def close(self) -> LegStats:
        """Free the ports; unfinished plays get PlayDone, then ``events`` ends. Idempotent, never raises."""
        if not self._gone:
            self._gone = "closed"
            try:
                self._keep(await self._commands.request(Kind.CLOSE, self._number))
            except MediaUnavailable:
                pass  # the process died meanwhile: nothing is left to free
            finally:
                self._end()
                self._commands.forget_leg(self._number)
        return self._stats

    # --- what the engine tells us ----------------------------------------------------------------------------

    def received(self, kind: int, value: Any) -> None:
        """What is said of this leg: a key goes down or up, the end of a play, or no RTP for too long."""
        if kind == Kind.DIGIT:
            self._events.put_nowait(Digit(*value))
        elif kind == Kind.RELEASED:
            self._events.put_nowait(KeyReleased(*value))
        elif kind == Kind.TIMEOUT:
            self._events.put_nowait(MediaTimeout(self.name, value))
        elif kind == Kind.DONE:
            done = PlayDone(*value)
            if done.token in self._tokens:  # else it is known no more: nothing is told
                self._tokens.remove(done.token)
                self._events.put_nowait(done)

    def on_audio(self, pcm: bytes, at: float) -> None:
        """20 ms of speech. Beyond ten unread seconds they are dropped and counted."""
        if not self._listening:
            return  # was under way when listening ended
        if self._audio_waiting >= _MOST_AUDIO:
            self._dropped += 1
            return
        self._audio_waiting += 1
        self._events.put_nowait(Audio(pcm, at))

    def on_lost(self, reason: str) -> None:
        """The media process, or this leg in it, is gone."""
        if self._gone:
            return
        self._gone = reason
        self._end(MediaLost(self.name, reason))

    # ---------------------------------------------------------------------------------------------------------

    def _end(self, last: MediaLost | None = None) -> None:
        for token in sorted(self._tokens):
            self._events.put_nowait(PlayDone(token, completed=False))
        self._tokens.clear()
        if last is not None:
            self._events.put_nowait(last)
        self._events.put_nowait(None)

    def _keep(self, values: Any) -> None:
        stats = LegStats(**values)
        self._stats = replace(stats, audio_dropped_frames=stats.audio_dropped_frames + self._dropped)

    def _tell(self, kind: Kind, value: object = None) -> None:
        if not self._gone:
            self._commands.send(kind, self._number, value)

    def _check(self) -> None:
        if self._gone:
            raise MediaUnavailable(
                f"the media of {self.name} is gone: {self._gone}", remedy="end the call; new calls get new media"
            )
