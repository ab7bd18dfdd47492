"""The line of waiting callers, in one process: what is done to it in the database; pairing; who is told.

Implements ``ivr.ports.Line``. Who changes something pairs at once, and is heard of in every other process by a
notification; pairing and looking every second is the floor under both.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TypeVar

import structlog

from ivr.config import DeskConfig
from ivr.desk.duty import PhonesOnDuty
from ivr.desk.memory import LineMemory
from ivr.desk.offers import AwaitedOffers
from ivr.desk.routing import Rules
from ivr.errors import StoreUnavailable
from ivr.ports.clock import Clock
from ivr.ports.line import (
    AgentState,
    AgentStatus,
    Arrival,
    Estimator,
    Leaving,
    LineView,
    Offer,
    Place,
    PlaceState,
    Release,
    Standing,
)
from ivr.ports.line_store import LineStore

T = TypeVar("T")

POLL_S = 1.0  # a lost notification costs this, never a caller
VIEW_S = 0.05  # what is remembered is not read more often
STRAY_S = 3.0  # a place of a call that is over, which nobody left

log = structlog.get_logger(__name__)


class WaitingLine:
    """``open_at``: whether the office is open; ``live``: ids of the calls in progress here, None where that is not
    known; ``on_change``: what is remembered is another now."""

    def __init__(
        self,
        store: LineStore,
        config: DeskConfig,
        clock: Clock,
        *,
        open_at: Callable[[datetime], bool] = lambda moment: True,
        estimator: Estimator | None = None,
        live: Callable[[], Collection[str]] | None = None,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._phones = PhonesOnDuty(store, open_at)
        self._live = live
        self._to_pair, self._to_look, self._to_collect = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._offers = AwaitedOffers(store.line)
        self._memory = LineMemory(clock, self._offers, estimator, on_change)
        self._arrivals: dict[int, Arrival] = {}  # by place: calls of this process
        self._owed: list[Callable[[], Awaitable[object]]] = []
        self._strays: dict[int, float] = {}
        self._lost: Collection[int] = ()  # places that this process should have
        self.apply(config)

    def apply(self, config: DeskConfig) -> None:
        """Phones and hours count at once."""
        self._memory.rules = Rules.of(config.line)
        self._phones.apply(config.agents)
        self._wake()

    # -- beside the calls ---------------------------------------------------------------------------------------------

    async def begin(self) -> None:
        """The phones of the configuration are on duty, and the line is known, as far as the database has it."""
        with suppress(StoreUnavailable):
            await self._phones.look(self._memory.snapshot, self._memory.now())
            await self._refresh()

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._store.follow(self._clock, self._heard))
            tasks.create_task(self._pairing())
            tasks.create_task(self._collecting())
            tasks.create_task(self._looking())
            tasks.create_task(self._tending())

    def _heard(self, kind: str, place_id: int) -> None:
        if kind == "offered" and self._offers.told_of(place_id):
            self._to_collect.set()
        self._to_look.set()

    def _wake(self) -> None:
        """Something changed here: this process pairs. Where another changed something, that one does."""
        self._to_pair.set()
        self._to_look.set()

    async def _pairing(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._to_pair.wait()
            self._to_pair.clear()
            try:
                while (found := await self._store.pair()) is not None:
                    log.info(
                        "line.offered",
                        place=found.place.id,
                        agent=found.agent,
                        waited_s=self._memory.waited(found.place),
                    )
                    self._give(found)
                    self._to_look.set()
            except StoreUnavailable:
                self._memory.lost_sight()

    async def _collecting(self) -> None:
        """Offers of this process's callers that another process made."""
        while True:
            await self._to_collect.wait()
            self._to_collect.clear()
            with suppress(StoreUnavailable):  # the next look finds them
                for place_id in self._offers.take_told():
                    if (offer := await self._store.offer_of(place_id)) is not None:
                        self._give(offer)

    def _give(self, offer: Offer) -> None:
        """A place that came about since the last look is remembered first: its offer is none that stands no more."""
        if self._memory.place(offer.place.id) is None:
            self._memory.remember(offer.place)
        self._offers.give(offer)

    async def _looking(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._to_look.wait()
            self._to_look.clear()
            began = self._clock.monotonic()
            try:
                await self._refresh()
            except StoreUnavailable:
                self._memory.lost_sight()
            # A long line, or a machine with much to do: calls come before looking at them.
            await self._clock.sleep(min(max(VIEW_S, 4 * (self._clock.monotonic() - began)), POLL_S))

    async def _tending(self) -> None:
        while True:
            try:
                await self._pay()
                if buried := await self._store.reap():
                    log.warning("line.reaped", places=buried)
                await self._phones.look(self._memory.snapshot, self._memory.now())
                await self._leave_strays()
                await self._return()
            except StoreUnavailable:
                self._memory.lost_sight()
            await self._clock.sleep(POLL_S)
            self._wake()

    async def _refresh(self) -> None:
        reading = self._offers.reading()
        self._lost = self._memory.read(reading, await self._store.snapshot())

    # -- what is remembered -------------------------------------------------------------------------------------------

    def view(self) -> LineView:
        return self._memory.view

    async def seen(self) -> None:
        await self._memory.fresh()

    def standing(self, place_id: int) -> Standing | None:
        return self._memory.standing(place_id)

    def told(self, place_id: int, standing: Standing) -> None:
        self._memory.told(place_id, standing)

    def staffed(self, skill: str) -> bool:
        return self._memory.staffed()

    # -- what calls do ------------------------------------------------------------------------------------------------

    async def enter(self, arrival: Arrival) -> Place:
        place = self._memory.remember(await self._changed(self._seen().enter(arrival)))
        self._arrivals[place.id] = arrival
        waits = sum(each.state == "waiting" for each in self._memory.view.places)
        log.info(
            "line.entered",
            place=place.id,
            skill=arrival.skill,
            priority=arrival.priority,
            again=place.again,
            waiting=waits,
        )
        return place

    async def leave(self, place_id: int, how: Leaving) -> None:
        place_id = self._offers.now(place_id)
        self._arrivals.pop(place_id, None)
        waited_s = self._memory.waited(place) if (place := self._memory.place(place_id)) is not None else None
        await self._surely(lambda: self._store.leave(place_id, how))
        log.info("line.left", place=place_id, how=how, waited_s=waited_s)

    async def offered(self, place_id: int) -> Offer:
        return await self._offers.next_of(place_id)

    async def call_back(self, place_id: int, number: str, due_at: datetime | None = None) -> Place:
        place_id = self._offers.now(place_id)
        place = self._memory.remember(await self._changed(self._seen().call_back(place_id, number, due_at)))
        self._arrivals.pop(place_id, None)
        return place

    async def ask_call_back(self, arrival: Arrival, number: str, due_at: datetime | None = None) -> Place:
        return self._memory.remember(await self._changed(self._seen().ask_call_back(arrival, number, due_at)))

    async def leave_message(self, arrival: Arrival, recording: str, transcript: str) -> Place:
        return self._memory.remember(await self._changed(self._seen().leave_message(arrival, recording, transcript)))

    async def place_of(self, person: str) -> Place | None:
        return await self._seen().place_of(person)

    async def callbacks(self) -> AsyncIterator[Offer]:
        while True:
            yield await self._offers.to_be_made()

    async def answered(self, offer: Offer) -> bool:
        return await self._changed(self._store.answered(offer), pairs=False)

    async def released(self, offer: Offer, why: Release) -> None:
        log.info("line.released", place=offer.place.id, agent=offer.agent, why=why)
        await self._surely(lambda: self._store.released(offer, why))

    async def dialling(self, offer: Offer) -> bool:
        return await self._changed(self._store.dialling(offer), pairs=False)

    async def undialled(self, offer: Offer) -> PlaceState:
        return await self._changed(self._store.undialled(offer))

    async def finished(self, place_id: int, agent: str, disposition: str = "") -> None:
        place_id = self._offers.now(place_id)
        self._arrivals.pop(place_id, None)
        await self._surely(lambda: self._store.finished(place_id, agent, disposition))

    async def wrapped_up(self, place_id: int, agent: str, disposition: str) -> None:
        told = self._store.wrapped_up(self._offers.now(place_id), agent, disposition)
        await self._changed(told, pairs=False)

    async def broken(self, place_id: int, agent: str) -> Place:
        place_id = self._offers.now(place_id)
        log.warning("line.broken", place=place_id, agent=agent)
        return self._memory.remember(await self._changed(self._store.broken(place_id, agent)))

    async def rejoined(self, place_id: int, agent: str) -> bool:
        place_id = self._offers.now(place_id)
        log.info("line.rejoined", place=place_id, agent=agent)
        return await self._changed(self._store.rejoined(place_id, agent), pairs=False)

    async def passed(self, place_id: int, agent: str, *, to: str = "", skill: str = "", named: str = "") -> Place:
        place_id = self._offers.now(place_id)
        log.info("line.passed", place=place_id, agent=agent, to=to or named, skill=skill)
        passed = self._store.passed(place_id, agent, to=to, skill=skill, named=named)
        return self._memory.remember(await self._changed(passed))

    async def lapsed(self, offer: Offer) -> None:
        await self._memory.lapsed(offer)

    # -- what agents and supervisors do -------------------------------------------------------------------------------

    async def sign_in(
        self, agent: str, *, display: str = "", skills: Sequence[str] = (), phone: str = "browser"
    ) -> AgentStatus:
        return await self._changed(self._store.sign_in(agent, display=display, skills=skills, phone=phone))

    async def sign_out(self, agent: str) -> None:
        await self._surely(lambda: self._store.sign_out(agent))

    async def set_state(self, agent: str, state: AgentState, reason: str = "") -> AgentStatus:
        return await self._changed(self._store.set_state(agent, state, reason))

    async def set_skills(self, agent: str, skills: Sequence[str]) -> None:
        await self._changed(self._store.set_skills(agent, skills))

    async def move(self, place_id: int, *, skill: str = "", priority: int | None = None) -> Place:
        place_id = self._offers.now(place_id)
        return self._memory.remember(await self._changed(self._store.move(place_id, skill=skill, priority=priority)))

    # -- how ----------------------------------------------------------------------------------------------------------

    def _seen(self) -> LineStore:
        """Raises StoreUnavailable at once while the database is known to be away: nobody waits for its bound."""
        if self._memory.snapshot is not None and not self._memory.view.fresh:
            raise StoreUnavailable("the line of waiting callers is away with its database")
        return self._store

    async def _changed(self, work: Awaitable[T], *, pairs: bool = True) -> T:
        """``pairs``: nobody may be offered to anybody because of it where that is False."""
        result = await work
        if pairs:
            self._to_pair.set()
        self._to_look.set()
        return result

    async def _surely(self, work: Callable[[], Awaitable[object]]) -> None:
        """What is over is over: where the database is away it is told later, so that no agent gets a ghost."""
        try:
            await self._changed(work())
        except StoreUnavailable:
            self._owed.append(work)
            log.warning("line.owed", changes=len(self._owed))

    async def _pay(self) -> None:
        while self._owed:
            await self._owed[0]()
            self._owed.pop(0)

    async def _leave_strays(self) -> None:
        """Calls that are over, though nobody left their place: something of ours broke, or was killed in its midst."""
        if self._live is None:
            return
        live, now = set(self._live()), self._clock.monotonic()
        mine = [each for each in self._memory.view.places if each.line == self._store.line and not each.callback_number]
        gone = {each.id: each for each in mine if each.arrival.channel == "voice" and each.arrival.call_id not in live}
        self._strays = {place_id: self._strays.get(place_id, now) for place_id in gone}
        for place_id, since in list(self._strays.items()):
            if now - since >= STRAY_S:
                log.error("line.stray", place=place_id, state=gone[place_id].state)
                await self._store.leave(place_id, "done" if gone[place_id].state == "talking" else "away")

    async def _return(self) -> None:
        """This process was taken for dead, and is not: its callers are back at their places."""
        lost, self._lost = self._lost, ()
        for place_id in lost:
            if (arrival := self._arrivals.get(place_id)) is not None:
                place = self._memory.remember(await self._store.enter(arrival))
                self._offers.move(place_id, place.id)
                if self._arrivals.pop(place_id, None) is not None:  # they did not leave meanwhile
                    self._arrivals[place.id] = arrival
                log.warning("line.returned", place=place.id)
