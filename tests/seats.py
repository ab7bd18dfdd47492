"""A desk in memory for the console's tests: a line with agents, a floor that rings their seats, bridges, a panel."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from ivr.config import Config
from ivr.desk.seat import Seat
from ivr.desk.seats import Seats
from ivr.desk.story import Stories
from ivr.errors import ActionError, DialFailed, IvrError, StoreUnavailable
from ivr.phones.destinations import Destinations
from ivr.ports import (
    AgentState,
    AgentStatus,
    Arrival,
    ByAgent,
    Clock,
    EarlierCall,
    Goodwill,
    Granted,
    HandoffContext,
    LineView,
    Offer,
    Panel,
    PanelItem,
    PanelList,
    PanelNote,
    Party,
    Place,
    PlaceState,
    Release,
    Ring,
    Standing,
    Supervision,
)
from ivr.ports.line import Leaving
from ivr.ports.phones import HangUp
from ivr.record import Reason, Utterance

SKILLS = ("general", "retention")
QUEUE = (("Casablanca", "1942"), ("Metropolis", "1927"), ("Vertigo", "1958"))
OFFER_S = 20.0
UNDO_S = 10.0

CONTEXT = HandoffContext(
    call_id="c0ffee",
    reason="thinking of cancelling",
    skill="retention",
    priority=9,
    caller=Party("5035550101", "Ada Moreno"),
    language="en-US",
    facts={
        "caller.id": "10001",
        "caller.name": "Ada Moreno",
        "caller.identity": "likely",
        "caller.identity_by": "number known",
    },
    transcript=(
        Utterance("prompt", "Hello Ada. What can I do for you?", "main.ask"),
        Utterance("heard", "move cassa blanca to the top", "main.ask", "move_to_top", ("cassa", "blanca")),
        Utterance("prompt", "Casablanca is at the top of your queue now. Anything else?", "main.ask"),
        Utterance("key", "0", "main.ask"),
        Utterance("heard", "honestly I am thinking of cancelling the whole thing", "main.ask", "risk:cancel"),
    ),
    tried=("queue.move_to_top",),
    flow="main",
    state="ask",
    said="honestly I am thinking of cancelling the whole thing",
    also=(Reason("asked", "let me talk to a person"),),
)

CONFIG = Config.model_validate(
    {"sip": {"trunks": [{"name": "out", "allow": ["192.0.2.10"], "gateway": "sip:192.0.2.10"}]}}
)


class FakePanel:
    """ports.MemberPanel: one member, a bonus title and credits, two credits at most."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.granted: list[Granted] = []
        self.notes = [PanelNote("Prefers silent films. Had two scratched discs.", "Ben Ito", _ago(clock, 90))]
        self.by: list[ByAgent] = []
        self.broken: Exception | None = None  # what reading raises

    async def panel(self, caller_id: str) -> Panel | None:
        if self.broken is not None:
            raise self.broken
        if caller_id != "10001":
            return None
        credited = [each for each in self.granted if each.label.startswith("Credit") and not each.undone]
        spent = "two credits this quarter, which is all there are" if len(credited) >= 2 else ""
        return Panel(
            "10001",
            "Ada Moreno",
            about="Member 10001",
            facts=(("Plan", "three discs at a time"), ("Member since", "2016"), ("Credit", "none")),
            lists=(
                PanelList(
                    "Queue",
                    tuple(
                        PanelItem(*each)
                        for each in (("Casablanca", "1942"), ("Metropolis", "1927"), ("Vertigo", "1958"))
                    ),
                    ordered=True,
                    more=5,
                ),
                PanelList("At home", (PanelItem("Sherlock Jr.", "1924"),)),
            ),
            notes=tuple(self.notes),
            goodwill=(
                Goodwill("bonus_title", "Bonus title", "one a month"),
                Goodwill("credit", "Credit", f"{2 - len(credited)} of 2 left", spent, (("500", "$5"), ("1000", "$10"))),
            ),
            granted=tuple(self.granted),
            takes_notes=True,
        )

    async def grant(self, caller_id: str, goodwill: str, choice: str, by: ByAgent) -> Granted:
        self.by.append(by)
        now = self._clock.now()
        label = "Bonus title" if goodwill == "bonus_title" else f"Credit ${int(choice) // 100}"
        given = Granted(str(len(self.granted) + 1), label, by.display, now, now + timedelta(seconds=UNDO_S))
        self.granted.append(given)
        return given

    async def undo(self, caller_id: str, grant_id: str, by: ByAgent) -> None:
        for place, each in enumerate(self.granted):
            if each.id == grant_id and each.undo_until is not None and each.undo_until > self._clock.now():
                self.granted[place] = replace(each, undone=True, undo_until=None)
                return
        raise ActionError("it is too late to take this back")

    async def add_note(self, caller_id: str, text: str, by: ByAgent) -> None:
        self.by.append(by)
        self.notes.insert(0, PanelNote(text, by.display, self._clock.now()))


