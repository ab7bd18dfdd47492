"""A supervisor's phone: their browser, for as long as their board is open; it joins conversations and is never rung."""

from __future__ import annotations

from typing import Protocol

from ivr.ports import Bridge, Console, Ring


class BrowserHandset(Protocol):
    """The phone that a browser is; see ``ivr.phones.browser_phone``."""

    async def connect(self, offer: str) -> str: ...


class ConsoleFloor(Protocol):
    """Where consoles come and go; see ``ivr.phones.floor``."""

    def register(self, agent: str, console: Console) -> BrowserHandset: ...
    async def unregister(self, agent: str) -> None: ...


class BoardPhone:
    """Implements ``ivr.web.backend.BoardPhone``, and ``ivr.ports.Console`` towards the floor. A supervisor may be an
    agent too, with a console of their own: this is another phone, under another name."""

    def __init__(self, floor: ConsoleFloor, supervisor: str, number: int) -> None:
        self.name = f"{supervisor} (board {number})"
        self._floor = floor

    async def connect(self, sdp: str) -> str:
        return await self._floor.register(self.name, self).connect(sdp)

    async def close(self) -> None:
        await self._floor.unregister(self.name)

    async def offer(self, ring: Ring) -> bool:
        """No caller is ever offered to a board."""
        return False

    def joined(self, ring: Ring, bridge: Bridge) -> None:
        return None

    def changed(self, bridge: Bridge) -> None:
        return None

    def parted(self) -> None:
        return None


class BoardPhones:
    """Makes one for each open board."""

    def __init__(self, floor: ConsoleFloor) -> None:
        self._floor = floor
        self._made = 0

    def __call__(self, supervisor: str) -> BoardPhone:
        self._made += 1
        return BoardPhone(self._floor, supervisor, self._made)
