"""What can happen to a call, as values. Imported by everything, imports nothing but errors.

Times named ``at`` are seconds on the monotonic clock of the process that made the event.
Audio is 16-bit little-endian mono PCM at 8 kHz unless a field says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

DigitSource = Literal["rtp", "info", "tone"]

# Facts of a call, for any company: who calls, set by the action that identified them; and one of the actions.
CALLER_ID = "caller.id"
CALLER_NAME = "caller.name"
HANDOFF_SKILL = "call.handoff_skill"  # of the human who is wanted, once one is
HANDOFF_REASON = "call.handoff_reason"  # the most important one
HANDOFF_PRIORITY = "call.handoff_priority"
HANDOFF_CONTEXT = "call.handoff_context"  # the token of the story that a human gets
HANDOFF_SAID = "call.handoff_said"  # the caller's words for it
CALLBACK_REQUEST = "callback.request"  # the action that promises a call back
MESSAGE_LEAVE = "message.leave"  # for an agent to hear
MESSAGE_TAKE = "message.take"  # for what the flow does next
RECORDED = frozenset({MESSAGE_LEAVE, MESSAGE_TAKE})  # the actions for which the line records what the caller says
RECORDING_ON = "recording.on"  # conversations with agents may be recorded here, where the caller agrees
RECORDING_AGREED = "call.recording"  # whether the caller agreed; not there before they were asked


class Cause(StrEnum):
    """MRCP completion causes (RFC 6787 section 9.4.11), as logged on every recognition."""

    SUCCESS = "success"
    NO_MATCH = "no-match"
    NO_INPUT_TIMEOUT = "no-input-timeout"
    RECOGNITION_TIMEOUT = "recognition-timeout"
    HOTWORD_MAXTIME = "hotword-maxtime"
    ERROR = "error"


class Accept(StrEnum):
    """What the recogniser itself thinks of a hypothesis; the flow's policy has the last word."""

    ACCEPT = "accept"
    CONFIRM = "confirm"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One way to hear an utterance.

    ``phrase`` is the index into the grammar's phrases, None for free transcription. ``confidence`` is 0..1
    and comparable within one recogniser."""

    text: str
    confidence: float
    phrase: int | None = None
    verdict: Accept = Accept.CONFIRM


@dataclass(frozen=True, slots=True)
class Manner:
    """How something was said. Weak evidence, relative to the caller's own first utterances; 0 means unknown."""

    loudness_db: float = 0.0
    words_per_second: float = 0.0
    pitch_hz: float = 0.0
    snr_db: float = 0.0


@dataclass(frozen=True, slots=True)
class Recognition:
    """A finished recognition: MRCP cause, n-best (best first) and the unconstrained transcript.

    ``clarity``: how likely the recogniser finds each part of its transcript, 0..1; None where it doesn't say.
    ``seconded``: what a second, independent recogniser read, best first; empty where none was asked, or answered.
    ``transcribed``: the n-best was read off the transcript, which is no second witness to it.
    ``alternatives``: what the transcript may have been, itself among them, and how likely each is beside the others,
    0..1; empty where the recogniser saw no need to tell."""

    cause: Cause
    nbest: tuple[Hypothesis, ...] = ()
    transcript: str = ""
    duration_s: float = 0.0
    took_s: float = 0.0
    engine: str = ""
    manner: Manner = field(default_factory=Manner)
    clarity: float | None = None
    seconded: tuple[str, ...] = ()
    transcribed: bool = False
    alternatives: tuple[tuple[str, float], ...] = ()

    @property
    def unsure(self) -> bool:
        """Something was said, and the recogniser would not act on it without a question."""
        if self.cause not in (Cause.SUCCESS, Cause.NO_MATCH, Cause.RECOGNITION_TIMEOUT):
            return False
        best = self.nbest[0].verdict if self.nbest else Accept.REJECT
        return best is Accept.CONFIRM or (best is Accept.REJECT and bool(self.transcript.strip()))


