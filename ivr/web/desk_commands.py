"""Commands of an agent's console: what a page may ask of its seat, read once, and told back in words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Literal

from ivr.call_search import CallSearch
from ivr.desk.seat import Seat
from ivr.errors import IvrError
from ivr.web.backend import Backend, in_time
from ivr.web.command_socket import LONGEST_SDP, NOTHING, Asked, Told
from ivr.web.formats import phone

MOST_FOUND = 8
KEYS = frozenset("0123456789*#ABCD")
TARGETS = ("agent:", "skill:", "tel:", "sip:", "sips:")


class DeskCommands:
    """Of one page's seat: ``command_socket.Commands``."""

    def __init__(self, seat: Seat, backend: Backend) -> None:
        self._seat = seat
        self._backend = backend
        self._done: Mapping[str, Callable[[Asked], Awaitable[Told]]] = {
            "phone.offer": self._phone,
            "find": self._find,
            "grant": self._grant,
        }

    async def obey(self, do: str, asked: Asked) -> Told:
        if (told := self._done.get(do)) is not None:
            return await told(asked)
        await (self._sit(do, asked) or self._talk(do, asked))
        return NOTHING

    def _sit(self, do: str, asked: Asked) -> Awaitable[None] | None:
        seat = self._seat
        match do:
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
            case "again":
                seat.again(asked.number("place"), held=asked.flag("held"), paused=asked.flag("paused"))
                return _done()
            case "undo":
                return seat.undo(asked.text("grant", 80), asked.text("key", 80))
        return None

    def _talk(self, do: str, asked: Asked) -> Awaitable[None]:
        bridge = self._seat.bridge()
        match do:
            case "hold":
                return bridge.hold(asked.flag("on"))
            case "mute":
                return bridge.mute(asked.flag("on"))
            case "press":
                return bridge.press(_keys(asked))
            case "record":
                return bridge.record(asked.flag("on"))
            case "withdraw_recording":
                return bridge.withdraw_recording()
            case "transfer":
                return bridge.transfer(_target(asked))
            case "consult":
                return bridge.consult(_target(asked))
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
        raise ValueError(f"there is no command {do}")

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
        given = await self._seat.grant(asked.text("goodwill", 80), asked.text("choice", 80), asked.text("key", 80))
        return {"grant": given["id"], "label": given["label"], "undo_until": given["undo_until"]}


async def _done() -> None:
    """Nothing is to be waited for."""


async def _at_once(act: Callable[[int], None], place: int) -> None:
    act(place)


def _target(asked: Asked) -> str:
    to = asked.text("to", 200)
    if not to.startswith(TARGETS):
        raise ValueError("to is agent:NAME, skill:NAME or a number that is allowed")
    return to


def _keys(asked: Asked) -> str:
    keys = asked.text("keys", 32)
    if not keys or not KEYS.issuperset(keys):
        raise ValueError("keys are 0-9, * and #")
    return keys
