"""People of the house who have accounts, and their browsers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import aiohttp

from ivr.accounts.authentication import Authentication
from ivr.ports import Account, Role
from ivr.store import Store

PASSWORD = "correct horse battery"
Roles = Mapping[str, Sequence[Role]]
SUPERVISOR: Roles = {"rosa": ("supervisor",)}
EVERYTHING: Roles = {"rosa": ("agent", "supervisor", "designer", "translator", "ops")}


async def hire(authentication: Authentication, people: Roles) -> None:
    """Accounts with PASSWORD; supervisors first, for somebody must manage the others."""
    for name, roles in sorted(people.items(), key=lambda each: "supervisor" not in each[1]):
        await authentication.add(Account(name, frozenset(roles), name.title()), "test", PASSWORD)


async def log_in(
    session: aiohttp.ClientSession, base: str, name: str = "rosa", password: str = PASSWORD, **more: str
) -> aiohttp.ClientResponse:
    """The answer, not followed."""
    form = {"name": name, "password": password, **more}
    async with session.post(f"{base}/login", data=form, allow_redirects=False) as answer:
        await answer.read()
        return answer


def browser() -> aiohttp.ClientSession:
    """One with cookies, for addresses too."""
    return aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))


def nobodys() -> Authentication:
    """Of a database that nobody asks."""
    store = Store("sqlite+aiosqlite://")
    return Authentication(store.accounts, store.tokens)
