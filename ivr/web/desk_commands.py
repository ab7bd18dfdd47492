"""Commands of an agent's console: what a page may ask of its seat, read once, and told back in words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Literal

from ivr.call_search import CallSearch
from ivr.desk.seat import Seat
from ivr.errors import IvrError
from ivr.web.backend import Backend, in_time
from ivr.web.formats import phone

LONGEST = 4000
LONGEST_SDP = 20_000
MOST_FOUND = 8
KEYS = frozenset("0123456789*#ABCD")
TARGETS = ("agent:", "skill:", "tel:", "sip:", "sips:")

Told = Mapping[str, Any]
NOTHING: Told = {}


class Asked:
    """What came with a command. Each raises ValueError where it is missing or no such thing."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def text(self, name: str, longest: int = LONGEST) -> str:
        value = self._values.get(name, "")
        if not isinstance(value, str) or len(value) > longest:
            raise ValueError(f"{name} is a text of at most {longest} characters")
        return value

    def flag(self, name: str) -> bool:
        value = self._values.get(name)
        if not isinstance(value, bool):
            raise ValueError(f"{name} is true or false")
        return value

    def number(self, name: str) -> int:
        value = self._values.get(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError(f"{name} is a number")
        return value

    def moment(self, name: str) -> datetime | None:
        """None where it was left empty."""
        text = self.text(name, 40)
        if not text:
            return None
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError(f"{name} is a moment with its offset")
        return moment

    def target(self) -> str:
        to = self.text("to", 200)
        if not to.startswith(TARGETS):
            raise ValueError("to is agent:NAME, skill:NAME or a number that is allowed")
        return to

    def keys(self) -> str:
        keys = self.text("keys", 32)
        if not keys or not KEYS.issuperset(keys):
            raise ValueError("keys are 0-9, * and #")
        return keys


class DeskCommands:
    """Of one page's seat. ``obey`` raises IvrError (what can't be done), ValueError (what can't be read)."""

    def __init__(self, seat: Seat, backend: Backend) -> None:
        self._seat = seat
        self._backend = backend
        self._done: Mapping[str, Callable[[Asked], Awaitable[Told]]] = {
            "phone.offer": self._phone,
            "find": self._find,
            "grant": self._grant,
        }

    async def obey(self, command: str, asked: Asked) -> Told:
        """What else is to be told beside that it is done."""
        if (told := self._done.get(command)) is not None:
            return await told(asked)
        await (self._sit(command, asked) or self._talk(command, asked))
        return NOTHING

    def _sit(self, command: str, asked: Asked) -> Awaitable[None] | None:
        seat = self._seat
        match command:
            case "accept":
                return _at_once(seat.accept, asked.number("place"))
            case "decline":
                return _at_once(seat.decline, asked.number("place"))
            case "available":
                return seat.available()
            case "away":
                return seat.away(asked.text("reason", 60))
            case "finish":
                then: Literal["available", "away"] = "away" if asked.text("then") == "away" else "available"
                return seat.finish(asked.text("disposition", 40), then, asked.text("reason", 60))
            case "call_back":
                return seat.call_back(asked.text("number", 40), asked.moment("due"))
            case "note":
                return seat.add_note(asked.text("text"), asked.text("key", 80))
            case "undo":
                return seat.undo(asked.text("grant", 80), asked.text("key", 80))
        return None

    def _talk(self, command: str, asked: Asked) -> Awaitable[None]:
        bridge = self._seat.bridge()
        match command:
            case "hold":
                return bridge.hold(asked.flag("on"))
            case "mute":
                return bridge.mute(asked.flag("on"))
            case "press":
                return bridge.press(asked.keys())
            case "record":
                return bridge.record(asked.flag("on"))
            case "withdraw_recording":
                return bridge.withdraw_recording()
            case "transfer":
                return bridge.transfer(asked.target())
            case "consult":
                return bridge.consult(asked.target())
            case "complete":
                return bridge.complete()
            case "conference":
                return bridge.conference()
            case "drop":
                return bridge.drop()
            case "machine":
                return bridge.back_to_machine()
            case "hang_up":
                return bridge.hang_up()
            case "on_hang_up":
                return bridge.on_hang_up("returns" if asked.text("how") == "returns" else "ends")
        raise ValueError(f"there is no command {command}")

    async def _phone(self, asked: Asked) -> Told:
        if self._seat.phone is None:
            raise IvrError("calls don't come to this page: this line has no phones in browsers")
        return {"sdp": await self._seat.phone.connect(asked.text("sdp", LONGEST_SDP))}

    async def _find(self, asked: Asked) -> Told:
        found = await in_time(self._backend.calls.find(CallSearch(text=asked.text("text", 200), limit=MOST_FOUND)))
        names, mask = ("call_id", "started_at", "outcome", "reason", "live"), self._backend.mask
        return {
            "calls": [
                {**{name: call.get(name) for name in names}, "caller": phone(call.get("caller"), mask=mask)}
                for call in found.calls
            ],
            "count": found.totals.count,
        }

    async def _grant(self, asked: Asked) -> Told:
        return await self._seat.grant(asked.text("goodwill", 80), asked.text("choice", 80), asked.text("key", 80))


async def _at_once(act: Callable[[int], None], place: int) -> None:
    act(place)
