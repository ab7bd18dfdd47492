"""GET /metrics: who gets it, in which format, and that nobody guesses tokens there for nothing."""

from __future__ import annotations

import aiohttp
import pytest
from yarl import URL

from ivr.web.access import COOKIE
from tests.web.fakes import serving
from tests.web.people import EVERYTHING, Roles, browser, log_in

STRANGER = {"Host": "line.example.com"}


async def expose(accept: str) -> tuple[bytes, str]:
    return f"ivr_ready 1.0 # {accept}\n".encode(), "text/plain; version=0.0.4"


async def status(base: str, session: aiohttp.ClientSession, **headers: str) -> int:
    async with session.get(f"{base}/metrics", headers=headers) as answer:
        return answer.status


async def test_on_this_machine_and_with_the_token_it_is_told_in_the_format_that_is_asked_for() -> None:
    async with serving(token="hunter2", people=EVERYTHING, metrics=expose) as (base, session):
        async with session.get(f"{base}/metrics", headers={"Accept": "application/openmetrics-text"}) as answer:
            assert answer.status == 200 and answer.headers["Content-Type"] == "text/plain; version=0.0.4"
            assert await answer.text() == "ivr_ready 1.0 # application/openmetrics-text\n"
            assert answer.headers["Cache-Control"] == "no-store"
        assert await status(base, session, **STRANGER, Authorization="Bearer hunter2") == 200


async def test_nobody_else_gets_it_and_a_foreign_page_by_another_name_least() -> None:
    async with serving(token="hunter2", people=EVERYTHING, metrics=expose) as (base, session):
        assert await status(base, session, **STRANGER) == 401
        assert await status(base, session, **STRANGER, Authorization="Bearer guessed") == 401


STAFF: Roles = {"rosa": ("supervisor",), "otto": ("ops",), "agnes": ("agent",)}


@pytest.mark.parametrize(("name", "expected"), [("otto", 200), ("agnes", 401), ("rosa", 401)])
async def test_of_those_who_are_logged_in_ops_get_it(name: str, expected: int) -> None:
    async with serving(token="hunter2", people=STAFF, metrics=expose) as (base, session), browser() as theirs:
        assert (await log_in(theirs, base, name)).status == 303
        secret = theirs.cookie_jar.filter_cookies(URL(base))[COOKIE].value
        assert await status(base, session, **STRANGER, Cookie=f"{COOKIE}={secret}") == expected


async def test_while_the_line_starts_there_is_nothing_to_measure() -> None:
    async with serving(started=False, metrics=expose) as (base, session):
        assert await status(base, session) == 503
    async with serving() as (base, session):
        assert await status(base, session) == 404