def _ago(clock: Clock, days: float) -> datetime:
    return clock.now() - timedelta(days=days)


class FakeLine:
    """ports.Line, as far as consoles see it. ``away``: its database."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.agents: dict[str, AgentStatus] = {}
        self.places: dict[int, Place] = {}
        self.away = False
        self.ahead = timedelta()  # of the database's clock
        self.noted: list[tuple[object, ...]] = []
        self.on_change: Callable[[], None] = lambda: None

    # -- what is seen

    def view(self) -> LineView:
        live = [p for p in self.places.values() if p.state in ("waiting", "offered", "callback", "talking")]
        order = sorted(live, key=lambda place: (-place.arrival.priority, place.entered_at))
        return LineView(tuple(order), tuple(self.agents.values()), fresh=not self.away)

    def standing(self, place_id: int) -> Standing | None:
        return None

    def noted_of(self, what: str) -> list[tuple[object, ...]]:
        return [each[1:] for each in self.noted if each[0] == what]

    def told(self, place_id: int, standing: Standing) -> None:
        """Scoring is not for consoles."""

    async def seen(self) -> None:
        raise NotImplementedError

    def staffed(self, skill: str) -> bool:
        return any(agent.state != "away" for agent in self.agents.values())

    # -- agents

    async def sign_in(
        self, agent: str, *, display: str = "", skills: Sequence[str] = (), phone: str = "browser"
    ) -> AgentStatus:
        self._there()
        known = self.agents.get(agent)
        if known is None:
            now = self._clock.now()
            known = AgentStatus(agent, "away", now, tuple(skills), phone=phone, line="here", display=display)
            self.agents[agent] = known
        self._note("sign_in", agent)
        return known

    async def sign_out(self, agent: str) -> None:
        self._there()
        self._state(agent, "away", "console closed")
        self._note("sign_out", agent)

    async def set_state(self, agent: str, state: AgentState, reason: str = "") -> AgentStatus:
        self._there()
        self._state(agent, state, reason)
        self._note("set_state", agent, state, reason)
        return self.agents[agent]

    async def set_skills(self, agent: str, skills: Sequence[str]) -> None:
        self.agents[agent] = replace(self.agents[agent], skills=tuple(skills))

    # -- places

    def arrive(
        self, arrival: Arrival, *, waited_s: float = 0.0, state: PlaceState = "waiting", number: str = ""
    ) -> Place:
        entered = self._clock.now() - timedelta(seconds=waited_s)
        place = Place(len(self.places) + 1, arrival, entered, state, line="here", callback_number=number)
        self.places[place.id] = place
        self.on_change()
        return place

    async def enter(self, arrival: Arrival) -> Place:
        return self.arrive(arrival)

    async def leave(self, place_id: int, how: Leaving) -> None:
        self._place(place_id, "abandoned" if how == "abandoned" else "done")

    async def call_back(self, place_id: int, number: str, due_at: datetime | None = None) -> Place:
        raise NotImplementedError

    async def ask_call_back(self, arrival: Arrival, number: str, due_at: datetime | None = None) -> Place:
        self._there()
        self._note("ask_call_back", arrival, number, due_at)
        place = self.arrive(arrival, state="callback", number=number)
        self.places[place.id] = replace(place, due_at=due_at)
        return place

    async def leave_message(self, arrival: Arrival, recording: str, transcript: str) -> Place:
        return self.arrive(replace(arrival, channel="message"))

    async def place_of(self, person: str) -> Place | None:
        return next((place for place in self.places.values() if place.arrival.person == person), None)

    async def offered(self, place_id: int) -> Offer:
        """To the idle agent; there is one in every test that asks."""
        agent = next(agent for agent in self.agents.values() if agent.state == "idle")
        self._state(agent.name, "offered")
        self._place(place_id, "offered", agent.name)
        now = self._clock.now() + self.ahead
        place = replace(self.places[place_id], changed_at=now)
        return Offer(place, agent.name, now + timedelta(seconds=OFFER_S), "here")

    async def answered(self, offer: Offer) -> bool:
        if self.places[offer.place.id].state != "offered":
            return False
        self._place(offer.place.id, "talking", offer.agent)
        self._state(offer.agent, "busy")
        return True

    async def released(self, offer: Offer, why: Release) -> None:
        self._note("released", offer.place.id, why)
        self._place(offer.place.id, "waiting")
        if self.agents[offer.agent].state == "offered":
            self._state(offer.agent, "idle" if why in ("declined", "withdrawn") else "away")

    async def dialling(self, offer: Offer) -> bool:
        return True

    async def undialled(self, offer: Offer) -> PlaceState:
        return "callback"

    async def finished(self, place_id: int, agent: str, disposition: str = "") -> None:
        self._there()
        self._note("finished", place_id, disposition)
        self._place(place_id, "done")
        if self.agents[agent].state in ("busy", "offered"):
            self._state(agent, "wrap_up")

    async def wrapped_up(self, place_id: int, agent: str, disposition: str) -> None:
        self._there()
        self._note("wrapped_up", place_id, disposition)

    async def broken(self, place_id: int, agent: str) -> Place:
        self._note("broken", place_id)
        self._place(place_id, "waiting")
        self._state(agent, "away", "line broke")
        return self.places[place_id]

    async def rejoined(self, place_id: int, agent: str) -> bool:
        return self.places[place_id].agent == agent

    async def passed(self, place_id: int, agent: str, *, to: str = "", skill: str = "", named: str = "") -> Place:
        self._place(place_id, "waiting")
        self._state(agent, "wrap_up")
        return self.places[place_id]

    async def lapsed(self, offer: Offer) -> None:
        raise NotImplementedError

    async def move(self, place_id: int, *, skill: str = "", priority: int | None = None) -> Place:
        raise NotImplementedError

    def callbacks(self) -> AsyncIterator[Offer]:
        raise NotImplementedError

    def _there(self) -> None:
        if self.away:
            raise StoreUnavailable("the database is away")

    def _state(self, agent: str, state: AgentState, reason: str = "") -> None:
        before = self.agents[agent]
        self.agents[agent] = replace(before, state=state, since=self._clock.now(), reason=reason, until=None)
        self.on_change()

    def _place(self, place_id: int, state: PlaceState, agent: str = "") -> None:
        self.places[place_id] = replace(self.places[place_id], state=state, agent=agent)
        self.on_change()

    def _note(self, *what: object) -> None:
        self.noted.append(what)


class FakeBridge:
    """ports.Bridge: remembers what it was told, and ends when it is."""

    def __init__(self, touch: Callable[[], None]) -> None:
        self._touch = touch
        self.held = self.muted = False
        self.consulting: dict[str, str] | None = None
        self.recording: dict[str, object] = {
            "on": False, "paused": False, "why_not": "The caller did not agree.",
            "transcribing": False, "untranscribed": "The caller did not agree.",
        }  # fmt: skip
        self.told: list[tuple[str, ...]] = []
        self.over: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def view(self) -> Mapping[str, Any]:
        running = datetime.now(UTC).isoformat()
        told: dict[str, object] = {"held": self.held, "muted": self.muted, "consulting": self.consulting}
        told["you"] = "agent"
        return {
            **told,
            "recording": self.recording,
            "transferring": "",
            "trouble": "",
            "supervisors": [],
            "seconds": running,
        }

    def _did(self, *what: str) -> None:
        self.told.append(what)
        self._touch()

    async def hold(self, on: bool) -> None:
        self.held = on
        self._did("hold", str(on))

    async def mute(self, on: bool) -> None:
        self.muted = on
        self._did("mute", str(on))

    async def press(self, keys: str) -> None:
        self._did("press", keys)

    async def record(self, on: bool) -> None:
        self.recording = {**self.recording, "on": on, "paused": not on}
        self._did("record", str(on))

    async def withdraw_recording(self) -> None:
        self.recording = {**self.recording, "on": False, "transcribing": False, "why_not": "The caller ended it."}
        self._did("withdraw_recording")

    async def transfer(self, to: str) -> None:
        if to == "agent:nobody":
            raise DialFailed(404, "there is no such agent")
        self._did("transfer", to)
        self._end("passed")

    async def consult(self, to: str) -> None:
        self.held, self.consulting = True, {"with": to.partition(":")[2], "state": "talking"}
        self._did("consult", to)

    async def complete(self) -> None:
        self._did("complete")
        self._end("passed")

    async def conference(self) -> None:
        assert self.consulting is not None
        self.held, self.consulting = False, {**self.consulting, "state": "conference"}
        self._did("conference")

    async def drop(self) -> None:
        self.held, self.consulting = False, None
        self._did("drop")

    async def back_to_machine(self) -> None:
        self._did("machine")
        self._end("over")

    async def hang_up(self) -> None:
        self._did("hang_up")
        self._end("over")

    async def on_hang_up(self, how: HangUp) -> None:
        self._did("on_hang_up", how)

    async def supervise(self, supervisor: str, how: Supervision) -> None:
        raise IvrError("not from a console")

    def _end(self, how: str) -> None:
        if not self.over.done():
            self.over.set_result(how)


@dataclass
class FakePhone:
    """desk.seat.PagePhone. ``answer``: makes the SDP answer to an offer."""

    answer: Callable[[str], Any] | None = None
    offers: list[str] = field(default_factory=list)
    touch: Callable[[], None] = lambda: None
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    def reachable(self) -> bool:
        return bool(self.offers) and not self.gone.is_set()

    async def connect(self, offer: str) -> str:
        self.offers.append(offer)
        self.gone.clear()
        self.touch()
        return str(await self.answer(offer)) if self.answer is not None else "v=0"

    async def lost(self) -> None:
        self.gone.set()


@dataclass
class Floor:
    """Rings seats for callers as a conductor and its bridge do, and tells the line what came of it."""

    line: FakeLine
    seats: Seats
    panel: FakePanel
    clock: Clock
    touch: Callable[[], None]
    phones: dict[str, FakePhone]
    moved: asyncio.Event
    bridges: list[FakeBridge] = field(default_factory=list)
    calls: set[asyncio.Task[str]] = field(default_factory=set)

    def call(self, context: HandoffContext = CONTEXT, *, waited_s: float = 0.0, number: str = "") -> asyncio.Task[str]:
        """Somebody is handed over; how it came out: passed, over, declined, dropped."""
        task = asyncio.create_task(self._hand_over(context, waited_s, number))
        self.calls.add(task)
        return task

    async def _hand_over(self, context: HandoffContext, waited_s: float, number: str) -> str:
        place = self.line.arrive(arrival_of(context), waited_s=waited_s, number=number)
        offer = await self.line.offered(place.id)
        seat = self.seats.of(offer.agent)
        assert seat is not None
        ring = Ring(offer, context, "", {}, OFFER_S)
        taken = False
        try:
            taken = await seat.offer(ring)
        except asyncio.CancelledError:
            await self.line.leave(place.id, "abandoned")
            await self.line.released(offer, "withdrawn")
            raise
        if not taken:
            await self.line.released(offer, "declined" if seat.page is not None else "unreachable")
            return "declined"
        await self.line.answered(offer)
        return await self._talk(ring)

    async def _talk(self, ring: Ring) -> str:
        agent, bridge = ring.offer.agent, FakeBridge(self.touch)
        self.bridges.append(bridge)
        self.seats.joined(ring, bridge)
        ended = asyncio.Event()
        gone = asyncio.create_task(self.phones[agent].gone.wait())
        for ending in (gone, bridge.over):
            ending.add_done_callback(lambda _: ended.set())
        await ended.wait()
        if gone.done():
            await self.line.broken(ring.offer.place.id, agent)
        elif bridge.over.result() == "passed":
            await self.line.passed(ring.offer.place.id, agent)
        else:
            await self.line.finished(ring.offer.place.id, agent)
        gone.cancel()
        self.seats.parted(agent)
        return "dropped" if gone.done() and not bridge.over.done() else bridge.over.result()

    async def message(self, transcript: str, recording: str = "", context: HandoffContext = CONTEXT) -> None:
        """A message is offered to whoever is idle."""
        place = self.line.arrive(replace(arrival_of(context), channel="message", said=""))
        self.line.places[place.id] = replace(place, transcript=transcript, recording=recording)
        await self.seats.deliver(await self.line.offered(place.id))

    async def until(self, holds: Callable[[], bool], within_s: float = 10.0) -> None:
        """Looks again whenever something moved."""
        async with asyncio.timeout(within_s):
            while not holds():
                self.moved.clear()
                await self.moved.wait()

    async def stop(self) -> None:
        for task in self.calls:
            task.cancel()
        await asyncio.gather(*self.calls, return_exceptions=True)
        await self.seats.stop()


def arrival_of(context: HandoffContext) -> Arrival:
    facts = context.facts
    member, number = str(facts.get("caller.id", "")), context.caller.number
    return Arrival(
        person=f"member:{member}" if member else f"tel:{number}", call_id=context.call_id, skill=context.skill,
        priority=context.priority, reason=context.reason, said=context.said, number=number,
        name=str(facts.get("caller.name", "")), member=member, language=context.language,
    )  # fmt: skip


def floor(clock: Clock, touch: Callable[[], None] = lambda: None, earlier: Sequence[EarlierCall] = ()) -> Floor:
    line, panel, phones = FakeLine(clock), FakePanel(clock), dict[str, FakePhone]()
    moved = asyncio.Event()

    def moving() -> None:
        moved.set()
        touch()

    line.on_change = moving

    async def calls(number: str, but: str) -> Sequence[EarlierCall]:
        return earlier

    def phone(seat: Seat) -> FakePhone:
        mine = phones.setdefault(seat.account.name, FakePhone())
        mine.touch = moving
        return mine

    seats = Seats(
        line,
        clock,
        Stories(panel, calls),
        moving,
        skills=lambda name: SKILLS,
        outside=lambda: ("tel:+15035550123",),
        phone=phone,
        subscriber=Destinations(CONFIG).subscriber,
    )
    return Floor(line, seats, panel, clock, moving, phones, moved)
