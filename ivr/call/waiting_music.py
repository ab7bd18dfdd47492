"""Music for who waits in the line: between all that is said, or not at all, as the caller likes."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from ivr.phones.music import MusicOnHold, tune
from ivr.ports import Clip, MediaLeg, SpeechService

log = structlog.get_logger(__name__)


class WaitingMusic:
    """One caller's. Whoever speaks to them stops it first; ``start`` goes on with it where it is wanted."""

    def __init__(self, media: MediaLeg, speech: SpeechService) -> None:
        self._media = media
        self._speech = speech
        self._clips: Sequence[Clip] = ()
        self._music: MusicOnHold | None = None
        self._wanted = False
        self._quiet = False  # the caller said so: on this call it stays

    async def load(self, name: str, language: str) -> None:
        """A recording by name; the house's own tune where there is none of that name; "" is quiet."""
        if not name or self._quiet:
            return
        if not self._clips:
            clip = await self._speech.recording(name, language)
            self._clips = (clip,) if clip is not None else tune()
        self._wanted = True

    async def on(self) -> None:
        """The caller wants it."""
        self._quiet = False
        self._clips = self._clips or tune()
        self._wanted = True

    async def off(self, *, quiet: bool = False) -> None:
        """Nobody waits any more; ``quiet``: or somebody wants to without it."""
        self._quiet = self._quiet or quiet
        self._wanted = False
        await self.stop()

    def start(self) -> None:
        """As nothing else is heard."""
        if self._wanted and self._music is None:
            self._music = MusicOnHold(self._media, self._clips)
            self._music.start()

    async def stop(self) -> None:
        """Silence within one tick, before something is said."""
        music, self._music = self._music, None
        if music is not None:
            await music.stop()
