"""The live agent's console: one page, and the WebSocket (RFC 6455) by which it shows and commands the agent's seat.

The page may come and go; the seat (``ivr.desk.seats``) stays for 2.4 s without one, so that a page that is loaded
again has its conversation still. The newest page of an account has the seat.

The service sends JSON objects:

  ``{"kind": "hello", "now": ISO 8601, "process"}``: the service's clock, and which process of the line this is, once:
      a page that comes from another connects its phone anew.
  ``{"kind": "state", "me", "line", "offer", "talk", "wrap", "news", "targets", "dispositions"}``: everything that is
      shown, whole, at once and whenever it changed. ``me``: name, display, state (as ``ports.AgentState``), reason,
      since, until, skills, phone ("browser" or "sip"), reachable, opens_calls (whether the page of a call is theirs to
      open). ``line``: waiting, since (who waits longest), urgent,
      places, fresh. ``offer``, ``talk`` and ``wrap`` are None or: place, kind ("call", "call_back", "message"),
      entered, again, attempts, call_back_number, until, since, ended, joined, awaited (joined at a process that died,
      and again in a moment), bridge (``Bridge.view()``), message
      (transcript, recording), story (see ``ivr.desk.story``).
  ``{"kind": "transcript", "lines": [{by, text, at, unsure, late}], "whole": bool}``: what was said; ``whole`` lines
      replace those before.
  ``{"kind": "done", "id", …}`` and ``{"kind": "refused", "id", "why"}``: to each command (``ivr.web.command_socket``).
  ``{"kind": "replaced"}``: the agent opened a newer page; this one is closed (4001).

The page sends ``{"id": NUMBER, "do": COMMAND, …}``:

  available · away {reason} · accept {place} · decline {place} · finish {disposition, then: available|away, reason}
  record {on} · withdraw_recording
  hold {on} · mute {on} · press {keys} · transfer {to} · consult {to} · complete · conference · drop · machine · hang_up
  on_hang_up {how: ends|returns} · note {text, key} · grant {goodwill, choice, key} -> {grant, label, undo_until}
  again {place, held, paused}: how a conversation was at the process that died
  undo {grant, key} · call_back {number, due} · find {text} -> {calls, count} · phone.offer {sdp} -> {sdp}
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from aiohttp import WSCloseCode, web

from ivr.desk.page import TranscriptLine
from ivr.desk.seat import Seat
from ivr.desk.seats import Seats
from ivr.desk.story import plain
from ivr.errors import IvrError
from ivr.web.backend import BACKEND
from ivr.web.command_socket import CommandSocket, opened
from ivr.web.desk_commands import DeskCommands
from ivr.web.live import FEED, Feed
from ivr.web.rendering import page
from ivr.web.rules import account_of, needs

HEARTBEAT_S = 1.4
SILENT_S = HEARTBEAT_S * 1.5  # a ping after one without a sign of life, and half of one for its answer
REPLACED = 4001


@needs("agent", scope="calls:control")
async def desk(request: web.Request) -> web.Response:
    _seats(request)
    return page(request, "desk.html", account=account_of(request))


@needs("agent", scope="calls:control")
async def socket(request: web.Request) -> web.WebSocketResponse:
    """The module's text says what goes to and fro."""
    seats = _seats(request)
    async with opened(request, HEARTBEAT_S) as open_page:
        await _serve(open_page, request, seats)
    return open_page.response


def _seats(request: web.Request) -> Seats:
    seats = request.app[BACKEND].seats
    if seats is None:
        raise web.HTTPNotFound(text="this line has no desk")
    return seats


async def _serve(socket: CommandSocket, request: web.Request, seats: Seats) -> None:
    console = _Console(socket)
    try:
        seat = await seats.enter(account_of(request), console)
    except IvrError as error:
        await socket.close(WSCloseCode.TRY_AGAIN_LATER, str(error))
        return
    try:
        socket.tell({"kind": "hello", "now": datetime.now(UTC).isoformat(), "process": seats.process})
        socket.beside(_show(console, request.app[FEED], seats, seat))
        await socket.serve(DeskCommands(seat, request.app[BACKEND]))
    finally:
        seats.leave(seat, console, silent_s=SILENT_S if socket.silent else 0.0)


class _Console:
    """The page at the other end: ``ivr.desk.seat.Page``."""

    def __init__(self, socket: CommandSocket) -> None:
        self.socket = socket

    def replaced(self) -> None:
        self.socket.tell({"kind": "replaced"}, close=REPLACED)

    def transcribed(self, line: TranscriptLine) -> None:
        self.said([line], whole=False)

    def said(self, lines: Sequence[TranscriptLine], *, whole: bool) -> None:
        """``whole`` lines stand for all before."""
        self.socket.tell({"kind": "transcript", "lines": [plain(asdict(line)) for line in lines], "whole": whole})


async def _show(console: _Console, feed: Feed, seats: Seats, seat: Seat) -> None:
    sent: dict[str, Any] = {}
    talk: object = None
    async for _ in feed.changes():
        if seat.page is not console:
            return
        state = dict(seats.view(seat))
        now = (state["talk"] or state["wrap"] or {}).get("place")
        if not sent or now != talk:
            talk = now
            console.said(seat.lines, whole=True)
        if state != sent:
            sent = state
            console.socket.tell(state)
        await console.socket.written()


ROUTES = (
    web.get("/desk", desk),
    web.get("/desk/socket", socket),
)
