"""A line of one place, for conversations and call backs in virtual time: it notes what it is told, and offers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from ivr.errors import StoreUnavailable
from ivr.ports import AgentState, AgentStatus, Arrival, LineView, Offer, Place, PlaceState, Release, Standing
from ivr.ports.line import Leaving
from tests.call.fakes import EPOCH

ARRIVAL = Arrival(
    "member:10001", "c1", "general", 5, reason="asked", said="agent", name="Ada Moreno", number="+15035550101",
    member="10001", language="en-US", context="t",
)  # fmt: skip


class ToldLine:
    """``log``: what it was told, in order. ``down``: the database is away."""

    def __init__(self) -> None:
        self.place = Place(7, ARRIVAL, EPOCH, "talking")
        self.log: list[tuple[object, ...]] = []
        self._noted: dict[tuple[object, ...], list[asyncio.Event]] = {}
        self.down = False
        self.ahead = timedelta()  # of the database's clock
        self.takes_s = 0.0  # until it has written down who has answered, or is being dialled
        self.stale = False  # a call back is not wanted any more when its agent has accepted
        self.after_no_answer: PlaceState = "callback"
        self.offers: asyncio.Queue[Offer] = asyncio.Queue()
        self.made_good: asyncio.Queue[Offer] = asyncio.Queue()
        self.taken_back = asyncio.Event()
        self.calls: list[str] = []  # that have the place, as it was told

    def offer(self, agent: str, number: str = "") -> Offer:
        """One of the place, for twenty seconds."""
        now = EPOCH + timedelta(seconds=asyncio.get_running_loop().time()) + self.ahead
        place = replace(self.place, state="offered", callback_number=number, changed_at=now)
        return Offer(place, agent, now + timedelta(seconds=20))

    def _note(self, *what: object) -> None:
        if self.down:
            raise StoreUnavailable("the database is stopped")
        self.log.append(what)
        for noted in self._noted.pop(what, ()):
            noted.set()

    async def until(self, *what: object) -> None:
        """Returns once the line was told this. Raises TimeoutError."""
        noted = asyncio.Event()
        self._noted.setdefault(what, []).append(noted)
        async with asyncio.timeout(5):
            if what not in self.log:
                await noted.wait()

    async def enter(self, arrival: Arrival) -> Place:
        self._note("enter", arrival.person)
        self.calls.append(arrival.call_id)
        return self.place

    async def leave(self, place_id: int, how: Leaving) -> None:
        self._note("leave", place_id, how)

    async def call_back(self, place_id: int, number: str, due_at: datetime | None = None) -> Place:
        self._note("call_back", place_id)
        return self.place

    async def ask_call_back(self, arrival: Arrival, number: str, due_at: datetime | None = None) -> Place:
        self._note("ask_call_back", number)
        return self.place

    async def leave_message(self, arrival: Arrival, recording: str, transcript: str) -> Place:
        self._note("leave_message", recording)
        return self.place

    async def place_of(self, person: str) -> Place | None:
        return self.place

    async def answered(self, offer: Offer) -> bool:
        await asyncio.sleep(self.takes_s)
        self._note("answered", offer.agent)
        self.calls.append(offer.place.arrival.call_id)
        return True

    async def released(self, offer: Offer, why: Release) -> None:
        self._note("released", offer.agent, why)

    async def dialling(self, offer: Offer) -> bool:
        await asyncio.sleep(self.takes_s)
        self._note("dialling", offer.agent)
        return not self.stale

    async def undialled(self, offer: Offer) -> PlaceState:
        self._note("undialled", offer.agent)
        return self.after_no_answer

    async def wrapped_up(self, place_id: int, agent: str, disposition: str) -> None:
        self._note("wrapped_up", place_id, agent, disposition)

    async def finished(self, place_id: int, agent: str, disposition: str = "") -> None:
        self._note("finished", place_id, agent)

    async def broken(self, place_id: int, agent: str) -> Place:
        self._note("broken", place_id, agent)
        return self.place

    async def rejoined(self, place_id: int, agent: str) -> bool:
        self._note("rejoined", place_id, agent)
        return True

    async def passed(self, place_id: int, agent: str, *, to: str = "", skill: str = "", named: str = "") -> Place:
        self._note("passed", agent, to or skill or named)
        return self.place

    async def lapsed(self, offer: Offer) -> None:
        await self.taken_back.wait()

    async def sign_in(
        self, agent: str, *, display: str = "", skills: Sequence[str] = (), phone: str = "browser"
    ) -> AgentStatus:
        self._note("sign_in", agent)
        return AgentStatus(agent, "away", EPOCH, tuple(skills))

    async def sign_out(self, agent: str) -> None:
        self._note("sign_out", agent)

    async def set_state(self, agent: str, state: AgentState, reason: str = "") -> AgentStatus:
        self._note("state", agent, state)
        return AgentStatus(agent, state, EPOCH, ("general",))

    async def set_skills(self, agent: str, skills: Sequence[str]) -> None:
        self._note("skills", agent)

    async def move(self, place_id: int, *, skill: str = "", priority: int | None = None) -> Place:
        self._note("move", place_id)
        return self.place

    async def offered(self, place_id: int) -> Offer:
        return await self.offers.get()

    async def callbacks(self) -> AsyncIterator[Offer]:
        while True:
            yield await self.made_good.get()

    def standing(self, place_id: int) -> Standing | None:
        return None

    def told(self, place_id: int, standing: Standing) -> None:
        return None

    def view(self) -> LineView:
        return LineView((self.place,), (AgentStatus("cleo", "idle", EPOCH, ("general",)),))

    async def seen(self) -> None:
        raise NotImplementedError

    def staffed(self, skill: str) -> bool:
        return True
