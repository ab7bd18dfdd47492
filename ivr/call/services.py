"""What every call of one service shares: user agent, media, speech, actions, desk, records, clock and registry."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from ivr.call.registry import CallRegistry
from ivr.ports import Actions, CallRecords, Clock, Desk, MediaEngine, SipEndpoint, SpeechService


@dataclass(frozen=True, slots=True)
class CallServices:
    """``caller_id``: the SIP URI that agents' phones are called from. ``time_zone``: the company's, whose days
    "tomorrow" counts."""

    endpoint: SipEndpoint
    media: MediaEngine
    speech: SpeechService
    actions: Actions
    desk: Desk
    records: CallRecords
    clock: Clock
    registry: CallRegistry
    caller_id: str
    time_zone: tzinfo = UTC

    def local_time(self) -> datetime:
        """Now, by the company's clock."""
        return self.clock.now().astimezone(self.time_zone)
