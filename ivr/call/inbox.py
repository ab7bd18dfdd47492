"""The inbox: the event queue of one call. Legs, media, ears, mouth, timers and actions put; the conductor gets."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Literal

from ivr.dialogue.engine.contract import DialogueEvent
from ivr.errors import CallEnded
from ivr.events import Digit, EarEvent, KeyReleased, MediaLost, MediaRestored, PlayDone, TransferProgress
from ivr.ports import MediaChanged

InputTimer = Literal["no-input", "inter-digit", "recognition"]


@dataclass(frozen=True, slots=True)
class EarsBehind:
    """The caller's voice has paused, and the recogniser has not come to it yet."""


@dataclass(frozen=True, slots=True)
class TimerExpired:
    """``token`` is of the Listen that the timer was started for, so that a stale one is recognised and dropped."""

    timer: InputTimer
    token: int


InboxEvent = (
    Digit
    | KeyReleased
    | PlayDone
    | MediaLost
    | MediaRestored
    | MediaChanged
    | EarEvent
    | EarsBehind
    | TransferProgress
    | TimerExpired
    | CallEnded
    | DialogueEvent
)

Inbox = asyncio.Queue[InboxEvent]
"""In the order in which they came; unbounded, for none of them may be dropped."""
