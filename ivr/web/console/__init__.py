"""The web console: live calls, flows as pictures, and a telephone made of text to try them with."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

from ivr.web.console import calls, events, flows, login, simulator
from ivr.web.console.backend import CONSOLE, ConsoleBackend
from ivr.web.console.calls import handoff as handoff

STATIC = Path(__file__).parents[1] / "static"


def add_routes(app: web.Application, backend: ConsoleBackend) -> None:
    app[CONSOLE] = backend
    simulator.prepare(app)
    app.on_shutdown.append(_say_goodbye)
    app.router.add_static("/static/", STATIC)
    router = app.router
    router.add_get("/", home)
    router.add_get("/login", login.form)
    router.add_post("/login", login.enter)
    router.add_post("/logout", login.leave)
    router.add_get("/calls", calls.overview)
    router.add_get("/calls/{call_id}", calls.detail)
    router.add_get("/flows", flows.overview)
    router.add_post("/flows/rollback", flows.roll_back)
    router.add_get("/flows/{flow}", flows.flow_page)
    router.add_get("/flows/{flow}/simulator", simulator.socket)
    router.add_get("/events", events.stream)
    router.add_get("/api/flows", flows.as_json)
    router.add_post("/api/flows/rollback", flows.roll_back_json)


async def _say_goodbye(app: web.Application) -> None:
    """Open pages hold connections that would keep the server waiting."""
    app[CONSOLE].feed.close()
    await simulator.hang_up(app)


async def home(_: web.Request) -> web.Response:
    raise web.HTTPSeeOther("/calls")
