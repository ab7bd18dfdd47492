"""Tells open pages that something moved; what moved they are told by whoever listens here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator


class Feed:
    """``touch`` from anywhere in the loop, as often as one likes: listeners hear of it a few times a second."""

    def __init__(self, *, most_often_s: float = 0.15, at_least_s: float = 15.0) -> None:
        self._listeners: set[asyncio.Event] = set()
        self._most_often_s = most_often_s
        self._at_least_s = at_least_s
        self._closed = False

    def touch(self) -> None:
        for event in self._listeners:
            event.set()

    def close(self) -> None:
        """Everybody who listens is told that there is nothing more."""
        self._closed = True
        self.touch()

    async def changes(self) -> AsyncIterator[bool]:
        """Whether something moved, at once and then whenever; False now and then, so that dead connections show."""
        event = asyncio.Event()
        self._listeners.add(event)
        try:
            yield True
            while not self._closed:
                try:
                    async with asyncio.timeout(self._at_least_s):
                        await event.wait()
                except TimeoutError:
                    yield False
                    continue
                event.clear()
                if not self._closed:
                    yield True
                    await asyncio.sleep(self._most_often_s)
        finally:
            self._listeners.discard(event)
