"""Turn timing: where the time went from the caller's last sound to the line's first, step by step, as one log line.

``turn.answered`` is written when the answer's first clip has been played, since only then it is known when it began.
Steps follow each other and add up: voice activity lets go, the hang-over, waiting for the recogniser, understanding,
actions, rendering, the way to the far end; what is left (queues, journal, log) is ``other_s``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from ivr.call.voice_burst import loudest
from ivr.events import Heard, PlayDone
from ivr.ports import Clock, Moment, Played, Recognised, TurnAnswered

log = structlog.get_logger(__name__)

CLOSED_S = 0.3  # without a frame: the gate has closed, what is loud is found anew
FAINT = 0.02  # of the loudest sample so far, -34 dB: quieter is the room's
SILENT = 180  # of 32768, -45 dB: and so is this, whatever came before
_BYTES_A_SECOND = 16000


@dataclass(slots=True)
class _Turn:
    """Times on the clock; durations in seconds."""

    sound_at: float  # the caller's last
    let_go_at: float  # voice activity's
    ended_at: float  # the utterance was over
    heard_at: float
    recogniser_s: float
    understanding_s: float = 0.0
    action_s: float = 0.0
    rendering_s: float = 0.0
    asked_at: float = 0.0  # the media process to play
    token: int = 0  # of the first play


class LastSound:
    """When the caller was last heard, by loudness: voice activity holds on for a while longer."""

    def __init__(self) -> None:
        self.at = 0.0
        self._loudest = 0
        self._frame_at = 0.0

    def frame(self, pcm: bytes, at: float) -> None:
        """16-bit PCM that came through the media's voice gate; ``at``: of its first sample."""
        if len(pcm) < 2:
            return
        peak = loudest(pcm)
        if at - self._frame_at > CLOSED_S:
            self._loudest = 0
        self._frame_at = at
        self._loudest = max(self._loudest, peak)
        if peak >= max(SILENT, FAINT * self._loudest):
            self.at = at + len(pcm) / _BYTES_A_SECOND


def _unobserved(what: Moment) -> None:
    """Nobody is told."""


class TurnTiming:
    """One call's. What is answered to keys, or to silence, is no turn here. ``tell``: who observes the call."""

    def __init__(self, clock: Clock, tell: Callable[[Moment], None] = _unobserved) -> None:
        self._clock = clock
        self._observed = tell
        self._sound = LastSound()
        self._ended_at = 0.0
        self._turn: _Turn | None = None
        self._fillers: dict[int, float] = {}  # asked for at; they may come before anything was recognised
        self._filled_at = 0.0  # when the last one began to sound
        self._acting_since: float | None = None
        self._rendering_since: float | None = None

    def frame(self, pcm: bytes, at: float) -> None:
        """What the far end sent."""
        self._sound.frame(pcm, at)

    def ended(self) -> None:
        """An utterance was told to be over."""
        self._ended_at = self._clock.monotonic()

    def heard(self, heard: Heard) -> None:
        """It was recognised: what the line says from here on is the answer to it."""
        now, let_go = self._clock.monotonic(), heard.speech_ended_at
        sound = self._sound.at if 0.0 < let_go - self._sound.at < 2.0 else let_go  # in noise there is no telling
        self._turn = _Turn(sound, let_go, min(max(self._ended_at, let_go), now), now, heard.recognition.took_s)
        self._acting_since = self._rendering_since = None
        read = heard.recognition
        self._observed(Recognised(str(read.cause), read.took_s, read.duration_s))

    def understood(self, took_s: float) -> None:
        """The dialogue took something in."""
        if self._turn is not None and not self._turn.token:
            self._turn.understanding_s += took_s

    def acting(self) -> None:
        """An action begins, for which the answer waits."""
        self._acting_since = self._clock.monotonic()

    def acted(self) -> None:
        if self._acting_since is not None and self._turn is not None and not self._turn.token:
            self._turn.action_s += self._clock.monotonic() - self._acting_since
        self._acting_since = None

    def rendering(self) -> None:
        """A clip is asked for."""
        self._rendering_since = self._clock.monotonic()

    def playing(self, token: int, *, filler: bool = False) -> None:
        """The media process is asked to play; ``filler``: a word for who has to wait, which is no answer."""
        turn, now = self._turn, self._clock.monotonic()
        if filler:
            self._fillers[token] = now
            return
        if turn is None or turn.token:
            return
        if self._rendering_since is not None:
            turn.rendering_s = now - self._rendering_since
        turn.asked_at, turn.token = now, token

    def played(self, done: PlayDone) -> None:
        """A play is over: it began as long ago as it lasted."""
        turn, began = self._turn, self._clock.monotonic() - done.played_s
        if (asked := self._fillers.pop(done.token, None)) is not None and done.played_s:
            self._filled_at = max(asked, began)
        if done.played_s:
            self._observed(Played(done.played_s, done.completed))
        if turn is None or done.token != turn.token:
            return
        self._turn = None
        if done.played_s:
            self._observed(_told(turn, max(turn.asked_at, began), self._filled_at))


def _told(turn: _Turn, first_sound_at: float, filled_at: float) -> TurnAnswered:
    steps = {
        "voice_s": turn.let_go_at - turn.sound_at,
        "hangover_s": turn.ended_at - turn.let_go_at,
        "recognition_s": turn.heard_at - turn.ended_at,
        "understanding_s": turn.understanding_s,
        "action_s": turn.action_s,
        "rendering_s": turn.rendering_s,
        "media_s": first_sound_at - turn.asked_at,
    }
    whole = first_sound_at - turn.sound_at
    steps["other_s"] = max(0.0, whole - sum(steps.values()))
    told = {name: round(value, 4) for name, value in steps.items()}
    if filled_at > turn.let_go_at:
        told["filler_s"] = round(filled_at - turn.sound_at, 4)
    log.info("turn.answered", answer_s=round(whole, 4), recogniser_s=round(turn.recogniser_s, 4), **told)
    return TurnAnswered(whole, told)
