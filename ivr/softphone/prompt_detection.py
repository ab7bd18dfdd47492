"""Prompt detection: when a prompt of the line begins and ends, and its sound, as heard through the phone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from ivr.errors import TelephonyError
from ivr.softphone.timing import AUDIBLE_DB, FRAME_S
from ivr.softphone.trace import HeardSound

_FRESH_S = 0.1  # quiet before a sound that makes it a new one, after the caller acted
_TAIL_S = 0.5  # longer than this after the caller acted, even an old sound is what the line says now
_PIECE_S = 0.25  # quiet that ends a piece of the transcript: less than there is between two sentences of the line
_LEAD_FRAMES = 10  # kept before the first audible packet


@dataclass(frozen=True, slots=True)
class HeardPiece:
    """One thing that the line said, between two pauses. ``pcm``: 16-bit 8 kHz."""

    start: float
    end: float
    pcm: bytes


class PromptDetector:
    """It is fed with every packet; waits are decided by what was heard, and bounded by the timeouts given."""

    def __init__(self, now: Callable[[], float], on_piece: Callable[[HeardPiece], None] | None = None) -> None:
        self._now = now
        self._on_piece = on_piece
        self._changed = asyncio.Event()
        self._acted_at = now()
        self._last_audible: float | None = None
        self._sound_began = float("-inf")  # of the latest sound
        self._fresh_at: float | None = None  # when the first sound after the caller's last act began
        self._over = False
        self._lead: list[bytes] = []
        self._piece: list[bytes] = []
        self._piece_start = 0.0

    def acted(self, at: float) -> None:
        """Note that the caller spoke until ``at`` or pressed a key then: sounds that begin later are the reaction."""
        self._acted_at = at
        self._fresh_at = self._sound_began if self._sound_began > at else None

    def hear(self, sound: HeardSound) -> None:
        audible = sound.level_db >= AUDIBLE_DB
        if audible:
            if self._last_audible is None or sound.at - self._last_audible - FRAME_S >= _FRESH_S:
                self._sound_began = sound.at
            if self._fresh_at is None and (self._sound_began > self._acted_at or sound.at > self._acted_at + _TAIL_S):
                self._fresh_at = sound.at
            self._last_audible = sound.at
        self._collect(sound, audible)
        self._changed.set()

    def over(self) -> None:
        """Note that the call ended: every wait ends with TelephonyError."""
        self._finish_piece()
        self._over = True
        self._changed.set()

    async def prompt_begin(self, timeout_s: float = 15.0) -> float:
        """Wait until something new is heard; return when. Raises TelephonyError when nothing is, or the call ends."""
        await self._until(lambda: 0.0 if self._fresh_at is not None else None, timeout_s, "the line said nothing")
        assert self._fresh_at is not None
        return self._fresh_at

    async def prompt_end(self, quiet_s: float = 0.9, timeout_s: float = 60.0) -> None:
        """Wait until something new was heard and then ``quiet_s`` of quiet. Raises TelephonyError."""

        def quiet_left() -> float:
            since = self._acted_at if self._last_audible is None else self._last_audible + FRAME_S
            return max(since, self._acted_at) + quiet_s - self._now()

        await self.prompt_begin(min(timeout_s, 15.0))
        await self._until(quiet_left, timeout_s, "the line never stopped talking")

    async def _until(self, remaining: Callable[[], float | None], timeout_s: float, complaint: str) -> None:
        """Wait; ``remaining`` gives the seconds that must still pass without news (0: done), None to wait for news."""
        deadline = self._now() + timeout_s
        while True:
            self._changed.clear()
            left = remaining()
            if left is not None and left <= 0:
                return
            if self._over:
                raise TelephonyError("the call ended")
            patience = deadline - self._now()
            if patience <= 0:
                raise TelephonyError(f"{complaint} for {timeout_s:.0f} s")
            try:
                async with asyncio.timeout(patience if left is None else min(left, patience)):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _collect(self, sound: HeardSound, audible: bool) -> None:
        if self._piece:
            self._piece.append(sound.pcm)
            if self._last_audible is not None and sound.at - self._last_audible >= _PIECE_S:
                self._finish_piece()
        elif audible:
            self._piece = [*self._lead, sound.pcm]
            self._piece_start = sound.at
        if not self._piece:
            self._lead = [*self._lead[1 - _LEAD_FRAMES :], sound.pcm]

    def _finish_piece(self) -> None:
        if self._piece and self._on_piece is not None and self._last_audible is not None:
            self._on_piece(HeardPiece(self._piece_start, self._last_audible + FRAME_S, b"".join(self._piece)))
        self._piece, self._lead = [], []
