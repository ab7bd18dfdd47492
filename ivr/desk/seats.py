"""Agents' seats in this process: who sits where, and what becomes of a seat whose page is gone."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import structlog

from ivr.desk.page import Page, PagePhone, TranscriptLine
from ivr.desk.routing import waits_since
from ivr.desk.seat import DISPOSITIONS, Seat
from ivr.desk.story import Stories, plain
from ivr.errors import StoreUnavailable
from ivr.ports import Account, Bridge, Clock, Line, Offer, Place, Ring
from ivr.record import URGENT

log = structlog.get_logger(__name__)

GRACE_S = 2.4  # without a sign of life from the page; a page that is loaded again is back before
PARTING_S = 1.0
AGAIN_S = 1.0
WATCH_S = 0.1
MOST_SHOWN = 8
WAITING = frozenset({"waiting", "offered"})


async def _nothing(call_id: str) -> Sequence[TranscriptLine]:
    return ()


class Seats:
    """``skills``: an agent's, by name, unless somebody gives them others. ``outside``: numbers calls may be passed to.
    ``phone``: makes the phone whose handset a seat's page is. ``said``: what was written down of a conversation, in a
    call that goes on. ``process``: this one, as pages know it."""

    def __init__(
        self,
        line: Line,
        clock: Clock,
        stories: Stories,
        touch: Callable[[], None],
        *,
        skills: Callable[[str], Sequence[str]] = lambda name: ("general",),
        outside: Callable[[], Sequence[str]] = lambda: (),
        phone: Callable[[Seat], PagePhone | None] = lambda seat: None,
        subscriber: Callable[[str], str] = str,
        said: Callable[[str], Awaitable[Sequence[TranscriptLine]]] = _nothing,
    ) -> None:
        self._line = line
        self._clock = clock
        self._stories = stories
        self._touch = touch
        self._skills = skills
        self._outside = outside
        self._phone = phone
        self._subscriber = subscriber
        self._said = said
        self._seats: dict[str, Seat] = {}
        self._graces: dict[str, asyncio.Task[None]] = {}
        self._watching: list[asyncio.Task[None]] = []
        self.process = secrets.token_hex(8)  # another one knows nothing of a page's phone

    # -- pages come and go -------------------------------------------------------------------------------------

    async def enter(self, account: Account, page: Page) -> Seat:
        """The newest page has the seat; the one before is told. Raises StoreUnavailable."""
        if (grace := self._graces.pop(account.name, None)) is not None:
            grace.cancel()
        seat = self._seats.get(account.name)
        if seat is None:
            seat = Seat(account, self._line, self._clock, self._stories, self._touch, self._subscriber)
            seat.phone = self._phone(seat)
            self._seats[account.name] = seat
        before, seat.page, seat.account = seat.page, page, account
        if before is not None:
            before.replaced()
        entered = False
        try:
            await self._line.sign_in(account.name, display=account.display, skills=tuple(self._skills(account.name)))
            entered = True
        finally:
            if not entered:
                self.leave(seat, page)
        await self._take_up(seat)
        self._touch()
        return seat

    async def _take_up(self, seat: Seat) -> None:
        """The conversation that they were in, at a line that died, is before them at once."""
        name = seat.account.name
        places = self._line.view().places
        had = (place for place in places if place.state == "talking" and place.agent == name)
        place = next((each for each in had if each.arrival.channel != "message"), None)
        if place is None or seat.busy:
            return
        log.warning("console.awaited", agent=name, place=place.id)
        seat.awaited(place)
        self._watching.append(asyncio.create_task(self._watch(seat, place.id), name=f"rejoining-{name}"))
        with suppress(StoreUnavailable):
            if (said := await self._said(place.arrival.call_id)) and not seat.lines:
                seat.lines.extend(said)

    async def _watch(self, seat: Seat, place_id: int) -> None:
        """Until they are joined again, or nobody keeps the caller for them any more."""
        while seat.awaits(place_id):
            view = self._line.view()
            place = next((each for each in view.places if each.id == place_id), None)
            theirs = place is not None and place.state == "talking" and place.agent == seat.account.name
            if view.fresh and not theirs:
                seat.not_rejoined(waits=place is not None and place.state in WAITING)
                return
            await self._clock.sleep(WATCH_S)

    def leave(self, seat: Seat, page: Page, *, silent_s: float = 0.0) -> None:
        """The page is gone, nothing having been heard of it for ``silent_s``. Another may come in time."""
        if seat.page is not page:
            return
        seat.page = None
        name = seat.account.name
        self._graces[name] = asyncio.create_task(
            self._after(seat, max(0.0, GRACE_S - silent_s)), name=f"console-grace-{name}"
        )

    async def _after(self, seat: Seat, wait_s: float) -> None:
        await self._clock.sleep(wait_s)
        name = seat.account.name
        log.warning("console.lost", agent=name, talking=seat.talking)
        seat.lost()
        if seat.phone is not None:
            await seat.phone.lost()
            await self._parted(seat)
        while True:
            try:
                await self._line.sign_out(name)
                break
            except StoreUnavailable:
                await self._clock.sleep(AGAIN_S)
        self._graces.pop(name, None)
        self._touch()

    async def _parted(self, seat: Seat) -> None:
        """The caller is back in line before the agent is signed out."""
        status = seat.status()
        waited = 0.0
        while seat.talking and waited < PARTING_S and (status is None or status.phone == "browser"):
            await self._clock.sleep(0.02)
            waited += 0.02

    async def stop(self) -> None:
        graces = [*self._graces.values(), *self._watching]
        for grace in graces:
            grace.cancel()
        await asyncio.gather(*graces, return_exceptions=True)

    # -- the floor ---------------------------------------------------------------------------------------------

    def of(self, agent: str) -> Seat | None:
        """None: nobody of that name had a console here."""
        return self._seats.get(agent)

    def joined(self, ring: Ring, bridge: Bridge) -> None:
        if (seat := self._seats.get(ring.offer.agent)) is not None:
            seat.joined(ring, bridge)

    def parted(self, agent: str) -> None:
        if (seat := self._seats.get(agent)) is not None:
            seat.parted()

    async def deliver(self, offer: Offer) -> None:
        """A message is offered to the agent: theirs, once they take it, until they are done with it. Raises
        StoreUnavailable."""
        seat = self._seats.get(offer.agent)
        if seat is None:
            await self._line.released(offer, "unreachable")
        else:
            await seat.deliver(offer)

    # -- what consoles show ------------------------------------------------------------------------------------

    def view(self, seat: Seat) -> Mapping[str, Any]:
        """The whole state of a console, ready for JSON; the same while nothing changes."""
        view = self._line.view()
        now = self._clock.now()
        me = seat.account.name
        waiting = [place for place in view.places if _waits(place, now) and not seat.has(place)]
        others = sorted({agent.name: agent for agent in view.agents if agent.name != me}.values(), key=lambda a: a.name)
        skills = sorted({skill for agent in view.agents for skill in agent.skills})
        return {
            "kind": "state",
            **seat.view(),
            "line": {
                "waiting": len(waiting),
                "since": plain(min((waits_since(place) for place in waiting), default=None)),
                "urgent": sum(place.arrival.priority >= URGENT for place in waiting),
                "places": [_shown(place) for place in waiting[:MOST_SHOWN]],
                "fresh": view.fresh,
            },
            "targets": [
                *({"to": f"agent:{a.name}", "label": a.display or a.name, "state": a.state} for a in others),
                *({"to": f"skill:{skill}", "label": skill, "state": "skill"} for skill in skills),
                *({"to": number, "label": number.partition(":")[2], "state": "outside"} for number in self._outside()),
            ],
            "dispositions": DISPOSITIONS,
        }


def _waits(place: Place, now: datetime) -> bool:
    """Somebody could be served now: on the line, a message, or a call back that is due."""
    return place.state in WAITING or (place.state == "callback" and (place.due_at is None or place.due_at <= now))


def _shown(place: Place) -> Mapping[str, Any]:
    arrival = place.arrival
    return {
        "place": place.id,
        "who": arrival.name or "Unknown caller",
        "reason": arrival.reason,
        "skill": arrival.skill,
        "urgent": arrival.priority >= URGENT,
        "channel": "call back" if place.callback_number else arrival.channel,
        "waits_since": waits_since(place).isoformat(),
    }
