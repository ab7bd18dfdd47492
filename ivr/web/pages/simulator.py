"""The simulator's WebSocket (RFC 6455): one connection, one simulated caller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from ivr.errors import IvrError
from ivr.web.access import SESSION
from ivr.web.api.pictures import sources_of
from ivr.web.backend import BACKEND, Trial
from ivr.web.bodies import object_of
from ivr.web.formats import dumps
from ivr.web.rules import needs

LONGEST_LINE = 2000  # the answer of a service
LONGEST_MESSAGE = 4096
MOST_AT_ONCE = 20
MOST_PER_LOGIN = 5
CALL = {"caller": "", "language": "en-US", "draft": ""}
IDLE_S = 900.0  # since the last thing typed

OPEN: web.AppKey[dict[web.WebSocketResponse, str]] = web.AppKey("simulators", dict)


async def hang_up(app: web.Application) -> None:
    """Close every simulation: the service stops."""
    for ws in list(app[OPEN].keys()):
        await ws.close(code=WSCloseCode.GOING_AWAY)


@needs("designer", scope="flows:read")
async def socket(request: web.Request) -> web.WebSocketResponse:
    """In: {"call": {"caller", "language", "draft"}} or {"line": TEXT}. Out: what happened, or {"error": TEXT}."""
    open_now, login = request.app[OPEN], _login(request)
    if len(open_now) >= MOST_AT_ONCE:
        raise web.HTTPServiceUnavailable(text="too many simulations are open: close one")
    if login and list(open_now.values()).count(login) >= MOST_PER_LOGIN:
        raise web.HTTPTooManyRequests(text=f"you have {MOST_PER_LOGIN} simulations open: close one")
    ws = web.WebSocketResponse(heartbeat=30.0, max_msg_size=LONGEST_MESSAGE, receive_timeout=IDLE_S)
    if not ws.can_prepare(request):
        raise web.HTTPBadRequest(text="this is a WebSocket")
    open_now[ws] = login  # before the handshake: many may come at once
    try:
        await ws.prepare(request)
        await _serve(ws, request)
    except TimeoutError:
        await ws.close(message=b"idle")
    finally:
        open_now.pop(ws, None)
    return ws


async def _serve(ws: web.WebSocketResponse, request: web.Request) -> None:
    """Raises TimeoutError for somebody who types no more."""
    calls = _Calls(request)
    try:
        async for message in ws:
            if message.type is not WSMsgType.TEXT:
                break
            try:
                told = await calls.told(message.data)
            except IvrError as error:
                told = {"error": str(error)}
            except ValueError as error:
                told = {"error": f"not understood: {error}"}
            await ws.send_str(dumps(told))
    except ConnectionError:  # the page was closed
        return
    finally:
        calls.close()


class _Calls:
    """One simulated caller's calls, one after the other."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self._flows = request.app[BACKEND].flows
        self._flow = request.match_info["flow"]
        self._trial: Trial | None = None

    async def told(self, message: str) -> Mapping[str, Any]:
        """What comes of it. Raises IvrError, ValueError."""
        asked = _asked(message)
        if "call" in asked:
            self.close()
            sources = await sources_of(self._request, asked["draft"])
            self._trial = await self._flows.trial(self._flow, asked["call"], asked["language"], sources)
            return await self._trial.begin()
        if self._trial is None:
            return {"error": "call first"}
        return await self._trial.obey(asked["line"])

    def close(self) -> None:
        if self._trial is not None:
            self._trial.close()
        self._trial = None


def _login(request: web.Request) -> str:
    """Whose simulations are counted together; "" for programs, and for everybody while nobody has an account."""
    session = request.get(SESSION)
    return session.id if session is not None else ""


def _asked(text: str) -> dict[str, str]:
    """Raises ValueError."""
    match object_of(text):
        case {"line": str(line)}:
            return {"line": line[:LONGEST_LINE]}
        case {"call": {**call}}:
            caller, language, draft = (call.get(name, usual) for name, usual in CALL.items())
            if isinstance(caller, str) and isinstance(language, str) and isinstance(draft, str):
                return {"call": caller[:30], "language": language[:20], "draft": draft[:60]}
    raise ValueError("send line or call")


ROUTES = (web.get("/flows/{flow}/simulator", socket),)
