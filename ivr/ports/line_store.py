"""The port to where the line of waiting callers is kept, as the desk's line uses it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from ivr.ports.clock import Clock
from ivr.ports.line import AgentStatus, Offer, Place, Places

# Why an agent is away of whom nobody said so: these end when their cause does.
CLOSED, LINE_LOST, RESTED = "closed", "line lost", "rested"
BY_ITSELF = (CLOSED, LINE_LOST, RESTED)
SIGNED_IN, SIGNED_OUT, LOST = "signed in", "signed out", "lost"
# Nobody said that they go: a page that broke is loaded again, a phone is looked after within a second, if by another
# process, and so is one whose rest is over.
SOON_BACK = (SIGNED_IN, SIGNED_OUT, LOST, LINE_LOST, RESTED)
RETURN_S = 20.0  # for them, before callers hear that nobody is there


@dataclass(frozen=True, slots=True)
class Phone:
    """An agent's phone of the configuration. ``calls``: how many it takes at once; ``on_duty``: within hours, or on
    call."""

    name: str
    target: str
    skills: tuple[str, ...]
    calls: int = 1
    on_duty: bool = True


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The line at ``at``, by the database's clock: live places in the order of service, agents, offers that run. By
    agent and slot: which process looks after a phone without a console, "" none. ``left_at``: when the last agent's
    console went, within RETURN_S, of whom nobody said that they go; None: nobody's did."""

    at: datetime
    places: tuple[Place, ...] = ()
    agents: tuple[AgentStatus, ...] = ()
    offers: tuple[Offer, ...] = ()
    keepers: Mapping[tuple[str, int], str] = field(default_factory=dict)
    left_at: datetime | None = None


class LineStore(Places, Protocol):
    """The line's transactions. Methods raise StoreUnavailable. ``line``: this process."""

    @property
    def line(self) -> str: ...
    async def pair(self) -> Offer | None:
        """One place is offered to one agent; None where nobody can be paired."""

    async def look_after(self, phones: Collection[Phone]) -> None:
        """Phones of the configuration, as they are to be now. Those of this process that are not named are gone."""

    async def reap(self) -> int:
        """Whatever is over: leases, rests, what dead processes had; how many places that were."""

    async def offer_of(self, place_id: int) -> Offer | None:
        """The offer of this place that runs."""

    async def snapshot(self) -> Snapshot: ...
    async def follow(self, clock: Clock, heard: Callable[[str, int], None]) -> None:
        """Until cancelled: what other processes do to the line, and to which place ("" and 0: anything)."""
