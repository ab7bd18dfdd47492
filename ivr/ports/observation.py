"""Observation port: who is told what happens on calls, beside their records: metrics, call detail records, traces.

A call is observed from the INVITE that was taken (``Began``) to its end (``Over``); an INVITE that was refused is one
``RefusedCall`` and nothing else. Whoever observes never waits and never raises.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from ivr.media.clip import LegStats
from ivr.record import Entry


@dataclass(frozen=True, slots=True)
class Began:
    """A session took the call. ``transport``: of its signalling ("udp", "tcp", "tls"), "" where nobody knows."""

    sip_call_id: str
    caller: str
    called: str
    trunk: str
    direction: Literal["inbound", "outbound"] = "inbound"
    diverted_by: str = ""
    transport: str = ""


@dataclass(frozen=True, slots=True)
class Opened:
    """It is known which flow serves."""

    entry: str
    flow_version: str
    language: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """The INVITE has its 200, or the called party gave theirs (``sip_call_id``: of that leg, which is known now)."""

    sip_call_id: str = ""


@dataclass(frozen=True, slots=True)
class Played:
    """A prompt's clip is over, after ``seconds``."""

    seconds: float
    completed: bool = True


@dataclass(frozen=True, slots=True)
class Recognised:
    """An utterance was read: ``spoken_s`` of speech, ``took_s`` of the recogniser's time. ``cause``: MRCP's."""

    cause: str
    took_s: float
    spoken_s: float


@dataclass(frozen=True, slots=True)
class TurnAnswered:
    """From the caller's last sound to the line's first, and how it came to that: see ``ivr.call.turn_timing``."""

    answer_s: float
    steps: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HumanWanted:
    """A person is looked for from now on."""

    reason: str
    skill: str


@dataclass(frozen=True, slots=True)
class Waited:
    """A caller is in the line no more: an agent has them, or they left."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Rang:
    """An agent's phone was rung for ``ring_s``; where it was picked up, ``whisper_s`` until both could be joined.

    ``result``: "answered", or why not: a ``Release`` of the line's, or "withdrawn" where the caller was gone, the time
    was over or somebody else was quicker."""

    agent: str
    result: str
    ring_s: float
    whisper_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Joined:
    """A person has the call; ``after_s`` the first wish for one. ``sip_call_id``: of the agent's leg, "" for a
    browser's and after a REFER."""

    agent: str
    skill: str
    sip_call_id: str = ""
    after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Parted:
    """The conversation is over. ``how``: as ``BridgeEnd`` has it, or "transferred" after a REFER."""

    agent: str
    how: str
    by: str
    talk_s: float
    recorded: bool = False


@dataclass(frozen=True, slots=True)
class Unreached:
    """The search for a person ended without one: "closed", "failed"."""

    skill: str
    why: str


@dataclass(frozen=True, slots=True)
class HttpAnswered:
    """A company's service was asked. ``status``: HTTP's, 0 where none came; ``span``: by which its span is known."""

    service: str
    method: str
    status: int
    took_s: float
    span: str = ""


@dataclass(frozen=True, slots=True)
class Over:
    """The call is over. ``sip_status``: what its INVITE got in the end; ``canonical``: its last line (``call.end``);
    ``facts``: what is known of the caller and the call."""

    outcome: str
    ended_by: str
    sip_status: int
    canonical: Mapping[str, Any]
    stats: LegStats
    facts: Mapping[str, object] = field(default_factory=dict)


Moment = (
    Began | Opened | Accepted | Entry | Played | Recognised | TurnAnswered | HumanWanted | Waited | Rang | Joined
    | Parted | Unreached | HttpAnswered | Over
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RefusedCall:
    """A trunk's INVITE that no session took. ``reason``: "busy", "draining", "speech", "overload"."""

    sip_call_id: str
    caller: str
    called: str
    trunk: str
    status: int
    reason: str


class CallObserver(Protocol):
    """Told in the order in which it happens, on the loop. Must be quick; see ``ivr.telemetry.observers``."""

    def observe(self, call_id: str, at: datetime, what: Moment) -> None: ...
    def refused(self, at: datetime, call: RefusedCall) -> None: ...


class Unobserved:
    """Nobody is told."""

    def observe(self, call_id: str, at: datetime, what: Moment) -> None: ...
    def refused(self, at: datetime, call: RefusedCall) -> None: ...
