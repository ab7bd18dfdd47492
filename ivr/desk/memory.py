"""The line's memory in one process: the view of it as it was last read, and what of it is told to callers.

Rebuilt from the database after changes, and never the truth: that is what the transactions see. What this process
itself has just done is remembered before the next look shows it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from ivr.desk.offers import AwaitedOffers
from ivr.desk.position import ahead, staffed
from ivr.desk.routing import Rules, waits_since
from ivr.ports.clock import Clock
from ivr.ports.line import Estimator, LineView, Offer, Place, Standing
from ivr.ports.line_store import RETURN_S, SOON_BACK, Snapshot

log = structlog.get_logger(__name__)


class LineMemory:
    """``rules``: routing as configured, set before anything is remembered. ``snapshot``: as it was last read, None
    before; ``on_change``: what is remembered is another now."""

    def __init__(
        self, clock: Clock, offers: AwaitedOffers, estimator: Estimator | None, on_change: Callable[[], None]
    ) -> None:
        self._clock = clock
        self._offers = offers
        self._estimator = estimator
        self.on_change = on_change
        self.rules = Rules()
        self.view = LineView((), (), fresh=False)
        self.snapshot: Snapshot | None = None
        self._read_at = 0.0  # monotonic
        self._newer: dict[int, tuple[int, Place]] = {}  # by place: what is known since how many readings
        self._shown = asyncio.Event()  # of what comes next

    def read(self, reading: int, snapshot: Snapshot) -> Collection[int]:
        """It was read. Places that somebody waits for here in vain: see ``AwaitedOffers.seen``."""
        self._read_at = self._clock.monotonic()
        self.snapshot = snapshot
        lost = self._offers.seen(reading, snapshot.places, snapshot.offers)
        self._newer = {key: each for key, each in self._newer.items() if each[0] >= reading}
        view = LineView(snapshot.places, snapshot.agents)
        self._show(self._with(view, *(place for _, place in self._newer.values())))
        return lost

    def remember(self, place: Place) -> Place:
        """Before the next look shows it; a look that is under way may not see it yet."""
        self._newer[place.id] = (self._offers.readings, place)
        self._show(self._with(self.view, place))
        return place

    def lost_sight(self) -> None:
        """The database is away."""
        if self.view.fresh:
            log.warning("line.unavailable", waiting=len(self.view.places))
            self._show(replace(self.view, fresh=False))

    def _show(self, view: LineView) -> None:
        if view == self.view:
            return
        self.view = view
        if self._estimator is not None and view.fresh:
            self._estimator.follow(view)
        shown, self._shown = self._shown, asyncio.Event()
        shown.set()
        self.on_change()

    def _with(self, view: LineView, *places: Place) -> LineView:
        if not places:
            return view
        now, known = self.now(), {place.id: place for place in (*view.places, *places)}
        return replace(view, places=tuple(sorted(known.values(), key=lambda place: self.rules.order(place, now))))

    def now(self) -> datetime:
        """By the database's clock, as far as this process knows."""
        if self.snapshot is None:
            return self._clock.now()
        return self.snapshot.at + timedelta(seconds=self._clock.monotonic() - self._read_at)

    def waited(self, place: Place) -> float:
        return round(max(0.0, (self.now() - waits_since(place)).total_seconds()), 1)

    def place(self, place_id: int) -> Place | None:
        place_id = self._offers.now(place_id)
        return next((place for place in self.view.places if place.id == place_id), None)

    # -- what is told of it -------------------------------------------------------------------------------------------

    def standing(self, place_id: int) -> Standing | None:
        place = self.place(place_id)
        if place is None:
            return None
        now, view = self.now(), self.view
        if self._estimator is not None:
            position, within_s = self._estimator.position(view, place), self._estimator.within_s(view, place)
        else:
            position, within_s = ahead(view, place, self.rules, now) + 1, None
        return Standing(position, within_s, self.waited(place), len(staffed(view, place, self.rules, now)))

    def told(self, place_id: int, standing: Standing) -> None:
        place = self.place(place_id)
        if place is not None and self._estimator is not None:
            self._estimator.told(self.view, place, standing)

    def staffed(self) -> bool:
        """Generalists take callers whom nobody else is there for, and anybody does before nobody. A phone that did not
        answer is there again by itself; whose page broke has RETURN_S to be back, before callers hear that nobody is
        there, also while they have no console at all."""
        lately = self.now() - timedelta(seconds=RETURN_S)
        left_at = self.snapshot.left_at if self.snapshot is not None else None
        return (left_at is not None and left_at > lately) or any(
            agent.state != "away" or agent.until is not None or (agent.reason in SOON_BACK and agent.since > lately)
            for agent in self.view.agents
        )

    async def fresh(self) -> None:
        """Returns once the database says who waits."""
        while not self.view.fresh:
            await self._shown.wait()

    async def lapsed(self, offer: Offer) -> None:
        """Returns once it stands no more."""
        while self._stands(offer):
            await self._shown.wait()

    def _stands(self, offer: Offer) -> bool:
        """As far as it is remembered: what was seen before the offer was made says nothing of it."""
        place = self.place(offer.place.id)
        if place is None:
            return not self.view.fresh
        held = place.state in ("offered", "dialling", "talking") and place.agent == offer.agent
        return place.offers < offer.place.offers or (place.offers == offer.place.offers and held)
