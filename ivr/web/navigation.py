"""Navigation: the console's rooms, and which of them somebody may enter."""

from __future__ import annotations

from collections.abc import Iterator

from aiohttp import web

from ivr.ports import Account
from ivr.web.access import OWN_ACCOUNT
from ivr.web.backend import BACKEND
from ivr.web.rules import may_open

ROOMS = (
    ("/desk", "Desk"),
    ("/board", "Board"),
    ("/calls", "Calls"),
    ("/flows", "Flows"),
    ("/words", "Words"),
    ("/accounts", "Accounts"),
    ("/audit", "Audit"),
)


def rooms(app: web.Application, account: Account) -> list[tuple[str, str]]:
    """Address and name of those that are there and whose rule lets ``account`` in."""
    pages = dict(_pages(app))
    served = app[BACKEND]
    behind = {"/desk": served.seats, "/board": served.board, "/words": served.words}
    absent = {room for room, what in behind.items() if what is None}
    return [
        (address, name)
        for address, name in ROOMS
        if address in pages and address not in absent and may_open(account, pages[address])
    ]


def home(app: web.Application, account: Account) -> str:
    """Where ``account`` begins."""
    return next((address for address, _ in rooms(app, account)), OWN_ACCOUNT)


def _pages(app: web.Application) -> Iterator[tuple[str, object]]:
    for route in app.router.routes():
        if route.method == "GET" and route.resource is not None:
            yield route.resource.canonical, route.handler
