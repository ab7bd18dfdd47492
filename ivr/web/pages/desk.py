"""The live agent's console: one page, and the WebSocket (RFC 6455) by which it shows and commands the agent's seat.

The page may come and go; the seat (``ivr.desk.seats``) stays for 2.4 s without one, so that a page that is loaded
again has its conversation still. The newest page of an account has the seat.

The service sends JSON objects:

  ``{"kind": "hello", "now": ISO 8601}``: the service's clock, once.
  ``{"kind": "state", "me", "line", "offer", "talk", "wrap", "news", "targets", "dispositions"}``: everything that is
      shown, whole, at once and whenever it changed. ``me``: name, display, state (as ``ports.AgentState``), reason,
      since, until, skills, phone ("browser" or "sip"), reachable, opens_calls (whether the page of a call is theirs to
      open). ``line``: waiting, since (who waits longest), urgent,
      places, fresh. ``offer``, ``talk`` and ``wrap`` are None or: place, kind ("call", "call_back", "message"),
      entered, again, attempts, call_back_number, until, since, ended, joined, bridge (``Bridge.view()``), message
      (transcript, recording), story (see ``ivr.desk.story``).
  ``{"kind": "transcript", "lines": [{by, text, at, unsure, late}], "whole": bool}``: what was said; ``whole`` lines
      replace those before.
  ``{"kind": "done", "id", …}`` and ``{"kind": "refused", "id", "why"}``: to each command.
  ``{"kind": "replaced"}``: the agent opened a newer page; this one is closed (4001).

The page sends ``{"id": NUMBER, "do": COMMAND, …}``:

  available · away {reason} · accept {place} · decline {place} · finish {disposition, then: available|away, reason}
  record {on} · withdraw_recording
  hold {on} · mute {on} · press {keys} · transfer {to} · consult {to} · complete · conference · drop · machine · hang_up
  on_hang_up {how: ends|returns} · note {text, key} · grant {goodwill, choice, key} -> {id, label, undo_until}
  undo {grant, key} · call_back {number, due} · find {text} -> {calls, count} · phone.offer {sdp} -> {sdp}
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from ivr.desk.seat import Seat, TranscriptLine
from ivr.desk.seats import Seats
from ivr.desk.story import plain
from ivr.errors import IvrError
from ivr.web.access import account_of, needs
from ivr.web.backend import BACKEND
from ivr.web.bodies import object_of
from ivr.web.desk_commands import Asked, DeskCommands
from ivr.web.formats import dumps
from ivr.web.live import FEED
from ivr.web.rendering import page

HEARTBEAT_S = 1.4
SILENT_S = HEARTBEAT_S * 1.5  # a ping after one without a sign of life, and half of one for its answer
LONGEST_MESSAGE = 32 * 1024
MOST_UNSENT = 200
REPLACED = 4001

OPEN: web.AppKey[dict[web.WebSocketResponse, str]] = web.AppKey("desks", dict)


async def hang_up(app: web.Application) -> None:
    """Close every console: the service stops."""
    for ws in list(app[OPEN].keys()):
        await ws.close(code=WSCloseCode.GOING_AWAY)


@needs("agent")
async def desk(request: web.Request) -> web.Response:
    _seats(request)
    return page(request, "desk.html", account=account_of(request))


@needs("agent")
async def socket(request: web.Request) -> web.WebSocketResponse:
    """The module's text says what goes to and fro."""
    seats = _seats(request)
    ws = web.WebSocketResponse(heartbeat=HEARTBEAT_S, max_msg_size=LONGEST_MESSAGE)
    if not ws.can_prepare(request):
        raise web.HTTPBadRequest(text="this is a WebSocket")
    await ws.prepare(request)
    request.app[OPEN][ws] = account_of(request).name
    try:
        await _serve(ws, request, seats)
    finally:
        request.app[OPEN].pop(ws, None)
    return ws


def _seats(request: web.Request) -> Seats:
    seats = request.app[BACKEND].seats
    if seats is None:
        raise web.HTTPNotFound(text="this line has no desk")
    return seats


async def _serve(ws: web.WebSocketResponse, request: web.Request, seats: Seats) -> None:
    console = _Console(ws)
    try:
        seat = await seats.enter(account_of(request), console)
    except IvrError as error:
        await ws.close(code=WSCloseCode.TRY_AGAIN_LATER, message=str(error).encode()[:120])
        return
    tasks: set[asyncio.Task[None]] = set()

    def beside(work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    try:
        console.tell({"kind": "hello", "now": datetime.now(UTC).isoformat()})
        beside(console.send())
        beside(_show(console, request, seats, seat))
        commands = DeskCommands(seat, request.app[BACKEND])
        async for message in ws:
            if message.type is not WSMsgType.TEXT:
                break
            beside(_obey(console, commands, message.data))
    except ConnectionError:  # the page is gone
        pass
    finally:
        seats.leave(seat, console, silent_s=SILENT_S if isinstance(ws.exception(), TimeoutError) else 0.0)
        left = list(tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


class _Console:
    """The page at the other end: ``ivr.desk.seat.Page``."""

    def __init__(self, ws: web.WebSocketResponse) -> None:
        self._ws = ws
        self._unsent: asyncio.Queue[str] = asyncio.Queue(MOST_UNSENT)

    def tell(self, told: dict[str, Any]) -> None:
        try:
            self._unsent.put_nowait(dumps(told))
        except asyncio.QueueFull:  # it reads nothing any more: the heartbeat will notice
            return

    def replaced(self) -> None:
        self.tell({"kind": "replaced"})

    def transcribed(self, line: TranscriptLine) -> None:
        self.tell({"kind": "transcript", "lines": [plain(asdict(line))], "whole": False})

    async def send(self) -> None:
        while not self._ws.closed:
            text = await self._unsent.get()
            try:
                await self._ws.send_str(text)
            except ConnectionError:
                return
            if text == dumps({"kind": "replaced"}):
                await self._ws.close(code=REPLACED, message=b"replaced")


async def _show(console: _Console, request: web.Request, seats: Seats, seat: Seat) -> None:
    sent: object = None
    talk: object = None
    async for _ in request.app[FEED].changes():
        if seat.page is not console:
            return
        state = dict(seats.view(seat))
        now = (state["talk"] or state["wrap"] or {}).get("place")
        if sent is None or now != talk:
            talk = now
            console.tell({"kind": "transcript", "lines": [plain(asdict(line)) for line in seat.lines], "whole": True})
        if state != sent:
            sent = state
            console.tell(state)


async def _obey(console: _Console, commands: DeskCommands, text: str) -> None:
    number: object = None
    try:
        asked = object_of(text)
        number = asked.get("id")
        told = await commands.obey(str(asked.get("do")), Asked(asked))
    except IvrError as error:
        console.tell({"kind": "refused", "id": number, "why": str(error)})
    except ValueError as error:
        console.tell({"kind": "refused", "id": number, "why": f"not understood: {error}"})
    else:
        console.tell({"kind": "done", "id": number, **told})


ROUTES = (
    web.get("/desk", desk),
    web.get("/desk/socket", socket),
)
