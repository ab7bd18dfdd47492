"""A caller's place in the line: taken, kept and given up, and what they are told of it while they wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from ivr.dialogue.engine.contract import Connect, PlaceTold
from ivr.errors import IvrError, StoreUnavailable
from ivr.identity import persons_of
from ivr.ports import Arrival, Clock, HandoffContext, Leaving, Line, Offer, Place, Standing

log = structlog.get_logger(__name__)

LOOK_S = 1.0  # how often it is looked where a caller stands: in memory, so that it costs nothing
FIRST_TOLD_S = 1.5  # an agent who is free is there sooner, and nobody need hear of a place
LEAST_BETWEEN_S = 15.0  # however often the place gets better
AWAY_S = 5.0  # the database, before the configured phones are rung in turn
LEAVE_S = 2.0  # a call that is over waits so long for the database

UNKNOWN = "call:"  # whoever could not come back: no number is known


@dataclass(frozen=True, slots=True)
class WaitingRules:
    """As ``[desk.line]`` has them. ``music``: a recording; ``overflow``: a SIP URI, for who waited
    ``overflow_after_s``."""

    told_every_s: float = 60.0
    offer_s: float = 20.0
    music: str = "waiting"
    overflow: str = ""
    overflow_after_s: float = 600.0


USUAL = WaitingRules()


@dataclass(slots=True)
class Told:
    """What one caller was told: the last position never rises, minutes 0 is none."""

    position: int = 0
    minutes: int = 0
    at: float | None = None  # on the loop's clock; None before the first time

    def due(self, standing: Standing, now: float, since: float, every_s: float) -> bool:
        """Whether it is time to say where they stand: at first, every so often, and when it got better."""
        if self.at is None:
            return now - since >= FIRST_TOLD_S
        better = 0 < standing.position < (self.position or standing.position)
        return now - self.at >= (LEAST_BETWEEN_S if better else every_s)

    def say(self, token: int, standing: Standing, now: float, *, asked: bool, again: bool) -> PlaceTold:
        position = standing.position if not self.position or standing.position <= self.position else 0
        minutes = standing.within_minutes or 0
        self.position, self.minutes, self.at = position or self.position, minutes, now
        return PlaceTold(token, position, minutes, asked=asked, again=again)


class WaitingPlace:
    """One caller's place over their whole call. ``tell`` takes what the dialogue is told; ``quiet``: whether it may be
    said now without talking over anything.

    ``waited_s``: how long they waited in all; ``told``: what they heard of it; ``waited`` hears of each wait that is
    over."""

    def __init__(
        self,
        call_id: str,
        line: Line,
        clock: Clock,
        rules: Callable[[], WaitingRules],
        tell: Callable[[PlaceTold], None],
        quiet: Callable[[], bool],
        waited: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        self._call_id = call_id
        self._observed = waited
        self._rules = rules
        self._line = line
        self._clock = clock
        self._tell = tell
        self._quiet = quiet
        self._person = ""  # as which they took a place: who proves more of themselves later keeps it
        self._connect: Connect | None = None
        self._again = False
        self._asked = asyncio.Event()
        self._entered = self._fresh_at = 0.0
        self._since: float | None = None  # in the line now, on the call's clock
        self._for_agent = False
        self.place: Place | None = None
        self.told = Told()
        self.waited_s = 0.0

    def attend(self, tell: Callable[[PlaceTold], None], quiet: Callable[[], bool]) -> None:
        """Who hears from now on where the caller stands."""
        self._tell, self._quiet = tell, quiet

    @property
    def held(self) -> bool:
        """Whether the place is theirs and waits for an agent."""
        return self._since is not None

    async def enter(self, connect: Connect, context: HandoffContext, token: str, number: str) -> Place:
        """Raises StoreUnavailable."""
        if not self._person:
            self._person = await self._known_as(context, number)
        arrival = Arrival(
            person=self._person,
            call_id=self._call_id,
            skill=connect.skill,
            priority=connect.priority,
            reason=connect.reason,
            said=connect.said,
            name=str(context.facts.get("caller.name") or ""),
            number=number,
            member=str(context.facts.get("caller.id") or ""),
            language=context.language,
            context=token,
        )
        self.place = place = await self._line.enter(arrival)
        self._connect, self._again = connect, place.again
        self._entered = self._since = self._fresh_at = self._clock.monotonic()
        if not place.again:
            self.told = Told()
        self.told.at = None
        self._asked.clear()
        return place

    async def _known_as(self, context: HandoffContext, number: str) -> str:
        """The surest of what they are known as, unless a place is kept for them under another."""
        facts = {**context.facts, "call.caller": number}
        persons = persons_of(facts, self._call_id)
        for person in persons[:-1]:
            if await self._line.place_of(person) is not None:
                return person
        return persons[0]

    async def move(self, connect: Connect) -> None:
        """One more reason came while they wait: the same place, sooner. Never raises."""
        self._connect = connect
        if (place := self.place) is None:
            return
        try:
            try:
                await self._line.move(place.id, skill=connect.skill, priority=connect.priority)
            except StoreUnavailable:
                raise
            except IvrError as error:  # with another call they wait for that skill already
                log.warning("line.unmoved", place=place.id, skill=connect.skill, error=str(error))
                await self._line.move(place.id, priority=connect.priority)
        except IvrError as error:
            log.error("line.unmoved", place=place.id, error=str(error))

    def ask(self) -> None:
        """The caller wants to know where they stand: also while a phone rings for them."""
        if self.held:
            self._say(asked=True)

    async def offered(self, until: float | None = None) -> Offer | None:
        """The next offer of it to an agent; they are told where they stand meanwhile. None: nobody is on duty any more,
        or it is later than ``until`` (on the call's clock). Raises StoreUnavailable."""
        assert self.place is not None
        offered = asyncio.ensure_future(self._line.offered(self.place.id))
        asked = asyncio.ensure_future(self._asked.wait())
        try:
            while True:
                await asyncio.wait({offered, asked}, timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED)
                if offered.done():
                    return offered.result()
                if asked.done():
                    self._asked.clear()
                    asked = asyncio.ensure_future(self._asked.wait())
                    self._say(asked=True)
                    continue
                if self._away():
                    raise StoreUnavailable("the line is away", remedy="see that the database runs")
                if not self._line.staffed(self._wanted.skill):
                    return None
                if until is not None and self._clock.monotonic() >= until:
                    return None
                if self._wanted.waits and self._due():
                    self._say(asked=False)
        finally:
            offered.cancel()
            asked.cancel()

    def _away(self) -> bool:
        """Whether nobody could be offered anything for too long."""
        now = self._clock.monotonic()
        self._fresh_at = now if self._line.view().fresh else self._fresh_at
        return now - self._fresh_at > AWAY_S

    @property
    def _wanted(self) -> Connect:
        assert self._connect is not None
        return self._connect

    def _due(self) -> bool:
        standing = self._standing
        every_s = self._wanted.every_s or self._rules().told_every_s
        return self._quiet() and self.told.due(standing, self._clock.monotonic(), self._entered, every_s)

    @property
    def _standing(self) -> Standing:
        assert self.place is not None
        if self._for_agent:
            return Standing(0, None, 0.0)
        return self._line.standing(self.place.id) or Standing(0, None, 0.0)

    def _say(self, *, asked: bool) -> None:
        assert self.place is not None
        standing = self._standing
        again, self._again = self._again, False
        told = self.told.say(self._wanted.token, standing, self._clock.monotonic(), asked=asked, again=again)
        if told.position or told.minutes:
            self._line.told(self.place.id, replace(standing, position=told.position))
        log.info("line.told", place=self.place.id, position=told.position, minutes=told.minutes, asked=asked)
        self._tell(told)

    def rejoined(self, place: Place, connect: Connect) -> None:
        """An agent has it already, from a process that died on."""
        self.place, self._connect, self._person = place, connect, place.arrival.person

    def kept_for_agent(self) -> None:
        """Whoever has it is not there just now, and may be in a moment: the caller waits for them alone."""
        self._for_agent, self._since = True, self._clock.monotonic()

    def passed_on(self, connect: Connect) -> Connect:
        """The agent gave them back: the place waits again, for whom the agent said. What is wanted then."""
        here = (each for each in self._line.view().places if self.place is not None and each.id == self.place.id)
        if (now := next(here, None)) is not None:
            self.place, connect = now, replace(connect, skill=now.arrival.skill)
        self._connect, self._for_agent = connect, False
        self._entered = self._since = self._clock.monotonic()
        self.told = Told()  # another line, perhaps
        self._asked.set()  # they hear where they stand, and are listened to again
        return connect

    def served(self) -> None:
        """An agent has the call: it is the conversation's to tell the line of."""
        self._stop()

    def _stop(self) -> None:
        if self._since is not None:
            waited_s, self._for_agent = self._clock.monotonic() - self._since, False
            self.waited_s += waited_s
            self._since = None
            self._observed(waited_s)

    async def leave(self, keep: str) -> None:
        """The caller is gone ("": they hung up), back at the machine ("away") or wants nobody any more ("done"). Never
        raises, and never takes longer than LEAVE_S."""
        place = self.place
        if place is None or not self.held:
            return
        self._stop()
        how: Leaving = "away"
        if keep == "done":
            how = "done"
        elif not keep and self._person.startswith(UNKNOWN):
            how = "abandoned"
        try:
            async with asyncio.timeout(LEAVE_S):
                await self._line.leave(place.id, how)
        except (IvrError, TimeoutError) as error:
            log.error("line.unleft", place=place.id, error=str(error) or "timeout")
