"""The line of waiting callers in memory, for sessions in virtual time: ``ivr.ports.Line`` with the desk's own rules."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from ivr.config import LineConfig
from ivr.desk.position import ahead, staffed
from ivr.desk.routing import Rules
from ivr.errors import IvrError, StoreUnavailable
from ivr.ports import AgentState, AgentStatus, Arrival, LineView, Offer, Place, PlaceState, Release, Standing
from tests.pairing import next_pair

LIVE = ("waiting", "offered", "talking", "away", "callback", "dialling")


class FakeLine:
    """``now``: aware time. ``down``: the database is away. ``events``: (what happened, place) in order. An agent is
    there once ``sign_in`` or ``staff`` said so; callers are paired at each change, and by ``look`` when time passed."""

    def __init__(self, now: Callable[[], datetime], config: LineConfig | None = None) -> None:
        self._now = now
        self.config = config or LineConfig()
        self.rules = Rules.of(self.config)
        self.places: dict[int, Place] = {}
        self.agents: dict[str, AgentStatus] = {}
        self.events: list[tuple[str, int]] = []
        self.announced: list[tuple[int, Standing]] = []
        self.within_s: float | None = None
        self._there = asyncio.Event()
        self._there.set()
        self._idle_at: dict[str, datetime] = {}
        self._waiting: dict[int, list[asyncio.Future[Offer]]] = {}
        self._running: dict[int, Offer] = {}
        self._to_make: asyncio.Queue[Offer] = asyncio.Queue()
        self._changed = asyncio.Event()

    def staff(self, name: str, *skills: str, state: AgentState = "idle", console: bool = True) -> None:
        """An agent on duty; ``console`` False: a phone of the configuration."""
        line, phone = ("line", "browser") if console else ("", f"sip:{name}@test")
        self.agents[name] = AgentStatus(name, state, self._now(), skills or ("general",), phone=phone, line=line)
        self._idle_at[name] = self._now()
        self.look()

    def look(self) -> None:
        """Offers whose lease is over, and whoever can be paired now."""
        for offer in list(self._running.values()):
            if offer.until <= self._now():
                self._give_back(offer, "no_answer")
        while pair := next_pair(self.rules, self.places.values(), self._in_turn(), self._now()):
            place, agent = pair
            until = self._now() + timedelta(seconds=self.config.offer_s)
            told = {"agent": agent.name, "offers": place.offers + 1, "changed_at": self._now()}
            made = self._put(place, "offered", "offered", **told)
            offer = self._running[made.id] = Offer(made, agent.name, until, agent.line, agent.slot)
            self._sit(agent.name, "offered")
            if made.callback_number or made.arrival.channel == "message":
                self._to_make.put_nowait(offer)
            for future in self._waiting.pop(made.id, ()):
                if not future.done():
                    future.set_result(offer)

    def _in_turn(self) -> Sequence[AgentStatus]:
        return [replace(agent, since=self._idle_at[name]) for name, agent in self.agents.items()]

    # -- callers ------------------------------------------------------------------------------------------------------

    async def enter(self, arrival: Arrival) -> Place:
        self._up()
        old = next((place for place in self.places.values() if self._is_of(place, arrival)), None)
        if old is None:
            return self._made(arrival, "waiting", line="line")
        self._free(old)
        said = replace(arrival, priority=max(arrival.priority, old.arrival.priority))
        told = {"arrival": said, "agent": "", "callback_number": "", "due_at": None, "attempts": 0, "line": "line"}
        return self._looked(self._put(old, "waiting", "again", again=True, **told))

    async def leave(self, place_id: int, how: str) -> None:
        self._up()
        place = self.places.get(place_id)
        if place is None or place.state not in LIVE:
            return
        if how != "done" and (place.state in ("callback", "dialling", "away") or place.callback_number):
            return
        self._free(place)
        self._looked(self._put(place, how, how, agent="", line=""))

    async def call_back(self, place_id: int, number: str, due_at: datetime | None = None) -> Place:
        self._up()
        self._free(self.places[place_id])
        told = {"agent": "", "callback_number": number, "due_at": due_at or self._now(), "line": ""}
        return self._looked(self._put(self.places[place_id], "callback", "callback", **told))

    async def ask_call_back(self, arrival: Arrival, number: str, due_at: datetime | None = None) -> Place:
        self._up()
        return self._made(arrival, "callback", callback_number=number, due_at=due_at or self._now())

    async def leave_message(self, arrival: Arrival, recording: str, transcript: str) -> Place:
        self._up()
        message = replace(arrival, channel="message")
        return self._made(message, "waiting", recording=recording, transcript=transcript)

    async def place_of(self, person: str) -> Place | None:
        self._up()
        mine = (place for place in self.places.values() if place.arrival.person == person)
        return next((place for place in mine if place.state in LIVE and place.arrival.channel != "message"), None)

    async def offered(self, place_id: int) -> Offer:
        if offer := self._running.get(place_id):
            return offer
        future: asyncio.Future[Offer] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(place_id, []).append(future)
        return await future

    async def callbacks(self) -> AsyncIterator[Offer]:
        while True:
            yield await self._to_make.get()

    # -- offers -------------------------------------------------------------------------------------------------------

    async def answered(self, offer: Offer) -> bool:
        self._up()
        if not self._runs(offer, "offered", "dialling"):
            return False
        del self._running[offer.place.id]
        self._put(self.places[offer.place.id], "talking", "answered", first=False)
        self._sit(offer.agent, "busy")
        return True

    async def released(self, offer: Offer, why: Release) -> None:
        self._up()
        if self._runs(offer, "offered", "dialling"):
            self._give_back(offer, why)
            self.look()

    async def dialling(self, offer: Offer) -> bool:
        self._up()
        if not self._runs(offer, "offered"):
            return False
        self._put(self.places[offer.place.id], "dialling", "dialling")
        self._sit(offer.agent, "busy")
        return True

    async def undialled(self, offer: Offer) -> PlaceState:
        self._up()
        place = self.places[offer.place.id]
        if not self._runs(offer, "dialling"):
            return place.state
        self._free(place)
        attempts, minutes = place.attempts + 1, self.config.attempts_min
        state: PlaceState = "callback" if attempts < len(minutes) else "given_up"
        due_at = self._now() + timedelta(minutes=minutes[attempts - 1])
        self._looked(self._put(place, state, state, agent="", attempts=attempts, due_at=due_at))
        return state

    async def finished(self, place_id: int, agent: str, disposition: str = "") -> None:
        self._up()
        place = self.places[place_id]
        if place.state == "talking" and place.agent == agent:
            self._free(place)
            self._looked(self._put(place, "done", "finished", line=""))

    async def wrapped_up(self, place_id: int, agent: str, disposition: str) -> None:
        """What agents say of it is for their consoles' tests."""

    async def broken(self, place_id: int, agent: str) -> Place:
        self._up()
        place = self.places[place_id]
        if place.state != "talking" or place.agent != agent:
            return place
        self._sit(agent, "away", "lost")
        return self._looked(self._put(place, "waiting", "broken", agent="", first=True, again=True))

    async def rejoined(self, place_id: int, agent: str) -> bool:
        self._up()
        place = self.places[place_id]
        if place.state != "talking" or place.agent != agent:
            return False
        self._sit(agent, "busy")
        return True

    async def passed(self, place_id: int, agent: str, *, to: str = "", skill: str = "", named: str = "") -> Place:
        self._up()
        place = self.places[place_id]
        self._free(place)
        if to:
            self._sit(to, "busy")
            return self._put(place, "talking", "passed", agent=to)
        arrival = replace(place.arrival, skill=skill or place.arrival.skill, named=named)
        told = {"arrival": arrival, "agent": "", "callback_number": "", "again": True}
        return self._looked(self._put(place, "waiting", "passed", **told))

    async def lapsed(self, offer: Offer) -> None:
        while self._running.get(offer.place.id) == offer:
            await self._changed.wait()

    # -- agents -------------------------------------------------------------------------------------------------------

    async def sign_in(
        self, agent: str, *, display: str = "", skills: Sequence[str] = (), phone: str = "browser"
    ) -> AgentStatus:
        self._up()
        if agent not in self.agents:
            self.staff(agent, *skills, state="away")
        self.agents[agent] = replace(self.agents[agent], display=display, line="line")
        return self.agents[agent]

    async def sign_out(self, agent: str) -> None:
        self._up()
        self._sit(agent, "away", "signed out")

    async def set_state(self, agent: str, state: AgentState, reason: str = "") -> AgentStatus:
        self._up()
        if agent not in self.agents:
            raise IvrError(f"there is no agent {agent}")
        self._sit(agent, state, reason)
        self.look()
        return self.agents[agent]

    async def set_skills(self, agent: str, skills: Sequence[str]) -> None:
        self._up()
        self.agents[agent] = replace(self.agents[agent], skills=tuple(skills))
        self.look()

    async def move(self, place_id: int, *, skill: str = "", priority: int | None = None) -> Place:
        self._up()
        place = self.places[place_id]
        arrival = place.arrival
        others = (each.arrival for each in self.places.values() if each.id != place_id and each.state in LIVE)
        if any((each.person, each.skill) == (arrival.person, skill) for each in others):
            raise IvrError(f"they wait for {skill} already")
        moved = replace(
            arrival, skill=skill or arrival.skill, priority=arrival.priority if priority is None else priority
        )
        return self._looked(self._put(place, place.state, "moved", arrival=moved))

    @property
    def down(self) -> bool:
        """Its database is away."""
        return not self._there.is_set()

    @down.setter
    def down(self, value: bool) -> None:
        (self._there.clear if value else self._there.set)()

    # -- from memory --------------------------------------------------------------------------------------------------

    def standing(self, place_id: int) -> Standing | None:
        place = self.places.get(place_id)
        if place is None or place.state not in LIVE:
            return None
        now, view = self._now(), self.view()
        waited = (now - place.entered_at).total_seconds()
        agents = len(staffed(view, place, self.rules, now))
        return Standing(ahead(view, place, self.rules, now) + 1, self.within_s, waited, agents)

    def told(self, place_id: int, standing: Standing) -> None:
        self.announced.append((place_id, standing))

    def view(self) -> LineView:
        live = (place for place in self.places.values() if place.state in LIVE)
        places = tuple(sorted(live, key=lambda place: self.rules.order(place, self._now())))
        return LineView(places, tuple(self.agents.values()), fresh=not self.down)

    async def seen(self) -> None:
        await self._there.wait()

    def staffed(self, skill: str) -> bool:
        return any(agent.state != "away" for agent in self.agents.values())

    # -- how ----------------------------------------------------------------------------------------------------------

    def _up(self) -> None:
        if self.down:
            raise StoreUnavailable("the database is stopped")

    def _is_of(self, place: Place, arrival: Arrival) -> bool:
        """As in the database: whoever talks keeps the place, unless it is the same call."""
        same = place.arrival.person == arrival.person and place.arrival.channel == arrival.channel
        free = place.state in LIVE and (place.state != "talking" or place.arrival.call_id == arrival.call_id)
        return same and (free or place.state == "abandoned")

    def _made(self, arrival: Arrival, state: PlaceState, **values: object) -> Place:
        place = replace(Place(len(self.places) + 1, arrival, self._now(), state), **values)  # type: ignore[arg-type]
        return self._looked(self._put(place, state, "entered"))

    def _put(self, place: Place, state: str, kind: str, **values: object) -> Place:
        made = self.places[place.id] = replace(place, state=state, **values)  # type: ignore[arg-type]
        self.events.append((kind, place.id))
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        return made

    def _looked(self, place: Place) -> Place:
        self.look()
        return place

    def _runs(self, offer: Offer, *states: str) -> bool:
        place = self.places[offer.place.id]
        return place.state in states and place.offers == offer.place.offers and place.agent == offer.agent

    def _give_back(self, offer: Offer, why: str) -> None:
        del self._running[offer.place.id]
        place = self.places[offer.place.id]
        self._put(place, "callback" if place.callback_number else "waiting", "released", agent="")
        self._sit(offer.agent, "idle" if why == "withdrawn" else "away", "" if why == "withdrawn" else why)

    def _free(self, place: Place) -> None:
        self._running.pop(place.id, None)
        if place.state in ("offered", "dialling"):
            self._sit(place.agent, "idle")
        elif place.state == "talking":
            self._sit(place.agent, "wrap_up" if self.agents[place.agent].line else "idle")

    def _sit(self, agent: str, state: AgentState, reason: str = "") -> None:
        before = self.agents[agent]
        self.agents[agent] = replace(before, state=state, reason=reason, since=self._now())
        if state == "idle" and before.state != "offered":
            self._idle_at[agent] = self._now()
