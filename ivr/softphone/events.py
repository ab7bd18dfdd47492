"""Call events that a softphone reports. Times ``at`` are CLOCK_MONOTONIC seconds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ivr.softphone.g711 import Law
from ivr.softphone.timing import KeyPress


@dataclass(frozen=True, slots=True)
class Ringing:
    """A provisional answer above 100 to our INVITE."""

    at: float
    status: int


@dataclass(frozen=True, slots=True)
class Incoming:
    """An INVITE reached this phone and got 180. ``headers``: of the INVITE, names lower-case."""

    at: float
    uri: str
    headers: Mapping[str, str]

    @property
    def caller(self) -> str:
        """The user part of From."""
        match = re.search(r"sip:([^@>;]*)@", self.headers.get("from", ""))
        return match[1] if match else ""


@dataclass(frozen=True, slots=True)
class InviteRefused:
    """An INVITE was refused without ringing: the phone is set to busy, or a call is up."""

    at: float
    status: int
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answered:
    """The call is up. ``headers``: of the 200 (calling) or of the INVITE (called). ``srtp``: its suite, "" for none."""

    at: float
    codec: Law
    event_type: int | None
    call_id: str
    headers: Mapping[str, str]
    srtp: str = ""


@dataclass(frozen=True, slots=True)
class CallOver:
    """The call ended. ``by``: "local", "remote" or "network". ``status``: of a call that was never answered, else 0."""

    at: float
    by: str
    status: int
    reason: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TracedMessage:
    """A SIP message as it crossed the wire. ``direction``: "in" or "out"."""

    at: float
    direction: str
    text: str


PhoneEvent = Ringing | Incoming | InviteRefused | Answered | KeyPress | CallOver
KINDS: dict[str, type[Ringing | Incoming | InviteRefused | Answered | CallOver]] = {
    "ringing": Ringing,
    "incoming": Incoming,
    "refused": InviteRefused,
    "answered": Answered,
    "ended": CallOver,
}
