"""The supervisor's page: the live board with its commands by one WebSocket (RFC 6455), and a day's history.

The service sends JSON objects:

  ``{"kind": "hello", "now": ISO 8601, "phone": bool}``: the service's clock, once; whether listening is possible.
  ``{"kind": "board", …}``: ``ivr.desk.board.DeskBoard.view``, whole, at once and whenever it changed; ``who`` stands
      for a caller's name and number.
  ``{"kind": "done", "id", …}`` and ``{"kind": "refused", "id", "why"}``: to each command.

The page sends ``{"id": NUMBER, "do": COMMAND, …}``; moments without an offset are on the company's wall:

  hours {open: true|false|null, until, reason} · announce {text, until} · move {place, skill, priority}
  skills {agent, skills: [...]} · state {agent, state: idle|away, reason}
  supervise {agent, how: listen|whisper|barge|off} · phone.offer {sdp} -> {sdp}
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from ivr.errors import IvrError
from ivr.web.access import account_of, needs
from ivr.web.backend import BACKEND, Board, in_time
from ivr.web.board_commands import BoardCommands
from ivr.web.bodies import object_of
from ivr.web.formats import dumps, json_response, phone
from ivr.web.live import FEED
from ivr.web.rendering import page

HEARTBEAT_S = 2.0
LONGEST_MESSAGE = 32 * 1024
AGAIN_S = 1.0  # times pass: who is overdue or due now stands elsewhere without anybody having moved

OPEN: web.AppKey[set[web.WebSocketResponse]] = web.AppKey("boards", set)


async def hang_up(app: web.Application) -> None:
    """Close every board: the service stops."""
    open_now = app[OPEN]
    for ws in tuple(open_now):
        await ws.close(code=WSCloseCode.GOING_AWAY)


@needs("supervisor")
async def board(request: web.Request) -> web.Response:
    _board(request)
    today = datetime.now(UTC).astimezone(request.app[BACKEND].zone).date()
    return page(request, "board.html", account=account_of(request), today=today)


@needs("supervisor")
async def history(request: web.Request) -> web.Response:
    """``?day=2026-03-01``, today without: ``ivr.desk.history.DayHistory``."""
    asked = request.query.get("day", "")
    zone = request.app[BACKEND].zone
    try:
        day = date.fromisoformat(asked) if asked else datetime.now(UTC).astimezone(zone).date()
    except ValueError as error:
        raise web.HTTPBadRequest(text="write the day as 2026-03-01") from error
    return json_response(await in_time(_board(request).day(day)), headers={"Cache-Control": "no-store"})


async def promises(request: web.Request) -> web.Response:
    """What the desk promised today and kept, for everybody who works here."""
    return json_response(_board(request).promises, headers={"Cache-Control": "no-store"})


@needs("supervisor")
async def socket(request: web.Request) -> web.WebSocketResponse:
    """The module's text says what goes to and fro."""
    found = _board(request)
    ws = web.WebSocketResponse(heartbeat=HEARTBEAT_S, max_msg_size=LONGEST_MESSAGE)
    if not ws.can_prepare(request):
        raise web.HTTPBadRequest(text="this is a WebSocket")
    await ws.prepare(request)
    request.app[OPEN].add(ws)
    try:
        await _serve(ws, request, found)
    finally:
        request.app[OPEN].discard(ws)
    return ws


def _board(request: web.Request) -> Board:
    found = request.app[BACKEND].board
    if found is None:
        raise web.HTTPNotFound(text="this line has no desk")
    return found


async def _serve(ws: web.WebSocketResponse, request: web.Request, found: Board) -> None:
    backend, account = request.app[BACKEND], account_of(request)
    handset = backend.board_phone(account.name) if backend.board_phone is not None else None
    commands = BoardCommands(found, account, backend.zone, handset)
    tasks: set[asyncio.Task[None]] = set()

    def beside(work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    try:
        await ws.send_str(dumps({"kind": "hello", "now": datetime.now(UTC).isoformat(), "phone": handset is not None}))
        shown = _Shown(ws, request, found)
        beside(shown.follow())
        beside(shown.look_again())
        async for message in ws:
            if message.type is not WSMsgType.TEXT:
                break
            beside(_obey(ws, commands, message.data))
    except ConnectionError:  # the page is gone
        pass
    finally:
        left = list(tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        if handset is not None:
            await handset.close()


class _Shown:
    """What one page shows: told again when it is another."""

    def __init__(self, ws: web.WebSocketResponse, request: web.Request, found: Board) -> None:
        self._ws = ws
        self._request = request
        self._board = found
        self._sent = ""

    async def follow(self) -> None:
        async for _ in self._request.app[FEED].changes():
            await self._look()

    async def look_again(self) -> None:
        while True:
            await asyncio.sleep(AGAIN_S)
            await self._look()

    async def _look(self) -> None:
        mask = self._request.app[BACKEND].mask
        text = dumps({"kind": "board", **_shown(self._board.view(), mask=mask)})
        if text != self._sent and not self._ws.closed:
            self._sent = text
            with suppress(ConnectionError):
                await self._ws.send_str(text)


async def _obey(ws: web.WebSocketResponse, commands: BoardCommands, text: str) -> None:
    number: object = None
    try:
        asked = object_of(text)
        number = asked.get("id")
        told = {"kind": "done", "id": number, **await commands.obey(str(asked.get("do")), asked)}
    except IvrError as error:
        told = {"kind": "refused", "id": number, "why": str(error)}
    except ValueError as error:
        told = {"kind": "refused", "id": number, "why": f"not understood: {error}"}
    try:
        await ws.send_str(dumps(told))
    except ConnectionError:
        return


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
