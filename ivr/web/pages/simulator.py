"""The simulator's WebSocket (RFC 6455): one connection, one simulated caller."""

from __future__ import annotations

from aiohttp import WSCloseCode, WSMsgType, web

from ivr.errors import IvrError
from ivr.web.backend import BACKEND, Trial
from ivr.web.bodies import object_of
from ivr.web.formats import dumps

LONGEST_LINE = 300
LONGEST_MESSAGE = 4096
MOST_AT_ONCE = 20
IDLE_S = 900.0

OPEN: web.AppKey[set[web.WebSocketResponse]] = web.AppKey("simulators", set)


async def hang_up(app: web.Application) -> None:
    """Close every simulation: the service stops."""
    open_now = app[OPEN]
    for ws in tuple(open_now):
        await ws.close(code=WSCloseCode.GOING_AWAY)


async def socket(request: web.Request) -> web.WebSocketResponse:
    """In: {"call": {"caller", "language"}} or {"line": TEXT}. Out: what happened, or {"error": TEXT}."""
    flow = request.match_info["flow"]
    open_now = request.app[OPEN]
    if len(open_now) >= MOST_AT_ONCE:
        raise web.HTTPServiceUnavailable(text="too many simulations are open: close one")
    ws = web.WebSocketResponse(heartbeat=30.0, max_msg_size=LONGEST_MESSAGE, receive_timeout=IDLE_S)
    await ws.prepare(request)
    open_now.add(ws)
    trial: Trial | None = None
    try:
        async for message in ws:
            if message.type is not WSMsgType.TEXT:
                break
            try:
                asked = _asked(message.data)
                if "call" in asked:
                    trial = await request.app[BACKEND].flows.trial(flow, asked["call"], asked["language"])
                    told = await trial.begin()
                elif trial is None:
                    told = {"error": "call first"}
                else:
                    told = await trial.obey(asked["line"])
            except IvrError as error:
                told = {"error": str(error)}
            except ValueError as error:
                told = {"error": f"not understood: {error}"}
            await ws.send_str(dumps(told))
    except TimeoutError:
        await ws.close(message=b"idle")
    finally:
        open_now.discard(ws)
    return ws


def _asked(text: str) -> dict[str, str]:
    """Raises ValueError."""
    match object_of(text):
        case {"line": str(line)}:
            return {"line": line[:LONGEST_LINE]}
        case {"call": {**call}}:
            caller, language = call.get("caller", ""), call.get("language", "en-US")
            if isinstance(caller, str) and isinstance(language, str):
                return {"call": caller[:30], "language": language[:20]}
    raise ValueError("send line or call")


ROUTES = (web.get("/flows/{flow}/simulator", socket),)
