"""The accounts of the house, for supervisors: who may do what, new ones, one-time passwords, and what happened."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from ivr.errors import AccountError
from ivr.ports import ROLES, Account, Role
from ivr.ports.accounts import MEANING
from ivr.web.access import GATE
from ivr.web.backend import in_time
from ivr.web.bodies import form
from ivr.web.rendering import page
from ivr.web.rules import account_of, may, needs

CHANGES = ("roles", "disable", "enable", "one-time", "log-out", "remove")


@needs("supervisor", "ops", scope="admin")
async def accounts(request: web.Request) -> web.Response:
    return await _page(request)


@needs("supervisor", scope="admin")
async def add(request: web.Request) -> web.StreamResponse:
    """A new account, with a one-time password that is shown once: nobody but its owner chooses the real one."""
    data, authentication = await form(request), request.app[GATE].authentication
    by, wanted = account_of(request).name, Account(data.get("name", ""), _roles(data), data.get("display", ""))
    try:
        made = await in_time(authentication.add(wanted, by))
        secret = await in_time(authentication.set_one_time(made.name, by))
    except AccountError as error:
        return await _page(request, wrong=str(error), status=409)
    return await _page(request, told=made.name, secret=secret)


@needs("supervisor", scope="admin")
async def change(request: web.Request) -> web.StreamResponse:
    name, what = request.match_info["name"], request.match_info["change"]
    if what not in CHANGES:
        raise web.HTTPNotFound
    data, authentication = await form(request), request.app[GATE].authentication
    store, by, secret = authentication.store, account_of(request).name, ""
    try:
        match what:
            case "roles":
                await in_time(store.set_roles(name, _roles(data), by))
            case "disable" | "enable":
                await in_time(store.set_disabled(name, what == "disable", by))
            case "one-time":
                secret = await in_time(authentication.set_one_time(name, by))
            case "log-out":
                await in_time(authentication.log_out_everywhere(name, by))
            case _:
                await in_time(store.remove(name, by))
    except AccountError as error:
        return await _page(request, wrong=str(error), status=409)
    authentication.sessions.forget(name)
    if secret:
        return await _page(request, told=name, secret=secret)
    raise web.HTTPSeeOther("/accounts")


def _roles(data: Mapping[str, str]) -> frozenset[Role]:
    """The boxes that are ticked."""
    return frozenset(role for role in ROLES if data.get(f"role-{role}"))


async def _page(
    request: web.Request, *, wrong: str = "", status: int = 200, told: str = "", secret: str = ""
) -> web.Response:
    store = request.app[GATE].authentication.store
    return page(
        request,
        "accounts.html",
        status=status,
        accounts=await in_time(store.all()),
        trail=await in_time(store.trail()),
        roles=MEANING,
        managing=may(request, "admin", "supervisor"),
        wrong=f"{wrong[:1].upper()}{wrong[1:]}." if wrong else "",
        told=told,
        secret=secret,
    )


ROUTES = (
    web.get("/accounts", accounts),
    web.post("/accounts", add),
    web.post("/accounts/{name}/{change}", change),
)
