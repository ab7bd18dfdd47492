"""The supervisor's page: the live board with its commands by one WebSocket (RFC 6455), and a day's history.

The service sends JSON objects:

  ``{"kind": "hello", "now": ISO 8601, "phone": bool}``: the service's clock, once; whether listening is possible.
  ``{"kind": "board", …}``: ``ivr.desk.board.DeskBoard.view``, whole, at once and whenever it changed; ``who`` stands
      for a caller's name and number.
  ``{"kind": "done", "id", …}`` and ``{"kind": "refused", "id", "why"}``: to each command (``ivr.web.command_socket``).

The page sends ``{"id": NUMBER, "do": COMMAND, …}``; moments without an offset are on the company's wall:

  hours {open: true|false|null, until, reason} · announce {text, until} · move {place, skill, priority}
  skills {agent, skills: [...]} · state {agent, state: idle|away, reason}
  supervise {agent, how: listen|whisper|barge|off} · phone.offer {sdp} -> {sdp}
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from aiohttp import web

from ivr.web.backend import BACKEND, Board, in_time
from ivr.web.board_commands import BoardCommands
from ivr.web.command_socket import CommandSocket, opened
from ivr.web.formats import json_response, phone
from ivr.web.live import FEED, Feed
from ivr.web.rendering import page
from ivr.web.rules import account_of, needs

HEARTBEAT_S = 2.0
AGAIN_S = 1.0  # times pass: who is overdue or due now stands elsewhere without anybody having moved


@needs("supervisor", scope="calls:control")
async def board(request: web.Request) -> web.Response:
    _board(request)
    today = datetime.now(UTC).astimezone(request.app[BACKEND].zone).date()
    return page(request, "board.html", account=account_of(request), today=today)


@needs("supervisor", scope="calls:read")
async def history(request: web.Request) -> web.Response:
    """``?day=2026-03-01``, today without: ``ivr.desk.history.DayHistory``."""
    asked = request.query.get("day", "")
    zone = request.app[BACKEND].zone
    try:
        day = date.fromisoformat(asked) if asked else datetime.now(UTC).astimezone(zone).date()
    except ValueError as error:
        raise web.HTTPBadRequest(text="write the day as 2026-03-01") from error
    return json_response(await in_time(_board(request).day(day)))


@needs(scope="metrics:read")
async def promises(request: web.Request) -> web.Response:
    """What the desk promised today and kept, for everybody who works here."""
    return json_response(_board(request).promises)


@needs("supervisor", scope="calls:control")
async def socket(request: web.Request) -> web.WebSocketResponse:
    """The module's text says what goes to and fro."""
    backend, account, found = request.app[BACKEND], account_of(request), _board(request)
    handset = backend.board_phone(account.name) if backend.board_phone is not None else None
    try:
        async with opened(request, HEARTBEAT_S) as open_page:
            now = datetime.now(UTC).isoformat()
            open_page.tell({"kind": "hello", "now": now, "phone": handset is not None})
            shown = _Shown(open_page, found, mask=backend.mask)
            open_page.beside(shown.follow(request.app[FEED]))
            open_page.beside(shown.look_again())
            await open_page.serve(BoardCommands(found, account, backend.zone, handset))
    finally:
        if handset is not None:
            await handset.close()
    return open_page.response


def _board(request: web.Request) -> Board:
    found = request.app[BACKEND].board
    if found is None:
        raise web.HTTPNotFound(text="this line has no desk")
    return found


class _Shown:
    """What one page shows: told again when it is another."""

    def __init__(self, socket: CommandSocket, found: Board, *, mask: bool) -> None:
        self._socket = socket
        self._board = found
        self._mask = mask
        self._told: dict[str, Any] = {}

    async def follow(self, feed: Feed) -> None:
        async for _ in feed.changes():
            await self._look()

    async def look_again(self) -> None:
        while True:
            await asyncio.sleep(AGAIN_S)
            await self._look()

    async def _look(self) -> None:
        now = {"kind": "board", **_shown(self._board.view(), mask=self._mask)}
        if now != self._told:
            self._told = now
            self._socket.tell(now)
        await self._socket.written()


def _shown(view: Mapping[str, Any], *, mask: bool) -> dict[str, Any]:
    """Names stand for numbers, which are masked as everywhere; moments as ISO 8601."""

    def who(each: Mapping[str, Any]) -> dict[str, Any]:
        rest = {key: value for key, value in each.items() if key not in ("name", "number")}
        return {**rest, "who": each["name"] or phone(each["number"], mask=mask)}

    agents = [{**agent, "talk": who(agent["talk"]) if agent["talk"] else None} for agent in view["agents"]]
    told: dict[str, Any] = _moments({**view, "callers": [who(caller) for caller in view["callers"]], "agents": agents})
    return told


def _moments(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {key: _moments(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_moments(each) for each in value]
    return value


ROUTES = (
    web.get("/board", board),
    web.get("/board/socket", socket),
    web.get("/board/day", history),
    web.get("/api/desk/promises", promises),
)
