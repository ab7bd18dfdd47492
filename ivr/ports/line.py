"""The line's ports: callers who wait for a live agent, their places, and the offers of places to agents.

A place's life: ``waiting -> offered -> talking -> done``; ``offered -> waiting`` (declined, no answer, lease over);
``waiting|offered -> away`` (the call was lost, its process died, or the caller went back to the machine) ``-> waiting``
(they are back) or ``-> expired`` (grace over); ``waiting|away -> callback -> offered -> dialling -> talking``;
``dialling -> callback`` (engaged, no answer) ``-> given_up``; ``waiting -> abandoned``. ``entered_at`` is written once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

Channel = Literal["voice", "message", "chat"]
PlaceState = Literal[
    "waiting", "offered", "talking", "away", "callback", "dialling", "done", "abandoned", "expired", "given_up"
]
AgentState = Literal["away", "idle", "offered", "busy", "wrap_up"]
Release = Literal["declined", "no_answer", "unreachable", "lost", "withdrawn"]
"""Why an offer came to nothing: the agent said no, did not answer, can't be rung, their line broke, the caller left."""

Leaving = Literal["abandoned", "away", "done"]

MESSAGE = "message"  # the channel of who left one
GENERAL = "general"
"""The skill of who takes anybody."""

LATE = 11
"""The priority of who waited longer than the bound: above any other."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """Somebody wants a person.

    ``person``: who they are as far as is known: "member:ID" from the level likely on, else "tel:E164", else
    "call:ID" where the number is withheld. ``priority``: 0 to 10, higher goes first. ``named``: the agent they would
    rather have. ``context``: the token of their hand-over's context."""

    person: str
    call_id: str
    skill: str
    priority: int
    reason: str = ""
    said: str = ""
    name: str = ""
    number: str = ""
    member: str = ""
    language: str = ""
    named: str = ""
    context: str = ""
    channel: Channel = "voice"


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the line as it is kept. ``line``: the process that has the call, "" where none has. ``waits_since``:
    so long ago as it has waited in all while it could be served, of a call back from when it is due; None: since they
    came; ``changed_at``: in this state since then."""

    id: int
    arrival: Arrival
    entered_at: datetime
    state: PlaceState
    line: str = ""
    agent: str = ""
    offers: int = 0
    attempts: int = 0
    callback_number: str = ""
    due_at: datetime | None = None
    again: bool = False  # it was there before, and is taken again
    first: bool = False  # of its priority: its agent's line broke
    recording: str = ""  # of a message, and its words
    transcript: str = ""
    waits_since: datetime | None = None
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a caller stands. ``position``: 1 is next, counted among those whom an agent of this skill could take, 0
    where nothing true can be said that has not risen;
    ``within_s``: the wait that is kept in four of five calls, None where nothing honest can be said; ``waited_s``."""

    position: int
    within_s: float | None
    waited_s: float
    agents: int = 0  # with the skill, on duty

    @property
    def within_minutes(self) -> int | None:
        """As it is said: "less than … minutes"; None above ten."""
        if self.within_s is None:
            return None
        minutes = max(1, -int(-(self.within_s / 60 - 0.1) // 1))
        return minutes if minutes <= 10 else None


@dataclass(frozen=True, slots=True)
class Announced:
    """A caller was told where they stand. ``position`` 0 and ``minutes`` None where it was not said; ``within_s`` is
    the bound behind "less than ``minutes``", ``expected_s`` the estimate behind that, with ``ahead`` before them.
    ``kind``: which sentence this is for the caller; each kind keeps its promise apart.

    ``true_wait_s``: from ``at`` until it was their turn, also of who had given up by then; ``kept``: whether that was
    less than ``minutes``. None until it is known."""

    place_id: int
    at: datetime
    position: int
    within_s: float | None
    kind: Literal["first", "again"]
    minutes: int | None
    ahead: int
    expected_s: float | None
    true_wait_s: float | None = None
    kept: bool | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """A place is offered to an agent until ``until`` (the database's clock). ``line``: the process that has the agent's
    console, "" for a phone without one. ``slot``: which of the calls that the agent's phone takes at once, from 1.

    An offer is spent once it is answered or released, or its lease is over: what is done with it then does nothing."""

    place: Place
    agent: str
    until: datetime
    line: str = ""
    slot: int = 1

    @property
    def lease_s(self) -> float:
        """For how long it was made, by the database's clock alone: this machine's may differ from that."""
        made_at = self.place.changed_at or self.until
        return (self.until - made_at).total_seconds()


@dataclass(frozen=True, slots=True)
class AgentStatus:
    """An agent as the line sees them. ``line``: the process of their console, "" for a phone without one; ``since``: in
    ``state``; ``until``: when that ends by itself (a lease, wrapping up, the rest of a phone that did not answer).
    ``phone``: a SIP URI, or "browser". An agent whose phone takes several calls at once is here once for each
    ``slot``."""

    name: str
    state: AgentState
    since: datetime
    skills: tuple[str, ...]
    reason: str = ""
    phone: str = "browser"
    line: str = ""
    display: str = ""
    slot: int = 1
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class LineView:
    """The line as one process remembers it: rebuilt from the database at each change, never the truth."""

    places: tuple[Place, ...]  # live ones (all but done, abandoned, expired, given up), in the order of service
    agents: tuple[AgentStatus, ...]
    fresh: bool = True  # False: the database is away, and this is how it was


class Estimator(Protocol):
    """How long callers wait, and what may be said of it. One a process; a line asks it and shows it its memory.

    It learns from what it told and from what it is shown: who was waiting and is talking now, who is gone, which
    agent was busy for how long."""

    def follow(self, view: LineView) -> None:
        """The line changed: call it after each rebuild of the view, with ``fresh`` ones only."""

    def within_s(self, view: LineView, place: Place) -> float | None:
        """From now on, kept in four of five calls; None where nobody with the skill is on duty."""

    def position(self, view: LineView, place: Place) -> int:
        """To be said: 1 is next; 0 where the true one is above what they were told before."""

    def told(self, view: LineView, place: Place, standing: Standing) -> None:
        """It was said; see ``Line.told``."""


class AnnouncementLog(Protocol):
    """Where announcements are kept and scored. Methods raise StoreUnavailable."""

    async def keep(self, announced: Sequence[Announced]) -> None:
        """New ones, and truths of known ones (by place and moment)."""

    async def truths(self, limit: int) -> Sequence[Announced]:
        """The newest whose truth is known, oldest first."""

    async def told(self, place_ids: Sequence[int]) -> Sequence[Announced]:
        """What callers of these places heard, oldest first."""


class Places(Protocol):
    """The places of a line and what is done with them, each in one transaction. Methods raise StoreUnavailable."""

    async def enter(self, arrival: Arrival) -> Place:
        """A new place, or the one that the person had: at its old ``entered_at``, the higher priority of the two. Who
        waits for a call back is back on the line by this, and the call back is gone.

        Where another call of theirs still holds the place (two phones behind one number), that one keeps it, and this
        one gets a place beside it that is as old."""

    async def leave(self, place_id: int, how: Leaving) -> None:
        """The caller is gone, back at the machine (the place is kept for a while), or served otherwise. An offer of
        it is withdrawn in the same transaction. Idempotent."""

    async def call_back(self, place_id: int, number: str, due_at: datetime | None = None) -> Place:
        """The place waits for them; an agent is offered it first, then ``number`` (E.164) is dialled."""

    async def ask_call_back(self, arrival: Arrival, number: str, due_at: datetime | None = None) -> Place:
        """The same for somebody who has no place yet (nobody on duty, an agent's follow-up)."""

    async def leave_message(self, arrival: Arrival, recording: str, transcript: str) -> Place:
        """A message as a place of its own (``channel`` "message"), in its order."""

    async def place_of(self, person: str) -> Place | None:
        """The live place of somebody who calls again."""

    async def answered(self, offer: Offer) -> bool:
        """The agent took it: ``talking``, the agent busy; the call is what ``offer`` says, of a call back the one
        that was made. False: the lease was over, somebody else has it."""

    async def released(self, offer: Offer, why: Release) -> None:
        """Nothing came of it: the place waits again where it was, the agent is away (no answer), idle (withdrawn), …"""

    async def dialling(self, offer: Offer) -> bool:
        """The agent accepted a call back: the member is dialled now."""

    async def undialled(self, offer: Offer) -> PlaceState:
        """The member did not answer: tried again later (``callback``), or ``given_up``. Any other state: the place is
        somebody's again (the member phoned in meanwhile, or the lease was over)."""

    async def finished(self, place_id: int, agent: str, disposition: str = "") -> None:
        """The conversation is over: the place is done, the agent wraps up (or is idle where they have no console)."""

    async def wrapped_up(self, place_id: int, agent: str, disposition: str) -> None:
        """How a conversation that is over came out, as the agent who had it says; whatever became of the place."""

    async def broken(self, place_id: int, agent: str) -> Place:
        """The agent's line broke: the caller waits again, first of their priority; the agent is away."""

    async def rejoined(self, place_id: int, agent: str) -> bool:
        """The agent, whose process or the caller's died, talks with them again, and is busy. False: the place is not
        theirs any more."""

    async def passed(self, place_id: int, agent: str, *, to: str = "", skill: str = "", named: str = "") -> Place:
        """A transfer: ``agent`` is done with the caller and wraps up. ``to``: that agent talks with them now, and is
        busy. Else the place waits again at its old ``entered_at``, in the line of ``skill`` ("" as before), for
        ``named`` first."""

    async def sign_in(
        self, agent: str, *, display: str = "", skills: Sequence[str] = (), phone: str = "browser"
    ) -> AgentStatus:
        """The agent's console is open in this process: away until they say otherwise, or as they were where the
        console was open already (a page that was loaded again). ``skills`` are theirs unless somebody gave them others.
        Who is named like a phone of the configuration has that phone."""

    async def sign_out(self, agent: str) -> None:
        """The console is closed: a phone of the configuration is one without a console again, anybody else is away."""

    async def set_state(self, agent: str, state: AgentState, reason: str = "") -> AgentStatus:
        """What the agent or a supervisor says: away (with a reason), idle (available), out of wrap-up."""

    async def set_skills(self, agent: str, skills: Sequence[str]) -> None: ...
    async def move(self, place_id: int, *, skill: str = "", priority: int | None = None) -> Place:
        """A supervisor moves a caller, or what they say does; ``entered_at`` stays. The place as it is now."""


class Line(Places, Protocol):
    """Who waits for whom. ``standing``, ``told``, ``view`` and ``staffed`` never raise."""

    async def offered(self, place_id: int) -> Offer:
        """Waits until an agent is offered this place, however long the database is away; the lease runs."""

    def callbacks(self) -> AsyncIterator[Offer]:
        """Offers of call backs and messages that this process makes good: those to the agents whose consoles it has,
        and those to phones without one that it found a place for. One reader a process; it never ends.

        For a call back ``dialling`` is told once the agent accepted, then ``answered`` or ``undialled``; for a message
        ``answered``, then ``finished``."""

    async def lapsed(self, offer: Offer) -> None:
        """Waits until the offer stands no more: taken back, run out, or the caller is on the line by themselves."""

    def standing(self, place_id: int) -> Standing | None:
        """From memory; None where the place isn't live any more. ``position`` is 0 where nothing that is true and has
        not risen can be said of it."""

    def told(self, place_id: int, standing: Standing) -> None:
        """This was said to them: the position never rises from here, the bound is scored against what happens."""

    def view(self) -> LineView: ...
    async def seen(self) -> None:
        """Waits while the database doesn't say who waits."""

    def staffed(self, skill: str) -> bool:
        """Whether anybody on duty (idle, offered, busy, wrapping up) could take a caller of this skill, now or after
        its skill has relaxed."""
