"""Rules: who may reach a page or a resource. People by their roles, programs by the scopes of the token they show."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from aiohttp import web

from ivr.ports import Account, Role, Scope
from ivr.ports.accounts import LOCAL, STRANGER
from ivr.web.bodies import Handler

People = Literal["people"]
PEOPLE: People = "people"
"""Instead of a scope: whoever it is about logs in themselves."""
ACCOUNT: web.RequestKey[Account] = web.RequestKey("account", Account)
SCOPES_SHOWN: web.RequestKey[frozenset[Scope]] = web.RequestKey("scopes", frozenset)  # of a program
RULE = "rule"  # a handler's


@dataclass(frozen=True, slots=True)
class Rule:
    """``roles``: one of them is needed; empty: everybody who is logged in. ``scope``: a token's; "" names none, which
    is nobody's but who has "admin"."""

    roles: frozenset[Role]
    scope: Scope | People | Literal[""]


def needs(*roles: Role, scope: Scope | People | Literal[""] = "") -> Callable[[Handler], Handler]:
    """A handler that only people with one of ``roles`` reach, and programs with ``scope``; 403 for others. Without
    roles: everybody who is logged in. What has no such rule is served to nobody, but for OPEN_PATHS."""

    def only(handler: Handler) -> Handler:
        @functools.wraps(handler)
        async def checked(request: web.Request) -> web.StreamResponse:
            scopes = request.get(SCOPES_SHOWN)
            if scopes is not None:
                _check_scope(scope, scopes)
            elif roles and not account_of(request).may(*roles):
                raise web.HTTPForbidden(text=f"this needs the role {' or '.join(roles)}; ask a supervisor")
            return await handler(request)

        setattr(checked, RULE, Rule(frozenset(roles), scope))
        return checked

    return only


def _check_scope(scope: Scope | People | Literal[""], shown: frozenset[Scope]) -> None:
    if scope == PEOPLE:
        raise web.HTTPForbidden(text="no token opens this: log in")
    wanted = scope or "admin"
    if wanted not in shown:
        raise web.HTTPForbidden(
            text=f"this needs the scope {wanted}; the token has {', '.join(sorted(shown))}",
            headers={"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{wanted}"'},
        )


def account_of(request: web.Request) -> Account:
    """Who asks. Whoever got past the gate is somebody."""
    account: Account = request.get(ACCOUNT, STRANGER)
    return account


def author_of(request: web.Request) -> str:
    """Who changed flows at a page, as their history has it."""
    account = account_of(request)
    return account.name if account is not LOCAL else "console"


def may(request: web.Request, scope: Scope, *roles: Role) -> bool:
    """Whether who asks may also do what needs ``scope``, or one of ``roles``."""
    scopes = request.get(SCOPES_SHOWN)
    return scope in scopes if scopes is not None else account_of(request).may(*roles)


def rule_of(handler: object) -> Rule | None:
    """None where there is none."""
    rule: Rule | None = getattr(handler, RULE, None)
    return rule


def may_open(account: Account, handler: object) -> bool:
    rule = rule_of(handler)
    return rule is not None and (not rule.roles or account.may(*rule.roles))
