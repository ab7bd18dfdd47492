"""A matter before an agent: a call, a call back or a message, from its offer to its wrap-up."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

from ivr.desk.routing import waits_since
from ivr.desk.story import Story, plain
from ivr.events import CALLER_ID, CALLER_NAME
from ivr.identity import Identity, IdentityLevel
from ivr.ports import Bridge, HandoffContext, Party, Place
from ivr.record import Utterance

Kind = Literal["call", "call_back", "message"]
SHOWN = (
    "held",
    "held_by",
    "muted",
    "consulting",
    "transferring",
    "trouble",
    "on_hang_up",
    "you",
    "supervisors",
    "recording",
)


@dataclass(frozen=True, slots=True)
class Message:
    """What a caller left. ``recording``: where it is played, "" where there is none."""

    transcript: str
    recording: str = ""


@dataclass(slots=True)
class Matter:
    """Somebody before the agent. ``place`` as it was when it was offered."""

    place: Place
    story: Story
    until: datetime | None = None
    asked_by: str = ""  # the colleague who consults this agent
    since: datetime | None = None  # the conversation, or the reading
    bridge: Bridge | None = None
    message: Message | None = None
    ended: datetime | None = None
    awaited: bool = False  # joined at a line that died, and to be joined again
    held: bool = False  # then
    paused: bool = False  # its recording, then
    taken: asyncio.Future[bool] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def kind(self) -> Kind:
        if self.place.arrival.channel == "message":
            return "message"
        return "call_back" if self.place.callback_number else "call"

    def to_json(self) -> dict[str, Any]:
        place = self.place
        return {
            "place": place.id,
            "kind": self.kind,
            "waits_since": waits_since(place).isoformat(),
            "again": place.again or place.offers > 1,
            "attempts": place.attempts,
            "call_back_number": place.callback_number,
            "until": plain(self.until),
            "asked_by": self.asked_by,
            "since": plain(self.since),
            "ended": plain(self.ended),
            "joined": self.bridge is not None,
            "awaited": self.awaited,
            "bridge": self._bridge(),
            "message": None if self.message is None else asdict(self.message),
            "story": self.story.to_json(),
        }

    def _bridge(self) -> dict[str, Any]:
        """What of the conversation consoles show; what runs with the clock would make every look another."""
        if self.bridge is None or self.ended is not None:
            return {}
        view = self.bridge.view()
        return {name: plain(view[name]) for name in SHOWN if name in view}


def context_of(place: Place) -> HandoffContext:
    """What is known of a place that comes without a call: a message, a call back whose context is gone."""
    arrival = place.arrival
    said = (Utterance("heard", arrival.said),) if arrival.said else ()
    facts: dict[str, object] = {CALLER_ID: arrival.member, CALLER_NAME: arrival.name}
    if arrival.person.startswith("member:"):  # so they are called from the level likely on
        facts |= Identity(IdentityLevel.LIKELY, "when they called").facts
    return HandoffContext(
        arrival.call_id, arrival.reason, arrival.skill, arrival.priority, Party(arrival.number, arrival.name),
        arrival.language, facts, said, said=arrival.said,
    )  # fmt: skip