# --- what the ears, the keypad and the mouth report ----------------------------------------------------


@dataclass(frozen=True, slots=True)
class Digit:
    """A key was pressed: one of ``0-9*#A-D``. Reported once per press, whatever way it arrived.

    ``held``: it is still down, and KeyReleased will follow."""

    key: str
    source: DigitSource
    at: float = 0.0
    held: bool = False


@dataclass(frozen=True, slots=True)
class KeyReleased:
    """A key that was held is up again."""

    key: str
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Audio:
    """PCM from the far end, while its voice gate is open (pre-roll included). ``at`` is its first sample's time."""

    pcm: bytes
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """The endpointer closed the utterance; ``at`` is when the caller's speech really ended (hang-over excluded)."""

    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Heard:
    """An utterance was recognised. ``speech_ended_at`` is when the caller stopped speaking."""

    recognition: Recognition
    speech_ended_at: float = 0.0


@dataclass(frozen=True, slots=True)
class RecogniserFailed:
    """The ears of this call are gone; the caller goes to a human."""

    reason: str


@dataclass(frozen=True, slots=True)
class PlayDone:
    """The clips of ``token`` ended. ``completed`` is False when they were cut short (barge-in, stop)."""

    token: int
    completed: bool
    played_s: float = 0.0


# --- what the legs report -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MediaHeard:
    """The far end was heard for the first time: RTP, or what else proves that it lives."""

    leg: str


@dataclass(frozen=True, slots=True)
class MediaTimeout:
    """No RTP from the far end for the configured time."""

    leg: str
    silent_s: float


@dataclass(frozen=True, slots=True)
class Tapped:
    """What came in on a leg: G.711 payload (of a G.722 leg as PCMU) without gaps, silence where nothing came.

    ``at``: of the first sample. Where the one before ended earlier, the media process stood still or died."""

    codec: str
    payload: bytes
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Connected:
    """A browser's leg: its transport is "up" (keys agreed, media flow), "closed" (by the page) or "failed"."""

    leg: str
    state: Literal["up", "closed", "failed"]
    why: str = ""


@dataclass(frozen=True, slots=True)
class MediaLost:
    """The media process died under this leg, which can be opened again in the next one."""

    leg: str
    reason: str


@dataclass(frozen=True, slots=True)
class MediaRestored:
    """A leg that had lost its media has them again: ``gap_s`` after, for the ``count``-th time lately."""

    leg: str
    gap_s: float
    count: int = 1


@dataclass(frozen=True, slots=True)
class LegEnded:
    """The far end of a leg is gone: BYE, CANCEL, session timer, transport failure."""

    leg: str
    by: str
    reason: str
    status: int = 0


@dataclass(frozen=True, slots=True)
class TransferProgress:
    """A NOTIFY about our REFER (RFC 3515): 1xx in progress, 2xx done, else failed."""

    status: int
    reason: str


MediaEvent = Digit | KeyReleased | Audio | PlayDone | MediaHeard | MediaTimeout | MediaLost | Tapped | Connected
EarEvent = SpeechStarted | SpeechEnded | Heard | RecogniserFailed


@dataclass(frozen=True, slots=True)
class ActionResult:
    """What an action did.

    ``outcome`` is one of the outcomes its signature declares (or ``failed``/``timeout``). ``values`` bind the flow's
    ``returns``; ``facts`` are merged into the call's facts (dotted names, e.g. ``caller.name``);
    ``vocabularies`` replace the word lists that slot types draw on (e.g. ``appointments`` -> the caller's own)."""

    outcome: str
    values: Mapping[str, object] = field(default_factory=dict)
    facts: Mapping[str, object] = field(default_factory=dict)
    vocabularies: Mapping[str, tuple[Term, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Term:
    """One entry of a vocabulary: a stable ``id``, how it is said back, and other ways callers say it."""

    id: str
    label: str
    spoken: tuple[str, ...] = ()
