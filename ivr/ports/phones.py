"""Agents' phones and what they can do with a conversation, as hand-overs, call backs and consoles see them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from ivr.ports.line import Offer
from ivr.ports.media import MediaLeg
from ivr.ports.telephony import Leg
from ivr.record import HandoffContext

Supervision = Literal["listen", "whisper", "barge", "off"]
HangUp = Literal["ends", "returns"]
"""What an agent who hangs up their phone does: ends the call, or returns the caller to the dialogue."""


@dataclass(frozen=True, slots=True)
class Ring:
    """What an agent's phone rings with: the offer, everything the caller said, the headers that SIP phones get."""

    offer: Offer
    context: HandoffContext
    url: str
    headers: Mapping[str, str]
    ring_timeout_s: float
    asked_by: str = ""  # the agent who consults this one about the caller
    on_answer: Callable[[], None] = lambda: None  # picked up; what follows is the whisper


class AgentPhone(Protocol):
    """An agent's phone: a SIP phone that is dialled, or a browser that is connected already."""

    @property
    def agent(self) -> str: ...
    def reachable(self) -> bool:
        """Whether it can be rung at all: a browser's leg is up, a SIP phone has no way to tell and says True."""

    async def ring(
        self, ring: Ring, on_ringing: Callable[[], None] | None = None, *, wanted: bool = False
    ) -> tuple[Leg, MediaLeg]:
        """Ring until the agent takes it: their leg, which ends with the conversation, and its media. Cancelling stops
        the ringing. ``wanted``: they asked for it themselves (a supervisor who listens), so that a browser need not
        ring, and nobody whispers.

        Raises DialFailed: 603 declined, 480 no answer or unreachable, or what the phone says; MediaUnavailable."""


class Console(Protocol):
    """An agent's page, as their phone and the floor see it: one for each agent who is there. It never raises."""

    async def offer(self, ring: Ring) -> bool:
        """Rings by device, title and notification until they take it (True) or decline (False). Cancelled: the
        offer is gone."""

    def joined(self, ring: Ring, bridge: Bridge) -> None:
        """They talk with the caller; ``bridge`` is theirs to command."""

    def changed(self, bridge: Bridge) -> None:
        """``bridge.view()`` is another now."""

    def parted(self) -> None:
        """The conversation is over for them."""


@dataclass(frozen=True, slots=True)
class BridgeEnd:
    """How a conversation ended, for whoever has the caller; ``agent`` was in it last. What it means for the line is
    told to it already (``Line.finished``, ``broken``, ``passed``).

    over: it is, and so is the call. dropped: the agent's line broke, the caller waits again at their place. line:
    passed on, the caller waits again at their place, for another skill or a named agent. machine: back to the
    dialogue. lost: the process with the agent's console died, their page may come back at another; the place is theirs
    still."""

    how: Literal["over", "dropped", "line", "machine", "lost"]
    agent: str
    by: str = "agent"
    reason: str = ""


class Bridge(Protocol):
    """A conversation of a caller with agents, joined in the media process; one console and any supervisor act on it.

    Commands raise IvrError with what can't be done and why. ``view``: see ``ivr.phones.bridge``. Who was asked in for a
    consultation has a Bridge of their own, of which they can mute and hang up."""

    def view(self) -> Mapping[str, Any]: ...
    async def hold(self, on: bool) -> None:
        """The caller hears music and nobody else; the agent hears nothing of them."""

    async def mute(self, on: bool) -> None: ...
    async def press(self, keys: str) -> None:
        """Keys towards the caller's side."""

    async def record(self, on: bool) -> None:
        """Pause the recording where something is nobody's business, and go on with it."""

    async def withdraw_recording(self) -> None:
        """The caller takes their consent back: nothing more is recorded in this call."""

    async def transfer(self, to: str) -> None:
        """Blind: "agent:NAME", "skill:NAME" or "tel:NUMBER" (allowed ones only). The caller goes there, the agent is
        free; with a skill they wait in its line at their old place."""

    async def consult(self, to: str) -> None:
        """The caller on hold, this agent and ``to`` talk; then ``complete``, ``conference`` or ``drop``."""

    async def complete(self) -> None:
        """Attended transfer: the consulted one and the caller stay together, this agent leaves."""

    async def conference(self) -> None:
        """All three."""

    async def drop(self) -> None:
        """The consulted one leaves, the caller is back."""

    async def back_to_machine(self) -> None:
        """The caller returns to the dialogue that they came from."""

    async def hang_up(self) -> None:
        """The conversation is over."""

    async def on_hang_up(self, how: HangUp) -> None:
        """What hanging up by the agent's phone is to mean in this conversation."""

    async def supervise(self, supervisor: str, how: Supervision) -> None:
        """A supervisor's phone is joined: hears all; heard by the agent alone (whisper), or by everybody (barge)."""


class Floor(Protocol):
    """The agents' floor of one process: which phone rings for whom, and whose console shows which conversation."""

    def phone_of(self, agent: str) -> AgentPhone | None:
        """None: that agent's console is in another process, or there is no such agent any more."""

    def joined(self, ring: Ring, bridge: Bridge) -> None:
        """The agent talks with the caller: their console shows it and commands ``bridge``."""

    def changed(self, bridge: Bridge) -> None:
        """Something is different in this conversation: hold, who is in it, …"""

    def parted(self, agent: str, bridge: Bridge | None = None) -> None:
        """The conversation is over for this agent; ``bridge``: which, where their phone takes several."""

    def hang_up_of(self, agent: str) -> HangUp:
        """What hanging up by the agent's phone does, as configured."""

    def bridge_of(self, agent: str) -> Bridge | None:
        """The conversation that the agent is in, to supervise it."""
