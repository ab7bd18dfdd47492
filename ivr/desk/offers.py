"""Offers on their way to who waits for them in this process: callers, and who makes call backs. In memory only."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping

from ivr.ports.line import Offer, Place


class AwaitedOffers:
    """``line``: this process. An offer is handed out once; the number of offers that its place had tells them apart.
    ``readings``: how often the line was read."""

    def __init__(self, line: str) -> None:
        self._line = line
        self._waiting: dict[int, list[asyncio.Future[Offer]]] = {}
        self._since: dict[int, int] = {}  # by place: how often the line had been read when somebody began to wait
        self.readings = 0
        self._running: dict[int, Offer] = {}
        self._given: dict[int, int] = {}
        self._told: set[int] = set()
        self._moved: dict[int, int] = {}
        self._to_make: asyncio.Queue[Offer] = asyncio.Queue()

    # -- who waits ----------------------------------------------------------------------------------------------------

    async def next_of(self, place_id: int) -> Offer:
        place_id = self.now(place_id)
        running = self._running.get(place_id)
        if running is not None and self._is_new(running):
            self._given[place_id] = running.place.offers
            return running
        future: asyncio.Future[Offer] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(place_id, []).append(future)
        self._since[place_id] = self.readings
        try:
            return await future
        finally:
            place_id = self.now(place_id)
            if not (left := [each for each in self._waiting.get(place_id, ()) if each is not future]):
                self._waiting.pop(place_id, None)
                self._since.pop(place_id, None)
            else:
                self._waiting[place_id] = left

    async def to_be_made(self) -> Offer:
        """The next call back or message."""
        return await self._to_make.get()

    # -- what comes ---------------------------------------------------------------------------------------------------

    def told_of(self, place_id: int) -> bool:
        """Another process found an agent for this place; whether anybody waits for that here."""
        if place_id in self._waiting:
            self._told.add(place_id)
        return place_id in self._waiting

    def take_told(self) -> Collection[int]:
        told, self._told = self._told, set()
        return told

    def give(self, offer: Offer) -> None:
        place = offer.place
        if place.line != self._line or not self._is_new(offer):
            return
        if place.callback_number or place.arrival.channel == "message":
            self._given[place.id] = place.offers
            self._to_make.put_nowait(offer)
            return
        self._running[place.id] = offer
        for future in self._waiting.get(place.id, ()):
            if not future.done():
                self._given[place.id] = place.offers
                future.set_result(offer)

    def _is_new(self, offer: Offer) -> bool:
        return offer.place.offers > self._given.get(offer.place.id, 0)

    # -- what the line says of them -----------------------------------------------------------------------------------

    def reading(self) -> int:
        """The line is read from now on."""
        self.readings += 1
        return self.readings

    def seen(self, reading: int, places: Iterable[Place], offers: Iterable[Offer]) -> Collection[int]:
        """What was read. Places that somebody waits for in vain: this process does not have them any more, because it
        was taken for dead."""
        there: Mapping[int, Place] = {place.id: place for place in places}
        self._running = {}
        for offer in offers:
            self.give(offer)
        self._given = {place: number for place, number in self._given.items() if place in there}
        self._moved = {old: new for old, new in self._moved.items() if new in there}
        return [
            place_id
            for place_id, since in self._since.items()
            if since < reading and not ((found := there.get(place_id)) and self._has(found))
        ]

    def _has(self, place: Place) -> bool:
        return place.line == self._line and place.state in ("waiting", "offered", "talking")

    def move(self, old: int, new: int) -> None:
        """Who waits for ``old`` has the place ``new`` now."""
        if old == new:
            return
        self._moved[old] = new
        self._waiting.setdefault(new, []).extend(self._waiting.pop(old, ()))
        self._since.pop(old, None)
        self._since[new] = self.readings

    def now(self, place_id: int) -> int:
        return self._moved.get(place_id, place_id)
